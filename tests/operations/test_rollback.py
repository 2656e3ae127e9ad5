import re
from pathlib import Path

import pytest

from lake.catalog.entries import Append, File, Landed, Replace
from lake.catalog.publish import Draft, publish
from lake.catalog.state import State
from lake.errors import (
    InvalidName,
    NoSuchDataset,
    NoSuchPartition,
    NoSuchVersion,
    SchemaConflict,
    VersionConflict,
    VersionHeld,
)
from lake.lake import Lake
from lake.operations.rollback import Restored, RolledBack
from tests.lakes import again, land, model, new_lake, rows

JANUARY, FEBRUARY = "2024-01", "2024-02"
TRIPS = "raw.trips/month=2024-01"


@pytest.fixture
def lk(tmp_path: Path) -> Lake:
    """January twice, February once."""
    made = new_lake(tmp_path)
    land(made, "raw.trips", "SELECT 1 AS id", month=JANUARY)
    land(made, "raw.trips", "SELECT 9 AS id", month=FEBRUARY)
    land(made, "raw.trips", "SELECT 2 AS id", month=JANUARY)
    return made


def ids(lk: Lake, dataset: str = "raw.trips") -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = rows(lk, f"SELECT id, month FROM {dataset} ORDER BY ALL")
    return found


def test_a_partition_goes_back_to_what_it_held_before(lk: Lake) -> None:
    assert lk.rollback(TRIPS) == RolledBack(
        4, 2, (Restored("raw.trips", "month=2024-01", "restored", 3, of=1, rejected=2, rows=1),)
    )
    assert ids(again(lk)) == [(1, JANUARY), (9, FEBRUARY)]


@pytest.mark.parametrize("when", ["v1", "1", "2"])
def test_a_partition_goes_back_to_any_time(lk: Lake, when: str) -> None:
    assert lk.rollback(f"{TRIPS}@{when}").commit == 4
    assert ids(lk) == [(1, JANUARY), (9, FEBRUARY)]


def test_going_back_to_what_is_current_publishes_nothing(lk: Lake) -> None:
    assert lk.rollback(f"{TRIPS}@v2") == RolledBack(None, 3)
    lk.rollback(TRIPS)
    assert lk.rollback(f"{TRIPS}@v1") == RolledBack(None, 1)
    assert lk.commit == 4


def test_going_back_twice_is_going_forth(lk: Lake) -> None:
    lk.rollback(TRIPS)
    assert lk.rollback(TRIPS).partitions[0].of == 2
    assert ids(lk) == [(2, JANUARY), (9, FEBRUARY)]
    assert land(lk, "raw.trips", "SELECT 1 AS id", month=JANUARY).outcome == "unchanged"


def test_a_dataset_goes_back_whole_and_what_was_not_there_is_removed(lk: Lake) -> None:
    done = lk.rollback("raw.trips@1")
    assert [(one.partition, one.outcome) for one in done.partitions] == [
        ("month=2024-02", "removed"),
        ("month=2024-01", "restored"),
    ]
    assert done.commit == lk.commit == 4
    assert ids(lk) == [(1, JANUARY)]
    assert lk.rollback("raw.trips@3").commit == 5
    assert ids(lk) == [(2, JANUARY), (9, FEBRUARY)]


def test_without_a_time_a_dataset_goes_back_before_its_last_commit(lk: Lake) -> None:
    assert [one.partition for one in lk.rollback("raw.trips").partitions] == ["month=2024-01"]


def test_what_was_rejected_is_not_landed_again_until_something_else_was(lk: Lake) -> None:
    lk.rollback(TRIPS)
    assert land(lk, "raw.trips", "SELECT 2 AS id", month=JANUARY).outcome == "unchanged"
    assert lk.commit == 4
    assert land(lk, "raw.trips", "SELECT 3 AS id", month=JANUARY).outcome == "landed"
    assert land(lk, "raw.trips", "SELECT 2 AS id", month=JANUARY).outcome == "landed"


def test_force_lands_what_was_rejected(lk: Lake) -> None:
    lk.rollback(TRIPS)
    path = lk.config.root / "given.parquet"
    land(lk, "raw.trips", "SELECT 2 AS id", month=JANUARY)
    forced = lk.land(path, dataset="raw.trips", partition={"month": JANUARY}, force=True)
    assert forced.outcome == "landed"
    assert ids(lk) == [(2, JANUARY), (9, FEBRUARY)]


def test_a_dropped_dataset_comes_back(lk: Lake) -> None:
    lk.drop("raw.trips")
    assert lk.rollback("raw.trips").commit == 5
    assert ids(lk) == [(2, JANUARY), (9, FEBRUARY)]


def test_a_removed_partition_comes_back(lk: Lake) -> None:
    lk.remove(TRIPS)
    lk.rollback(TRIPS)
    assert ids(lk) == [(2, JANUARY), (9, FEBRUARY)]


def append(lk: Lake, files: tuple[File, ...], start: str, end: str) -> None:
    def plan(state: State) -> Draft:
        return Draft([Append("raw.o", "", files, f"c{end}", Landed(""), start=start, end=end)])

    publish(lk.log, lk.state, plan, commit_id=lk.new_id())


def test_an_append_goes_on_where_the_restored_version_ended(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    land(lk, "raw.orders", "SELECT 1 AS id")
    first = lk.state.partition("raw.orders", "").current
    land(lk, "raw.orders", "SELECT 2 AS id")
    second = lk.state.partition("raw.orders", "").current
    assert first
    assert second
    append(lk, first.files, "", "5")
    append(lk, second.files, "5", "9")
    lk.rollback("raw.o@v1")
    now = lk.state.partition("raw.o", "").current
    assert now
    assert (now.cursor, [file.key for file in now.files]) == ("5", [first.files[0].key])


@pytest.mark.parametrize(
    ("address", "error", "message"),
    [
        ("raw.tripz", NoSuchDataset, "there is no dataset raw.tripz at commit 3; did you mean"),
        ("raw.trips/month=2024-03", NoSuchPartition, "raw.trips has no partition month=2024-03;"),
        (f"{TRIPS}@v7", NoSuchVersion, "raw.trips/month=2024-01 has no v7: its newest is v2"),
        (
            "raw.trips/month=2024-02",
            NoSuchVersion,
            "raw.trips/month=2024-02 held nothing before commit 2, which changed it last: name"
            " what to restore, as in raw.trips/month=2024-02@1, or `lake log"
            " raw.trips/month=2024-02`",
        ),
        (
            "raw.trips/month=2024-02@1",
            NoSuchVersion,
            "raw.trips/month=2024-02 held nothing at commit 1: `lake remove"
            " raw.trips/month=2024-02` takes it away",
        ),
    ],
)
def test_what_never_was_is_no_place_to_go_back_to(
    lk: Lake, address: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)):
        lk.rollback(address)
    assert lk.commit == 3


def test_a_held_version_was_never_current(lk: Lake) -> None:
    held = land_held(lk)
    with pytest.raises(
        NoSuchVersion,
        match=re.escape(
            f"{TRIPS}@v3 was held and never current ({held}): `lake release {TRIPS}@v3`"
        ),
    ):
        lk.rollback(f"{TRIPS}@v3")


def land_held(lk: Lake) -> str:
    with pytest.raises(VersionHeld, match="cannot be read together"):
        land(lk, "raw.trips", "SELECT DATE '2024-01-01' AS id", month=JANUARY)
    return lk.state.partition("raw.trips", "month=2024-01").held[-1].reason


def test_what_moved_meanwhile_is_not_rolled_back(lk: Lake) -> None:
    other = again(lk)
    land(other, "raw.trips", "SELECT 3 AS id", month=JANUARY)
    with pytest.raises(
        VersionConflict,
        match=re.escape(
            f"{TRIPS} has moved while it was rolled back: nothing was published; look at `lake log"
            f" {TRIPS}`, then run the command again if it is still wanted"
        ),
    ):
        lk.rollback(TRIPS)
    land(other, "raw.trips", "SELECT 3 AS id", month="2024-03")
    assert again(lk).commit == 5


def test_another_partition_that_moved_does_not_matter(lk: Lake) -> None:
    land(again(lk), "raw.trips", "SELECT 3 AS id", month="2024-03")
    assert lk.rollback(TRIPS).commit == 5


def test_what_cannot_be_read_with_the_others_now_stays_in_the_past(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    land(lk, "raw.trips", "SELECT DATE '2024-01-01' AS id", month=JANUARY)
    land(lk, "raw.trips", "SELECT NULL::DATE AS id", month=JANUARY)
    land(lk, "raw.trips", "SELECT 1 AS id", month=FEBRUARY)
    with pytest.raises(SchemaConflict, match="column 'id' is"):
        lk.rollback("raw.trips/month=2024-01")
    assert again(lk).commit == 3


def test_a_partition_of_other_keys_stays_in_the_past(lk: Lake) -> None:
    lk.drop("raw.trips")
    land(lk, "raw.trips", "SELECT 1 AS id", day="2024-01-31")
    with pytest.raises(InvalidName, match=r"raw\.trips is partitioned by day"):
        lk.rollback(f"{TRIPS}@v1")
    assert lk.rollback("raw.trips@3").commit == 6
    assert ids(lk) == [(2, JANUARY), (9, FEBRUARY)]


def test_a_schema_of_the_past_gets_its_view_back(lk: Lake) -> None:
    land(lk, "raw.trips", "SELECT 2.5::DOUBLE AS id", month=JANUARY)
    for path in Path(lk.config.root / ".lake" / "_lake" / "schemas").iterdir():
        path.unlink()
    lk.rollback(TRIPS)
    fresh = again(lk)
    assert [type(number) for number, _ in ids(fresh)] == [int, int]


@pytest.fixture
def built(lk: Lake) -> Lake:
    """A model of the months, after January was landed twice."""
    model(lk, "daily", "SELECT month, id FROM raw.trips", 'partition_by = "month"')
    lk.transform()
    land(lk, "raw.trips", "SELECT 3 AS id", month=JANUARY)
    lk.transform()
    return lk


def test_transform_builds_nothing_after_a_rollback_until_its_inputs_change(built: Lake) -> None:
    built.rollback("curated.daily")
    before = built.commit
    assert [run.status for run in built.transform().runs] == ["unchanged"]
    assert built.commit == before
    assert ids(built, "curated.daily") == [(2, JANUARY), (9, FEBRUARY)]
    land(built, "raw.trips", "SELECT 4 AS id", month=JANUARY)
    built.transform()
    assert ids(built, "curated.daily") == [(4, JANUARY), (9, FEBRUARY)]


def test_another_input_brings_nothing_back_that_was_rejected(built: Lake) -> None:
    built.rollback("curated.daily")
    land(built, "raw.trips", "SELECT 10 AS id", month=FEBRUARY)
    built.transform()
    assert ids(built, "curated.daily") == [(2, JANUARY), (10, FEBRUARY)]


def test_a_partition_whose_absence_was_rejected_stays(built: Lake) -> None:
    built.remove("raw.trips/month=2024-02")
    built.transform()
    built.rollback("curated.daily/month=2024-02")
    land(built, "raw.trips", "SELECT 5 AS id", month=JANUARY)
    built.transform()
    assert ids(built, "curated.daily") == [(5, JANUARY), (9, FEBRUARY)]


def test_a_removed_output_is_not_built_again_as_it_was(built: Lake) -> None:
    built.remove("curated.daily/month=2024-02")
    land(built, "raw.trips", "SELECT 5 AS id", month=JANUARY)
    built.transform()
    assert ids(built, "curated.daily") == [(5, JANUARY)]
    land(built, "raw.trips", "SELECT 11 AS id", month=FEBRUARY)
    built.transform()
    assert ids(built, "curated.daily") == [(5, JANUARY), (11, FEBRUARY)]


def test_a_rollback_names_the_files_that_there_were(lk: Lake) -> None:
    first = lk.at(1).state.partition("raw.trips", "month=2024-01").current
    lk.rollback(TRIPS)
    change = last(lk.state)
    assert first
    assert [file.key for file in change.files] == [file.key for file in first.files]
    assert (change.why, change.content, len(change.rejects)) == ("rollback", first.content, 2)


def last(state: State) -> Replace:
    (change,) = state.tail[-1].changes
    assert isinstance(change, Replace)
    return change
