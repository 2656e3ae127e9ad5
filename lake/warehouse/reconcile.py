"""What was published, what the ledger says and what the table holds, side by side; and mended."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass

from lake.warehouse import ledger
from lake.warehouse.compared import (
    OUTSIDE,
    Compared,
    compared,
    in_none,
    refuse_changed_on_the_way,
)
from lake.warehouse.ledger import Difference
from lake.warehouse.merge import merge, refuse_lost_key
from lake.warehouse.rows import delete, insert
from lake.warehouse.transaction import (
    adapt,
    checked,
    held_partitions,
    make,
    refuse_foreign,
    write_down,
)
from lake.warehouse.warehouse import Table


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
        refuse_lost_key(table, columns)
        adapt(table, columns)
    else:
        make(table)
        known = {}
    types = table.columns()
    found = compared(table, known, types)
    differing = {one.partition for one in found if one.differs}
    if mend:
        _mend(table, known, types, differing)
    return Reconciled(load.table, tuple(found), mend)


def _mend(
    table: Table,
    known: Mapping[str, ledger.LedgerRow],
    types: Mapping[str, str],
    differing: set[str],
) -> None:
    load = table.load
    changed = tuple(one for one in load.partitions if one.partition in differing)
    if load.mode == "merge":
        same = [one for one in load.partitions if one.partition not in differing]
        merge(table, changed, types, unchanged=same)
    else:
        delete(table, [one.partition for one in changed], types)
        insert(table, changed, types, table.name, is_new=False)
    if OUTSIDE in differing:
        table.delete(in_none(table, types))
    refuse_changed_on_the_way(table, changed, types)
    table.adopt()
    checked(table, types)
    gone = ledger.compare(load, known).removed
    write_down(table, Difference(changed, gone, ()))
