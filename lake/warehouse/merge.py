"""Rows that take the places of those with the same key; the others stay as they are."""

from collections.abc import Mapping, Sequence

from lake.errors import LoadRefused
from lake.query.sql import identifier
from lake.warehouse.ledger import PartitionLoad
from lake.warehouse.rows import insert, spelt, within_any
from lake.warehouse.warehouse import Source, Table

STAGE = identifier("_lake_stage")


def stage(table: Table) -> None:
    """Make an empty table of the same columns, which only this connection sees."""
    table.run(f"CREATE TEMPORARY TABLE {STAGE} AS SELECT * FROM {table.name} LIMIT 0")


def merge(
    table: Table,
    partitions: Sequence[PartitionLoad],
    types: Mapping[str, str],
    *,
    beside: Sequence[str] = (),
) -> None:
    """Merge partitions into the table by `merge_on`.

    Raises:
        LoadRefused: the key is no column, is NULL somewhere, or is there twice; or a row would
            take the place of one in the partitions `beside`, which are to stay as they are.
    """
    names = spelt(table, types)
    refuse_no_column(table)
    keys = [identifier(names[name]) for name in table.load.merge_on]
    stage(table)
    insert(table, partitions, types, STAGE, is_new=True)
    _look_at_keys(table, keys)
    same = " AND ".join(f"new.{key} = old.{key}" for key in keys)
    if beside:
        _look_beside(table, within_any(table, beside, types), same)
    every = list(map(identifier, names.values()))
    rest = [name for name in every if name not in keys]
    if rest:
        changes = ", ".join(f"{name} = new.{name}" for name in rest)
        other = " OR ".join(f"old.{name} IS DISTINCT FROM new.{name}" for name in rest)
        table.run(
            f"UPDATE {table.name} AS old SET {changes} FROM {STAGE} AS new"
            f" WHERE {same} AND ({other})"
        )
    listed = ", ".join(every)
    table.run(
        f"INSERT INTO {table.name} ({listed}) SELECT {listed} FROM {STAGE} AS new"
        f" WHERE NOT EXISTS (SELECT 1 FROM {table.name} AS old WHERE {same})"
    )
    table.run(f"DROP TABLE {STAGE}")


def _look_beside(table: Table, beside: str, same: str) -> None:
    count = table.run(
        f"SELECT count(*) FROM {STAGE} AS new"
        f" JOIN (SELECT * FROM {table.name} WHERE {beside}) AS old ON {same}"
    )[0][0]
    refuse_moved(table, count)


def refuse_moved(table: Source, count: int) -> None:
    """Refuse rows that would take the places of so many in partitions that are to stay."""
    load = table.load
    if count:
        raise LoadRefused(
            f"{count} rows of {load.dataset} at commit {load.commit} would take the places of rows"
            f" of other periods in table {load.table} in {table.warehouse}, which is merged on"
            f" {', '.join(load.merge_on)}: nothing was changed; load those periods, too, or all"
        )


def refuse_no_column(table: Source) -> None:
    """Refuse a key that is no column."""
    load = table.load
    for name in load.merge_on:
        if name not in table.given:
            raise LoadRefused(
                f"merge_on names {name!r} for table {load.table}, and {load.dataset} has no such"
                f" column: nothing was changed; name one of {', '.join(table.given)} in"
                " [warehouse.tables]"
            )


def _look_at_keys(table: Table, keys: Sequence[str]) -> None:
    nulls = " OR ".join(f"{key} IS NULL" for key in keys)
    twice = f"SELECT 1 FROM {STAGE} GROUP BY {', '.join(keys)} HAVING count(*) > 1"
    found = table.run(
        f"SELECT count(*) FILTER (WHERE {nulls}), (SELECT count(*) FROM ({twice}) AS twice)"
        f" FROM {STAGE}"
    )
    refuse_bad_keys(table, found[0])


def refuse_bad_keys(table: Source, found: Sequence[int]) -> None:
    """Refuse keys of which so many are NULL, and so many are there twice."""
    load = table.load
    for problem, count in zip(("is NULL in", "stands more than once in"), found, strict=True):
        if count:
            raise LoadRefused(
                f"{', '.join(load.merge_on)} {problem} {count} rows of {load.dataset} at commit"
                f" {load.commit}, and table {load.table} in {table.warehouse} is merged on it:"
                " nothing was changed; make it a key in the model, or name another in merge_on"
            )
