"""The SQL of a load into BigQuery: what may run before the transaction, and the transaction.

BigQuery runs a transaction as one script, so nothing can be looked at in the middle of it and then
thought about. What was read before is held against the ledger again inside; what is counted inside
ends the script with an error that says the number. Statements that make or change a table cannot
stand in a transaction: each of them can be repeated.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from lake.layout import partition_values
from lake.warehouse import ledger
from lake.warehouse.bigquery_sql import name, text
from lake.warehouse.bigquery_stage import PART, Stage
from lake.warehouse.ledger import Difference, LedgerRow, TableHeld, TableLoad

MOVED, ROWS = "lake-moved", "lake-rows"
"""What an error of the script's own begins with."""
_AT_ONCE = 500
T = TypeVar("T")
_ROW = ("commit", "content", "rows", "loaded_at", "removed")


@dataclass(frozen=True, slots=True)
class Names:
    """The names of a table and of the ledger's two, and how the table spells its columns.

    `types` are the table's columns, each with its type.
    """

    table: str
    tables: str
    loads: str
    types: Mapping[str, str]

    def spelt(self, column: str) -> str:
        """Return a published column's name as the table has it: case may differ."""
        return next(held for held in self.types if held.lower() == column.lower())


def ledger_of(names: Names, load: TableLoad) -> str:
    """Return the query of what the ledger says of a table and its partitions, at one moment."""
    table = f"table_name = {text(load.table)}"
    return (
        "SELECT TRUE, lake, dataset, `commit`, 0, loaded_at, FALSE"
        f" FROM {names.tables} WHERE {table} UNION ALL"
        " SELECT FALSE, `partition`, content, `commit`, `rows`, loaded_at, removed"
        f" FROM {names.loads} WHERE {table} AND lake = {text(load.lake_id)}"
    )


def transaction(*parts: Iterable[str]) -> str:
    """Return a script that does all of it or nothing."""
    statements = [statement for part in parts for statement in part]
    return ";\n".join(("BEGIN TRANSACTION", *statements, "COMMIT TRANSACTION")) + ";"


def as_read(names: Names, held: TableHeld) -> list[str]:
    """Return what ends the script if the table's row in the ledger is not `held` any more."""
    said = (
        f"table_name = {text(held.table)} AND lake = {text(held.lake_id)}"
        f" AND dataset = {text(held.dataset)} AND `commit` = {held.commit}"
        f" AND loaded_at = {moment(held.loaded_at)}"
    )
    return [
        f"SELECT IF((SELECT COUNT(*) FROM {names.tables} WHERE {said}) = 1, NULL,"
        f" ERROR({text(MOVED)}))"
    ]


def take(names: Names, load: TableLoad) -> list[str]:
    """Return what writes the table's row, so that another load's transaction is aborted."""
    return [
        f"UPDATE {names.tables} SET lake = {text(load.lake_id)}, dataset = {text(load.dataset)},"
        f" `commit` = {load.commit}, loaded_at = CURRENT_TIMESTAMP()"
        f" WHERE table_name = {text(load.table)}"
    ]


def touch(names: Names, load: TableLoad) -> list[str]:
    """Return what writes the table's row, and leaves its commit."""
    return [
        f"UPDATE {names.tables} SET loaded_at = CURRENT_TIMESTAMP()"
        f" WHERE table_name = {text(load.table)}"
    ]


def mark_lacking(names: Names, load: TableLoad, rows: Iterable[LedgerRow]) -> list[str]:
    """Return what notes that the table lacks values of some partitions."""
    return [
        f"UPDATE {names.loads} SET content = {text(ledger.lacking(row.content))}"
        f" WHERE lake = {text(load.lake_id)} AND table_name = {text(load.table)}"
        f" AND `partition` = {text(row.partition)}"
        for row in rows
    ]


def forget(names: Names, load: TableLoad) -> list[str]:
    """Return what forgets the partitions of a table that is there no longer."""
    return [f"DELETE FROM {names.loads} WHERE table_name = {text(load.table)}"]


def delete(names: Names, partitions: Sequence[str]) -> list[str]:
    """Return what takes the rows of partitions out of the table, of many in one look at it."""
    return [
        f"DELETE FROM {names.table} WHERE {within_any(names, some)}" for some in _some(partitions)
    ]


def insert(names: Names, stage: Stage, places: Iterable[int] | None = None) -> list[str]:
    """Return what adds staged rows to the table: all, or those of some partitions."""
    columns = {column: names.spelt(column) for column in stage.given}
    listed = ", ".join(name(held) for held in columns.values())
    items = ", ".join(stage.brought(column, names.types[held]) for column, held in columns.items())
    where = "" if places is None else f" WHERE {_parts(places)}"
    return [f"INSERT INTO {names.table} ({listed}) SELECT {items} FROM {stage.name}{where}"]


def merge(
    names: Names, stage: Stage, keys: Sequence[str], places: Iterable[int] | None = None
) -> list[str]:
    """Return what lets staged rows take the places of those with the same keys."""
    columns = {column: names.spelt(column) for column in stage.given}
    items = ", ".join(
        f"{stage.brought(column, names.types[held])} AS {name(held)}"
        for column, held in columns.items()
    )
    where = "" if places is None else f" WHERE {_parts(places)}"
    every = [name(held) for held in columns.values()]
    matched = [name(columns[key]) for key in keys]
    rest = [one for one in every if one not in matched]
    same = " AND ".join(f"old.{key} = new.{key}" for key in matched)
    changes = ", ".join(f"{one} = new.{one}" for one in rest)
    other = f"{row('old', rest)} <> {row('new', rest)}"
    update = f" WHEN MATCHED AND {other} THEN UPDATE SET {changes}" if rest else ""
    values = ", ".join(f"new.{one}" for one in every)
    return [
        f"MERGE INTO {names.table} AS old USING (SELECT {items} FROM {stage.name}{where}) AS new"
        f" ON {same}{update} WHEN NOT MATCHED THEN INSERT ({', '.join(every)}) VALUES ({values})"
    ]


def bad_keys(stage: Stage, keys: Sequence[str]) -> str:
    """Return the query of how many staged keys are NULL, and how many are there twice."""
    columns = [f"`c{list(stage.given).index(key)}`" for key in keys]
    nulls = " OR ".join(f"{column} IS NULL" for column in columns)
    twice = f"SELECT 1 FROM {stage.name} GROUP BY {', '.join(columns)} HAVING COUNT(*) > 1"
    return f"SELECT COUNTIF({nulls}), (SELECT COUNT(*) FROM ({twice}) AS twice) FROM {stage.name}"


def moved(names: Names, stage: Stage, keys: Sequence[str], beside: Sequence[str]) -> str:
    """Return the query of how many staged rows have the keys of rows in the partitions `beside`."""
    spelt = {key: names.spelt(key) for key in keys}
    items = ", ".join(
        f"{stage.brought(key, names.types[held])} AS {name(held)}" for key, held in spelt.items()
    )
    same = " AND ".join(f"new.{name(held)} = old.{name(held)}" for held in spelt.values())
    old = f"SELECT * FROM {names.table} WHERE {within_any(names, beside)}"
    return (
        f"SELECT COUNT(*) FROM (SELECT {items} FROM {stage.name}) AS new"
        f" JOIN ({old}) AS old ON {same}"
    )


def row(source: str, columns: Iterable[str]) -> str:
    """Return a text that is the same for the same values, whatever their types."""
    return f"TO_JSON_STRING(STRUCT({', '.join(f'{source}.{one} AS {one}' for one in columns)}))"


def counted(names: Names, rows: int) -> list[str]:
    """Return what ends the script if the table has not exactly so many rows."""
    said = f"CONCAT('{ROWS} -1 ', CAST(COUNT(*) AS STRING), ' {rows}')"
    return [f"SELECT IF(COUNT(*) = {rows}, NULL, ERROR({said})) FROM {names.table}"]


def each_counted(names: Names, load: TableLoad) -> list[str]:
    """Return what ends the script if a partition has too few rows; too many, where appended."""
    wrong = "<>" if load.mode == "append" else "<"
    every = list(enumerate(load.asked))
    statements = []
    for some in _some(every):
        cases = " ".join(
            f"WHEN n{place} {wrong} {one.rows}"
            f" THEN CONCAT('{ROWS} {place} ', CAST(n{place} AS STRING), ' {one.rows}')"
            for place, one in some
        )
        counts = ", ".join(
            f"COUNTIF({within(names, one.partition)}) AS n{place}" for place, one in some
        )
        statements.append(
            "SELECT IF(said IS NULL, NULL, ERROR(said)) FROM"
            f" (SELECT CASE {cases} END AS said FROM (SELECT {counts} FROM {names.table}) AS n)"
            " AS found"
        )
    return statements


def write_down(names: Names, load: TableLoad, difference: Difference) -> list[str]:
    """Return what writes partitions into the ledger, loaded or gone."""
    done = [(p.partition, p.content, p.rows, "FALSE") for p in difference.changed]
    done += [(partition, "", 0, "TRUE") for partition in difference.removed]
    statements = []
    for some in _some(done):
        rows = " UNION ALL ".join(
            f"SELECT {text(load.lake_id)} AS `lake`, {text(load.table)} AS `table_name`,"
            f" {text(partition)} AS `partition`, {load.commit} AS `commit`, {text(content)}"
            f" AS `content`, {rows} AS `rows`, CURRENT_TIMESTAMP() AS `loaded_at`, {removed}"
            " AS `removed`"
            for partition, content, rows, removed in some
        )
        statements.append(_merged(names.loads, rows, ("lake", "table_name", "partition"), _ROW))
    return statements


def _merged(table: str, rows: str, keys: Sequence[str], others: Sequence[str]) -> str:
    same = " AND ".join(f"old.`{key}` = new.`{key}`" for key in keys)
    changes = ", ".join(f"`{one}` = new.`{one}`" for one in others)
    every = ", ".join(f"`{one}`" for one in (*keys, *others))
    values = ", ".join(f"new.`{one}`" for one in (*keys, *others))
    return (
        f"MERGE INTO {table} AS old USING ({rows}) AS new ON {same}"
        f" WHEN MATCHED THEN UPDATE SET {changes}"
        f" WHEN NOT MATCHED THEN INSERT ({every}) VALUES ({values})"
    )


def within(names: Names, partition: str) -> str:
    """Return the condition that finds a partition's rows in the table, by the keys' columns."""
    pairs = [
        f"{name(names.spelt(key))} = {typed(value, names.types[names.spelt(key)])}"
        for key, value in partition_values(partition).items()
    ]
    return " AND ".join(pairs) or "TRUE"


def within_any(names: Names, partitions: Sequence[str]) -> str:
    """Return the condition that finds the rows of any of some partitions."""
    return " OR ".join(f"({within(names, one)})" for one in partitions) or "FALSE"


def typed(value: str, type_: str) -> str:
    """Return a partition's value as a value of a column's type."""
    return f"CAST({text(value)} AS {plain(type_)})"


def plain(type_: str) -> str:
    """Return a type without digits, which takes every value of it."""
    return type_.partition("(")[0]


def moment(at: datetime) -> str:
    """Return a time as a literal, to the microsecond."""
    return f"TIMESTAMP '{at.isoformat(sep=' ', timespec='microseconds')}'"


def columns_added(names: Names, added: Mapping[str, str]) -> list[str]:
    """Return what adds columns of these types to the table; a repetition adds nothing."""
    if not added:
        return []
    items = ", ".join(
        f"ADD COLUMN IF NOT EXISTS {name(one)} {type_}" for one, type_ in added.items()
    )
    return [f"ALTER TABLE {names.table} {items}"]


def column_widened(table: str, column: str, type_: str) -> str:
    """Return what gives a column another type."""
    return f"ALTER TABLE {table} ALTER COLUMN {name(column)} SET DATA TYPE {type_}"


def described(table: str, said: str) -> str:
    """Return what describes the table."""
    return f"ALTER TABLE {table} SET OPTIONS (description = {text(said)})"


def column_described(table: str, column: str, said: str) -> str:
    """Return what describes a column."""
    return (
        f"ALTER TABLE {table} ALTER COLUMN {name(column)} SET OPTIONS (description = {text(said)})"
    )


def first_row(names: Names, load: TableLoad) -> str:
    """Return what makes the table's row in the ledger, of commit 0, where there is none."""
    rows = (
        f"SELECT {text(load.table)} AS `table_name`, {text(load.lake_id)} AS `lake`,"
        f" {text(load.dataset)} AS `dataset`, 0 AS `commit`, CURRENT_TIMESTAMP() AS `loaded_at`"
    )
    every = "`table_name`, `lake`, `dataset`, `commit`, `loaded_at`"
    values = "new.`table_name`, new.`lake`, new.`dataset`, new.`commit`, new.`loaded_at`"
    return (
        f"MERGE INTO {names.tables} AS old USING ({rows}) AS new"
        f" ON old.`table_name` = new.`table_name`"
        f" WHEN NOT MATCHED THEN INSERT ({every}) VALUES ({values})"
    )


def _parts(places: Iterable[int]) -> str:
    return f"`{PART}` IN ({', '.join(map(str, places)) or 'NULL'})"


def _some(items: Sequence[T]) -> Iterable[Sequence[T]]:
    return (items[start : start + _AT_ONCE] for start in range(0, len(items), _AT_ONCE))
