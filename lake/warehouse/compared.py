"""A table's rows beside those that were published, partition by partition."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lake.errors import LoadRefused
from lake.query.sql import identifier
from lake.warehouse.ledger import LedgerRow, PartitionLoad
from lake.warehouse.merge import STAGE, stage
from lake.warehouse.rows import counts, insert, shown, spelt, within, within_any
from lake.warehouse.warehouse import Table

OUTSIDE = "elsewhere"
"""In place of a partition: rows that lie in none of the published ones."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One partition in three places; None where a place does not know it.

    `missing` published rows are not in the table; `surplus` rows of the table were not published.
    """

    partition: str
    published: int | None
    ledger: int | None
    table: int
    missing: int
    surplus: int
    differs: bool


def compared(
    table: Table, known: Mapping[str, LedgerRow], types: Mapping[str, str]
) -> list[Compared]:
    """Compare every published partition, row by row, and what lies in none of them.

    Args:
        table: it is guarded; a partition at a time goes into a temporary table beside it.
        known: what the ledger says, by partition.
        types: the table's columns.
    """
    found = [_compared(table, one, known, types) for one in table.load.partitions]
    return found + _outside(table, types) if table.load.mode == "replace" else found


def refuse_changed_on_the_way(
    table: Table, partitions: Iterable[PartitionLoad], types: Mapping[str, str]
) -> None:
    """Compare partitions that were just written with what was published.

    Raises:
        LoadRefused: something in the warehouse changes what is written.
    """
    load = table.load
    for one in partitions:
        found = _compared(table, one, {}, types)
        if found.missing or (found.surplus and load.mode != "merge"):
            raise LoadRefused(
                f"{shown(table, one.partition)} was written anew into table {load.table} in"
                f" {table.warehouse}, and is not there as it was published ({found.missing} rows"
                f" are missing, {found.surplus} too many): nothing was changed; a trigger, a"
                " generated column or a rule there changes what is written: drop it, then"
                " reconcile again"
            )


def _compared(
    table: Table,
    partition: PartitionLoad,
    known: Mapping[str, LedgerRow],
    types: Mapping[str, str],
) -> Compared:
    stage(table)
    insert(table, [partition], types, STAGE, is_new=True)
    where = within(table, partition.partition, types)
    names = ", ".join(map(identifier, spelt(table, types).values()))
    here = f"SELECT {names} FROM {table.name} WHERE {where}"
    there = f"SELECT {names} FROM {STAGE}"
    found = table.run(
        f"SELECT (SELECT count(*) FROM ({there} EXCEPT ALL {here}) AS missing),"
        f" (SELECT count(*) FROM ({here} EXCEPT ALL {there}) AS surplus)"
    )
    table.run(f"DROP TABLE {STAGE}")
    missing, surplus = found[0]
    row = known.get(partition.partition)
    written = row is not None and not row.removed and row.content == partition.content
    return Compared(
        partition.partition,
        partition.rows,
        row.rows if row and not row.removed else None,
        counts(table, [partition.partition], types)[0],
        missing,
        surplus,
        bool(missing or not written or (surplus and table.load.mode != "merge")),
    )


def _outside(table: Table, types: Mapping[str, str]) -> list[Compared]:
    """Return the rows that no published partition has, as one, if there are any."""
    query = f"SELECT count(*) FROM {table.name} WHERE {in_none(table, types)}"
    rows = table.run(query)[0][0]
    return [Compared(OUTSIDE, None, None, rows, 0, rows, True)] if rows else []


def in_none(table: Table, types: Mapping[str, str]) -> str:
    """Return the condition that finds the rows of no published partition."""
    published = [one.partition for one in table.load.partitions]
    return f"({within_any(table, published, types)}) IS NOT TRUE"
