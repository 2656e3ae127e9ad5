"""What happens in a load's transaction, the same in every warehouse.

The table's row in the ledger is written first, so that two loads of one table never run beside
each other. Then the rows are changed, counted, and written down.
"""

from collections.abc import Mapping
from dataclasses import replace

from lake.errors import LoadRefused
from lake.query.sql import identifier, literal
from lake.warehouse import ledger
from lake.warehouse.ledger import Difference, PartitionLoad, TableHeld, TableLoaded
from lake.warehouse.merge import merge
from lake.warehouse.rows import counts, delete, insert, shown
from lake.warehouse.warehouse import Table


def bring(table: Table) -> TableLoaded:
    """Make a table hold what its load says."""
    load = table.load
    table.run(ledger.lock(table.home, load))
    columns = table.columns()
    if not columns:
        make(table)
        return _carry_out(table, Difference(load.partitions, (), ()), is_new=True)
    held = refuse_foreign(table)
    ledger.refuse_unknown(load, held, len(held_partitions(table)), warehouse=table.warehouse)
    table.guard()
    if held.commit == load.commit:
        rows = checked(table, columns)
        return _loaded(table, Difference((), (), load.partitions), rows)
    return _carry_out(table, _prepared(table, columns), is_new=False)


def make(table: Table) -> None:
    """Make the table; what the ledger says of one that was dropped counts no more."""
    table.run(ledger.forget(table.home, table=table.load.table))
    table.make_schema()
    given = ", ".join(f"{identifier(name)} {type_}" for name, type_ in table.given.items())
    table.run(f"CREATE TABLE {table.name} ({given})")
    _write_comments(table, {})


def refuse_foreign(table: Table) -> TableHeld:
    """Return what the ledger says of a table that is there.

    Raises:
        LoadRefused: it is another lake's or dataset's, or holds a newer commit.
    """
    rows = map(ledger.held_table, table.run(ledger.read_tables(table.home)))
    held = next(row for row in rows if row.table == table.load.table)
    ledger.refuse_older(table.load, held, warehouse=table.warehouse)
    return held


def adapt(table: Table, held: Mapping[str, str]) -> list[str]:
    """Give a table of the columns `held` those that are new, and wider types; return the new."""
    names = {name.lower(): name for name in held}
    for name in table.given:
        there = names.get(name.lower())
        wide = table.widened(name, held=held[there]) if there else ""
        if there and wide != held[there]:
            table.run(f"ALTER TABLE {table.name} ALTER COLUMN {identifier(there)} TYPE {wide}")
    added = [name for name in table.given if name.lower() not in names]
    for name in added:
        column = f"{identifier(name)} {table.given[name]}"
        table.run(f"ALTER TABLE {table.name} ADD COLUMN {column}")
    _write_comments(table, names)
    return added


def held_partitions(table: Table) -> dict[str, ledger.LedgerRow]:
    """Return what the ledger says of the table's partitions."""
    load = table.load
    query = ledger.read_partitions(table.home, lake_id=load.lake_id, table=load.table)
    return ledger.held_partitions(table.run(query))


def _prepared(table: Table, held: Mapping[str, str]) -> Difference:
    added = adapt(table, held)
    before = held_partitions(table)
    difference = ledger.compare(table.load, before)
    _refuse_changed(table, difference, before)
    return _with_gained(table, difference, added) if added else difference


def _refuse_changed(
    table: Table, difference: Difference, held: Mapping[str, ledger.LedgerRow]
) -> None:
    load = table.load
    again = [p.partition for p in difference.changed if p.partition in held]
    if load.mode == "append" and again:
        raise LoadRefused(
            f"{shown(table, again[0])} is in table {load.table} in {table.warehouse} with other"
            ' rows, and mode = "append" only adds partitions: nothing was changed; write mode ='
            f' "replace" or merge_on into [warehouse.tables], or {ledger.reconcile(load)}'
        )


def _with_gained(table: Table, difference: Difference, added: list[str]) -> Difference:
    """Count a partition as changed if it has values in a column that the table did not have.

    A declared rename does that: the files, and so the content, stay what they were.
    """
    some = " OR ".join(f"{identifier(name)} IS NOT NULL" for name in added)
    gained: list[PartitionLoad] = []
    unchanged: list[PartitionLoad] = []
    for partition in difference.unchanged:
        query = f"SELECT 1 FROM (\n{partition.select}\n) AS published WHERE {some} LIMIT 1"
        (gained if table.read(query) else unchanged).append(partition)
    changed = (*difference.changed, *gained)
    return replace(difference, changed=changed, unchanged=tuple(unchanged))


def _carry_out(table: Table, difference: Difference, *, is_new: bool) -> TableLoaded:
    types = table.columns()
    if table.load.mode == "merge":
        merge(table, difference.changed, types)
    else:
        if not is_new:
            touched = (*difference.removed, *(p.partition for p in difference.changed))
            delete(table, touched, types)
        insert(table, difference.changed, types, table.name)
    # Nobody but this transaction has seen a new table, whose rows were counted as they came.
    rows = table.load.rows if is_new and table.load.mode != "merge" else checked(table, types)
    write_down(table, difference)
    return _loaded(table, difference, rows)


def write_down(table: Table, difference: Difference) -> None:
    """Write into the ledger that the table holds the load's commit, after `difference`."""
    for statement in ledger.write(table.home, table.load, difference):
        table.run(statement)


def checked(table: Table, types: Mapping[str, str]) -> int:
    """Return how many rows the table has.

    Raises:
        LoadRefused: they are not those that were published, as far as their number tells.
    """
    load = table.load
    total: int = table.run(f"SELECT count(*) FROM {table.name}")[0][0]
    if load.mode == "replace":
        if total != load.rows:
            _refuse_count(table, "", total, load.rows)
        return total
    found = counts(table, [p.partition for p in load.partitions], types)
    for partition, rows in zip(load.partitions, found, strict=True):
        if rows < partition.rows or (load.mode == "append" and rows > partition.rows):
            _refuse_count(table, partition.partition, rows, partition.rows)
    return total


def _refuse_count(table: Table, partition: str, found: int, published: int) -> None:
    load = table.load
    of = f" of {partition}" if partition else ""
    raise LoadRefused(
        f"table {load.table} in {table.warehouse} would have {found} rows{of}, and {load.dataset}"
        f" has {published} at commit {load.commit}: nothing was changed; somebody else wrote into"
        f" the table, so {ledger.reconcile(load)}"
    )


def _loaded(table: Table, difference: Difference, rows: int) -> TableLoaded:
    return TableLoaded(
        table=table.load.table,
        loaded=tuple(p.partition for p in difference.changed),
        removed=difference.removed,
        rows=rows,
        unchanged=len(difference.unchanged),
    )


def _write_comments(table: Table, names: Mapping[str, str]) -> None:
    """Write the descriptions; `names` are columns as the table has them, by lower case."""
    load = table.load
    table.run(f"COMMENT ON TABLE {table.name} IS {literal(load.description)}")
    for name, said in load.comments:
        column = identifier(names.get(name.lower(), name))
        table.run(f"COMMENT ON COLUMN {table.name}.{column} IS {literal(said)}")
