"""What was published, what the ledger says and what a table of BigQuery holds; and mended."""

from collections.abc import Mapping

from lake.warehouse import bigquery_script as script
from lake.warehouse import ledger
from lake.warehouse.bigquery_load import (
    checks,
    commit,
    note_lacking,
    refuse_foreign,
    settled,
)
from lake.warehouse.bigquery_script import Names
from lake.warehouse.bigquery_sql import name
from lake.warehouse.bigquery_stage import PART, Stage, bring_up
from lake.warehouse.bigquery_table import (
    BigQueryTable,
    Seen,
    look,
    make_ready,
    own_row,
    planned,
)
from lake.warehouse.compared import OUTSIDE, Compared
from lake.warehouse.ledger import Difference, PartitionLoad
from lake.warehouse.merge import refuse_bad_keys, refuse_lost_key, refuse_no_column
from lake.warehouse.reconcile import Reconciled


def reconcile(table: BigQueryTable, *, mend: bool) -> Reconciled:
    """Compare a table with what was published, row by row; write anew what differs, if told to.

    Raises:
        LoadRefused: the table is not this lake's.
    """
    return settled(table, lambda: _reconcile(table, mend=mend))


def _reconcile(table: BigQueryTable, *, mend: bool) -> Reconciled:
    load, seen = table.load, look(table)
    if not seen.is_new:
        held = refuse_foreign(table, seen)
        if not seen.parts:
            ledger.refuse_unknown(load, held, 0, warehouse=table.warehouse)
        refuse_lost_key(table, seen.columns)
    types = planned(table, seen)
    stage = bring_up(table.asked, table, load.partitions) if load.partitions else None
    found = _compared(table, seen, types, stage)
    if mend:
        _mend(table, seen, types, stage, {one.partition for one in found if one.differs})
    if stage:
        table.asked.drop(stage.table)
    return Reconciled(load.table, tuple(found), mend)


def _compared(
    table: BigQueryTable, seen: Seen, types: Mapping[str, str], stage: Stage | None
) -> list[Compared]:
    load = table.load
    query = _beside(table, seen, types, stage)
    rows = {row[0]: row[1:] for row in table.asked.rows(query)} if query else {}
    known = {} if seen.is_new else seen.parts
    found = []
    for place, partition in enumerate(load.partitions):
        here, missing, surplus = rows.get(place, (0, 0, 0))
        line = known.get(partition.partition)
        is_written = bool(line and not line.removed and line.content == partition.content)
        differs = bool(missing or not is_written or (surplus and load.mode != "merge"))
        by_ledger = line.rows if line and not line.removed else None
        found.append(
            Compared(
                partition.partition, partition.rows, by_ledger, here, missing, surplus, differs
            )
        )
    outside = rows.get(None, (0, 0, 0))[0]
    if outside and load.mode == "replace":
        found.append(Compared(OUTSIDE, None, None, outside, 0, outside, True))
    return found


def _beside(table: BigQueryTable, seen: Seen, types: Mapping[str, str], stage: Stage | None) -> str:
    """Return the query of each partition's rows in the table, those missing, and those too many.

    One look at the table and one at the staging table tell it of all partitions.
    """
    names, sides = table.names(types), []
    columns = {one: names.spelt(one) for one in table.given}
    if seen.table:
        here = {held: _held(held, types[held], seen.columns) for held in columns.values()}
        place = _place(names, table.load.partitions)
        sides.append(f"SELECT {place} AS place, {_row(here)} AS said, 1 AS here FROM {table.name}")
    if stage:
        there = {
            held: _plain(stage.brought(one, types[held]), types[held])
            for one, held in columns.items()
        }
        sides.append(
            f"SELECT `{PART}` AS place, {_row(there)} AS said, 0 AS here FROM {stage.name}"
        )
    if not sides:
        return ""
    every = (
        "SELECT place, said, SUM(here) AS here, SUM(1 - here) AS there"
        f" FROM ({' UNION ALL '.join(sides)}) AS sides GROUP BY place, said"
    )
    return (
        "SELECT place, SUM(here), SUM(GREATEST(there - here, 0)), SUM(GREATEST(here - there, 0))"
        f" FROM ({every}) AS counted GROUP BY place"
    )


def _place(names: Names, partitions: tuple[PartitionLoad, ...]) -> str:
    cases = [
        f"WHEN {script.within(names, one.partition)} THEN {place}"
        for place, one in enumerate(partitions)
    ]
    return f"CASE {' '.join(cases)} END" if cases else "CAST(NULL AS INT64)"


def _row(columns: Mapping[str, str]) -> str:
    items = ", ".join(f"{value} AS {name(held)}" for held, value in columns.items())
    return f"TO_JSON_STRING(STRUCT({items}))"


def _held(column: str, type_: str, there: Mapping[str, str]) -> str:
    """Return a column's value as it will be, also where the table does not have it yet."""
    return _plain(name(column) if column in there else "NULL", type_)


def _plain(value: str, type_: str) -> str:
    return value if type_ == "JSON" and value != "NULL" else f"CAST({value} AS {_word(type_)})"


def _word(type_: str) -> str:
    return type_ if type_.startswith("ARRAY") else script.plain(type_)


def _mend(
    table: BigQueryTable,
    seen: Seen,
    types: Mapping[str, str],
    stage: Stage | None,
    differing: set[str],
) -> None:
    load, names = table.load, table.names(types)
    places = [at for at, one in enumerate(load.partitions) if one.partition in differing]
    changed = tuple(load.partitions[at] for at in places)
    statements = script.forget(names, load) if seen.is_new else []
    if stage and changed and load.mode == "merge":
        refuse_no_column(table)
        refuse_bad_keys(table, table.asked.rows(script.bad_keys(stage, load.merge_on))[0])
        statements += script.merge(names, stage, load.merge_on, places)
    elif stage and changed:
        statements += script.delete(names, [one.partition for one in changed])
        statements += script.insert(names, stage, places)
    if OUTSIDE in differing:
        every = script.within_any(names, [one.partition for one in load.partitions])
        statements.append(f"DELETE FROM {names.table} WHERE ({every}) IS NOT TRUE")
    statements += checks(table, names, ())
    gone = ledger.compare(load, seen.parts).removed
    statements += script.write_down(names, load, Difference(changed, gone, ()))
    note_lacking(table, seen)
    make_ready(table, seen, types)
    commit(table, own_row(table, seen), statements)
