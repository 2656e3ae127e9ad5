"""A DuckDB file as a warehouse: data and ledger in one transaction.

DuckDB runs transactions optimistically: of two loads of one table in one process, the second to
write the table's row in the ledger fails at once, before it has read anything.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import duckdb

from lake.errors import LoadRefused, WarehouseLocked
from lake.query.sql import identifier, literal
from lake.warehouse import duckdb_table, transaction
from lake.warehouse.duckdb_file import (
    DuckDBFile,
    ledger_home,
    reading,
    schema_home,
    writing,
)
from lake.warehouse.duckdb_table import DuckDBTable
from lake.warehouse.ledger import TableLoad, TableLoaded
from lake.warehouse.reader import first_line, read_errors
from lake.warehouse.reconcile import Reconciled, reconcile_in
from lake.warehouse.warehouse import Hook, Rows


@dataclass(frozen=True, slots=True)
class DuckDBWarehouse:
    """A warehouse that is one DuckDB file."""

    file: DuckDBFile

    @property
    def url(self) -> str:
        """How its owner wrote it: there is no secret in it."""
        return self.file.url

    def bring(self, load: TableLoad, *, hook: Hook, memory_limit: str | None) -> TableLoaded:
        """Make a table hold what its load says; see `Warehouse`."""
        with self.changing(load, hook=hook, memory_limit=memory_limit) as table:
            return transaction.bring(table)

    def reconcile(self, load: TableLoad, *, mend: bool, hook: Hook) -> Reconciled:
        """Compare a table with what was published; see `Warehouse`."""
        return reconcile_in(self.changing(load, hook=hook, memory_limit=None), mend=mend)

    @contextlib.contextmanager
    def changing(
        self, load: TableLoad, *, hook: Hook, memory_limit: str | None
    ) -> Iterator[DuckDBTable]:
        """Give a table within one transaction, committed at the end; an error undoes it all."""
        what = f"loading {load.dataset} into {load.table} in {self.url}"
        with writing(self.file, hook=hook) as connection, _translated(what):
            load.let_read(connection)
            table = duckdb_table.open_table(connection, load, hook=hook, warehouse=self.url)
            if memory_limit:
                table.run(f"SET memory_limit = {literal(memory_limit)}")
            table.run("BEGIN TRANSACTION")
            yield table
            table.run("COMMIT")

    @contextlib.contextmanager
    def reading(self) -> "Iterator[_Ledger | None]":
        """Open the file to look at its ledger; None if there is none."""
        with reading(self.file) as connection, _translated(f"looking into {self.url}"):
            yield _Ledger(connection) if connection else None


@dataclass(frozen=True, slots=True)
class _Ledger:
    connection: duckdb.DuckDBPyConnection

    @property
    def home(self) -> str:
        return ledger_home(self.connection)

    def run(self, statement: str) -> Rows:
        return self.connection.execute(statement).fetchall()

    def columns(self, schema: str, table: str) -> list[str]:
        return [row[0] for row in self.run(duckdb_table.columns_query(schema, table))]

    def count(self, schema: str, table: str) -> int:
        name = schema_home(self.connection, schema) + identifier(table)
        rows: int = self.run(f"SELECT count(*) FROM {name}")[0][0]
        return rows


@contextlib.contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        with read_errors(what):
            yield
    except duckdb.TransactionException as exc:
        raise WarehouseLocked(
            f"{what} met another load ({first_line(exc)}): nothing was changed; try again"
        ) from exc
    except duckdb.Error as exc:
        raise LoadRefused(
            f"{what} failed ({first_line(exc)}): nothing was changed; put that right, or drop the"
            " table, and the next load makes it anew"
        ) from exc
