"""Rows that take the places of those with the same key; the others stay as they are."""

from collections.abc import Iterable, Mapping, Sequence

from lake.errors import LoadRefused
from lake.query.sql import identifier
from lake.warehouse.gained import missing
from lake.warehouse.ledger import PartitionLoad
from lake.warehouse.rows import counts, insert, spelt, within_any
from lake.warehouse.warehouse import Source, Table

STAGE = identifier("_lake_stage")
_AT_ONCE = 100
"""Partitions that DuckDB reads in one query."""


def stage(table: Table) -> None:
    """Make an empty table of the same columns, which only this connection sees."""
    table.run(f"CREATE TEMPORARY TABLE {STAGE} AS SELECT * FROM {table.name} LIMIT 0")


def merge(
    table: Table,
    partitions: Sequence[PartitionLoad],
    types: Mapping[str, str],
    *,
    unchanged: Sequence[PartitionLoad] = (),
    beside: Sequence[str] = (),
) -> None:
    """Merge partitions into the table by `merge_on`; others that are asked for are `unchanged`.

    Raises:
        LoadRefused: the key is no column, is NULL somewhere, or is published twice; or a row would
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
    if unchanged:
        refuse_published_twice(table, partitions, _hit(table, unchanged, types, same))
    _replace(table, list(map(identifier, names.values())), keys, same)
    table.run(f"DROP TABLE {STAGE}")


def _replace(table: Table, every: Sequence[str], keys: Sequence[str], same: str) -> None:
    """Write the staged rows over those with the same keys, where they differ; add the others."""
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
        f"INSERT INTO {table.name} ({listed}){table.overriding} SELECT {listed} FROM {STAGE} AS new"
        f" WHERE NOT EXISTS (SELECT 1 FROM {table.name} AS old WHERE {same})"
    )


def _look_beside(table: Table, beside: str, same: str) -> None:
    count = table.run(
        f"SELECT count(*) FROM {STAGE} AS new"
        f" JOIN (SELECT * FROM {table.name} WHERE {beside}) AS old ON {same}"
    )[0][0]
    refuse_moved(table, count)


def _hit(
    table: Table, unchanged: Sequence[PartitionLoad], types: Mapping[str, str], same: str
) -> list[PartitionLoad]:
    """Return the partitions in which rows of the table lie that are to be replaced."""
    query = f"(SELECT old.* FROM {table.name} AS old JOIN {STAGE} AS new ON {same}) AS hit"
    if not table.run(f"SELECT 1 FROM {query} LIMIT 1"):
        return []
    found = counts(table, [one.partition for one in unchanged], types, of=query)
    return [one for one, rows in zip(unchanged, found, strict=True) if rows]


def refuse_published_twice(
    source: Source, changed: Sequence[PartitionLoad], hit: Sequence[PartitionLoad]
) -> None:
    """Refuse keys of changed partitions that those `hit`, which did not change, publish, too.

    Else a row of the table that its partition does not publish any more is to be replaced.
    """
    keys = ", ".join(map(identifier, source.load.merge_on))
    count = 0
    for one in hit:
        for start in range(0, len(changed), _AT_ONCE):
            ours = "\nUNION ALL\n".join(
                f"SELECT {keys} FROM (\n{other.select}\n) AS published"
                for other in changed[start : start + _AT_ONCE]
            )
            count += source.read(
                f"SELECT count(*) FROM (SELECT * FROM (\n{ours}\n) AS changed"
                f" INTERSECT SELECT {keys} FROM (\n{one.select}\n) AS published) AS twice"
            )[0][0]
    refuse_bad_keys(source, (0, count))


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


def refuse_lost_key(source: Source, columns: Iterable[str]) -> None:
    """Refuse a table of these columns that lacks the key: every row of it would be taken for new.

    The key may have been renamed by hand; a column that is added anew is NULL everywhere.
    """
    load = source.load
    lost = set(missing(load, columns)) & set(load.merge_on) if load.mode == "merge" else set()
    if lost:
        raise LoadRefused(
            f"table {load.table} in {source.warehouse} has no column {', '.join(sorted(lost))}, and"
            f" {load.dataset} is merged on it: nothing was changed; rename the column back, or drop"
            " the table, and the next load makes it anew"
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
