"""A load of some periods: those are loaded, the others stay as they are until a load asks."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from lake.config.period import Periods
from lake.errors import LoadRefused
from lake.warehouse.ledger import Overtaken
from lake.warehouse.load import TableLoad, TableLoaded, describe, holds, load, reconcile
from lake.warehouse.load import due as planned
from tests.warehouse.loads import Publish, Rows
from tests.warehouse.places import Place

MONTHS = {"2024-01": [1], "2024-02": [2, 2], "2024-03": [3, 3, 3]}
WHOLE = [(month, n) for month, trips in MONTHS.items() for n in trips]
JANUARY, FEBRUARY, MARCH = "month=2024-01", "month=2024-02", "month=2024-03"


def of(load: TableLoad, since: str = "", until: str = "") -> TableLoad:
    """Return the load of some periods."""
    return dataclasses.replace(load, periods=Periods(since, until))


def ledger(warehouse: Place, root: Path) -> dict[str, tuple[int, str, int, bool]]:
    return {
        row.partition: (row.commit, row.content, row.rows, row.removed)
        for row in holds(warehouse.url, "0b5e", "marts.daily", root=root).values()
    }


def due(warehouse: Place, root: Path, load: TableLoad) -> list[str]:
    """Return what a plan of a load says."""
    found = planned(warehouse.url, load, root=root)
    return [*(one.partition for one in found.changed), *found.removed]


def test_a_new_table_holds_the_periods_and_a_whole_load_of_that_commit_brings_the_rest(
    tmp_path: Path, warehouse: Place, publish: Publish, rows: Rows
) -> None:
    whole = publish(1, MONTHS)
    done = load(warehouse.url, of(whole, "2024-02", "2024-02"), root=tmp_path)
    assert done == TableLoaded("marts.daily", (FEBRUARY,), (), 2, 0)
    assert rows() == [("2024-02", 2), ("2024-02", 2)]
    assert warehouse.run(warehouse.comment) == [("Trips per day",)]
    assert due(warehouse, tmp_path, of(whole, "2024-02", "2024-02")) == []
    assert due(warehouse, tmp_path, whole) == [JANUARY, MARCH]
    done = load(warehouse.url, whole, root=tmp_path)
    assert done == TableLoaded("marts.daily", (JANUARY, MARCH), (), 6, 1)
    assert rows() == WHOLE
    assert load(warehouse.url, whole, root=tmp_path) == TableLoaded("marts.daily", (), (), 6, 3)


@pytest.mark.parametrize("commit", [1, 2], ids=["the same commit", "a later commit"])
def test_two_intervals_one_after_the_other_come_to_the_whole(
    tmp_path: Path, warehouse: Place, publish: Publish, rows: Rows, commit: int
) -> None:
    load(warehouse.url, of(publish(1, MONTHS), until="2024-01"), root=tmp_path)
    second = of(publish(commit, MONTHS), since="2024-02")
    assert load(warehouse.url, second, root=tmp_path).loaded == (FEBRUARY, MARCH)
    assert rows() == WHOLE
    assert load(warehouse.url, publish(commit, MONTHS), root=tmp_path).loaded == ()


def test_what_lies_outside_stays_as_it_is(
    tmp_path: Path, warehouse: Place, publish: Publish, rows: Rows
) -> None:
    load(warehouse.url, publish(1, MONTHS), root=tmp_path)
    second = publish(2, {"2024-02": [7], "2024-03": [8], "2024-04": [9]})
    touched: list[str] = []
    february = of(second, "2024-02", "2024-02")
    done = load(warehouse.url, february, root=tmp_path, statement_hook=touched.append)
    assert done == TableLoaded("marts.daily", (FEBRUARY,), (), 5, 0)
    assert rows() == [
        ("2024-01", 1),
        ("2024-02", 7),
        ("2024-03", 3),
        ("2024-03", 3),
        ("2024-03", 3),
    ]
    assert not [text for text in touched if re.search("2024-0[134]", text)]
    assert ledger(warehouse, tmp_path) == {
        JANUARY: (1, "1", 1, False),
        FEBRUARY: (2, "7", 1, False),
        MARCH: (1, "3-3-3", 3, False),
    }
    assert due(warehouse, tmp_path, second) == [MARCH, "month=2024-04", JANUARY]
    done = load(warehouse.url, second, root=tmp_path)
    assert (done.loaded, done.removed) == ((MARCH, "month=2024-04"), (JANUARY,))
    assert rows() == [("2024-02", 7), ("2024-03", 8), ("2024-04", 9)]


def test_a_partition_that_is_gone_is_deleted_if_it_lies_inside(
    tmp_path: Path, warehouse: Place, publish: Publish, rows: Rows
) -> None:
    load(warehouse.url, publish(1, MONTHS), root=tmp_path)
    second = publish(2, {"2024-02": [2, 2]})
    done = load(warehouse.url, of(second, until="2024-02"), root=tmp_path)
    assert (done.loaded, done.removed, done.rows) == ((), (JANUARY,), 5)
    assert rows() == WHOLE[1:]
    assert ledger(warehouse, tmp_path)[JANUARY] == (2, "", 0, True)
    assert ledger(warehouse, tmp_path)[MARCH] == (1, "3-3-3", 3, False)
    assert load(warehouse.url, second, root=tmp_path).removed == (MARCH,)


def test_a_slow_loader_of_an_older_commit_is_refused_whatever_it_asks_for(
    tmp_path: Path, warehouse: Place, publish: Publish, rows: Rows
) -> None:
    load(warehouse.url, publish(3, {"2024-01": [1], "2024-02": [2]}), root=tmp_path)
    # January is at commit 9 as it was at 3, and was something else in between.
    newer = publish(9, {"2024-01": [1], "2024-02": [4]})
    assert load(warehouse.url, of(newer, until="2024-01"), root=tmp_path).unchanged == 1
    older = publish(5, {"2024-01": [7], "2024-02": [3]})
    for slow in (older, of(older, until="2024-01"), of(older, since="2024-02")):
        with pytest.raises(Overtaken, match=r"was already loaded at commit 9 of curated\.daily"):
            load(warehouse.url, slow, root=tmp_path)
    assert rows() == [("2024-01", 1), ("2024-02", 2)]
    assert [held.commit for held in describe(warehouse.url, root=tmp_path)] == [9]
    assert load(warehouse.url, newer, root=tmp_path).loaded == (FEBRUARY,)
    assert rows() == [("2024-01", 1), ("2024-02", 4)]


def with_fee(load: TableLoad, **fees: str) -> TableLoad:
    """Return `load` with a column `fee`, NULL in the months that are not named, such as m01."""
    partitions = tuple(
        dataclasses.replace(
            one,
            select=f"SELECT *, {fees.get('m' + one.partition[-2:], 'NULL')}::BIGINT AS fee"
            f" FROM ({one.select})",
        )
        for one in load.partitions
    )
    return dataclasses.replace(
        load, columns=(*load.columns, ("fee", "BIGINT")), partitions=partitions
    )


def fees(warehouse: Place) -> list[tuple[Any, ...]]:
    return warehouse.run("SELECT DISTINCT month, fee FROM marts.daily ORDER BY 1, 2")


@pytest.mark.parametrize("mode", ["replace", "append"])
@pytest.mark.parametrize("commit", [2, 3], ids=["the same commit", "a later commit"])
def test_a_gained_column_is_null_outside_until_a_whole_load_fills_it(
    tmp_path: Path, warehouse: Place, publish: Publish, mode: str, commit: int
) -> None:
    load(warehouse.url, publish(1, MONTHS, mode=mode), root=tmp_path)
    second = with_fee(publish(2, MONTHS, mode=mode), m01="10", m02="20")
    january = of(second, until="2024-01")
    assert due(warehouse, tmp_path, january) == [JANUARY]
    assert due(warehouse, tmp_path, second) == [JANUARY, FEBRUARY]
    assert load(warehouse.url, january, root=tmp_path).loaded == (JANUARY,)
    assert due(warehouse, tmp_path, january) == []
    assert fees(warehouse) == [("2024-01", 10), ("2024-02", None), ("2024-03", None)]
    whole = dataclasses.replace(second, commit=commit)
    assert due(warehouse, tmp_path, whole) == [FEBRUARY], "March has NULL only"
    done = load(warehouse.url, whole, root=tmp_path)
    assert (done.loaded, done.unchanged, done.rows) == ((FEBRUARY,), 2, 6)
    assert fees(warehouse) == [("2024-01", 10), ("2024-02", 20), ("2024-03", None)]
    assert due(warehouse, tmp_path, whole) == []


def test_a_gained_column_is_filled_also_where_a_former_content_comes_back(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    load(warehouse.url, publish(1, MONTHS), root=tmp_path)
    changed = MONTHS | {"2024-02": [5]}
    for commit, fee in ((2, "tip"), (3, "fee")):
        second = with_fee(publish(commit, changed), m01="10", m02="20")
        columns = (*second.columns[:-1], (fee, "BIGINT"))
        renamed = tuple(
            dataclasses.replace(one, select=one.select.replace("AS fee", f"AS {fee}"))
            for one in second.partitions
        )
        job = dataclasses.replace(second, columns=columns, partitions=renamed)
        load(warehouse.url, of(job, until="2024-01"), root=tmp_path)
    back = with_fee(publish(4, MONTHS), m01="10", m02="20")
    assert load(warehouse.url, back, root=tmp_path).loaded == (FEBRUARY,)
    assert fees(warehouse) == [("2024-01", 10), ("2024-02", 20), ("2024-03", None)]


def test_rows_that_somebody_else_wrote_are_found_beside_the_periods_too(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    whole = publish(1, MONTHS)
    load(warehouse.url, of(whole, until="2024-02"), root=tmp_path)
    warehouse.run("INSERT INTO marts.daily SELECT * FROM marts.daily WHERE trips = 1")
    for part in (of(whole, "2024-02", "2024-02"), of(whole, since="2024-03")):
        with pytest.raises(LoadRefused) as refused:
            load(warehouse.url, part, root=tmp_path)
        rows = 4 if part.periods.since == "2024-02" else 7
        assert str(refused.value) == (
            f"table marts.daily in {warehouse.shown} would have {rows} rows, and curated.daily has"
            f" {rows - 1} at commit 1, with what was loaded of other periods: nothing was changed;"
            " somebody else wrote into the table, so run lake load --reconcile daily, which shows"
            " what differs and mends it"
        )


def test_to_reconcile_a_table_that_holds_a_part_shows_and_loads_the_rest(
    tmp_path: Path, warehouse: Place, publish: Publish, rows: Rows
) -> None:
    whole = publish(1, MONTHS)
    load(warehouse.url, of(whole, until="2024-01"), root=tmp_path)
    found = reconcile(warehouse.url, whole, root=tmp_path, mend=True)
    assert [(one.partition, one.missing) for one in found.differing] == [(FEBRUARY, 2), (MARCH, 3)]
    assert rows() == WHOLE
    assert load(warehouse.url, whole, root=tmp_path).loaded == ()


def test_a_part_of_a_dataset_that_is_cut_otherwise_is_refused(
    tmp_path: Path, warehouse: Place, publish: Publish, rows: Rows
) -> None:
    months = publish(1, {"2024-01": [1]})
    uncut = (dataclasses.replace(months.partitions[0], partition=""),)
    load(warehouse.url, dataclasses.replace(months, partitions=uncut), root=tmp_path)
    second = publish(2, MONTHS)
    with pytest.raises(LoadRefused, match=r"^table marts\.daily has partitions by no key, and"):
        due(warehouse, tmp_path, of(second, since="2024-02"))
    with pytest.raises(LoadRefused) as refused:
        load(warehouse.url, of(second, since="2024-02"), root=tmp_path)
    assert str(refused.value) == (
        "table marts.daily has partitions by no key, and curated.daily at commit 2 by month, so no"
        " period of it can be replaced: nothing was changed; run lake load daily, without --since"
        " and --until, first"
    )
    assert rows() == [("2024-01", 1)]
    assert load(warehouse.url, second, root=tmp_path).removed == ("",)
    assert load(warehouse.url, of(second, since="2024-02"), root=tmp_path).unchanged == 2


def test_a_dataset_that_is_not_cut_into_periods_is_loaded_whole(
    tmp_path: Path, warehouse: Place, publish: Publish, rows: Rows
) -> None:
    for commit, trips in ((1, [3, 4]), (2, [5])):
        whole = publish(commit, {"2024-01": trips})
        uncut = (dataclasses.replace(whole.partitions[0], partition=""),)
        part = of(dataclasses.replace(whole, partitions=uncut), since="2030")
        assert load(warehouse.url, part, root=tmp_path).loaded == ("",)
    assert rows() == [("2024-01", 5)]


def test_append_adds_and_refuses_inside_only(
    tmp_path: Path, warehouse: Place, publish: Publish, rows: Rows
) -> None:
    load(warehouse.url, publish(1, {"2024-01": [1]}, mode="append"), root=tmp_path)
    second = publish(2, MONTHS | {"2024-01": [9]}, mode="append")
    done = load(warehouse.url, of(second, "2024-02", "2024-02"), root=tmp_path)
    assert (done.loaded, done.rows) == ((FEBRUARY,), 3)
    assert rows() == [("2024-01", 1), ("2024-02", 2), ("2024-02", 2)]
    for refused in (second, of(second, until="2024-01")):
        with pytest.raises(LoadRefused, match=r'with other rows, and mode = "append" only adds'):
            load(warehouse.url, refused, root=tmp_path)


def keyed(publish: Publish, commit: int, months: dict[str, list[int]]) -> TableLoad:
    """Return a load that is merged on the trips."""
    return publish(commit, months, mode="merge", merge_on=("trips",))


def test_merge_takes_the_rows_inside_and_none_of_other_periods(
    tmp_path: Path, warehouse: Place, publish: Publish, rows: Rows
) -> None:
    load(warehouse.url, keyed(publish, 1, {"2024-01": [1, 2], "2024-02": [3]}), root=tmp_path)
    second = keyed(publish, 2, {"2024-01": [1], "2024-02": [2, 3, 4], "2024-03": [5]})
    done = load(warehouse.url, of(second, since="2024-03"), root=tmp_path)
    assert (done.loaded, done.rows) == ((MARCH,), 4)
    before = rows()
    with pytest.raises(LoadRefused) as refused:
        load(warehouse.url, of(second, "2024-02", "2024-02"), root=tmp_path)
    assert str(refused.value) == (
        "1 rows of curated.daily at commit 2 would take the places of rows of other periods in"
        f" table marts.daily in {warehouse.shown}, which is merged on trips: nothing was changed;"
        " load those periods, too, or all"
    )
    assert rows() == before
    load(warehouse.url, of(second, until="2024-02"), root=tmp_path)
    assert rows() == [
        ("2024-01", 1),
        ("2024-02", 2),
        ("2024-02", 3),
        ("2024-02", 4),
        ("2024-03", 5),
    ]
    assert load(warehouse.url, second, root=tmp_path).loaded == ()
