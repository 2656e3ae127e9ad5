"""How a model's result is cut into partitions by its columns' values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from lake import layout
from lake.errors import BuildFailed, InvalidName, ModelInvalid
from lake.models.columns import OutputColumn
from lake.models.types import published_type
from lake.query.sql import identifier, literal
from lake.words import nearest

_TYPES = {"VARCHAR", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "DATE", "BOOLEAN"}


@dataclass(frozen=True, slots=True)
class OutputPartition:
    """One partition of a result: its text, such as `month=2024-01`, and its rows."""

    text: str
    values: Mapping[str, str]
    rows: int


@dataclass(frozen=True, slots=True)
class Leak:
    """Rows outside the partition that was built: how many, and the first of them."""

    count: int
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()


def validate_keys(columns: Sequence[OutputColumn], keys: Sequence[str], *, path: str) -> None:
    """Refuse partition keys that are no output columns, or of a type that names no partition.

    Args:
        columns: the output, as it is or as it is published.
        keys: the model's `partition_by`.
        path: the model's file, for messages.

    Raises:
        ModelInvalid: naming the column, and the cast to write.
    """
    types = {column.name: published_type(column.type) for column in columns}
    for key in keys:
        if key not in types:
            raise ModelInvalid(
                f"{path}: partition_by names no output column {key!r}{nearest(key, types)}"
            )
        if types[key] not in _TYPES and not _is_whole(types[key]):
            raise ModelInvalid(
                f"{path}: partition_by column {key!r} is {types[key]}: a partition's value is a"
                " text, an integer, a date or a boolean; write"
                f" CAST({identifier(key)} AS VARCHAR) or AS DATE"
            )


def _is_whole(kind: str) -> bool:
    return kind.startswith("DECIMAL(") and kind.endswith(",0)")


def partition_value(key: str) -> str:
    """Return the SQL of a partition value's text, not yet percent-encoded."""
    return f"CAST({identifier(key)} AS VARCHAR)"


def inside(values: Mapping[str, str]) -> str:
    """Return the SQL condition for the rows of one partition; `true` for none."""
    return (
        " AND ".join(f"{partition_value(key)} = {literal(value)}" for key, value in values.items())
        or "true"
    )


def outside(values: Mapping[str, str]) -> str:
    """Return the SQL condition for the rows that are not of one partition, NULL among them."""
    conditions = [
        f"{partition_value(key)} IS DISTINCT FROM {literal(v)}" for key, v in values.items()
    ]
    return " OR ".join(conditions) or "false"


def output_partitions(
    connection: duckdb.DuckDBPyConnection, relation: str, keys: Sequence[str], *, path: str
) -> tuple[OutputPartition, ...]:
    """Return the partitions of a result, in the order of their values.

    Without keys it is the one partition `""`, also of a result without rows.

    Raises:
        BuildFailed: a key is NULL, empty or too long for a folder's name, with the count of rows.
    """
    if not keys:
        row = connection.execute(f"SELECT count(*) FROM {relation}").fetchone()
        return (OutputPartition("", {}, int(row[0]) if row else 0),)
    values = ", ".join(partition_value(key) for key in keys)
    found = connection.execute(
        f"SELECT {values}, count(*) FROM {relation} GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    _refuse_empty(found, keys, path)
    return tuple(_partition(dict(zip(keys, row[:-1], strict=True)), row[-1], path) for row in found)


def _refuse_empty(found: Sequence[tuple[Any, ...]], keys: Sequence[str], path: str) -> None:
    for number, key in enumerate(keys):
        for empty, name in ((None, "NULL"), ("", "empty")):
            count = sum(row[-1] for row in found if row[number] == empty)
            if count:
                raise BuildFailed(
                    f"{path}: partition_by column {key!r} is {name} in {count:,} of"
                    f" {sum(row[-1] for row in found):,} rows: filter them out or give them a value"
                )


def _partition(values: dict[str, str], rows: int, path: str) -> OutputPartition:
    try:
        return OutputPartition(layout.partition(values), values, rows)
    except InvalidName as exc:
        raise BuildFailed(f"{path}: {exc} ({rows:,} rows)") from exc


def leak(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    values: Mapping[str, str],
    *,
    limit: int = 5,
) -> Leak:
    """Return the rows of a result that lie outside the partition that was built."""
    where = f"FROM {relation} WHERE {outside(values)}"
    counted = connection.execute(f"SELECT count(*) {where}").fetchone()
    if not counted or not counted[0]:
        return Leak(0)
    cursor = connection.execute(f"SELECT * {where} ORDER BY ALL LIMIT {literal(limit)}")
    names = tuple(item[0] for item in cursor.description or ())
    return Leak(int(counted[0]), names, tuple(cursor.fetchall()))
