import pytest

from lake.catalog.state import data_files
from lake.config.period import Periods
from lake.errors import (
    BuildFailed,
)
from lake.lake import Lake
from lake.models.run import plan, transform
from tests.lakes import again, model, rows
from tests.models.months import (
    BY_MONTH,
    FEBRUARY,
    JANUARY,
    MARCH,
    PICKED_UP,
    each,
    ran,
    remove,
    same,
    settled,
    trips,
    versions,
    whole,
)


def test_a_whole_model_is_cut_and_only_what_changed_gets_a_version(lk: Lake) -> None:
    whole(lk)
    run = ran(lk)["totals"]
    assert (run.status, run.built, run.changed) == ("built", 1, (JANUARY, FEBRUARY))
    assert rows(lk, "FROM curated.totals ORDER BY month") == [(60, "2024-01"), (40, "2024-02")]
    assert settled(lk)
    trips(lk, "2024-02", (3, "2024-01-31", 30), (4, "2024-02-01", 41))
    assert [one.note for one in plan(lk)] == ["raw.trips changed"]
    assert ran(lk)["totals"].changed == (FEBRUARY,)
    assert versions(lk, "curated.totals") == {JANUARY: 1, FEBRUARY: 2}
    assert settled(lk)


def test_a_whole_model_removes_what_it_makes_no_longer(lk: Lake) -> None:
    whole(lk)
    ran(lk)
    trips(lk, "2024-02", (3, "2024-01-31", 30))
    run = ran(lk)["totals"]
    assert (run.changed, run.removed) == ((), (FEBRUARY,))
    assert rows(lk, "FROM curated.totals") == [(60, "2024-01")]
    assert settled(lk)


def test_each_puts_rows_where_they_belong_fragment_by_fragment(lk: Lake) -> None:
    each(lk)
    run = ran(lk)["picked"]
    assert (run.built, run.changed) == (2, (JANUARY, FEBRUARY))
    assert rows(lk, "SELECT month, id FROM curated.picked ORDER BY id") == [
        ("2024-01", 1),
        ("2024-01", 2),
        ("2024-01", 3),
        ("2024-02", 4),
    ]
    assert settled(lk)


def fragments(lk: Lake, partition: str) -> dict[str, str]:
    current = lk.state.partition("curated.picked", partition).current
    return {file.each: file.key for file in data_files(current)}


def test_a_changed_input_touches_only_its_own_fragments(lk: Lake) -> None:
    each(lk)
    ran(lk)
    before = fragments(lk, JANUARY)
    trips(lk, "2024-02", (3, "2024-01-30", 31), (4, "2024-02-01", 40))
    run = ran(lk)["picked"]
    assert (run.built, run.changed) == (1, (JANUARY,))
    after = fragments(lk, JANUARY)
    assert after[JANUARY] == before[JANUARY]
    assert after[FEBRUARY] != before[FEBRUARY]
    assert settled(lk)


def test_an_input_that_feeds_a_partition_no_longer_takes_its_fragment_away(lk: Lake) -> None:
    each(lk)
    ran(lk)
    trips(lk, "2024-02", (4, "2024-02-01", 40))
    assert ran(lk)["picked"].changed == (JANUARY,)
    assert fragments(lk, JANUARY).keys() == {JANUARY}
    assert settled(lk)


def test_a_plan_names_what_was_not_built_yet_and_what_changed(lk: Lake) -> None:
    each(lk)
    january = Periods(until="2024-01")
    transform(lk, periods=january)
    assert [one.note for one in plan(lk)] == [f"{FEBRUARY} not built yet"]
    trips(lk, "2024-01", (1, "2024-01-01", 11))
    assert [one.note for one in plan(lk, periods=january)] == ["raw.trips changed"]
    ran(lk)
    assert settled(lk)


def test_a_removed_input_takes_its_fragments_away(lk: Lake) -> None:
    each(lk)
    ran(lk)
    remove(lk, "raw.trips", FEBRUARY)
    assert [one.note for one in plan(lk)] == ["an input partition is gone"]
    run = ran(lk)["picked"]
    assert (run.built, run.changed, run.removed) == (0, (JANUARY,), (FEBRUARY,))
    assert rows(lk, "SELECT id FROM curated.picked ORDER BY id") == [(1,), (2,)]
    assert settled(lk)


def test_a_row_that_moves_from_one_input_to_another_is_there_once(lk: Lake) -> None:
    each(lk)
    ran(lk)
    trips(lk, "2024-01", (1, "2024-01-05", 10), (2, "2024-01-06", 20), (3, "2024-01-31", 30))
    trips(lk, "2024-02", (4, "2024-02-01", 40))
    ran(lk)
    assert rows(lk, "SELECT id FROM curated.picked ORDER BY id") == [(1,), (2,), (3,), (4,)]
    assert settled(lk)


def test_fragments_of_equal_content_are_two(lk: Lake) -> None:
    picked = "SELECT 'x' AS month, 1 AS n FROM raw.trips"
    model(lk, "picked", picked, BY_MONTH, 'reads.trips = "each"')
    ran(lk)
    assert rows(lk, "SELECT count(*) FROM curated.picked") == [(4,)]
    assert len(fragments(lk, "month=x")) == 2


def test_same_builds_a_partition_from_its_own(lk: Lake) -> None:
    same(lk)
    assert ran(lk)["totals"].built == 2
    assert rows(lk, "FROM curated.totals ORDER BY month") == [(30, "2024-01"), (70, "2024-02")]
    trips(lk, "2024-03", (5, "2024-03-01", 1))
    run = ran(lk)["totals"]
    assert (run.built, run.changed) == (1, (MARCH,))
    remove(lk, "raw.trips", JANUARY)
    run = ran(lk)["totals"]
    assert (run.built, run.removed) == (0, (JANUARY,))
    assert settled(lk)


def test_same_refuses_rows_of_another_partition(lk: Lake) -> None:
    same(lk, PICKED_UP)
    message = (
        r"models/totals.sql: 1 row lies outside of month=2024-02, which it builds, the first:"
        r" month=2024-01, id=3, day=2024-01-31, fare=30; filter them out, or read with \"each\""
    )
    with pytest.raises(BuildFailed, match=message):
        lk.transform()
    assert "curated.totals" not in lk.state.datasets


def test_a_range_sees_its_neighbours_and_keeps_its_own_rows(lk: Lake) -> None:
    each(lk)
    model(
        lk,
        "change",
        "SELECT month, sum(fare) - lag(sum(fare)) OVER (ORDER BY month) AS more"
        " FROM curated.picked GROUP BY month",
        BY_MONTH,
        'reads.picked = "-1..+0"',
    )
    trips(lk, "2024-03", (5, "2024-03-01", 5))
    assert ran(lk)["change"].built == 3
    expected = [(None, "2024-01"), (-20, "2024-02"), (-35, "2024-03")]
    assert rows(lk, "SELECT more, month FROM curated.change ORDER BY month") == expected
    trips(lk, "2024-02", (3, "2024-01-31", 30), (4, "2024-02-01", 41))
    run = ran(lk)["change"]
    assert (run.built, run.changed) == (2, (FEBRUARY, MARCH))
    assert settled(lk)


def test_a_model_without_partitions_is_one(lk: Lake) -> None:
    model(lk, "all_trips", "SELECT count(*) AS n FROM raw.trips")
    assert ran(lk)["all_trips"].changed == ("",)
    assert rows(lk, "FROM curated.all_trips") == [(4,)]
    assert settled(lk)


def test_no_rows_are_a_result_too_and_what_hangs_on_it_is_built(lk: Lake) -> None:
    model(lk, "none", "SELECT id, fare FROM raw.trips WHERE fare < 0")
    model(lk, "nones", "SELECT month, id FROM raw.trips WHERE fare < 0", BY_MONTH)
    model(lk, "after", "SELECT n.id FROM curated.none n JOIN curated.nones m ON m.id = n.id")
    runs = ran(lk)
    assert {run.status for run in runs.values()} == {"built"}
    assert rows(lk, "FROM curated.none") == rows(lk, "FROM curated.after") == []
    assert settled(lk)
    trips(lk, "2024-03", (9, "2024-03-01", -1))
    ran(lk)
    assert rows(lk, "FROM curated.after") == [(9,)]
    assert settled(lk)


@pytest.mark.parametrize(
    ("first", "then"),
    [("whole", "each"), ("each", "whole"), ("each", "same"), ("same", "each"), ("same", "whole")],
)
def test_how_an_input_is_read_may_change(lk: Lake, first: str, then: str) -> None:
    select = "SELECT month, id, fare FROM raw.trips"
    for kind in (first, then):
        model(lk, "m", select, BY_MONTH, *([f'reads.trips = "{kind}"'] if kind != "whole" else []))
        lk.transform()
        assert rows(lk, "SELECT month, id FROM curated.m ORDER BY id") == [
            ("2024-01", 1),
            ("2024-01", 2),
            ("2024-02", 3),
            ("2024-02", 4),
        ]
        assert settled(lk)


def test_another_partition_by_cuts_all_anew(lk: Lake) -> None:
    model(lk, "m", "SELECT month, id, fare FROM raw.trips", BY_MONTH)
    ran(lk)
    model(lk, "m", "SELECT month, id, fare FROM raw.trips", 'partition_by = "id"')
    run = ran(lk)["m"]
    assert (len(run.changed), run.removed) == (4, (JANUARY, FEBRUARY))
    expected = [(1, 10), (2, 20), (3, 30), (4, 40)]
    assert rows(lk, "SELECT id, fare FROM curated.m ORDER BY id") == expected
    assert rows(again(lk), "SELECT id, fare FROM curated.m ORDER BY id") == expected
    model(lk, "m", "SELECT month, id, fare FROM raw.trips")
    assert ran(lk)["m"].changed == ("",)
    assert rows(again(lk), "SELECT id, fare FROM curated.m ORDER BY id") == expected
    assert settled(lk)


def test_other_sql_with_the_same_output_gets_no_version_and_nothing_runs_behind_it(
    lk: Lake,
) -> None:
    model(lk, "a", "SELECT id FROM raw.trips")
    model(lk, "b", "SELECT id FROM curated.a")
    ran(lk)
    model(lk, "a", "SELECT id + 0 - 0 AS id FROM raw.trips")
    assert [one.note for one in plan(lk, ["a"])] == ["its SQL, header or columns changed"]
    runs = ran(lk)
    assert (runs["a"].status, runs["a"].changed, runs["b"].status) == ("built", (), "unchanged")
    assert versions(lk, "curated.a") == {"": 1}
    assert settled(lk)


def test_another_description_is_published_and_nothing_is_built(lk: Lake) -> None:
    model(lk, "a", "SELECT id FROM raw.trips")
    ran(lk)
    model(lk, "a", "SELECT id FROM raw.trips", 'description = "Ids"', 'owner = "me"')
    assert plan(lk) == []
    assert ran(lk)["a"].status == "unchanged"
    query = "SELECT description, owner, versions FROM meta.datasets WHERE dataset = 'curated.a'"
    assert rows(lk, query) == [("Ids", "me", 1)]
    assert settled(lk)
