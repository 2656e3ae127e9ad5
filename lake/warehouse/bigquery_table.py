"""One table of BigQuery: what is known of it, and what makes it ready to take a load.

What a transaction cannot do is done before it, so a killed run may leave a new table empty. A label
says which lake made it. Rows of the ledger that are older than such a table speak of one that was
dropped.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import duckdb
from google.api_core import exceptions as api
from google.cloud.bigquery import SchemaField, Table, TableReference

from lake.errors import LoadRefused
from lake.warehouse import bigquery_script as script
from lake.warehouse import ledger
from lake.warehouse.bigquery_jobs import BigQuery
from lake.warehouse.bigquery_script import Names
from lake.warehouse.bigquery_sql import name
from lake.warehouse.bigquery_types import takes, wider
from lake.warehouse.ledger import LedgerRow, TableHeld, TableLoad
from lake.warehouse.warehouse import Rows

_LABEL = "clearlake"
_WORDS = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL", "RECORD": "STRUCT"}
_EXACT = 2**53
_PARAMETERS = re.compile(r"(\w+)\((\d+),(\d+)\)")
_LEDGER = {
    ledger.LOADS: (
        *((column, "STRING") for column in ("lake", "table_name", "partition", "content")),
        *((column, "INT64") for column in ("commit", "rows")),
        *(("loaded_at", "TIMESTAMP"), ("removed", "BOOL")),
    ),
    ledger.TABLES: (
        *((column, "STRING") for column in ("table_name", "lake", "dataset")),
        *(("commit", "INT64"), ("loaded_at", "TIMESTAMP")),
    ),
}


class Moved(Exception):
    """What was read is not so any more: look again."""


@dataclass(frozen=True, slots=True)
class BigQueryTable:
    """A table that is to take a load; see `Source`. `reader` may read what was published."""

    asked: BigQuery
    reader: duckdb.DuckDBPyConnection
    load: TableLoad
    given: Mapping[str, str]

    @property
    def warehouse(self) -> str:
        """The warehouse's URL."""
        return self.asked.place.url

    @property
    def reference(self) -> TableReference:
        """Where the table is, or is to be."""
        return self.asked.named(*ledger.table_name(self.load.table))

    @property
    def name(self) -> str:
        """The table's name, qualified and quoted."""
        return name(*self.reference.path.split("/")[2::2])

    def read(self, query: str) -> Rows:
        """Return the rows of a DuckDB query over published files."""
        return self.reader.execute(query).fetchall()

    def names(self, types: Mapping[str, str]) -> Names:
        """Return what a script calls the table, which has these columns, and the ledger."""
        place = self.asked.place
        tables = name(place.project, place.dataset, ledger.TABLES)
        return Names(self.name, tables, name(place.project, place.dataset, ledger.LOADS), types)


@dataclass(frozen=True, slots=True)
class Seen:
    """What stands in the warehouse; `is_new` where the table is not there, or was never filled.

    `held` is the table's row in the ledger, also of a table that was dropped since; `parts` are
    those of its partitions.
    """

    table: Table | None
    held: TableHeld | None
    parts: Mapping[str, LedgerRow]
    is_new: bool

    @property
    def columns(self) -> dict[str, str]:
        """The table's columns and their types, in order; none if there is no table."""
        return {one.name: type_of(one) for one in self.table.schema} if self.table else {}


def make_ledger(asked: BigQuery) -> None:
    """Make the ledger's two tables where they are not there."""
    for called, columns in _LEDGER.items():
        if asked.table("", called) is None:
            fields = [SchemaField(column, type_) for column, type_ in columns]
            asked.make_table(Table(asked.named("", called), schema=fields))


def look(table: BigQueryTable) -> Seen:
    """Return what is there now: nothing is changed."""
    asked, load = table.asked, table.load
    found = asked.table(*ledger.table_name(load.table))
    if found and found.table_type != "TABLE":
        raise LoadRefused(
            f"{load.table} in {table.warehouse} is a view or an external table: give"
            f" {load.dataset} another table in [warehouse.tables]"
        )
    held, parts = ledger_rows(table)
    return Seen(found, held, parts, found is None or _is_unfilled(load, found, held, parts))


def ledger_rows(table: BigQueryTable) -> tuple[TableHeld | None, dict[str, LedgerRow]]:
    """Return the table's row in the ledger, if there is one, and its partitions'."""
    held, parts = None, {}
    for row in table.asked.rows(script.ledger_of(table.names({}), table.load)):
        is_table, first, second, commit, rows, loaded_at, is_removed = row
        if is_table:
            held = TableHeld(table.load.table, first, second, commit, loaded_at)
        else:
            parts[first] = LedgerRow(first, commit, second, rows, loaded_at, is_removed)
    return held, dict(sorted(parts.items()))


def _is_unfilled(
    load: TableLoad, table: Table, held: TableHeld | None, parts: Mapping[str, LedgerRow]
) -> bool:
    if table.labels.get(_LABEL) != _label(load):
        return False
    filled = [held.loaded_at] if held and held.commit else []
    filled += [row.loaded_at for row in parts.values()]
    return all(at < table.created for at in filled)


def _label(load: TableLoad) -> str:
    return re.sub(r"[^a-z0-9_-]", "_", load.lake_id.lower())[:63]


def type_of(field: SchemaField) -> str:
    """Return a column's type as SQL spells it."""
    type_ = _WORDS.get(field.field_type, field.field_type)
    if field.precision:
        type_ += f"({field.precision},{field.scale or 0})"
    return f"ARRAY<{type_}>" if field.mode == "REPEATED" else str(type_)


def planned(table: BigQueryTable, seen: Seen) -> dict[str, str]:
    """Return the columns that the table will have, with their types: added ones, wider ones.

    Raises:
        LoadRefused: a column cannot take what is published, as it is or widened.
    """
    types = seen.columns
    spelt = {one.lower(): one for one in types}
    for column, given in table.given.items():
        there = spelt.get(column.lower())
        if there is None:
            types[column] = given
        elif not takes(types[there], given):
            types[there] = _widened(table, column, there, types[there])
    return types


def _widened(table: BigQueryTable, column: str, there: str, held: str) -> str:
    load, given = table.load, table.given[column]
    what = (
        f"column {column} of table {load.table} in {table.warehouse} is {held}, and in"
        f" {load.dataset} at commit {load.commit} it is {given}: nothing was changed;"
    )
    found = wider(held, given)
    if found and (found != "FLOAT64" or not _has_more(table, there)):
        return found
    if given == "FLOAT64" and (held == "INT64" or "NUMERIC" in held):
        statement = script.column_widened(table.name, there, given)
        raise LoadRefused(f"{what} that would round what is held, so run yourself: {statement}")
    raise LoadRefused(
        f"{what} cast it in the model, or drop the table, and the next load makes it anew"
    )


def _has_more(table: BigQueryTable, column: str) -> bool:
    """Tell whether a column of whole numbers has one that FLOAT64 would round."""
    query = f"SELECT COUNTIF({name(column)} NOT BETWEEN {-_EXACT} AND {_EXACT}) FROM {table.name}"
    return bool(table.asked.rows(query)[0][0])


def make_ready(table: BigQueryTable, seen: Seen, types: Mapping[str, str]) -> None:
    """Make the table, or give it the columns `types` and the model's descriptions.

    Raises:
        Moved: somebody else made it meanwhile.
    """
    if seen.table is None:
        _make(table)
        return
    statements = _changes(table, seen.table, types)
    if statements:
        key = f"{seen.table.etag} {statements}"
        table.asked.run_once(";\n".join(statements) + ";", key=key)


def _make(table: BigQueryTable) -> None:
    load, said = table.load, dict(table.load.comments)
    wanted = Table(
        table.reference,
        schema=[_field(one, type_, said.get(one)) for one, type_ in table.given.items()],
    )
    wanted.description = load.description
    wanted.labels = {_LABEL: _label(load)}
    try:
        is_mine = table.asked.make_table(wanted)
    except api.NotFound:
        table.asked.make_dataset(table.reference.dataset_id)
        is_mine = table.asked.make_table(wanted)
    if not is_mine:
        raise Moved


def _field(column: str, type_: str, description: str | None) -> SchemaField:
    said: dict[str, Any] = {"description": description} if description else {}
    found = _PARAMETERS.fullmatch(type_)
    if found:
        said |= {"precision": int(found[2]), "scale": int(found[3])}
    return SchemaField(column, found[1] if found else type_, **said)


def _changes(table: BigQueryTable, found: Table, types: Mapping[str, str]) -> list[str]:
    held = {field.name: field for field in found.schema}
    added = {one: type_ for one, type_ in types.items() if one not in held}
    statements = script.columns_added(table.names(types), added)
    statements += [
        script.column_widened(table.name, one, types[one])
        for one, field in held.items()
        if types[one] != type_of(field)
    ]
    if found.description != table.load.description:
        statements.append(script.described(table.name, table.load.description))
    spelt = {one.lower(): one for one in types}
    for column, said in table.load.comments:
        there = spelt[column.lower()]
        if there not in held or held[there].description != said:
            statements.append(script.column_described(table.name, there, said))
    return statements


def own_row(table: BigQueryTable, seen: Seen) -> TableHeld:
    """Return the table's row in the ledger, made with commit 0 if there is none.

    There must be one before the transaction: of two that change the same row BigQuery aborts one,
    and of two that add a row it need not. One job only ever makes it.
    """
    if seen.held:
        return seen.held
    asked, load = table.asked, table.load
    ledger_table = asked.table("", ledger.TABLES)
    made = ledger_table.created if ledger_table else None
    for attempt in count():  # a row that was deleted by hand needs another job
        statement = script.first_row(table.names({}), load)
        asked.run_once(statement, key=f"row {made} {load.table} {attempt}")
        found, _ = ledger_rows(table)
        if found:
            return found
    raise AssertionError("never")
