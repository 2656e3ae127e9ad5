"""What happens in a load's transaction, the same in every warehouse.

The table's row in the ledger is written first, so that two loads of one table never run beside
each other. Then the rows are changed, counted, and written down.
"""

from collections.abc import Mapping, Sequence

from lake.config.period import ALL
from lake.errors import LoadRefused
from lake.query.sql import identifier, literal
from lake.warehouse import ledger
from lake.warehouse.compared import compared
from lake.warehouse.gained import lacking, missing, with_gained
from lake.warehouse.ledger import (
    Difference,
    LedgerRow,
    TableHeld,
    TableLoad,
    TableLoaded,
)
from lake.warehouse.merge import merge, refuse_lost_key
from lake.warehouse.rows import counts, delete, insert, shown, spelling
from lake.warehouse.warehouse import Source, Table


def bring(table: Table) -> TableLoaded:
    """Make a table hold what its load says."""
    load = table.load
    table.run(ledger.lock(table.home, load))
    columns = table.columns()
    if not columns:
        make(table)
        return _carry_out(table, Difference(load.asked, (), ()), (), is_new=True)
    held, known = refuse_foreign(table), held_partitions(table)
    ledger.refuse_unknown(load, held, len(known), warehouse=table.warehouse)
    table.guard()
    difference, beside = ledger.compare(load, known), ledger.beside(load, known)
    # The commit alone says nothing of what is there: a part of it may have been loaded.
    is_due = difference.changed or difference.removed or missing(load, columns)
    if held.commit == load.commit and not is_due:
        return loaded(table, difference, checked(table, columns, beside))
    refuse_changed(table, difference, known)
    refuse_lost_key(table, columns)
    if added := adapt(table, columns):
        difference = with_gained(difference, added, table.read)
        if rows := list(lacking(load, beside, added, table.read)):
            table.run(ledger.mark_lacking(table.home, load, rows))
    return _carry_out(table, difference, beside, is_new=False)


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
    names = {name: there for name in table.given if (there := spelling(name, held))}
    for name in table.given:
        there = names.get(name)
        wide = table.widened(name, held=held[there]) if there else ""
        if there and wide != held[there]:
            table.widen(there, wide)
    added = missing(table.load, held)
    for name in added:
        column = f"{identifier(name)} {table.given[name]}"
        table.run(f"ALTER TABLE {table.name} ADD COLUMN {column}")
    _write_comments(table, names)
    return added


def held_partitions(table: Table) -> dict[str, LedgerRow]:
    """Return what the ledger says of the table's partitions."""
    load = table.load
    query = ledger.read_partitions(table.home, lake_id=load.lake_id, table=load.table)
    return ledger.held_partitions(table.run(query))


def refuse_changed(table: Source, difference: Difference, held: Mapping[str, LedgerRow]) -> None:
    """Refuse partitions that are there with other rows, where they are only ever added."""
    load = table.load
    again = [
        one.partition
        for one in difference.changed
        if one.partition in held and held[one.partition].content != ledger.lacking(one.content)
    ]
    if load.mode == "append" and again:
        raise LoadRefused(
            f"{shown(table, again[0])} is in table {load.table} in {table.warehouse} with other"
            ' rows, and mode = "append" only adds partitions: nothing was changed; write mode ='
            f' "replace" or merge_on into [warehouse.tables], or {ledger.reconcile(load)}'
        )


def _carry_out(
    table: Table, difference: Difference, beside: Sequence[LedgerRow], *, is_new: bool
) -> TableLoaded:
    types = table.columns()
    if table.load.mode == "merge":
        others = [row.partition for row in beside]
        merge(table, difference.changed, types, unchanged=difference.unchanged, beside=others)
    else:
        if not is_new:
            touched = (*difference.removed, *(p.partition for p in difference.changed))
            delete(table, touched, types)
        insert(table, difference.changed, types, table.name, is_new=is_new)
    # Nobody but this transaction has seen a new table, whose rows were counted as they came.
    is_counted = is_new and table.load.mode != "merge"
    rows = expected(table.load, beside) if is_counted else checked(table, types, beside)
    write_down(table, difference)
    return loaded(table, difference, rows)


def write_down(table: Table, difference: Difference) -> None:
    """Write into the ledger that the table holds the load's commit, after `difference`."""
    if difference.changed:
        table.sign()
    for statement in ledger.write(table.home, table.load, difference):
        table.run(statement)


def checked(table: Table, types: Mapping[str, str], beside: Sequence[LedgerRow] = ()) -> int:
    """Return how many rows the table has.

    Args:
        table: the table, once the load has changed it.
        types: its columns.
        beside: what the ledger says of partitions that the load does not ask for.

    Raises:
        LoadRefused: they are not those that were published, as far as their number tells, and who
            wrote them.
    """
    load = table.load
    total, strange = table.counted()
    if load.mode == "replace":
        if total != expected(load, beside):
            refuse_count(table, "", total, expected(load, beside))
        if strange and load.periods == ALL:
            _look_at(table, strange, types)
        return total
    found = counts(table, [p.partition for p in load.asked], types)
    for partition, rows in zip(load.asked, found, strict=True):
        if rows < partition.rows or (load.mode == "append" and rows > partition.rows):
            refuse_count(table, partition.partition, rows, partition.rows)
    return total


def _look_at(table: Table, strange: int, types: Mapping[str, str]) -> None:
    """Compare a table in which rows were written by others; they may have restored what was there.

    Raises:
        LoadRefused: its rows are not those that were published.
    """
    load = table.load
    for one in compared(table, {}, types):
        if one.missing or one.surplus:
            raise LoadRefused(
                f"table {load.table} in {table.warehouse} has {strange} rows that no load wrote,"
                f" and {shown(table, one.partition)} is not as it was published ({one.missing} rows"
                f" are missing, {one.surplus} too many): nothing was changed;"
                f" {ledger.reconcile(load)}"
            )
    table.adopt()


def expected(load: TableLoad, beside: Sequence[LedgerRow]) -> int:
    """Return how many rows a table is to have: what is asked for, and what is held beside it."""
    return sum(one.rows for one in load.asked) + sum(row.rows for row in beside)


def refuse_count(table: Source, partition: str, found: int, published: int) -> None:
    """Refuse a table that would have other rows than were published."""
    load = table.load
    of = f" of {partition}" if partition else ""
    more = "" if partition or load.periods == ALL else ", with what was loaded of other periods"
    raise LoadRefused(
        f"table {load.table} in {table.warehouse} would have {found} rows{of}, and {load.dataset}"
        f" has {published} at commit {load.commit}{more}: nothing was changed; somebody else wrote"
        f" into the table, so {ledger.reconcile(load)}"
    )


def loaded(table: Source, difference: Difference, rows: int) -> TableLoaded:
    """Return what a load did that left a table with so many rows."""
    return TableLoaded(
        table=table.load.table,
        loaded=tuple(p.partition for p in difference.changed),
        removed=difference.removed,
        rows=rows,
        unchanged=len(difference.unchanged),
    )


def _write_comments(table: Table, names: Mapping[str, str]) -> None:
    """Write the descriptions; `names` are columns as the table has them, by the load's."""
    load = table.load
    table.run(f"COMMENT ON TABLE {table.name} IS {literal(load.description)}")
    for name, said in load.comments:
        column = identifier(names.get(name, name))
        table.run(f"COMMENT ON COLUMN {table.name}.{column} IS {literal(said)}")
