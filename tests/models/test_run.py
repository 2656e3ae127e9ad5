import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest

from lake.catalog.entries import Remove, Replace
from lake.catalog.publish import Draft, publish
from lake.catalog.state import data_files
from lake.errors import (
    BuildFailed,
    CheckFailed,
    LakeError,
    ModelInvalid,
    NoSuchModel,
    SeveralFailed,
)
from lake.lake import Lake
from lake.models.make import ModelRun
from lake.models.run import plan, transform
from lake.query.sql import file_list
from tests.lakes import again, copy_of, land, model, rows, shared_lake

JANUARY, FEBRUARY, MARCH = "month=2024-01", "month=2024-02", "month=2024-03"
BY_MONTH = 'partition_by = "month"'


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """Two months of trips; one of February was picked up in January."""
    with shared_lake(tmp_path_factory) as lk:
        trips(lk, "2024-01", (1, "2024-01-05", 10), (2, "2024-01-06", 20))
        trips(lk, "2024-02", (3, "2024-01-31", 30), (4, "2024-02-01", 40))
        yield lk


@pytest.fixture
def lk(template: Lake, tmp_path: Path) -> Lake:
    return copy_of(template, tmp_path)


def trips(lk: Lake, month: str, *found: tuple[int, str, int]) -> None:
    """Land a month of trips: id, day, fare."""
    values = ", ".join(f"({number}, DATE '{day}', {fare})" for number, day, fare in found)
    land(lk, "raw.trips", f"FROM (VALUES {values}) t(id, day, fare)", month=month)


def ran(lk: Lake, *names: str) -> dict[str, ModelRun]:
    """Transform as another process would, and return the runs of models by name."""
    done = transform(lk, names)
    return {run.dataset.removeprefix("curated."): run for run in done.runs}


def remove(lk: Lake, dataset: str, partition: str) -> None:
    publish(
        lk.log, lk.state, lambda state: Draft([Remove(dataset, partition)]), commit_id=lk.new_id()
    )


def versions(lk: Lake, dataset: str) -> dict[str, int]:
    return {p.text: p.versions for p in lk.state.partitions(dataset)}


def settled(lk: Lake) -> bool:
    """Tell whether nothing is left to do, here and for another process."""
    return plan(lk) == [] and plan(again(lk)) == [] and transform(again(lk)).commit is None


PICKED_UP = "SELECT strftime(day, '%Y-%m') AS month, id, day, fare FROM raw.trips"
TOTALS = "SELECT month, sum(fare) AS fare FROM raw.trips GROUP BY month"


def whole(lk: Lake) -> None:
    model(lk, "totals", "SELECT strftime(day, '%Y-%m') AS month, sum(fare) AS fare FROM raw.trips"
          " GROUP BY ALL", BY_MONTH)  # fmt: skip


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


def each(lk: Lake) -> None:
    model(lk, "picked", PICKED_UP, BY_MONTH, 'reads.trips = "each"')


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


def same(lk: Lake, select: str = TOTALS) -> None:
    model(lk, "totals", select, BY_MONTH, 'reads.trips = "same"')


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


def failing(lk: Lake, *more: str) -> None:
    model(lk, "bad", "SELECT id, fare FROM raw.trips", 'checks = [{ between = "fare", max = 25 }]')
    model(lk, "behind", "SELECT count(*) AS n FROM curated.bad")
    model(lk, "far_behind", "SELECT n FROM curated.behind")
    model(lk, "good", "SELECT id FROM raw.trips", 'checks = [{ unique = "id" }]')


def test_a_failed_check_withholds_its_model_and_all_behind_it(lk: Lake) -> None:
    failing(lk)
    message = r"curated.bad was withheld: check between_fare found 2 rows: id=3, fare=30; id=4, f"
    with pytest.raises(CheckFailed, match=message):
        lk.transform()
    assert set(lk.state.datasets) == {"raw.trips", "curated.good"}
    assert rows(lk, 'SELECT dataset, "check", failed, passed FROM meta.checks') == [
        ("curated.bad", "between_fare", 2, False),
        ("curated.good", "unique_id", 0, True),
    ]
    assert lk.state.declared("model").keys() == {"good"}
    done = transform(lk)
    assert [(run.dataset, run.status, run.note[:8]) for run in done.runs] == [
        ("curated.bad", "failed", "curated."),
        ("curated.behind", "withheld", "curated."),
        ("curated.far_behind", "withheld", "curated."),
        ("curated.good", "unchanged", ""),
    ]


def test_a_failed_check_leaves_the_former_version_for_readers(lk: Lake) -> None:
    model(
        lk,
        "a",
        "SELECT max(fare) AS fare FROM raw.trips",
        'checks = [{ between = "fare", max = 50 }]',
    )
    ran(lk)
    trips(lk, "2024-02", (3, "2024-02-01", 99))
    with pytest.raises(CheckFailed, match="check between_fare found 1 row: fare=99"):
        lk.transform()
    assert rows(lk, "FROM curated.a") == [(40,)]
    trips(lk, "2024-02", (3, "2024-02-01", 45))
    lk.transform()
    assert rows(lk, "FROM curated.a") == [(45,)]


def test_a_warning_is_published_and_noted(lk: Lake) -> None:
    model(lk, "a", "SELECT id, fare FROM raw.trips",
          'checks = [{ between = "fare", max = 25, severity = "warn" }]')  # fmt: skip
    run = lk.transform().runs[0]
    assert (run.status, run.checks[0].failed, run.checks[0].severity) == ("built", 2, "warn")
    assert rows(lk, "SELECT failed, severity, passed FROM meta.checks") == [(2, "warn", False)]
    assert settled(lk)


def test_a_check_of_partitions_looks_at_those_that_changed(lk: Lake) -> None:
    check = 'checks = [{ row_count = { max = 2 }, scope = "partition" }]'
    model(lk, "a", "SELECT month, id FROM raw.trips", BY_MONTH, check)
    assert lk.transform().runs[0].status == "built"
    trips(lk, "2024-03", *((n, "2024-03-01", 1) for n in range(5, 8)))
    with pytest.raises(CheckFailed, match="check row_count found 1 row: count=3"):
        lk.transform()


def test_a_check_sees_the_whole_dataset_as_it_would_be(lk: Lake) -> None:
    model(lk, "a", "SELECT month, id FROM raw.trips", BY_MONTH, 'reads.trips = "same"',
          'checks = [{ unique = "id" }]')  # fmt: skip
    lk.transform()
    trips(lk, "2024-03", (1, "2024-03-01", 1))
    with pytest.raises(CheckFailed, match="check unique_id found 1 row: id=1, count=2"):
        lk.transform()
    assert versions(lk, "curated.a") == {JANUARY: 1, FEBRUARY: 1}


def test_a_reference_is_looked_up_and_waited_for(lk: Lake) -> None:
    land(lk, "raw.known", "FROM range(1, 4) t(id)")
    model(lk, "a", "SELECT id FROM raw.trips",
          'checks = [{ references = "id", to = "curated.ids.id" }]')  # fmt: skip
    model(lk, "ids", "SELECT id FROM raw.known")
    with pytest.raises(CheckFailed, match=r"check references_id.* found 1 row: id=4"):
        lk.transform()
    assert [one.dataset for one in plan(lk)] == ["curated.a"]
    land(lk, "raw.known", "FROM range(1, 5) t(id)")
    lk.transform()
    assert settled(lk)


def test_one_model_that_cannot_be_built_does_not_stop_the_others(lk: Lake) -> None:
    model(lk, "a", "SELECT CAST(error('no') AS INTEGER) AS x FROM raw.trips")
    model(lk, "b", "SELECT nope FROM raw.trips")
    model(lk, "c", "SELECT id FROM raw.trips")
    with pytest.raises(SeveralFailed, match=r"a.sql could not be built: .*no.*; models/b.sql:3:8"):
        lk.transform()
    assert rows(lk, "SELECT count(*) FROM curated.c") == [(4,)]


def test_a_damaged_input_fails_its_model_with_one_line(lk: Lake) -> None:
    each(lk)
    ran(lk)
    for url in lk.files("curated.picked"):
        Path(url).chmod(0o644)
        Path(url).write_bytes(b"PAR1 no more")
    trips(lk, "2024-02", (3, "2024-01-30", 31), (4, "2024-02-01", 40))
    with pytest.raises(LakeError, match=r"models/picked.sql could not be built: .*part-0.parquet"):
        lk.transform()


def test_nothing_landed_yet_is_said(lk: Lake) -> None:
    land(lk, "raw.later", "SELECT 1 AS n")
    model(lk, "a", "SELECT n FROM raw.later")
    remove(lk, "raw.later", "")
    lk.transform()
    assert rows(lk, "FROM curated.a") == []


def test_models_are_chosen_with_what_they_wait_for(lk: Lake) -> None:
    model(lk, "a", "SELECT id FROM raw.trips")
    model(lk, "b", "SELECT id FROM curated.a")
    model(lk, "c", "SELECT id FROM raw.trips")
    assert ran(lk, "b").keys() == {"a", "b"}
    with pytest.raises(NoSuchModel, match="there is no model 'd'"):
        transform(lk, ["d"])


def test_a_deleted_model_keeps_its_dataset_for_those_that_read_it(lk: Lake) -> None:
    path = model(lk, "a", "SELECT id FROM raw.trips")
    model(lk, "b", "SELECT count(id) AS n FROM curated.a")
    ran(lk)
    path.unlink()
    assert ran(lk).keys() == {"b"}
    assert rows(lk, "SELECT count(*) FROM curated.a") == [(4,)]
    assert settled(lk)


def test_a_lake_without_a_models_folder_runs_those_of_its_log(lk: Lake) -> None:
    path = model(lk, "a", "SELECT id FROM raw.trips", 'description = "Ids"')
    ran(lk)
    path.unlink()
    lk.config.models.rmdir()
    elsewhere = again(lk)
    assert settled(elsewhere)
    trips(elsewhere, "2024-03", (5, "2024-03-01", 5))
    assert ran(elsewhere)["a"].changed == ("",)
    assert rows(elsewhere, "SELECT count(*) FROM curated.a") == [(5,)]


def test_an_audit_publishes_nothing(lk: Lake) -> None:
    failing(lk)
    before = lk.commit
    with pytest.raises(CheckFailed, match="check between_fare found 2 rows"):
        lk.transform(publish=False)
    assert (lk.commit, again(lk).commit) == (before, before)
    assert lk.transform(["good"], publish=False).runs[0].changed == ("",)
    assert set(again(lk).state.datasets) == {"raw.trips"}


def overtake(lk: Lake) -> None:
    """Publish another content of January as somebody else would, who knew nothing of us."""
    other = again(lk)
    current = other.state.partition("curated.totals", JANUARY).current
    assert current
    change = Replace("curated.totals", JANUARY, current.files, "other", current.landed)
    publish(other.log, other.state, lambda state: Draft([change]), commit_id=other.new_id())


def test_what_was_overtaken_is_planned_again_and_builds_are_reused(lk: Lake) -> None:
    same(lk)
    model(lk, "last", "SELECT sum(fare) AS fare FROM curated.totals")
    ran(lk)
    trips(lk, "2024-01", (1, "2024-01-05", 11))
    told: list[ModelRun] = []

    def hear(run: ModelRun) -> None:
        told.append(run)
        if len(told) == 2:
            overtake(lk)

    uploads = _parts(lk)
    done = transform(lk, told=hear)
    assert [run.status for run in told] == ["built"] * 4
    assert done.commit == lk.commit == 6
    assert rows(lk, "FROM curated.last") == [(81,)]
    assert len(_parts(lk) - uploads) == 2, "each partition was built once"
    assert settled(lk)


def _parts(lk: Lake) -> set[str]:
    return {item.key for item in lk.log.store.list("curated/") if item.key.endswith(".parquet")}


def test_two_transforms_at_once_publish_once(lk: Lake) -> None:
    same(lk)
    other = again(lk)

    def hear(run: ModelRun) -> None:
        if other.commit == 2:
            other.transform()

    transform(lk, told=hear)
    assert versions(lk, "curated.totals") == {JANUARY: 1, FEBRUARY: 1}
    assert lk.commit == other.commit == 3


def test_somebody_elses_landing_does_not_stop_a_publication(lk: Lake) -> None:
    same(lk)
    other = again(lk)
    done = transform(lk, told=lambda run: trips(other, "2024-03", (5, "2024-03-01", 5)))
    assert (done.commit, len(done.runs)) == (4, 1)
    assert [one.built for one in plan(lk)] == [1]


def test_a_sum_beyond_double_is_exact_in_the_file_and_in_the_view(lk: Lake) -> None:
    land(lk, "raw.large", "FROM (VALUES (9007199254740993::BIGINT), (2)) t(n)")
    model(lk, "large", "SELECT sum(n) AS n FROM raw.large")
    lk.transform()
    assert rows(lk, "SELECT n, typeof(n) FROM curated.large") == [(9007199254740995, "BIGINT")]
    with duckdb.connect() as stock:
        found = stock.sql(
            f"SELECT n FROM read_parquet({file_list(lk.files('curated.large'))})"
        ).fetchall()
    assert found == [(9007199254740995,)]


def test_a_sum_beyond_bigint_is_refused_with_the_cast_to_write(lk: Lake) -> None:
    land(lk, "raw.large", "FROM (VALUES (9223372036854775807::BIGINT), (2)) t(n)")
    model(lk, "large", "SELECT sum(n) AS n FROM raw.large")
    with pytest.raises(ModelInvalid, match=r"cannot hold exactly: write CAST\(\"n\" AS DECIMAL"):
        lk.transform()


def test_a_key_that_is_null_is_refused(lk: Lake) -> None:
    model(lk, "a", "SELECT nullif(id, 1) AS id, fare FROM raw.trips", 'partition_by = "id"')
    with pytest.raises(BuildFailed, match="column 'id' is NULL in 1 of 4 rows: filter them out"):
        lk.transform()


def test_keys_keep_their_types(lk: Lake) -> None:
    model(lk, "a", "SELECT id, day, fare > 15 AS dear, 'x' AS x FROM raw.trips",
          'partition_by = ["day", "id", "dear"]')  # fmt: skip
    lk.transform()
    query = "SELECT day, id, dear, typeof(day), typeof(id), typeof(dear) FROM curated.a ORDER BY id"
    assert rows(lk, query)[0] == (date(2024, 1, 5), 1, False, "DATE", "INTEGER", "BOOLEAN")
    assert len(rows(lk, "FROM curated.a WHERE day >= DATE '2024-02-01'")) == 1
    assert rows(lk, "SELECT partition FROM meta.versions WHERE dataset = 'curated.a' LIMIT 1") == [
        ("day=2024-01-05/id=1/dear=false",)
    ]


ODD = ["a b", "100%", "a=b", "é日🚕", "a/b", "'quoted'", " ", "%20", "NULL", "x\ty"]


def test_a_keys_text_may_hold_anything(lk: Lake) -> None:
    values = ", ".join(
        f"({n}, '{text.replace(chr(39), chr(39) * 2)}')" for n, text in enumerate(ODD)
    )
    land(lk, "raw.odd", f"FROM (VALUES {values}) t(n, city)")
    model(lk, "a", "SELECT n, city FROM raw.odd", 'partition_by = "city"')
    lk.transform()
    assert rows(lk, "SELECT city FROM curated.a ORDER BY n") == [(text,) for text in ODD]
    with duckdb.connect(lk.log.store.data_url("catalog.duckdb"), read_only=True) as stock:
        assert stock.sql("SELECT city FROM curated.a ORDER BY n").fetchall() == [(t,) for t in ODD]
    assert settled(lk)


def test_types_that_drift_between_runs_end_at_the_same_place(lk: Lake) -> None:
    each(lk)
    same(lk)
    lk.transform()
    march = "SELECT 9 AS id, DATE '2024-03-01' AS day, 0.5::DOUBLE AS fare, 'b' AS more"
    land(lk, "raw.trips", march, month="2024-03")
    lk.transform()
    query = "SELECT month, fare, typeof(fare) FROM curated.totals ORDER BY month"
    assert rows(lk, query) == [
        ("2024-01", 30, "DOUBLE"),
        ("2024-02", 70, "DOUBLE"),
        ("2024-03", 0.5, "DOUBLE"),
    ]
    assert settled(lk)
    remove(lk, "raw.trips", MARCH)
    lk.transform()
    assert rows(lk, query)[0] == ("2024-01", 30, "BIGINT")
    assert settled(lk)


def test_many_partitions_come_from_one_query_in_seconds(lk: Lake) -> None:
    land(lk, "raw.many", "SELECT i % 60 AS k, i AS n FROM range(3000) t(i)")
    model(lk, "many", "SELECT k, n FROM raw.many", 'partition_by = "k"')
    started = time.monotonic()
    assert len(lk.transform().runs[0].changed) == 60
    assert time.monotonic() - started < 10
    assert rows(lk, "SELECT count(DISTINCT k), count(*) FROM curated.many") == [(60, 3000)]


def test_what_a_rollback_rejected_is_not_published_again(lk: Lake) -> None:
    same(lk)
    ran(lk)
    good = lk.state.partition("curated.totals", JANUARY).current
    trips(lk, "2024-01", (1, "2024-01-05", 99))
    ran(lk)
    bad = lk.state.partition("curated.totals", JANUARY).current
    assert good
    assert bad
    back = Replace("curated.totals", JANUARY, good.files, good.content, good.landed,
                   why="rollback", rejects=(bad.content,))  # fmt: skip
    publish(lk.log, lk.state, lambda state: Draft([back]), commit_id=lk.new_id())
    assert settled(lk)
    same(lk, TOTALS.replace("sum(fare)", "sum(fare + 0)"))
    assert ran(lk)["totals"].changed == ()
    assert rows(lk, "FROM curated.totals ORDER BY month") == [(30, "2024-01"), (70, "2024-02")]
    trips(lk, "2024-01", (1, "2024-01-05", 98))
    assert ran(lk)["totals"].changed == (JANUARY,)
    assert settled(lk)
