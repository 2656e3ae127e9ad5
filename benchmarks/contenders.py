"""Those that `make compare` compares, each behind the same four questions.

Each takes Parquet files as they are where it can: registered in place, or else loaded. What its
documentation offers against drift is used: new columns are added to the schema first.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.months import SUMMED, Month, Sums
from lake.errors import LakeError
from lake.opening import init
from lake.operations.verify import verify


@dataclass(frozen=True, slots=True)
class Built:
    """A lake over some months.

    Attributes:
        sums: asks it for the sums of the columns that drift.
        files: where it keeps the rows.
        verify: what it has for finding damage, says what is damaged; None if it has nothing.
    """

    sums: Callable[[], Sums]
    files: Sequence[Path]
    verify: Callable[[], str] | None = None


@dataclass(frozen=True, slots=True)
class Contender:
    """How a lake is built over months; `refusals` is what it raises where it takes one not."""

    name: str
    build: Callable[[Path, Sequence[Month]], Built]
    refusals: tuple[type[Exception], ...]


def _asked(connection: Any, table: str) -> Sums:
    """Sum over a table as anybody would; a column that it does not have adds nothing."""
    names = {name.lower() for name, *_ in connection.execute(f"DESCRIBE {table}").fetchall()}
    wanted = [column for column in SUMMED if column in names]
    asked = ", ".join(f"sum(CAST({column} AS DECIMAL(18, 2)))" for column in wanted)
    row = connection.execute(f"SELECT {asked} FROM {table}").fetchone()
    found = dict(zip(wanted, row, strict=True))
    return {column: Decimal(found.get(column) or 0) for column in SUMMED}


def _of_arrow(table: pa.Table) -> Sums:
    with duckdb.connect() as connection:
        connection.register("trips", table)
        return _asked(connection, "trips")


def _copied(folder: Path, months: Sequence[Month]) -> list[Path]:
    """Publish files into a folder of the lake's, where they are registered in place."""
    data = folder / "data"
    data.mkdir(parents=True)
    return [Path(shutil.copy(month.path, data)) for month in months]


def clearlake(folder: Path, months: Sequence[Month]) -> Built:
    lake = init(str(folder / "lake"))
    for month in months:
        lake.land(month.path, dataset="raw.trips", partition={"month": month.name})
    return Built(
        lambda: _asked(lake.connect(), "raw.trips"),
        [Path(url) for url in lake.files("raw.trips")],
        lambda: "; ".join(one.found for one in verify(lake, told=lambda count: None).damage),
    )


def ducklake(folder: Path, months: Sequence[Month]) -> Built:
    wheel = import_module("duckdb_extension_ducklake")
    extension = next(Path(wheel.__path__[0]).glob("extensions/*/ducklake.duckdb_extension"))
    files = _copied(folder, months)
    connection = duckdb.connect()
    connection.execute(f"LOAD '{extension}'")
    connection.execute(f"ATTACH 'ducklake:{folder}/catalog' AS lake (DATA_PATH '{folder}/data')")
    connection.execute(f"CREATE TABLE lake.trips AS FROM read_parquet('{files[0]}') LIMIT 0")
    for path in files:
        _add_columns(connection, path)
        options = "allow_missing => true"
        connection.execute(f"CALL ducklake_add_data_files('lake', 'trips', '{path}', {options})")
    return Built(lambda: _asked(connection, "lake.trips"), files)


def _add_columns(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    described = connection.execute("DESCRIBE lake.trips").fetchall()
    known = {name.lower() for name, *_ in described}
    for name, dtype, *_ in connection.execute(f"DESCRIBE FROM read_parquet('{path}')").fetchall():
        if name.lower() not in known:
            connection.execute(f'ALTER TABLE lake.trips ADD COLUMN "{name}" {dtype}')


def delta_rs(folder: Path, months: Sequence[Month]) -> Built:
    from deltalake import DeltaTable, convert_to_deltalake

    files = _copied(folder, months)
    convert_to_deltalake(str(folder / "data"))
    return Built(
        lambda: _of_arrow(DeltaTable(str(folder / "data")).to_pyarrow_table()),
        files,
        lambda: ", ".join(DeltaTable(str(folder / "data")).repair(dry_run=True)["files_removed"]),
    )


def pyiceberg(folder: Path, months: Sequence[Month]) -> Built:
    from pyiceberg.catalog.sql import SqlCatalog

    files = _copied(folder, months)
    catalog = SqlCatalog("lake", uri=f"sqlite:///{folder}/catalog.db", warehouse=folder.as_uri())
    catalog.create_namespace("raw")
    table = catalog.create_table("raw.trips", schema=pq.read_schema(files[0]))
    for path in files:
        with table.update_schema() as update:
            update.union_by_name(pq.read_schema(path))
        table.add_files([str(path)])
    return Built(lambda: _of_arrow(table.scan().to_arrow()), files)


def dlt(folder: Path, months: Sequence[Month]) -> Built:
    import dlt as tool
    from dlt.destinations import filesystem

    pipeline = tool.pipeline(
        "compare",
        destination=filesystem(str(folder / "out")),
        dataset_name="raw",
        pipelines_dir=str(folder / "state"),
    )
    for month in months:
        rows = pq.read_table(month.path)
        pipeline.run([rows], table_name="trips", loader_file_format="parquet")
    files = sorted((folder / "out" / "raw" / "trips").glob("*.parquet"))

    def sums() -> Sums:
        with pipeline.sql_client() as client:
            client.execute_sql("SELECT count(*) FROM trips")
            return _asked(client.native_connection, "trips")

    return Built(sums, files)


def contenders() -> list[Contender]:
    """Return all of them; their packages are in the dependency group `bench`."""
    from deltalake.exceptions import DeltaError
    from dlt.common.exceptions import DltException
    from pyiceberg.exceptions import ValidationError

    arrow = (pa.ArrowException, ValueError, TypeError, NotImplementedError)
    return [
        Contender("Clearlake", clearlake, (LakeError,)),
        Contender("DuckLake", ducklake, (duckdb.Error,)),
        Contender("delta-rs", delta_rs, (DeltaError, duckdb.Error, *arrow)),
        Contender("pyiceberg", pyiceberg, (ValidationError, duckdb.Error, *arrow)),
        Contender("dlt", dlt, (DltException, duckdb.Error, *arrow)),
    ]
