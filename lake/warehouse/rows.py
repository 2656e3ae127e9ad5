"""The rows of a partition in a warehouse's table: found, counted, deleted, added."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import duckdb

from lake.errors import LoadRefused
from lake.layout import partition_values
from lake.query.sql import identifier, literal
from lake.warehouse.ledger import PartitionLoad
from lake.warehouse.warehouse import Source, Table

_AT_ONCE = 500
"""Partitions that are counted in one query; PostgreSQL takes 1,664 columns."""


def delete(table: Table, partitions: Sequence[str], types: Mapping[str, str]) -> None:
    """Take the rows of partitions out of the table, of many in one look at it."""
    for start in range(0, len(partitions), _AT_ONCE):
        some = partitions[start : start + _AT_ONCE]
        table.delete(within_any(table, some, types))


def insert(
    table: Table,
    partitions: Sequence[PartitionLoad],
    types: Mapping[str, str],
    into: str,
    *,
    is_new: bool,
) -> None:
    """Add partitions' rows to a table of these columns, of each as many as were published."""
    if not partitions:
        return
    arrived = table.fill(_sound(table, partitions), into=into, types=types, is_new=is_new)
    for partition, rows in zip(partitions, arrived, strict=True):
        if rows != partition.rows:
            refuse_arrived(table, partition, rows)


def refuse_arrived(source: Source, partition: PartitionLoad, rows: int) -> None:
    """Refuse a partition of which other rows arrived than were published."""
    raise LoadRefused(
        f"{shown(source, partition.partition)} has {partition.rows} rows, and {rows} arrived in"
        f" {source.load.table}: nothing was changed; run lake verify {source.load.dataset}"
    )


def _sound(table: Table, partitions: Iterable[PartitionLoad]) -> Iterator[PartitionLoad]:
    """Give the partitions, each once its columns are seen to be those that were announced."""
    for partition in partitions:
        refuse_other_columns(table, partition)
        yield partition


def counts(
    table: Table, partitions: Sequence[str], types: Mapping[str, str], *, of: str = ""
) -> list[int]:
    """Return how many rows the table has of each of some partitions, in one look at it.

    With `of`, a table or a query in brackets, how many that has.
    """
    found: list[int] = []
    for start in range(0, len(partitions), _AT_ONCE):
        some = partitions[start : start + _AT_ONCE]
        asked = (f"count(*) FILTER (WHERE {within(table, one, types)})" for one in some)
        found += table.run(f"SELECT {', '.join(asked)} FROM {of or table.name}")[0]
    return found


def within(table: Table, partition: str, types: Mapping[str, str]) -> str:
    """Return the condition that finds a partition's rows in the table, by the keys' columns."""
    pairs = _pairs(table, partition, types)
    return " AND ".join(f"{column} = {value}" for column, value in pairs) or "true"


def within_any(table: Table, partitions: Sequence[str], types: Mapping[str, str]) -> str:
    """Return the condition that finds the rows of any of some partitions."""
    pairs = [_pairs(table, one, types) for one in partitions]
    keys = {tuple(column for column, _ in one) for one in pairs}
    if len(keys) == 1 and len(pairs[0]) == 1:
        # PostgreSQL hashes a long list, where it would compare with one value after the other.
        return f"{pairs[0][0][0]} IN ({', '.join(value for ((_, value),) in pairs)})"
    return " OR ".join(f"({within(table, one, types)})" for one in partitions) or "false"


def _pairs(table: Table, partition: str, types: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the columns of a partition's keys, and their values as SQL."""
    found = []
    for key, value in partition_values(partition).items():
        name = spelling(key, types)
        if name is None:
            raise LoadRefused(
                f"table {table.load.table} in {table.warehouse} has no column {key}, by which"
                f" the rows of {shown(table, partition)} are found: nothing was changed; drop"
                " the table, and the next load makes it anew"
            )
        found.append((identifier(name), f"CAST({literal(value)} AS {types[name]})"))
    return found


def spelt(table: Table, types: Mapping[str, str]) -> dict[str, str]:
    """Return the load's columns, each with its name as the table has it: case may differ."""
    names = ((name, spelling(name, types)) for name in table.given)
    return {name: there for name, there in names if there}


def spelling(column: str, held: Iterable[str]) -> str | None:
    """Return a column's name as a table has it, which is the same if it can be; None: it has none.

    Somebody may have added one that differs in case only.
    """
    alike = [name for name in held if name.lower() == column.lower()]
    return column if column in alike else next(iter(alike), None)


def refuse_other_columns(table: Source, partition: PartitionLoad) -> None:
    """Refuse a SELECT of other types than announced: the load would cast them, with loss."""
    found = table.read(f"DESCRIBE (\n{partition.select}\n)")
    types = {row[0].lower(): row[1] for row in found}
    for name, said in table.load.columns:
        given, there = str(duckdb.sqltype(said)), types.get(name.lower(), "not there")
        if there != given:
            raise LoadRefused(
                f"{shown(table, partition.partition)}: column {name} is {there} in its files,"
                f" and {given} in the dataset: nothing was changed; run lake verify"
                f" {table.load.dataset}"
            )


def shown(table: Source, partition: str) -> str:
    """Return how a partition is named in messages."""
    load = table.load
    where = f"{load.dataset}/{partition}" if partition else load.dataset
    return f"{where} at commit {load.commit}"
