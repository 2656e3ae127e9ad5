"""Three million rows out of PostgreSQL, beside DuckDB's scanner and dlt's Arrow back ends."""

import os
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import psycopg

from benchmarks import places
from benchmarks.measure import (
    LAKE,
    Figure,
    Missing,
    faster,
    interleaved,
    process,
    python,
    ratio,
    seconds,
)
from lake.opening import init
from tests import servers

ROWS = 3_000_000
_TABLE = """
CREATE UNLOGGED TABLE {name} AS SELECT i AS id, (i % 2 + 1)::int AS vendor_id,
  timestamp '2024-01-01' + i * interval '1 second' AS pickup_at,
  timestamp '2024-01-01' + (i + i % 3000) * interval '1 second' AS dropoff_at,
  (i % 6)::float8 AS passenger_count, (i % 2000 / 100.0)::float8 AS trip_distance,
  1::float8 AS ratecode, CASE WHEN i % 100 = 0 THEN 'Y' ELSE 'N' END AS store_and_fwd_flag,
  (i % 265)::int AS pickup_zone, (i * 7 % 265)::int AS dropoff_zone, i % 4 AS payment_type,
  (i % 6000 / 100.0)::{money} AS fare, 0.5::{money} AS extra, 0.5::{money} AS mta_tax,
  (i % 1000 / 100.0)::{money} AS tip, 0::{money} AS tolls, 1::{money} AS surcharge,
  (i % 8000 / 100.0)::{money} AS total, 2.5::{money} AS congestion,
  timestamptz '2026-01-01' + i * interval '1 millisecond' AS updated_at
FROM generate_series(1::bigint, {rows}) AS i
"""
_TOML = """
[lake]
url = "{lake}"
[sources.taxi]
database = "${{WAREHOUSE_URL}}"
table = "{table}"
{more}
"""
_SCANNER = """
import os, sys, duckdb
from storage_backends import extensions
con = duckdb.connect(config={"threads": 2})
extensions.load(con, "postgres_scanner", extra="postgres")
con.execute(f"ATTACH '{os.environ['WAREHOUSE_URL']}' AS pg (TYPE postgres, READ_ONLY)")
con.execute(f"COPY (FROM pg.public.{sys.argv[1]}) TO '{sys.argv[2]}' (FORMAT parquet)")
"""
_DLT = """
import os, sys, dlt
from dlt.sources.sql_database import sql_table
url, folder, backend = os.environ["WAREHOUSE_URL"], sys.argv[1], sys.argv[2]
more = {"backend_kwargs": {"conn": url}} if backend == "connectorx" else {}
table = sql_table(credentials=url.replace("postgresql:", "postgresql+psycopg:"), table="floats",
                  backend=backend, chunk_size=100_000, **more)
to = dlt.destinations.filesystem(bucket_url=f"file://{folder}/to")
line = dlt.pipeline("p", destination=to, dataset_name="d", pipelines_dir=f"{folder}/work")
line.run(table, loader_file_format="parquet")
"""


def figures() -> list[Figure | Missing]:
    with servers.running("postgres") as told, places.scratch() as folder:
        os.environ |= told
        _fill(told["WAREHOUSE_URL"])
        return [*_landed(folder), *_unchanged(folder)]


def _fill(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for name, money in (("floats", "float8"), ("numerics", "numeric")):
            connection.execute(_TABLE.format(name=name, money=money, rows=ROWS).encode())
            connection.execute(f"VACUUM ANALYZE {name}".encode())
        connection.execute(b"CREATE INDEX ON floats (updated_at)")


def _landed(folder: Path) -> list[Figure | Missing]:
    peers = {
        backend: partial(_dlt, folder, backend)
        for backend, needs in (("pyarrow", "sqlalchemy"), ("connectorx", "connectorx"))
        if find_spec("dlt") and find_spec("sqlalchemy") and find_spec(needs)
    }
    ours, scanned, exact, scanned_too, *others = interleaved(
        3,
        partial(_land, folder, "floats"),
        partial(_scan, folder, "floats"),
        partial(_land, folder, "numerics"),
        partial(_scan, folder, "numerics"),
        *peers.values(),
    )
    what = "PostgreSQL landed : DuckDB's scanner with COPY to Parquet"
    found: list[Figure | Missing] = [
        ratio(what, 1.1, ours, scanned),
        ratio(f"{what}, numerics without limits", 1.6, exact, scanned_too),
    ]
    for backend, taken in zip(peers, others, strict=True):
        found.append(faster(f"PostgreSQL landed, times as fast as dlt ({backend})", 2, ours, taken))
    if not peers:
        found.append(Missing("PostgreSQL landed, beside dlt", "dlt or SQLAlchemy is missing"))
    return found


def _unchanged(folder: Path) -> list[Figure | Missing]:
    again = _project(folder, "floats", 'cursor = "updated_at"\nkey = ["id"]')
    again()
    (taken,) = interleaved(5, again)
    return [seconds("nothing newer in 3 million rows with a cursor", 1.0, taken)]


def _project(folder: Path, table: str, more: str = "") -> Callable[[], float]:
    root = places.emptied(folder / "project")
    lake = root / ".lake"
    init(str(lake))
    toml = root / "lake.toml"
    toml.write_text(_TOML.format(lake=lake, table=table, more=more))
    return partial(process, "env", "-C", root, LAKE, "land")


def _land(folder: Path, table: str) -> float:
    return _project(folder, table)()


def _scan(folder: Path, table: str) -> float:
    to = folder / "scanned.parquet"
    to.unlink(missing_ok=True)
    return python(_SCANNER, table, to)


def _dlt(folder: Path, backend: str) -> float:
    at = places.emptied(folder / "dlt")
    return python(_DLT, at, backend)
