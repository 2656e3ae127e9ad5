"""A PostgreSQL database as a warehouse: data and ledger in one transaction.

The second of two loads of one table waits at the table's row in the ledger, and then sees what the
first one did.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import duckdb
import psycopg

from lake.errors import MissingExtra
from lake.postgres_server import Server, parse_server
from lake.query.sql import identifier
from lake.warehouse import ledger, postgres_table, postgres_written, transaction
from lake.warehouse.ledger import TableLoad, TableLoaded
from lake.warehouse.postgres_connect import connect
from lake.warehouse.postgres_errors import server_errors
from lake.warehouse.postgres_table import PostgresTable, fetched
from lake.warehouse.reader import open_reader
from lake.warehouse.reconcile import Reconciled, reconcile_in
from lake.warehouse.warehouse import Hook, Rows
from storage_backends import extensions

Connection: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"

_SETTINGS = (
    "SET standard_conforming_strings = on;"
    # Rows that a policy hides are neither replaced nor counted: better an error.
    " SET row_security = off;"
    # A session has nothing to say while DuckDB reads the next files.
    " SET idle_in_transaction_session_timeout = 0"
)
_LEDGER = (ledger.TABLES, ledger.LOADS, ledger.WRITERS)
_LEDGER_KEY = 4_947_003_107_155_427_169
"""Of the advisory lock under which the ledger is made: PostgreSQL's IF NOT EXISTS is no lock."""


@dataclass(frozen=True, slots=True)
class PostgresWarehouse:
    """A warehouse that is one PostgreSQL database.

    A statement that waits for somebody else's lock gives up after `patience_s`; a load itself may
    take hours.
    """

    server: Server
    patience_s: float = 60

    @property
    def url(self) -> str:
        """Its URL without user, password and what else may be a secret."""
        return self.server.url

    def bring(self, load: TableLoad, *, hook: Hook, memory_limit: str | None) -> TableLoaded:
        """Make a table hold what its load says; see `Warehouse`."""
        with self.changing(load, hook=hook, memory_limit=memory_limit) as table:
            return transaction.bring(table)

    def reconcile(self, load: TableLoad, *, mend: bool, hook: Hook) -> Reconciled:
        """Compare a table with what was published; see `Warehouse`."""
        # Who only looks needs no more of the ledger, and may not make it.
        needed = _LEDGER if mend else (ledger.TABLES, ledger.LOADS)
        changing = self.changing(load, hook=hook, memory_limit=None, needed=needed)
        return reconcile_in(changing, mend=mend)

    @contextlib.contextmanager
    def changing(
        self,
        load: TableLoad,
        *,
        hook: Hook,
        memory_limit: str | None,
        needed: Sequence[str] = _LEDGER,
    ) -> Iterator[PostgresTable]:
        """Give a table within one transaction, committed at the end; an error undoes it all."""
        what = f"loading {load.dataset} into {load.table} in {self.url}"
        with (
            open_reader(load, what=what, memory_limit=memory_limit) as reader,
            connect(self.server) as server,
            server_errors(server, load, what=what),
        ):
            _let_encode(reader)
            _run(server, f"{_SETTINGS}; SET lock_timeout = {self.patience_s * 1000:.0f}", hook)
            table = postgres_table.open_table(server, reader, load, hook=hook, warehouse=self.url)
            _make_ledger(server, table, needed)
            table.run("BEGIN ISOLATION LEVEL READ COMMITTED")
            yield table
            table.run("COMMIT")

    @contextlib.contextmanager
    def reading(self) -> "Iterator[_Ledger]":
        """Connect to look at the ledger."""
        with (
            connect(self.server) as server,
            server_errors(server, None, what=f"looking into {self.url}"),
        ):
            server.execute(_SETTINGS.encode())
            yield _Ledger(server)


def parse(url: str) -> PostgresWarehouse:
    """Return the warehouse that a `postgresql://` URL names."""
    return PostgresWarehouse(parse_server(url, whose="the warehouse"))


@dataclass(frozen=True, slots=True)
class _Ledger:
    server: Connection

    @property
    def schema(self) -> str:
        return postgres_table.default_schema(self.server)

    @property
    def home(self) -> str:
        return f"{identifier(self.schema)}."

    def run(self, statement: str) -> Rows:
        return fetched(self.server, statement)

    def columns(self, schema: str, table: str) -> list[str]:
        query = postgres_table.columns_query(schema or self.schema, table)
        return [row[0] for row in self.run(query)]

    def count(self, schema: str, table: str) -> int:
        name = f"{identifier(schema or self.schema)}.{identifier(table)}"
        rows: int = self.run(f"SELECT count(*) FROM {name}")[0][0]
        return rows


def _let_encode(reader: duckdb.DuckDBPyConnection) -> None:
    try:
        extensions.load(reader, "postgres_scanner", extra="postgres")
    except ImportError as exc:
        raise MissingExtra(str(exc)) from exc
    # One thread encodes three times as fast as the server takes rows; others would only spin.
    reader.execute("SET threads = 1")


def _make_ledger(server: Connection, table: PostgresTable, needed: Sequence[str]) -> None:
    """Make the ledger where it is not there, unless there is a table that it says nothing of."""
    # In this order: a load that runs beside this makes the ledger first.
    is_there, home = bool(table.columns()), table.home
    query = partial(postgres_table.columns_query, table.default_schema)
    found = [bool(fetched(server, query(name))) for name in needed]
    if all(found):
        return
    if is_there and not any(found):
        raise ledger.never_loaded(table.load, warehouse=table.warehouse)
    statements = (
        "BEGIN",
        f"SELECT pg_advisory_xact_lock({_LEDGER_KEY})",
        *ledger.create(home),
        postgres_written.create(home),
        "COMMIT",
    )
    for statement in statements:
        table.run(statement)


def _run(server: Connection, statement: str, hook: Hook) -> None:
    hook(statement)
    server.execute(statement.encode())
    hook(statement)
