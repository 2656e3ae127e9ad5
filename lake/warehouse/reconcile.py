"""What was published, what the ledger says and what the table holds, side by side; and mended."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass

from lake.query.sql import identifier
from lake.warehouse import ledger
from lake.warehouse.ledger import Difference, PartitionLoad
from lake.warehouse.merge import STAGE, merge, stage
from lake.warehouse.rows import counts, delete, insert, spelt, within, within_any
from lake.warehouse.transaction import (
    adapt,
    checked,
    held_partitions,
    make,
    refuse_foreign,
    write_down,
)
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


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What was found in one table; `mended`: rows and ledger are as published now."""

    table: str
    partitions: tuple[Compared, ...]
    mended: bool

    @property
    def differing(self) -> tuple[Compared, ...]:
        """The partitions that differ."""
        return tuple(one for one in self.partitions if one.differs)


class _Undone(Exception):
    """Roll back."""


def reconcile_in(changing: AbstractContextManager[Table], *, mend: bool) -> Reconciled:
    """Reconcile a table in one transaction, which is undone where nothing is to be mended."""
    found: list[Reconciled] = []
    with suppress(_Undone), changing as table:
        found.append(reconcile(table, mend=mend))
        if not found[0].mended:
            raise _Undone
    return found[0]


def reconcile(table: Table, *, mend: bool) -> Reconciled:
    """Compare a table with what was published, row by row; write anew what differs, if told to.

    Raises:
        LoadRefused: the table is not this lake's.
    """
    load = table.load
    table.run(ledger.lock(table.home, load))
    columns = table.columns()
    if columns:
        held = refuse_foreign(table)
        known = held_partitions(table)
        if not known:
            ledger.refuse_unknown(load, held, 0, warehouse=table.warehouse)
        table.guard()
        adapt(table, columns)
    else:
        make(table)
        known = {}
    types = table.columns()
    found = [_compared(table, one, known, types) for one in load.partitions]
    if load.mode == "replace":
        found += _outside(table, types)
    differing = {one.partition for one in found if one.differs}
    if mend:
        _mend(table, known, types, differing)
    return Reconciled(load.table, tuple(found), mend)


def _compared(
    table: Table,
    partition: PartitionLoad,
    known: Mapping[str, ledger.LedgerRow],
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
    query = f"SELECT count(*) FROM {table.name} WHERE {_in_none(table, types)}"
    rows = table.run(query)[0][0]
    return [Compared(OUTSIDE, None, None, rows, 0, rows, True)] if rows else []


def _in_none(table: Table, types: Mapping[str, str]) -> str:
    published = [one.partition for one in table.load.partitions]
    return f"({within_any(table, published, types)}) IS NOT TRUE"


def _mend(
    table: Table,
    known: Mapping[str, ledger.LedgerRow],
    types: Mapping[str, str],
    differing: set[str],
) -> None:
    load = table.load
    changed = tuple(one for one in load.partitions if one.partition in differing)
    if load.mode == "merge":
        merge(table, changed, types)
    else:
        delete(table, [one.partition for one in changed], types)
        insert(table, changed, types, table.name, is_new=False)
    if OUTSIDE in differing:
        table.run(f"DELETE FROM {table.name} WHERE {_in_none(table, types)}")
    checked(table, types)
    gone = ledger.compare(load, known).removed
    write_down(table, Difference(changed, gone, ()))
