"""Load into a DuckDB file: data and ledger in one transaction.

DuckDB runs transactions optimistically: of two loads of one table in one process, the second to
write the table's row in the ledger fails at once, before it has read anything.
"""

import contextlib
from collections.abc import Callable, Iterator

import duckdb

from lake.errors import LoadRefused, StoreUnavailable, WarehouseLocked
from lake.query.sql import literal
from lake.warehouse import duckdb_table, ledger
from lake.warehouse.duckdb_file import first_line, ledger_home, reading, writing
from lake.warehouse.duckdb_table import Target
from lake.warehouse.ledger import Difference, TableHeld, TableLoad, TableLoaded
from lake.warehouse.url import DuckDBFile

_UNAVAILABLE = (
    duckdb.IOException,
    duckdb.OutOfMemoryException,
    duckdb.FatalException,
    duckdb.InternalException,
)


def load(
    file: DuckDBFile,
    load: TableLoad,
    *,
    hook: Callable[[str], None],
    memory_limit: str | None,
) -> TableLoaded:
    """Make a table hold what `load` says; see `lake.warehouse.load.load`."""
    ledger.table_name(load.table)
    with writing(file, hook=hook) as connection, _translated(file, load):
        load.let_read(connection)
        target = duckdb_table.target(connection, load, hook=hook, warehouse=file.url)
        if memory_limit:
            target.run(f"SET memory_limit = {literal(memory_limit)}")
        target.run("BEGIN TRANSACTION")
        loaded = _bring_up_to_date(target)
        target.run("COMMIT")
        return loaded


def holds(file: DuckDBFile, *, lake_id: str, table: str) -> dict[str, ledger.LedgerRow]:
    """Return what the file holds of a lake's table, by partition; nothing if there is no table."""
    place = ledger.table_name(table)
    with reading(file) as connection:
        if connection is None or not _has(connection, ("", ledger.LOADS), place):
            return {}
        query = ledger.read_partitions(ledger_home(connection), lake_id=lake_id, table=table)
        return ledger.held_partitions(connection.execute(query).fetchall())


def describe(file: DuckDBFile) -> tuple[TableHeld, ...]:
    """Return every table that a lake loaded into the file and that is still there, by name."""
    with reading(file) as connection:
        if connection is None or not _has(connection, ("", ledger.TABLES)):
            return ()
        rows = connection.execute(ledger.read_tables(ledger_home(connection))).fetchall()
        found = (row for row in rows if _has(connection, ledger.table_name(row[0])))
        return tuple(map(ledger.held_table, found))


@contextlib.contextmanager
def _translated(file: DuckDBFile, load: TableLoad) -> Iterator[None]:
    what = f"loading {load.dataset} into {load.table} in {file.url}"
    try:
        yield
    except duckdb.TransactionException as exc:
        raise WarehouseLocked(
            f"{what} met another load ({first_line(exc)}): nothing was changed; try again"
        ) from exc
    except _UNAVAILABLE as exc:
        raise StoreUnavailable(
            f"{what} broke off ({first_line(exc)}): nothing was changed; put that right, then load"
            " again"
        ) from exc
    except duckdb.Error as exc:
        raise LoadRefused(
            f"{what} failed ({first_line(exc)}): nothing was changed; put that right, or drop the"
            " table, and the next load makes it anew"
        ) from exc


def _bring_up_to_date(target: Target) -> TableLoaded:
    load = target.load
    target.run(ledger.lock(target.home, load))
    columns = duckdb_table.columns(target)
    if not columns:
        return duckdb_table.carry_out(target, duckdb_table.make(target), empty=True)
    held = _held_table(target)
    if not held.commit:
        raise LoadRefused(
            f"table {load.table} in {target.warehouse} is there, and no lake has loaded it: give"
            f" {load.dataset} another table in [warehouse.tables], or drop that one"
        )
    ledger.refuse_older(load, held, warehouse=target.warehouse)
    if held.commit == load.commit:
        rows = duckdb_table.checked_total(target)
        return duckdb_table.loaded(target, Difference((), (), load.partitions), rows)
    return duckdb_table.carry_out(target, duckdb_table.prepare(target, columns), empty=False)


def _held_table(target: Target) -> TableHeld:
    rows = map(ledger.held_table, target.run(ledger.read_tables(target.home)))
    return next(row for row in rows if row.table == target.load.table)


def _has(connection: duckdb.DuckDBPyConnection, *tables: tuple[str, str]) -> bool:
    queries = (duckdb_table.columns_query(schema, name) for schema, name in tables)
    return all(connection.execute(query).fetchall() for query in queries)
