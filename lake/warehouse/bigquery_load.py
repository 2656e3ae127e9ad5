"""A load into BigQuery: look, bring the rows beside the table, then change it in one script.

Where the script finds that the ledger has moved, or BigQuery aborts it as another load changed the
ledger at the same time, all is looked at again.
"""

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from google.api_core import exceptions as api

from lake.errors import WarehouseLocked
from lake.warehouse import bigquery_script as script
from lake.warehouse import ledger
from lake.warehouse.bigquery_errors import is_concurrent, said_by
from lake.warehouse.bigquery_script import Names
from lake.warehouse.bigquery_stage import STAGE, Stage, bring_up
from lake.warehouse.bigquery_table import (
    BigQueryTable,
    Moved,
    Seen,
    look,
    make_ready,
    own_row,
    planned,
)
from lake.warehouse.gained import lacking, missing
from lake.warehouse.ledger import Difference, LedgerRow, TableHeld, TableLoaded
from lake.warehouse.merge import (
    refuse_bad_keys,
    refuse_lost_key,
    refuse_moved,
    refuse_no_column,
    refuse_published_twice,
)
from lake.warehouse.transaction import expected, loaded, refuse_changed, refuse_count

_PAUSE_S = 0.1
_COUNTED = re.compile(rf"{script.ROWS} (-?\d+) (\d+) (\d+)")
T = TypeVar("T")


def bring(table: BigQueryTable) -> TableLoaded:
    """Make a table hold what its load says."""
    return settled(table, lambda: _bring(table))


def settled(table: BigQueryTable, act: Callable[[], T]) -> T:
    """Do something; again, from the beginning, where it met somebody else's load.

    Raises:
        WarehouseLocked: it always did.
    """
    pause_s, until = _PAUSE_S, time.monotonic() + table.asked.patience_s
    while True:
        try:
            return act()
        except (Moved, api.NotFound) as exc:
            if isinstance(exc, api.NotFound) and STAGE not in said_by(exc):
                raise  # else a run beside this one, of the same load, is through with it
            if time.monotonic() > until:
                raise WarehouseLocked(
                    f"loading {table.load.dataset} into {table.load.table} in {table.warehouse} met"
                    " other loads again and again: nothing was changed; try again"
                ) from exc
        time.sleep(pause_s)
        pause_s *= 2


def _bring(table: BigQueryTable) -> TableLoaded:
    load, seen = table.load, look(table)
    difference = Difference(load.asked, (), ())
    beside: tuple[LedgerRow, ...] = ()
    if not seen.is_new:
        held = refuse_foreign(table, seen)
        ledger.refuse_unknown(load, held, len(seen.parts), warehouse=table.warehouse)
        difference, beside = ledger.compare(load, seen.parts), ledger.beside(load, seen.parts)
        # The commit alone says nothing of what is there: a part of it may have been loaded.
        is_due = difference.changed or difference.removed or missing(load, seen.columns)
        if held.commit == load.commit and not is_due:
            check(table, table.names(seen.columns), beside)
            return loaded(table, difference, _rows(table))
        refuse_changed(table, difference, seen.parts)
        refuse_lost_key(table, seen.columns)
    types = planned(table, seen)
    note_lacking(table, seen)
    stage = _staged(table, difference, beside, types)
    make_ready(table, seen, types)
    commit(table, own_row(table, seen), _changed(table, seen, types, difference, beside, stage))
    if stage:
        table.asked.drop(stage.table)
    rows = expected(load, beside) if load.mode == "replace" else _rows(table)
    return loaded(table, difference, rows)


def note_lacking(table: BigQueryTable, seen: Seen) -> None:
    """Note in the ledger which partitions have values in columns that the table lacks.

    The columns are added before the transaction, and a killed run must not leave them there with
    nobody knowing that rows miss their values.

    Raises:
        Moved: something was noted, so what was read is so no more.
    """
    load, added = table.load, missing(table.load, seen.columns)
    if seen.is_new or not added:
        return
    same = {(one.partition, one.content) for one in load.partitions}
    here = [row for row in seen.parts.values() if not row.removed]
    rows = [
        row
        for row in lacking(load, here, added, table.read)
        if ledger.lacking(row.content) != row.content
        and ((row.partition, row.content) in same or not load.asks(row.partition))
    ]
    if rows:
        commit(
            table,
            own_row(table, seen),
            script.mark_lacking(table.names({}), load, rows),
            is_loaded=False,
        )
        raise Moved


def _staged(
    table: BigQueryTable,
    difference: Difference,
    beside: Sequence[LedgerRow],
    types: Mapping[str, str],
) -> Stage | None:
    """Bring the partitions that changed beside the table; look at their keys, if merged."""
    load = table.load
    if load.mode == "merge":
        refuse_no_column(table)
    stage = bring_up(table.asked, table, difference.changed) if difference.changed else None
    if stage and load.mode == "merge":
        refuse_bad_keys(table, table.asked.rows(script.bad_keys(stage, load.merge_on))[0])
        refuse_moved(table, _met(table, stage, types, [row.partition for row in beside]))
        same = difference.unchanged
        if _met(table, stage, types, [one.partition for one in same]):
            refuse_published_twice(table, difference.changed, same)
    return stage


def _met(
    table: BigQueryTable, stage: Stage, types: Mapping[str, str], partitions: Sequence[str]
) -> int:
    """Return how many staged rows have the keys of rows of the table in some partitions."""
    if not partitions:
        return 0
    query = script.moved(table.names(types), stage, table.load.merge_on, partitions)
    rows: int = table.asked.rows(query)[0][0]
    return rows


def refuse_foreign(table: BigQueryTable, seen: Seen) -> TableHeld:
    """Return what the ledger says of a table that is there; commit 0 if it says nothing.

    Raises:
        LoadRefused: it is another lake's or dataset's, or holds a newer commit.
    """
    load = table.load
    unknown = TableHeld(load.table, load.lake_id, load.dataset, 0, datetime.now(UTC))
    held = seen.held or unknown
    ledger.refuse_older(load, held, warehouse=table.warehouse)
    return held


def _changed(
    table: BigQueryTable,
    seen: Seen,
    types: Mapping[str, str],
    difference: Difference,
    beside: Sequence[LedgerRow],
    stage: Stage | None,
) -> list[str]:
    """Return the statements that change rows and the partitions' ledger."""
    load, names = table.load, table.names(types)
    statements = script.forget(names, load) if seen.is_new else []
    if load.mode != "merge" and not seen.is_new:
        touched = (*difference.removed, *(one.partition for one in difference.changed))
        statements += script.delete(names, touched)
    if stage and load.mode == "merge":
        statements += script.merge(names, stage, load.merge_on)
    elif stage:
        statements += script.insert(names, stage)
    statements += checks(table, names, beside, is_new=seen.is_new)
    return statements + script.write_down(names, load, difference)


def checks(
    table: BigQueryTable, names: Names, beside: Sequence[LedgerRow], *, is_new: bool = False
) -> list[str]:
    """Return what ends a script with an error if the table has other rows than were published."""
    load = table.load
    if load.mode == "replace" or (is_new and load.mode == "append"):
        return script.counted(names, expected(load, beside))
    return script.each_counted(names, load)


def check(table: BigQueryTable, names: Names, beside: Sequence[LedgerRow]) -> None:
    """Refuse a table that has other rows than were published."""
    for statement in checks(table, names, beside):
        try:
            table.asked.rows(statement)
        except api.GoogleAPICallError as exc:
            _refuse_counted(table, exc)
            raise


def commit(
    table: BigQueryTable, held: TableHeld, statements: Iterable[str], *, is_loaded: bool = True
) -> None:
    """Run statements and the change of the table's row in the ledger, all or none of them.

    Without `is_loaded` the row is only touched.

    Raises:
        Moved: the row is not `held` any more, or another load changed the ledger meanwhile.
        LoadRefused: the table would have other rows than were published.
    """
    names = table.names({})
    row = script.take(names, table.load) if is_loaded else script.touch(names, table.load)
    whole = script.transaction(script.as_read(names, held), row, statements)
    try:
        table.asked.run_once(whole, key=whole)
    except api.GoogleAPICallError as exc:
        if script.MOVED in said_by(exc) or is_concurrent(exc):
            raise Moved from exc
        _refuse_counted(table, exc)
        raise


def _refuse_counted(table: BigQueryTable, exc: api.GoogleAPICallError) -> None:
    """Raise what a count inside a script found, if that is what ended it."""
    found = _COUNTED.search(said_by(exc))
    if not found:
        return
    place, rows, published = int(found[1]), int(found[2]), int(found[3])
    partition = "" if place < 0 else table.load.asked[place].partition
    refuse_count(table, partition, rows, published)


def _rows(table: BigQueryTable) -> int:
    rows: int = table.asked.rows(f"SELECT COUNT(*) FROM {table.name}")[0][0]
    return rows
