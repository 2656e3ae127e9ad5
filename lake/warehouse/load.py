"""Load published partitions into the tables of a warehouse, each exactly once.

What the warehouse holds is written down in the warehouse itself, in the transaction that changes
the data (`ledger`). So a load that was killed anywhere is completed by the next one, and a slow
one never overwrites a newer one.
"""

from collections.abc import Mapping
from pathlib import Path

from lake.errors import LoadRefused
from lake.warehouse import ledger, url
from lake.warehouse.compared import Compared
from lake.warehouse.gained import missing, with_gained
from lake.warehouse.ledger import (
    Difference,
    LedgerRow,
    PartitionLoad,
    TableHeld,
    TableLoad,
    TableLoaded,
)
from lake.warehouse.reader import open_reader
from lake.warehouse.reconcile import Reconciled
from lake.warehouse.warehouse import Hook, Warehouse

__all__ = [
    "Compared",
    "LedgerRow",
    "PartitionLoad",
    "Reconciled",
    "TableHeld",
    "TableLoad",
    "TableLoaded",
    "count",
    "describe",
    "due",
    "holds",
    "load",
    "reconcile",
]


def load(
    warehouse_url: str,
    load: TableLoad,
    *,
    root: Path,
    statement_hook: Hook | None = None,
    memory_limit: str | None = None,
) -> TableLoaded:
    """Make a table of the warehouse hold what a dataset holds at a commit, of some periods or all.

    Only partitions whose content differs from what the ledger says are loaded; those that the
    dataset has no longer are deleted and leave a tombstone. What lies outside the periods stays as
    it is. Data and ledger change in one transaction, in which the rows are counted: it is done, or
    nothing is. The table and its schema are made if they are not there, and the table carries the
    description as its comment.

    Columns that the table lacks are added, with NULL in rows that are not loaded yet. A column
    that the dataset has no longer stays, with NULL in the rows that are loaded from then on. A
    table that was dropped is made anew.

    Args:
        warehouse_url: such as `duckdb:///warehouse.duckdb`.
        load: the dataset, with all its partitions.
        root: the folder at which a relative path in the URL starts.
        statement_hook: called with every statement, before it and after it.
        memory_limit: how much memory they may take, such as `400MB`; the rest goes to disk.

    Raises:
        LoadRefused: the table has no description or owner, was loaded at a newer commit, belongs
            to somebody else, or cannot hold what is to be loaded as it is. A retry is no use.
        WarehouseLocked: it is open elsewhere, or this table is being loaded. Safe to retry.
        StoreUnavailable: a file could not be read or written. Safe to retry.
        InvalidConfig, InvalidName: the URL or the table's name cannot be one.
    """
    _refuse_undescribed(load)
    ledger.table_name(load.table)
    hook, warehouse = statement_hook or _ignore, url.parse(warehouse_url, root=root)
    return warehouse.bring(load, hook=hook, memory_limit=memory_limit)


def reconcile(
    warehouse_url: str,
    load: TableLoad,
    *,
    root: Path,
    mend: bool,
    statement_hook: Hook | None = None,
) -> Reconciled:
    """Compare a table, row by row, with what was published and with the ledger; mend what differs.

    All of it happens in one transaction, which is undone where nothing is to be mended.

    Args:
        warehouse_url: see `load`.
        load: the dataset, with all its partitions.
        root: the folder at which a relative path in the URL starts.
        mend: write partitions that differ anew, and take away rows that no published one has
            (where rows are replaced).
        statement_hook: called with every statement, before it and after it.

    Raises:
        LoadRefused, WarehouseLocked, StoreUnavailable, InvalidConfig, InvalidName: as for `load`.
    """
    ledger.table_name(load.table)
    hook, warehouse = statement_hook or _ignore, url.parse(warehouse_url, root=root)
    if not mend and not _has_ledger(warehouse, load):
        missing = (
            Compared(one.partition, one.rows, None, 0, missing=one.rows, surplus=0, differs=True)
            for one in load.partitions
        )
        return Reconciled(load.table, tuple(missing), mended=False)
    return warehouse.reconcile(load, mend=mend, hook=hook)


def _has_ledger(warehouse: Warehouse, load: TableLoad) -> bool:
    """Tell whether there is a ledger; nothing is made.

    Raises:
        LoadRefused: there is none, and a table.
    """
    with warehouse.reading() as found:
        # In this order: a load that runs beside this makes the ledger first.
        is_there = bool(found and found.columns(*ledger.table_name(load.table)))
        has_ledger = bool(found and found.columns("", ledger.TABLES))
    if is_there and not has_ledger:
        raise ledger.never_loaded(load, warehouse=warehouse.url)
    return has_ledger


def holds(warehouse_url: str, lake_id: str, table: str, *, root: Path) -> Mapping[str, LedgerRow]:
    """Return what the warehouse holds of a lake's table, by partition, tombstones included.

    Nothing is made or changed. A warehouse or table that is not there holds nothing.

    Raises:
        WarehouseLocked: it is open elsewhere. Safe to retry.
        InvalidConfig, InvalidName: the URL or the table's name cannot be one.
    """
    return _looked_into(warehouse_url, lake_id, table, root)[0]


def due(warehouse_url: str, load: TableLoad, *, root: Path) -> Difference:
    """Return what a load would do now; nothing is made or changed.

    Published files are read only if the table lacks a column.

    Raises:
        LoadRefused: the load would be refused, as far as that can be told.
        WarehouseLocked, StoreUnavailable, InvalidConfig, InvalidName: as for `load`.
    """
    held, columns = _looked_into(warehouse_url, load.lake_id, load.table, root)
    difference = ledger.compare(load, held)
    added = missing(load, columns) if columns else []
    if not added or not difference.unchanged:
        return difference
    what = f"looking at what {load.table} lacks of {load.dataset}"
    with open_reader(load, what=what) as reader:
        return with_gained(difference, added, lambda query: reader.execute(query).fetchall())


def _looked_into(
    warehouse_url: str, lake_id: str, table: str, root: Path
) -> tuple[Mapping[str, LedgerRow], list[str]]:
    """Return what a table holds of a lake's, by partition, and its columns."""
    place = ledger.table_name(table)
    with url.parse(warehouse_url, root=root).reading() as found:
        columns = found.columns(*place) if found else []
        if found is None or not columns or not found.columns("", ledger.LOADS):
            return {}, columns
        query = ledger.read_partitions(found.home, lake_id=lake_id, table=table)
        return ledger.held_partitions(found.run(query)), columns


def count(warehouse_url: str, table: str, *, root: Path) -> int | None:
    """Return how many rows a table has, whoever wrote them; None if it is not there.

    Raises:
        WarehouseLocked, StoreUnavailable, InvalidConfig, InvalidName: as for `holds`.
    """
    place = ledger.table_name(table)
    with url.parse(warehouse_url, root=root).reading() as found:
        return found.count(*place) if found and found.columns(*place) else None


def describe(warehouse_url: str, *, root: Path) -> tuple[TableHeld, ...]:
    """Return every table that a lake loaded into the warehouse: whose it is, and which commit.

    Raises:
        WarehouseLocked, InvalidConfig: as for `holds`.
    """
    with url.parse(warehouse_url, root=root).reading() as found:
        if found is None or not found.columns("", ledger.TABLES):
            return ()
        held = map(ledger.held_table, found.run(ledger.read_tables(found.home)))
        return tuple(
            one for one in held if one.commit and found.columns(*ledger.table_name(one.table))
        )


def _refuse_undescribed(load: TableLoad) -> None:
    missing = [word for word in ("description", "owner") if not getattr(load, word).strip()]
    if missing:
        raise LoadRefused(
            f"{load.dataset} has no {' and no '.join(missing)}, which a table needs before it is"
            f" loaded: add {' and '.join(missing)} to the header of its model, then transform and"
            " load again"
        )


def _ignore(statement: str) -> None:
    """Stand in for a hook."""
