"""One table of a DuckDB file, within the transaction of a load."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import duckdb

from lake.errors import LoadRefused
from lake.query.sql import identifier, literal
from lake.warehouse import ledger
from lake.warehouse.duckdb_file import ledger_home, schema_home
from lake.warehouse.fits import fits
from lake.warehouse.ledger import PartitionLoad, TableLoad
from lake.warehouse.rows import spelt
from lake.warehouse.warehouse import Hook, Rows


@dataclass(frozen=True, slots=True)
class DuckDBTable:
    """A table under way; see `Table`."""

    connection: duckdb.DuckDBPyConnection
    hook: Hook
    load: TableLoad
    warehouse: str
    home: str
    name: str
    given: Mapping[str, str]

    def run(self, statement: str) -> Rows:
        """Run one statement, between two calls of the hook."""
        self.hook(statement)
        rows = self.connection.execute(statement).fetchall()
        self.hook(statement)
        return rows

    def read(self, query: str) -> Rows:
        """Return the rows of a query over published files."""
        return self.run(query)

    @property
    def overriding(self) -> str:
        """Nothing: DuckDB numbers no column by itself."""
        return ""

    def columns(self) -> dict[str, str]:
        """Return the table's columns and their types, in order; none if there is no table."""
        return dict(self.run(columns_query(*ledger.table_name(self.load.table))))

    def make_schema(self) -> None:
        """Make the table's schema where it is not there."""
        schema, _ = ledger.table_name(self.load.table)
        if schema:
            home = schema_home(self.connection, schema).removesuffix(".")
            self.run(f"CREATE SCHEMA IF NOT EXISTS {home}")

    def guard(self) -> None:
        """Do nothing: the file is open in this process only."""

    def widen(self, column: str, type_: str) -> None:
        """Give a column another type."""
        self.run(f"ALTER TABLE {self.name} ALTER COLUMN {identifier(column)} TYPE {type_}")

    def delete(self, condition: str) -> None:
        """Take rows out of the table; DuckDB changes no others for it."""
        self.run(f"DELETE FROM {self.name} WHERE {condition}")

    def counted(self) -> tuple[int, int]:
        """Return how many rows the table has; who wrote them, DuckDB does not know."""
        return self.run(f"SELECT count(*) FROM {self.name}")[0][0], 0

    def sign(self) -> None:
        """Do nothing: who wrote a row is not kept."""

    def adopt(self) -> None:
        """Do nothing: who wrote a row is not kept."""

    def widened(self, column: str, *, held: str) -> str:
        """Return `held`: a column of a DuckDB file keeps its type."""
        load, given = self.load, self.given[column]
        if not fits(given, held=held):
            raise LoadRefused(
                f"column {column} of table {load.table} in {self.warehouse} is {held}, and in"
                f" {load.dataset} at commit {load.commit} it is {given}: nothing was changed; cast"
                f" it to {held} in the model, or drop the table, and the next load makes it anew"
            )
        return held

    def fill(
        self,
        partitions: Iterable[PartitionLoad],
        *,
        into: str,
        types: Mapping[str, str],
        is_new: bool,
    ) -> list[int]:
        """Add partitions' rows to a table of these columns; return how many came of each."""
        names = ", ".join(map(identifier, spelt(self, types)))
        insert = f"INSERT INTO {into} ({names})\nSELECT {names} FROM (\n"
        return [self.run(f"{insert}{one.select}\n) AS published")[0][0] for one in partitions]


def open_table(
    connection: duckdb.DuckDBPyConnection, load: TableLoad, *, hook: Hook, warehouse: str
) -> DuckDBTable:
    """Return the table of `load`, with the load's types spelt as DuckDB spells them."""
    schema, name = ledger.table_name(load.table)
    return DuckDBTable(
        connection=connection,
        hook=hook,
        load=load,
        warehouse=warehouse,
        home=ledger_home(connection),
        name=schema_home(connection, schema) + identifier(name),
        given={column: str(connection.sqltype(type_)) for column, type_ in load.columns},
    )


def columns_query(schema: str, name: str) -> str:
    """Return the query of a table's columns; the schema `""` is the default one."""
    return (
        "SELECT column_name, data_type FROM duckdb_columns()"
        " WHERE database_name = current_database()"
        f" AND lower(schema_name) = {literal(schema or 'main')}"
        f" AND lower(table_name) = {literal(name)} ORDER BY column_index"
    )
