"""Columns that a table lacks: which partitions have values in them, though their content is known.

A declared rename does that: the files, and so the content, stay what they were.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from lake.query.sql import identifier
from lake.warehouse.ledger import Difference, LedgerRow, PartitionLoad, TableLoad
from lake.warehouse.warehouse import Rows

Read = Callable[[str], Rows]
"""Returns the rows of a DuckDB query over published files."""


def missing(load: TableLoad, columns: Iterable[str]) -> list[str]:
    """Return the load's columns that a table of these columns lacks; case does not matter."""
    there = {name.lower() for name in columns}
    return [name for name, _ in load.columns if name.lower() not in there]


def with_gained(difference: Difference, added: Sequence[str], read: Read) -> Difference:
    """Count a partition as changed if it has values in a column that the table did not have."""
    gained: list[PartitionLoad] = []
    unchanged: list[PartitionLoad] = []
    for one in difference.unchanged:
        (gained if _has_any(one, added, read) else unchanged).append(one)
    changed = (*difference.changed, *gained)
    return replace(difference, changed=changed, unchanged=tuple(unchanged))


def lacking(
    load: TableLoad, beside: Iterable[LedgerRow], added: Sequence[str], read: Read
) -> Iterator[LedgerRow]:
    """Give the partitions beside a load that may have values where they get NULL.

    None is held against one that is published as it is held, and has no such values.
    """
    published = {(one.partition, one.content): one for one in load.partitions}
    for row in beside:
        one = published.get((row.partition, row.content))
        if one is None or _has_any(one, added, read):
            yield row


def _has_any(partition: PartitionLoad, columns: Sequence[str], read: Read) -> bool:
    some = " OR ".join(f"{identifier(name)} IS NOT NULL" for name in columns)
    query = f"SELECT 1 FROM (\n{partition.select}\n) AS published WHERE {some} LIMIT 1"
    return bool(read(query))
