"""A published dataset, made of real Parquet files, and the table that it is loaded into."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import pytest

from lake.query.sql import identifier, literal
from lake.warehouse.load import PartitionLoad, TableLoad
from storage_backends import open_store

COLUMNS = (("day", "DATE"), ("trips", "BIGINT"), ("month", "VARCHAR"))
LAKE = "0b5e"

Month: TypeAlias = tuple[str, Sequence[int]]
Publish: TypeAlias = Callable[..., TableLoad]


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


@pytest.fixture
def rows(tmp_path: Path) -> Callable[..., list[tuple[Any, ...]]]:
    """Return a function that reads months and trips of the table, sorted."""

    def rows(table: str = "daily", schema: str = "marts") -> list[tuple[Any, ...]]:
        with duckdb.connect(tmp_path / "w.duckdb", read_only=True) as connection:
            return connection.execute(
                f"SELECT month, trips FROM {identifier(schema)}.{identifier(table)} ORDER BY ALL"
            ).fetchall()

    return rows
