"""One table of a PostgreSQL database, within the transaction of a load."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import psycopg

from lake.errors import InvalidName, LoadRefused
from lake.postgres_server import said_by
from lake.query.sql import identifier, literal
from lake.warehouse import ledger, postgres_referred, postgres_written
from lake.warehouse.ledger import PartitionLoad, TableLoad
from lake.warehouse.postgres_copy import copy
from lake.warehouse.postgres_types import (
    NAME_BYTES,
    exported,
    postgres_type,
    refuse_long_names,
    takes,
    widens,
)
from lake.warehouse.postgres_untaken import refuse_untaken
from lake.warehouse.rows import spelt
from lake.warehouse.warehouse import Hook, Rows

_RESERVED = re.compile("pg_|information_schema$")


@dataclass(frozen=True, slots=True)
class PostgresTable:
    """A table under way; see `Table`. `reader` is a DuckDB that may read what was published."""

    server: "psycopg.Connection[tuple[Any, ...]]"
    reader: duckdb.DuckDBPyConnection
    hook: Hook
    load: TableLoad
    warehouse: str
    default_schema: str
    given: Mapping[str, str]

    @property
    def home(self) -> str:
        """The ledger's schema, quoted, with its dot."""
        return f"{identifier(self.default_schema)}."

    @property
    def schema(self) -> str:
        """The table's schema."""
        return ledger.table_name(self.load.table)[0] or self.default_schema

    @property
    def name(self) -> str:
        """The table's name, qualified and quoted."""
        return f"{identifier(self.schema)}.{identifier(ledger.table_name(self.load.table)[1])}"

    def run(self, statement: str) -> Rows:
        """Run one statement in the server, between two calls of the hook."""
        self.hook(statement)
        rows = fetched(self.server, statement)
        self.hook(statement)
        return rows

    def read(self, query: str) -> Rows:
        """Return the rows of a DuckDB query over published files."""
        return self.reader.execute(query).fetchall()

    @property
    def overriding(self) -> str:
        """What lets a column GENERATED ALWAYS AS IDENTITY take what is published, as COPY does."""
        return " OVERRIDING SYSTEM VALUE"

    def columns(self) -> dict[str, str]:
        """Return the table's columns and their types, in order; none if there is no table."""
        _, name = ledger.table_name(self.load.table)
        found = self.run(columns_query(self.schema, name))
        if any(kind not in ("r", "p") for _, _, kind in found):
            raise LoadRefused(
                f"{self.load.table} in {self.warehouse} is a view or a foreign table: give"
                f" {self.load.dataset} another table in [warehouse.tables]"
            )
        return {column: type_ for column, type_, _ in found}

    def make_schema(self) -> None:
        """Make the table's schema where it is not there: to try where it is needs a right."""
        known = f"SELECT 1 FROM pg_namespace WHERE nspname = {literal(self.schema)}"
        if not self.run(known):
            self.run(f"CREATE SCHEMA {identifier(self.schema)}")

    def guard(self) -> None:
        """Keep other writers out until the end; readers go on."""
        self.run(f"LOCK TABLE {self.name} IN SHARE ROW EXCLUSIVE MODE")

    def widen(self, column: str, type_: str) -> None:
        """Give a column another type; a view that reads it, or the like, keeps it from that."""
        statement = f"ALTER TABLE {self.name} ALTER COLUMN {identifier(column)} TYPE {type_}"
        try:
            self.run(statement)
        # The second is how PostgreSQL calls a generated column.
        except (psycopg.errors.FeatureNotSupported, psycopg.errors.SyntaxError) as exc:
            why = (exc.diag.message_detail or said_by(exc)).rstrip(".")
            raise LoadRefused(
                f"column {column} of table {self.load.table} in {self.warehouse} is to become"
                f" {type_}, and {why}: nothing was changed;"
                f" drop what depends on it, run {statement}, and make it again"
            ) from exc

    def delete(self, condition: str) -> None:
        """Take rows out of the table, where that changes nothing in other tables."""
        postgres_referred.delete(self, condition)

    def counted(self) -> tuple[int, int]:
        """Return how many rows the table has, and how many of them no load wrote."""
        return postgres_written.counted(self)

    def sign(self) -> None:
        """Note this transaction as one that writes rows of a load."""
        postgres_written.sign(self)

    def adopt(self) -> None:
        """Note that what is in the table now is a load's."""
        postgres_written.adopt(self)

    def widened(self, column: str, *, held: str) -> str:
        """Return the type that a column must get; `held` if it takes all as it is."""
        load, given = self.load, self.given[column]
        if takes(held, given):
            return held
        if widens(held, given):
            return given
        what = (
            f"column {column} of table {load.table} in {self.warehouse} is {held}, and in"
            f" {load.dataset} at commit {load.commit} it is {given}: nothing was changed;"
        )
        # Everything has a text, and a change of a type makes every partition's content another.
        if takes(given, held) or given == "text":
            raise LoadRefused(
                f"{what} to widen it PostgreSQL writes the table anew, so run yourself: ALTER TABLE"
                f" {self.name} ALTER COLUMN {identifier(column)} TYPE {given}"
            )
        raise LoadRefused(
            f"{what} cast it in the model, or drop the table, and the next load makes it anew"
        )

    def fill(
        self,
        partitions: Iterable[PartitionLoad],
        *,
        into: str,
        types: Mapping[str, str],
        is_new: bool,
    ) -> list[int]:
        """Copy partitions' rows into a table of these columns; return how many came of each."""
        names, kinds = spelt(self, types), dict(self.load.columns)
        items = ", ".join(exported(name, kinds[name], types[names[name]]) for name in names)
        columns = ", ".join(map(identifier, names.values()))
        # Rows of other tables are marked by who reads them first, which takes ten times as long.
        frozen = ", FREEZE" if is_new else ""
        statement = f"COPY {into} ({columns}) FROM STDIN (FORMAT binary{frozen})"
        selects = (f"SELECT {items} FROM (\n{one.select}\n) AS published" for one in partitions)
        self.hook(statement)
        try:
            arrived = copy(self.reader, selects, self.server, statement)
        except (duckdb.InvalidInputException, psycopg.DataError):
            refuse_untaken(self, types)
            raise
        self.hook(statement)
        return arrived


def open_table(
    server: "psycopg.Connection[tuple[Any, ...]]",
    reader: duckdb.DuckDBPyConnection,
    load: TableLoad,
    *,
    hook: Hook,
    warehouse: str,
) -> PostgresTable:
    """Return the table of `load`, with the load's types spelt as PostgreSQL spells them.

    Raises:
        LoadRefused: a column has no type in PostgreSQL, or a name that it would cut.
        InvalidName: the table's own name is too long, or its schema's PostgreSQL's own.
    """
    if _RESERVED.match(ledger.table_name(load.table)[0]):
        raise InvalidName(
            f"{load.table!r} is no table to load into, as PostgreSQL keeps such schemas for itself:"
            " give it one of another schema in [warehouse.tables]"
        )
    for part in ledger.table_name(load.table):
        if len(part) > NAME_BYTES:
            raise InvalidName(
                f"{load.table!r} is no table of PostgreSQL, whose names have {NAME_BYTES} bytes at"
                " most: give it a shorter one in [warehouse.tables]"
            )
    given = {
        column: postgres_type(type_, column=column, dataset=load.dataset)
        for column, type_ in load.columns
    }
    refuse_long_names(given, dataset=load.dataset)
    return PostgresTable(
        server=server,
        reader=reader,
        hook=hook,
        load=load,
        warehouse=warehouse,
        default_schema=default_schema(server),
        given=given,
    )


def fetched(server: "psycopg.Connection[tuple[Any, ...]]", statement: str) -> Rows:
    """Run one statement; return its rows, none where it gives none."""
    done = server.execute(statement.encode())
    return done.fetchall() if done.description else []


def default_schema(server: "psycopg.Connection[tuple[Any, ...]]") -> str:
    """Return the schema of the ledger, and of tables that name none.

    It is where a ledger is found on this role's search path; else where the only one is that the
    role may use; else where the role makes tables. So a schema of the role's own name, made later,
    or another search path brings no second ledger and no second copy.
    """
    name = literal(ledger.TABLES)
    tables = "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    rights = " AND ".join(f"has_table_privilege(c.oid, '{one}')" for one in ("SELECT", "UPDATE"))
    query = (
        f"SELECT coalesce((SELECT n.nspname::text FROM {tables} WHERE c.oid = to_regclass({name})),"
        f" (SELECT min(n.nspname::text) FROM {tables} WHERE c.relname = {name}"
        f" AND has_schema_privilege(n.oid, 'USAGE') AND {rights} HAVING count(*) = 1),"
        " current_schema(), 'public')"
    )
    return str(fetched(server, query)[0][0])


def columns_query(schema: str, name: str) -> str:
    """Return the query of a table's columns: names, types, kind."""
    return (
        "SELECT a.attname, format_type(a.atttypid, a.atttypmod), c.relkind::text"
        " FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE n.nspname = {literal(schema)} AND c.relname = {literal(name)}"
        " AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped"
        " ORDER BY a.attnum"
    )
