from dataclasses import replace as with_fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lake.catalog import checkpoint, fold, snapshot
from lake.catalog.codec import sha256, to_json
from lake.catalog.entries import Tag
from lake.catalog.log import Log
from lake.catalog.state import State
from lake.errors import InvalidAddress, NoSuchVersion
from storage_backends import Store, open_store
from tests.catalog.changes import NOON, Clock, Writer, file, new_lake, opened, replace
from tests.stores import HookedStore


class TimedStore(HookedStore):
    """A store whose own clock the test sets."""

    def __init__(self, inner: Store, clock: Clock) -> None:
        super().__init__(inner)
        self.clock = clock

    def now(self) -> datetime:
        return self.clock()


def at_moments(
    root: Path, *moments: datetime, timezone: str = "UTC", checkpoint_at: int = 0
) -> Writer:
    """Publish one commit at each moment, and a checkpoint of one of them."""
    clock = Clock()
    log, state = opened(TimedStore(new_lake(root, timezone=timezone), clock))
    at = Writer(with_fields(log, clock=clock), state)
    for number, moment in enumerate(moments, 1):
        clock.moment = moment
        at.commit(replace("raw.a", "", file(f"f{number}")))
        assert number != checkpoint_at or checkpoint.write(log, state)
    return at


def day(hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2024, 1, 31, hour, minute, second, tzinfo=UTC)


@pytest.fixture
def at(tmp_path: Path) -> Writer:
    return at_moments(tmp_path / "lake", day(9), day(10), day(11))


@pytest.fixture(params=[0, 2, 3], ids="checkpoint at {}".format)
def somewhere(request: pytest.FixtureRequest, tmp_path: Path) -> Writer:
    return at_moments(tmp_path / "lake", day(9), day(10), day(11), checkpoint_at=request.param)


def resolve(at: Writer, when: str | int) -> int:
    return snapshot.resolve(at.log, at.state, when)


def test_numbers_times_and_dates_mean_commits(somewhere: Writer) -> None:
    expected: dict[str | int, int] = {
        0: 0,
        2: 2,
        "003": 3,
        "2024-01-31T10:00:00Z": 2,
        "2024-01-31T10:59:59.999999Z": 2,
        "2024-01-31 10:30": 2,
        "2024-01-31T05:30-05:00": 2,
        "2024-01-31": 3,
        "9000-01-01": 3,
    }
    for when, commit in expected.items():
        assert resolve(somewhere, when) == commit, when


def test_a_tag_means_its_commit_until_it_moves(at: Writer) -> None:
    at.commit(Tag("good", 2))
    assert resolve(at, "good") == 2
    at.commit(Tag("good", 3))
    assert resolve(at, "good") == 3
    at.commit(Tag("good", 0))
    with pytest.raises(NoSuchVersion, match="there is no tag 'good' at commit 6; tags: none"):
        resolve(at, "good")


def test_a_snapshot_knows_the_tags_of_its_time(at: Writer) -> None:
    at.commit(Tag("good", 2))
    before = snapshot.state_at(at.log, at.state, 3)
    with pytest.raises(NoSuchVersion, match="there is no tag 'good' at commit 3"):
        snapshot.resolve(at.log, before, "good")


def test_what_there_never_was_is_named(somewhere: Writer) -> None:
    expected: dict[str | int, str] = {
        4: "there is no commit 4: the newest is 3",
        "nope": "there is no tag 'nope' at commit 3; tags: none",
        "-1": "there is no commit -1",
        "2024-01-30": "nothing had been published by 2024-01-30",
        "2024-01-31T08:59:59Z": "nothing had been published by",
    }
    for when, message in expected.items():
        with pytest.raises(NoSuchVersion, match=message):
            resolve(somewhere, when)


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ("v3", "@v3 names a version, which needs a partition: write DATASET/k=v@v3"),
        ("2024-02-30", "'2024-02-30' is no time: write 2026-01-31"),
        ("2024-01-31T25:00", "'2024-01-31T25:00' is no time"),
        ("9999-12-31", "'9999-12-31' is no time"),
        ("9999-12-31T23:00:00-05:00", "is no time"),
    ],
)
def test_what_is_no_time_is_refused(at: Writer, when: str, message: str) -> None:
    with pytest.raises(InvalidAddress, match=message):
        resolve(at, when)


@pytest.mark.parametrize(
    ("timezone", "date", "end"),
    [
        ("America/New_York", "2024-03-10", "2024-03-11T04:00:00Z"),  # 23 hours long
        ("America/New_York", "2024-11-03", "2024-11-04T05:00:00Z"),  # 25 hours long
        ("America/Sao_Paulo", "2018-02-17", "2018-02-18T03:00:00Z"),  # set back at its midnight
        ("America/Sao_Paulo", "2018-11-03", "2018-11-04T03:00:00Z"),  # the next has no midnight
        ("Pacific/Auckland", "2024-01-31", "2024-01-31T11:00:00Z"),
    ],
)
def test_a_date_ends_with_its_day_in_the_lakes_zone(
    tmp_path: Path, timezone: str, date: str, end: str
) -> None:
    midnight = datetime.fromisoformat(end)
    just_before = midnight - timedelta(milliseconds=1)
    moments = (NOON.replace(year=2017), just_before, midnight)
    at = at_moments(tmp_path / "lake", *moments, timezone=timezone)
    assert resolve(at, date) == 2


def test_a_time_without_a_zone_is_the_lakes(tmp_path: Path) -> None:
    at = at_moments(tmp_path / "lake", day(12), day(17, 30), timezone="America/New_York")
    assert resolve(at, "2024-01-31T12:29") == 1
    assert resolve(at, "2024-01-31T12:30") == 2


def test_a_clock_set_back_never_orders_commits_anew(tmp_path: Path) -> None:
    at = at_moments(tmp_path / "lake", day(12), day(9))
    assert at.state.committed_at == "2024-01-31T12:00:00.000+00:00"
    assert resolve(at, "2024-01-31T12:00:00Z") == 2


def test_a_hole_below_the_head_is_no_snapshot(at: Writer) -> None:
    open_store(at.log.store.url).delete("_lake/log/00000000000000000002.json")
    with pytest.raises(Exception, match=r"00000000000000000002.json"):
        snapshot.state_at(at.log, at.state, 3)


def test_the_empty_lake_is_a_snapshot_too(at: Writer) -> None:
    state = snapshot.state_at(at.log, at.state, 0)
    assert (state.commit, dict(state.datasets)) == (0, {})


def test_entries_that_do_not_follow_are_refused(at: Writer) -> None:
    entry = at.state.tail[-1]
    other = State(lake=entry.lake)
    with pytest.raises(Exception, match="does not follow from the entry before it"):
        fold.apply(other, entry, sha256(to_json(entry)))


def test_a_snapshot_is_opened_from_the_nearest_checkpoint(at: Writer) -> None:
    assert checkpoint.write(at.log, at.state)
    at.commit(replace("raw.a", "", file("f4")))
    at.commit(replace("raw.a", "", file("f5")))
    log: Log = at.log
    state = snapshot.state_at(log, at.state, 4)
    assert (state.commit, state.base.commit, len(state.tail)) == (4, 3, 1)
    assert snapshot.state_at(log, at.state, 2).base.commit == 0
