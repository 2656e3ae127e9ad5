from pathlib import Path

import pytest

from lake.errors import (
    CheckFailed,
    LakeError,
    NoSuchModel,
    SeveralFailed,
)
from lake.lake import Lake
from lake.models.run import plan, transform
from tests.lakes import again, land, model, rows
from tests.models.months import (
    BY_MONTH,
    FEBRUARY,
    JANUARY,
    each,
    failing,
    ran,
    remove,
    settled,
    trips,
    versions,
)


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
