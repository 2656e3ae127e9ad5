"""One table of a DuckDB file, inside the transaction that makes, alters, fills and counts it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import duckdb

from lake.errors import LoadRefused
from lake.layout import partition_values
from lake.query.sql import identifier, literal
from lake.warehouse import ledger
from lake.warehouse.duckdb_file import ledger_home, schema_home
from lake.warehouse.fits import fits
from lake.warehouse.ledger import Difference, PartitionLoad, TableLoad, TableLoaded


@dataclass(frozen=True, slots=True)
class Target:
    """One load under way. `home` and `table` are quoted; `given` are the load's columns."""

    connection: duckdb.DuckDBPyConnection
    hook: Callable[[str], None]
    load: TableLoad
    warehouse: str
    home: str
    table: str
    given: Mapping[str, str]

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        """Run one statement, between two calls of the hook."""
        self.hook(statement)
        rows = self.connection.execute(statement).fetchall()
        self.hook(statement)
        return rows


def target(
    connection: duckdb.DuckDBPyConnection,
    load: TableLoad,
    *,
    hook: Callable[[str], None],
    warehouse: str,
) -> Target:
    """Return the target of `load`, with its types spelt as DuckDB spells them."""
    schema, name = ledger.table_name(load.table)
    return Target(
        connection=connection,
        hook=hook,
        load=load,
        warehouse=warehouse,
        home=ledger_home(connection),
        table=schema_home(connection, schema) + identifier(name),
        given={column: str(connection.sqltype(type_)) for column, type_ in load.columns},
    )


def columns(target: Target) -> dict[str, str]:
    """Return the table's columns, in lower case, and their types; none if there is no table."""
    return dict(target.run(columns_query(*ledger.table_name(target.load.table))))


def columns_query(schema: str, name: str) -> str:
    """Return the query of a table's columns; the schema `""` is the default one."""
    return (
        "SELECT lower(column_name), data_type FROM duckdb_columns()"
        " WHERE database_name = current_database()"
        f" AND lower(schema_name) = {literal(schema or 'main')}"
        f" AND lower(table_name) = {literal(name)} ORDER BY column_index"
    )


def make(target: Target) -> Difference:
    """Make the table; what the ledger says of one that was dropped counts no more."""
    schema, _ = ledger.table_name(target.load.table)
    target.run(ledger.forget(target.home, table=target.load.table))
    if schema:
        home = schema_home(target.connection, schema).removesuffix(".")
        target.run(f"CREATE SCHEMA IF NOT EXISTS {home}")
    given = ", ".join(f"{identifier(name)} {type_}" for name, type_ in target.given.items())
    target.run(f"CREATE TABLE {target.table} ({given})")
    _write_comment(target)
    return Difference(target.load.partitions, (), ())


def prepare(target: Target, held: Mapping[str, str]) -> Difference:
    """Add the columns that are new to a table of the columns `held`; return what is to be done."""
    load = target.load
    added = [name for name in target.given if name.lower() not in held]
    _refuse_types(target, held)
    for name in added:
        column = f"{identifier(name)} {target.given[name]}"
        target.run(f"ALTER TABLE {target.table} ADD COLUMN {column}")
    _write_comment(target)
    query = ledger.read_partitions(target.home, lake_id=load.lake_id, table=load.table)
    difference = ledger.compare(load, ledger.held_partitions(target.run(query)))
    return _with_gained(target, difference, added) if added else difference


def carry_out(target: Target, difference: Difference, *, empty: bool) -> TableLoaded:
    """Change the rows, count them, and write it down; `empty` is a table without any row."""
    types = columns(target)
    for gone in difference.removed:
        where = _in_partition(target, gone, types)
        target.run(f"DELETE FROM {target.table} WHERE {where}")
    for partition in difference.changed:
        where = _in_partition(target, partition.partition, types)
        if not empty:
            target.run(f"DELETE FROM {target.table} WHERE {where}")
        _insert(target, partition, where)
    rows = checked_total(target)
    for statement in ledger.write(target.home, target.load, difference):
        target.run(statement)
    return loaded(target, difference, rows)


def loaded(target: Target, difference: Difference, rows: int) -> TableLoaded:
    """Return what is to be told of a load that did `difference`."""
    return TableLoaded(
        table=target.load.table,
        loaded=tuple(p.partition for p in difference.changed),
        removed=difference.removed,
        rows=rows,
        unchanged=len(difference.unchanged),
    )


def checked_total(target: Target) -> int:
    """Return how many rows the table has.

    Raises:
        LoadRefused: it is not as many as were published.
    """
    load = target.load
    found: int = target.run(f"SELECT count(*) FROM {target.table}")[0][0]
    published = sum(p.rows for p in load.partitions)
    if found != published:
        raise LoadRefused(
            f"table {load.table} in {target.warehouse} would have {found} rows, and {load.dataset}"
            f" has {published} at commit {load.commit}: nothing was changed; somebody else wrote"
            " into the table, so drop it, and the next load makes it anew"
        )
    return found


def _with_gained(target: Target, difference: Difference, added: list[str]) -> Difference:
    """Count a partition as changed if it has values in a column that the table did not have.

    A declared rename does that: the files, and so the content, stay what they were.
    """
    some = " OR ".join(f"{identifier(name)} IS NOT NULL" for name in added)
    gained: list[PartitionLoad] = []
    unchanged: list[PartitionLoad] = []
    for partition in difference.unchanged:
        query = f"SELECT 1 FROM (\n{partition.select}\n) AS published WHERE {some} LIMIT 1"
        (gained if target.run(query) else unchanged).append(partition)
    changed = (*difference.changed, *gained)
    return replace(difference, changed=changed, unchanged=tuple(unchanged))


def _insert(target: Target, partition: PartitionLoad, where: str) -> None:
    _refuse_other_columns(target, partition)
    names = ", ".join(map(identifier, target.given))
    target.run(
        f"INSERT INTO {target.table} ({names})\nSELECT {names} FROM (\n{partition.select}\n)"
        " AS published"
    )
    arrived = target.run(f"SELECT count(*) FROM {target.table} WHERE {where}")[0][0]
    if arrived != partition.rows:
        raise LoadRefused(
            f"{_shown(target, partition.partition)} has {partition.rows} rows, and {arrived}"
            f" arrived in {target.load.table}: nothing was changed; run lake verify"
            f" {target.load.dataset}"
        )


def _in_partition(target: Target, partition: str, types: Mapping[str, str]) -> str:
    """Return the condition that finds a partition's rows in the table, by the keys' columns."""
    conditions = []
    for key, value in partition_values(partition).items():
        if key.lower() not in types:
            raise LoadRefused(
                f"table {target.load.table} in {target.warehouse} has no column {key}, by which"
                f" the rows of {_shown(target, partition)} are found: nothing was changed; drop"
                " the table, and the next load makes it anew"
            )
        typed = f"CAST({literal(value)} AS {types[key.lower()]})"
        conditions.append(f"{identifier(key)} = {typed}")
    return " AND ".join(conditions) or "true"


def _refuse_types(target: Target, held: Mapping[str, str]) -> None:
    load = target.load
    for name, given in target.given.items():
        there = held.get(name.lower(), given)
        if not fits(given, held=there):
            raise LoadRefused(
                f"column {name} of table {load.table} in {target.warehouse} is {there}, and in"
                f" {load.dataset} at commit {load.commit} it is {given}: nothing was changed; cast"
                f" it to {there} in the model, or drop the table, and the next load makes it anew"
            )


def _refuse_other_columns(target: Target, partition: PartitionLoad) -> None:
    """Refuse a SELECT of other types than announced: the INSERT would cast them, with loss."""
    found = target.run(f"DESCRIBE (\n{partition.select}\n)")
    types = {row[0].lower(): row[1] for row in found}
    for name, given in target.given.items():
        there = types.get(name.lower(), "not there")
        if there != given:
            raise LoadRefused(
                f"{_shown(target, partition.partition)}: column {name} is {there} in its files,"
                f" and {given} in the dataset: nothing was changed; run lake verify"
                f" {target.load.dataset}"
            )


def _shown(target: Target, partition: str) -> str:
    where = f"{target.load.dataset}/{partition}" if partition else target.load.dataset
    return f"{where} at commit {target.load.commit}"


def _write_comment(target: Target) -> None:
    target.run(f"COMMENT ON TABLE {target.table} IS {literal(target.load.description)}")
