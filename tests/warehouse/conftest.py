"""A published dataset, made of real Parquet files, and the warehouses that it is loaded into.

A warehouse joins the suites that run over every one with a fixture and its name in `WAREHOUSES`.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import psycopg
import pytest

from lake.query.sql import literal
from lake.warehouse.bigquery_place import EMULATOR
from lake.warehouse.load import PartitionLoad, TableLoad
from storage_backends import open_store
from tests import servers
from tests.warehouse.bigquery_server import Server, serving
from tests.warehouse.loads import Publish
from tests.warehouse.places import Place, by_hand, by_hand_in_bigquery

WAREHOUSES = ["duckdb", "postgres", "bigquery"]
COLUMNS = (("day", "DATE"), ("trips", "BIGINT"), ("month", "VARCHAR"))
LAKE = "0b5e"

Month: TypeAlias = tuple[str, Sequence[int]]


@pytest.fixture
def publish(tmp_path: Path) -> Publish:
    """Return a function that writes months of trips, and returns the load of them at a commit.

    Each value of a month is the trips of one more day; a content's id is its text.
    """

    def publish(commit: int, months: Mapping[str, Sequence[int]], **fields: Any) -> TableLoad:
        partitions = tuple(
            _partition(tmp_path, month, trips) for month, trips in sorted(months.items())
        )
        said: dict[str, Any] = {
            "lake_id": LAKE,
            "dataset": "curated.daily",
            "table": "marts.daily",
            "columns": COLUMNS,
            "partitions": partitions,
            "let_read": open_store(str(tmp_path)).let_read,
            "description": "Trips per day",
            "owner": "data-platform",
        } | fields
        return TableLoad(commit=commit, **said)

    return publish


def _partition(folder: Path, month: str, trips: Sequence[int]) -> PartitionLoad:
    content = "-".join(map(str, trips))
    path = folder / f"{month}={content}.parquet"
    days = ", ".join(f"({i}, {n})" for i, n in enumerate(trips))
    day = f"CAST({literal(month + '-01')} AS DATE) + CAST(i AS INTEGER)"
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT {day} AS day, CAST(n AS BIGINT) AS trips FROM (VALUES {days}) t(i, n))"
            f" TO {literal(str(path))} (FORMAT parquet)"
        )
    return PartitionLoad(
        partition=f"month={month}",
        content=content,
        rows=len(trips),
        select=f"SELECT *, {literal(month)} AS month FROM read_parquet([{literal(str(path))}])",
    )


@pytest.fixture(params=WAREHOUSES)
def warehouse(request: pytest.FixtureRequest) -> Place:
    found: Place = request.getfixturevalue(f"{request.param}_warehouse")
    return found


@pytest.fixture
def duckdb_warehouse(tmp_path: Path) -> Place:
    def run(*statements: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(tmp_path / "w.duckdb") as connection:
            return [row for text in statements for row in connection.execute(text).fetchall()]

    comment = "SELECT comment FROM duckdb_tables() WHERE table_name = 'daily'"
    return Place("duckdb:///w.duckdb", "duckdb:///w.duckdb", comment, run)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Run one server for all tests of this process; give its URL."""
    with servers.running("postgres") as told:
        yield told["WAREHOUSE_URL"]


@pytest.fixture
def postgres_warehouse(postgres: str) -> Iterator[Place]:
    name = f"w{uuid.uuid4().hex[:12]}"
    url = postgres.rpartition("/")[0] + f"/{name}"
    shown = f"postgresql://{postgres.rpartition('@')[2].partition('/')[0]}/{name}"
    comment = "SELECT obj_description('marts.daily'::regclass)"
    with closing(psycopg.connect(postgres, autocommit=True)) as server:
        by_hand(server, f"CREATE DATABASE {name}")
        with closing(psycopg.connect(url, autocommit=True)) as mine:
            yield Place(url, shown, comment, partial(by_hand, mine))
        by_hand(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def bigquery_server() -> Iterator[Server]:
    """Run one server for all tests of this process, which is where the client finds BigQuery."""
    with serving() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv(EMULATOR, server.url)
        yield server


@pytest.fixture
def bigquery_warehouse(bigquery_server: Server) -> Place:
    project, engine = f"p-{uuid.uuid4().hex[:12]}", bigquery_server.engine
    engine.attach(project, "lake")
    url = f"bigquery://{project}/lake"
    comment = f"""SELECT comment FROM duckdb_tables() WHERE table_name = 'daily'
                  AND database_name = {literal(project)}"""
    return Place(url, url, comment, partial(by_hand_in_bigquery, engine, project), False)


@pytest.fixture
def rows(warehouse: Place) -> Callable[..., list[tuple[Any, ...]]]:
    """Return a function that reads months and trips of the table, sorted."""

    def rows(table: str = "marts.daily") -> list[tuple[Any, ...]]:
        return warehouse.run(f"SELECT month, trips FROM {table} ORDER BY 1, 2")

    return rows


@pytest.fixture
def described(bigquery_warehouse: Place, bigquery_server: Server) -> Callable[..., dict[str, Any]]:
    """Return a function that tells what BigQuery would of a table."""

    def described(table: str = "t", dataset: str = "lake") -> dict[str, Any]:
        return bigquery_server.engine.table(bigquery_warehouse.url.split("/")[2], dataset, table)

    return described
