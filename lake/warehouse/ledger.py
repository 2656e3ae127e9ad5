"""What a warehouse knows about its loads: two tables in it, and what they say about the next load.

`_lake_tables` has one row per table: whose it is and the newest commit that it was loaded at, be it
in part. It is written first in every load, so that two loads of one table never run beside each
other; older commits are kept out by it. What the table holds is said by `_lake_loads`, which has
one row per partition; a partition that is gone leaves its row as a tombstone (`removed`).

The SQL is what DuckDB and PostgreSQL share. `home` is the quoted schema of the ledger and ends in
a dot.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lake.config.period import ALL, Periods
from lake.config.types import Mode
from lake.errors import InvalidName, LoadRefused
from lake.layout import partition_values
from lake.query.sql import literal

TABLES = "_lake_tables"
LOADS = "_lake_loads"
WRITERS = "_lake_writers"
"""Only PostgreSQL has it, see `postgres_written`."""

_LACKING = " but for new columns"
_TABLE = re.compile(r"(?:([a-z_][a-z0-9_]*)\.)?([a-z_][a-z0-9_]*)")


class Overtaken(LoadRefused):
    """The table was loaded at a newer commit of the same lake than the one that is to be loaded."""


@dataclass(frozen=True, slots=True)
class PartitionLoad:
    """One partition as published. `select` is a DuckDB SELECT of exactly its `rows` rows."""

    partition: str
    content: str
    rows: int
    select: str


@dataclass(frozen=True, slots=True)
class TableLoad:
    """A dataset at a commit, whole, and the table that is to hold it.

    `columns` are names and DuckDB types, the partition's keys included; `partitions` are all
    that the dataset has at that commit, changed or not. `let_read` lets a DuckDB connection read
    their files. `comments` are descriptions of columns. Only what lies in `periods` is loaded.

    What becomes of a partition that changed is said by `mode`: its rows are replaced; or it is
    refused, as rows are only ever added (`append`); or its rows take the places of those with the
    same `merge_on`, and others stay (`merge`).
    """

    lake_id: str
    dataset: str
    table: str
    commit: int
    columns: tuple[tuple[str, str], ...]
    partitions: tuple[PartitionLoad, ...]
    let_read: Callable[[Any], None]
    description: str = ""
    owner: str = ""
    comments: tuple[tuple[str, str], ...] = ()
    mode: Mode = "replace"
    merge_on: tuple[str, ...] = ()
    periods: Periods = ALL

    @property
    def rows(self) -> int:
        """How many rows are published."""
        return sum(partition.rows for partition in self.partitions)

    @property
    def asked(self) -> tuple[PartitionLoad, ...]:
        """The partitions that lie in the periods."""
        return tuple(one for one in self.partitions if self.asks(one.partition))

    def asks(self, partition: str) -> bool:
        """Tell whether a partition lies in the periods; one without a period in its keys does."""
        return self.periods == ALL or self.periods.hold(partition_values(partition).values())


@dataclass(frozen=True, slots=True)
class TableLoaded:
    """What a load did: partitions loaded and removed, those left alone, rows in the table now."""

    table: str
    loaded: tuple[str, ...]
    removed: tuple[str, ...]
    rows: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """What the warehouse holds of one partition, and since which commit."""

    partition: str
    commit: int
    content: str
    rows: int
    loaded_at: datetime
    removed: bool


@dataclass(frozen=True, slots=True)
class TableHeld:
    """What the ledger says of one table; `commit` is the newest that it was loaded at, 0 is none.

    At that commit some periods may have been loaded only: see its partitions.
    """

    table: str
    lake_id: str
    dataset: str
    commit: int
    loaded_at: datetime


@dataclass(frozen=True, slots=True)
class Difference:
    """What a load has to do, partition by partition; nothing is said of those not asked for."""

    changed: tuple[PartitionLoad, ...]
    removed: tuple[str, ...]
    unchanged: tuple[PartitionLoad, ...]


def table_name(text: str) -> tuple[str, str]:
    """Return schema (`""` for the default one) and name of a table.

    Raises:
        InvalidName: it is no `NAME` or `SCHEMA.NAME`, or belongs to the ledger.
    """
    match = _TABLE.fullmatch(text)
    if not match or match[2] in (TABLES, LOADS, WRITERS):
        raise InvalidName(
            f"{text!r} is no table to load into: write NAME or SCHEMA.NAME in lower-case letters,"
            f" digits and underscores, other than {TABLES}, {LOADS} and {WRITERS}"
        )
    return match[1] or "", match[2]


def compare(load: TableLoad, held: Mapping[str, LedgerRow]) -> Difference:
    """Return what is to be loaded into a table that holds `held`, keyed by partition.

    Only where rows are replaced are those of a partition that is gone taken away. What lies
    outside the load's periods is no part of it.

    Raises:
        LoadRefused: a part is to be loaded of a table that has partitions of other keys.
    """
    same = {row.partition: row.content for row in held.values() if not row.removed}
    if load.mode == "replace":
        _refuse_recut(load, same)
    gone = same.keys() - {item.partition for item in load.partitions}
    return Difference(
        changed=tuple(p for p in load.asked if same.get(p.partition) != p.content),
        removed=tuple(sorted(filter(load.asks, gone))) if load.mode == "replace" else (),
        unchanged=tuple(p for p in load.asked if same.get(p.partition) == p.content),
    )


def beside(load: TableLoad, held: Mapping[str, LedgerRow]) -> tuple[LedgerRow, ...]:
    """Return what the table holds of partitions that the load does not ask for."""
    return tuple(row for row in held.values() if not row.removed and not load.asks(row.partition))


def lacking(content: str) -> str:
    """Return what the ledger says in place of a content of which the table lacks some values.

    A load of other periods gave the table their columns. As no content is called so, the
    partition is still to be loaded.
    """
    return content if content.endswith(_LACKING) else content + _LACKING


def _refuse_recut(load: TableLoad, held: Iterable[str]) -> None:
    """Refuse a part where a partition's rows may lie in those of another one."""
    now, then = (
        {tuple(partition_values(text)) for text in texts}
        for texts in ((one.partition for one in load.partitions), held)
    )
    if load.periods != ALL and now and then and now != then:
        name = load.dataset.removeprefix("curated.")
        raise LoadRefused(
            f"table {load.table} has partitions by {_keys(then)}, and {load.dataset} at commit"
            f" {load.commit} by {_keys(now)}, so no period of it can be replaced: nothing was"
            f" changed; run lake load {name}, without --since and --until, first"
        )


def _keys(found: Iterable[tuple[str, ...]]) -> str:
    return " or ".join(sorted(", ".join(keys) or "no key" for keys in found))


def refuse_older(load: TableLoad, held: TableHeld, *, warehouse: str) -> None:
    """Raise LoadRefused if the table has a newer commit, another dataset or another lake's."""
    if held.lake_id != load.lake_id:
        raise LoadRefused(
            f"table {load.table} in {warehouse} belongs to lake {held.lake_id} ({held.dataset} at"
            f" commit {held.commit}), and this is lake {load.lake_id}: give {load.dataset} another"
            " table in [warehouse.tables], or drop that one"
        )
    if held.commit > load.commit:
        raise Overtaken(
            f"table {load.table} in {warehouse} was already loaded at commit {held.commit} of"
            f" {held.dataset}, and this load has commit {load.commit}: open the lake anew, then"
            " load again"
        )
    if held.commit == load.commit and held.dataset != load.dataset:
        raise LoadRefused(
            f"table {load.table} in {warehouse} holds {held.dataset} at commit {held.commit}, and"
            f" {load.dataset} is to be loaded into it too: give each its own table in"
            " [warehouse.tables]"
        )


def refuse_unknown(load: TableLoad, held: TableHeld, loads: int, *, warehouse: str) -> None:
    """Raise LoadRefused if no lake has loaded the table, as far as the ledger knows.

    `loads` is how many partitions of this lake's the ledger names in it all the same.
    """
    if held.commit:
        return
    if loads:
        raise LoadRefused(
            f"table {load.table} in {warehouse} is there, and its row in {TABLES} is gone: nothing"
            f" was changed; {reconcile(load)}"
        )
    raise never_loaded(load, warehouse=warehouse)


def never_loaded(load: TableLoad, *, warehouse: str) -> LoadRefused:
    """Return the refusal of a table that is there and that no lake has loaded."""
    return LoadRefused(
        f"table {load.table} in {warehouse} is there, and no lake has loaded it: give"
        f" {load.dataset} another table in [warehouse.tables], or drop that one"
    )


def reconcile(load: TableLoad) -> str:
    """Return what to do where the ledger and the table disagree."""
    name = load.dataset.removeprefix("curated.")
    return f"run lake load --reconcile {name}, which shows what differs and mends it"


def create(home: str) -> tuple[str, str]:
    """Return the statements that make the ledger where it is not there."""
    return (
        f"CREATE TABLE IF NOT EXISTS {home}{TABLES} (table_name VARCHAR PRIMARY KEY,"
        " lake VARCHAR NOT NULL, dataset VARCHAR NOT NULL, commit BIGINT NOT NULL,"
        " loaded_at TIMESTAMPTZ NOT NULL)",
        f"CREATE TABLE IF NOT EXISTS {home}{LOADS} (lake VARCHAR, table_name VARCHAR,"
        ' "partition" VARCHAR, commit BIGINT NOT NULL, content VARCHAR NOT NULL,'
        ' "rows" BIGINT NOT NULL, loaded_at TIMESTAMPTZ NOT NULL, removed BOOLEAN NOT NULL,'
        ' PRIMARY KEY (lake, table_name, "partition"))',
    )


def lock(home: str, load: TableLoad) -> str:
    """Return the statement that takes the table's row, made with commit 0 if there is none.

    Nothing is changed in a row that is there; to write it is what makes a second load wait or
    fail.
    """
    names = ", ".join(literal(name) for name in (load.table, load.lake_id, load.dataset))
    return (
        f"INSERT INTO {home}{TABLES} VALUES ({names}, 0, now())"
        f" ON CONFLICT (table_name) DO UPDATE SET loaded_at = {TABLES}.loaded_at"
    )


def read_tables(home: str) -> str:
    """Return the query of all tables; `held_table` reads its rows."""
    columns = "table_name, lake, dataset, commit, loaded_at"
    return f"SELECT {columns} FROM {home}{TABLES} ORDER BY table_name"


def held_table(row: tuple[Any, ...]) -> TableHeld:
    """Return a row of `read_tables`."""
    return TableHeld(*row)


def read_partitions(home: str, *, lake_id: str, table: str) -> str:
    """Return the query of a table's partitions; `held_partitions` reads its rows."""
    return (
        'SELECT "partition", commit, content, "rows", loaded_at, removed'
        f" FROM {home}{LOADS} WHERE lake = {literal(lake_id)} AND table_name = {literal(table)}"
        ' ORDER BY "partition"'
    )


def held_partitions(rows: Iterable[tuple[Any, ...]]) -> dict[str, LedgerRow]:
    """Return the rows of `read_partitions` by partition."""
    return {row[0]: LedgerRow(*row) for row in rows}


def forget(home: str, *, table: str) -> str:
    """Return the statement that forgets all partitions of a table that is there no longer."""
    return f"DELETE FROM {home}{LOADS} WHERE table_name = {literal(table)}"


def mark_lacking(home: str, load: TableLoad, rows: Iterable[LedgerRow]) -> str:
    """Return the statement that notes that the table lacks values of some partitions."""
    pairs = ", ".join(
        f"({literal(row.partition)}, {literal(lacking(row.content))})" for row in rows
    )
    return (
        f"UPDATE {home}{LOADS} SET content = marked.content"
        f' FROM (VALUES {pairs}) AS marked("partition", content)'
        f" WHERE lake = {literal(load.lake_id)} AND table_name = {literal(load.table)}"
        f' AND {LOADS}."partition" = marked."partition"'
    )


def write(home: str, load: TableLoad, difference: Difference) -> tuple[str, ...]:
    """Return the statements that write down a load which did `difference`."""
    done = [(p.partition, p.content, p.rows, False) for p in difference.changed]
    done += [(partition, "", 0, True) for partition in difference.removed]
    table = (
        f"UPDATE {home}{TABLES} SET lake = {literal(load.lake_id)},"
        f" dataset = {literal(load.dataset)}, commit = {literal(load.commit)},"
        f" loaded_at = now() WHERE table_name = {literal(load.table)}"
    )
    return (_write_partitions(home, load, done), table) if done else (table,)


def _write_partitions(
    home: str, load: TableLoad, done: Iterable[tuple[str, str, int, bool]]
) -> str:
    """Return one statement for all: every statement more is one more place to be killed at."""
    key = f"{literal(load.lake_id)}, {literal(load.table)}"
    rows = ", ".join(
        f"({key}, {literal(partition)}, {literal(load.commit)}, {literal(content)},"
        f" {literal(rows)}, now(), {literal(removed)})"
        for partition, content, rows, removed in done
    )
    taken = ("commit", "content", '"rows"', "loaded_at", "removed")
    changes = ", ".join(f"{column} = excluded.{column}" for column in taken)
    return (
        f"INSERT INTO {home}{LOADS} VALUES {rows}"
        f' ON CONFLICT (lake, table_name, "partition") DO UPDATE SET {changes}'
    )
