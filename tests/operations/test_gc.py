import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lake import layout
from lake.catalog import checkpoint
from lake.catalog.ids import commit_id
from lake.errors import (
    InvalidConfig,
    StoreUnavailable,
    VersionConflict,
    VersionExpired,
    VersionHeld,
)
from lake.lake import Lake
from lake.landing.land import commit, stage_all
from lake.landing.order import Order
from lake.landing.stage import Attempt
from lake.operations.gc import Collected
from lake.operations.verify import verify
from storage_backends import Listed, Store
from tests.lakes import again, land, model, new_lake, parquet, rows
from tests.stores import CountingStore, HookedStore

NOW = timedelta(0)
TRIPS = "raw.trips/month=2024-01"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def lk(tmp_path: Path) -> Lake:
    """January three times, February once: commits 1 to 4, of which two versions are former."""
    made = new_lake(tmp_path)
    for number in (1, 2, 3):
        land(made, "raw.trips", f"SELECT {number} AS id", month="2024-01")
    land(made, "raw.trips", "SELECT 9 AS id", month="2024-02")
    return made


def collect(lk: Lake, keep: timedelta = NOW) -> Collected:
    return lk.gc(keep=keep, delete=True)


def data_keys(lk: Lake) -> set[str]:
    return {item.key for zone in layout.ZONES for item in again(lk).log.store.list(f"{zone}/")}


def numbers(lk: Lake, when: str | int = "") -> list[int]:
    at = lk.at(when) if when else lk
    return [number for (number,) in rows(at, "SELECT id FROM raw.trips ORDER BY id")]


def is_sound(lk: Lake) -> bool:
    found = verify(again(lk), told=lambda count: None)
    assert (found.damage, found.orphans) == ((), ())
    return True


def test_without_delete_it_only_says_what_would_go(lk: Lake) -> None:
    before = data_keys(lk)
    found = lk.gc(keep=NOW)
    assert (found.deleted, found.commit, found.kept_since) == (False, None, 4)
    assert (len(found.objects), found.versions) == (6, 2)
    assert {one.why for one in found.objects} == {"expired"}
    assert (data_keys(lk), lk.commit) == (before, 4)


def test_what_no_kept_snapshot_needs_is_doomed_and_deleted(lk: Lake) -> None:
    before = data_keys(lk)
    planned = lk.gc(keep=NOW)
    done = collect(lk)
    assert (done.commit, done.objects) == (5, planned.objects)
    assert data_keys(lk) == before - {one.key for one in done.objects}
    assert numbers(again(lk)) == [3, 9]
    assert is_sound(lk)
    assert collect(lk) == Collected(True, None, 5)


def test_snapshots_within_retention_are_kept(lk: Lake) -> None:
    assert collect(lk, timedelta(days=30)) == Collected(True, None, 0)
    assert [numbers(lk, number) for number in (1, 2, 3, 4)] == [[1], [2], [3], [3, 9]]


class EarlyStore(HookedStore):
    """A store whose clock stands still."""

    def __init__(self, inner: Store, moment: datetime) -> None:
        super().__init__(inner)
        self.moment = moment

    def now(self) -> datetime:
        return self.moment


def test_the_snapshot_that_retention_begins_with_is_kept_whole(lk: Lake) -> None:
    second = datetime.fromisoformat(lk.state.tail[1].committed_at)
    lk.log.store = EarlyStore(lk.log.store, second)
    done = collect(lk)
    assert (done.kept_since, done.versions) == (2, 1)
    assert (numbers(lk, 2), numbers(lk, 3)) == ([2], [3])


def test_tagged_snapshots_are_kept_until_the_tag_goes(lk: Lake) -> None:
    lk.tag("first", when=1)
    collect(lk)
    assert numbers(lk, "first") == [1]
    with pytest.raises(VersionExpired, match=r"^raw\.trips at commit 2 cannot be read any more"):
        numbers(lk, 2)
    lk.untag("first")
    assert collect(lk).versions == 1
    assert is_sound(lk)


def test_a_tag_does_not_bring_back_what_was_collected(lk: Lake) -> None:
    collect(lk)
    with pytest.raises(VersionExpired, match=r"^commit 2 cannot be read any more: `lake gc`"):
        lk.tag("late", when=2)
    assert lk.tag("now", when=4) == 4


def test_a_snapshot_whose_files_are_all_there_stays_readable(lk: Lake) -> None:
    collect(lk)
    assert numbers(lk, 3) == [3]
    assert numbers(lk, 4) == [3, 9]


def test_reading_what_was_collected_says_so_everywhere(lk: Lake, tmp_path: Path) -> None:
    collect(lk)
    said = (
        r"cannot be read any more: `lake gc` collected its files in commit 5; read a newer snapshot"
        r" \(`lake log` lists them\), or tag what is to be kept$"
    )
    with pytest.raises(VersionExpired, match=f"^raw.trips at commit 1 {said}"):
        lk.at(1).sql("SELECT * FROM raw.trips")
    with pytest.raises(VersionExpired, match=f"^raw.trips at commit 1 {said}"):
        lk.table("raw.trips@1")
    with pytest.raises(VersionExpired, match=f"^raw.trips@1 at commit 1 {said}"):
        lk.files("raw.trips@1")
    with pytest.raises(VersionExpired, match=f"^{TRIPS}@v2 {said}"):
        lk.files(f"{TRIPS}@v2")
    with pytest.raises(VersionExpired, match=f"^{TRIPS}@v2 {said}"):
        lk.get(f"{TRIPS}@v2", tmp_path / "out")
    with pytest.raises(VersionExpired, match=f"^{TRIPS}@v2 {said}"):
        lk.rollback(f"{TRIPS}@v2")


def test_a_reader_who_was_pinned_before_hears_that_it_expired(lk: Lake, tmp_path: Path) -> None:
    pinned = again(lk).at(1)
    collect(lk)
    with pytest.raises(VersionExpired, match=r"^raw\.trips at commit 1 cannot be read any more"):
        pinned.sql("SELECT * FROM raw.trips")
    with pytest.raises(VersionExpired, match=r" cannot be read any more: `lake gc` collected"):
        pinned.get(TRIPS, tmp_path / "out")


def test_what_a_rollback_brought_back_is_needed(lk: Lake) -> None:
    lk.rollback(f"{TRIPS}@v1")
    assert collect(lk).versions == 2
    assert numbers(again(lk)) == [1, 9]
    assert is_sound(lk)


def test_what_is_held_is_kept_as_long_as_it_can_be_released(lk: Lake) -> None:
    with pytest.raises(VersionHeld, match="cannot be read together"):
        land(lk, "raw.trips", "SELECT DATE '2024-01-01' AS id", month="2024-01")
    assert collect(lk).versions == 2
    assert len(lk.files(f"{TRIPS}@v4")) == 1
    land(lk, "raw.trips", "SELECT 5 AS id", month="2024-01")
    assert collect(lk, timedelta(days=1)).objects == ()
    assert collect(lk).versions == 2
    with pytest.raises(VersionExpired, match=f"^{TRIPS}@v4 cannot be read any more"):
        lk.files(f"{TRIPS}@v4")
    assert is_sound(lk)


def test_what_was_held_goes_with_its_dataset(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    land(lk, "raw.trips", "SELECT 1 AS id", month="2024-01")
    with pytest.raises(VersionHeld, match="cannot be read together"):
        land(lk, "raw.trips", "SELECT DATE '2024-01-01' AS id", month="2024-02")
    lk.drop("raw.trips")
    assert collect(lk, timedelta(days=1)).objects == ()
    assert collect(lk).versions == 2
    assert data_keys(lk) == set()


def test_a_renamed_dataset_is_needed_under_its_old_keys(lk: Lake) -> None:
    lk.rename("raw.trips", "raw.rides")
    assert collect(lk).versions == 2
    assert rows(again(lk), "SELECT id FROM raw.rides ORDER BY id") == [(3,), (9,)]
    assert is_sound(lk)


def test_it_reads_the_same_behind_a_checkpoint(lk: Lake) -> None:
    planned = lk.gc(keep=NOW)
    assert checkpoint.write(lk.log, lk.state)
    assert again(lk).gc(keep=NOW).objects == planned.objects
    collect(again(lk))
    fresh = again(lk)
    assert checkpoint.write(fresh.log, fresh.state)
    with pytest.raises(VersionExpired, match=r"^raw\.trips at commit 1 cannot be read any more"):
        numbers(again(lk), 1)
    assert is_sound(lk)


def test_models_go_on_where_their_former_files_went(lk: Lake) -> None:
    model(
        lk, "m", "SELECT month, id FROM raw.trips", 'partition_by = "month"', 'reads.trips = "each"'
    )
    lk.transform()
    land(lk, "raw.trips", "SELECT 4 AS id", month="2024-01")
    lk.transform()
    collect(lk)
    land(lk, "raw.trips", "SELECT 5 AS id", month="2024-02")
    again(lk).transform()
    assert rows(again(lk), "SELECT id FROM curated.m ORDER BY id") == [(4,), (5,)]
    assert is_sound(lk)


def test_a_receipt_is_kept_whose_files_are_not_needed(lk: Lake) -> None:
    header = ('partition_by = "k"', 'reads.trips = "each"')
    model(lk, "m", "SELECT 'all' AS k, id FROM raw.trips", *header)
    lk.transform()
    land(lk, "raw.trips", "SELECT 8 AS id", month="2024-03")
    lk.transform()
    lk.remove("raw.trips/month=2024-03")
    lk.transform()
    now = lk.state.partition("curated.m", "k=all").current
    assert now
    folders = {layout.version_folder(file.key) for file in now.files}
    assert layout.version_folder(now.landed.receipt) not in folders
    collect(lk)
    assert now.landed.receipt in data_keys(lk)


def test_what_lies_in_no_versions_folder_is_never_touched(lk: Lake) -> None:
    store = lk.log.store
    keys = ("raw/readme.txt", "raw/trips/month=2024-01/notes.txt", "curated/x.parquet", "other/y")
    for key in keys:
        store.put_new(key, b"mine")
    collect(lk)
    assert all(store.get(key) == b"mine" for key in keys)


def test_the_log_the_schemas_and_the_checkpoints_stay(lk: Lake) -> None:
    assert checkpoint.write(lk.log, lk.state)
    before = {item.key for item in lk.log.store.list("_lake/")}
    collect(lk)
    after = {item.key for item in lk.log.store.list("_lake/")}
    assert after - before == {layout.commit(5)}
    assert before <= after


def test_what_was_killed_half_way_is_deleted_by_the_next_run(lk: Lake) -> None:
    class Killed(BaseException):
        pass

    def before(verb: str, key: str) -> None:
        if verb == "delete":
            raise Killed

    lk.log.store = HookedStore(lk.log.store, before=before)
    with pytest.raises(Killed, match=r"^$"):
        collect(lk)
    fresh = again(lk)
    assert (fresh.commit, numbers(fresh)) == (5, [3, 9])
    found = fresh.gc(keep=NOW)
    assert ({one.why for one in found.objects}, len(found.objects)) == ({"doomed"}, 6)
    done = collect(fresh)
    assert (done.commit, len(done.objects)) == (None, 6)
    assert is_sound(lk)


class HalfStore(HookedStore):
    """Break off every listing of data after its first object."""

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[Listed]:
        found = super().list(prefix, after=after)
        if prefix != "raw/":
            yield from found
            return
        yield next(found)
        raise ConnectionError("the listing broke off")


def test_half_a_listing_dooms_nothing(lk: Lake) -> None:
    before = data_keys(lk)
    lk.log.store = HalfStore(lk.log.store)
    with pytest.raises(
        StoreUnavailable,
        match=r"^cannot list file:.*: the listing broke off; nothing was deleted, run the same",
    ):
        collect(lk)
    assert (data_keys(lk), again(lk).commit) == (before, 4)


def test_what_cannot_be_deleted_is_said_and_deleted_later(lk: Lake) -> None:
    def before(verb: str, key: str) -> None:
        if verb == "delete":
            raise ConnectionError("gone")

    store = lk.log.store
    lk.log.store = HookedStore(store, before=before)
    with pytest.raises(
        StoreUnavailable,
        match=r"^raw/trips/.* and 5 others could not be deleted in file:.*: gone; run the same",
    ):
        collect(lk)
    assert len(collect(again(lk)).objects) == 6


def staged(lk: Lake, select: str) -> tuple[Attempt, object]:
    """Upload a landing that has not been published yet."""
    path = parquet(lk.config.root / "given.parquet", select)
    attempt = Attempt(lk.log, commit_id(datetime.now(UTC)))
    order = Order("raw.trips", "month=2024-01", (str(path),))
    found, errors = stage_all(attempt, lk.state, [order], force=False)
    assert errors == []
    return attempt, found


def test_a_landing_that_is_overtaken_is_refused_and_lands_anew(lk: Lake) -> None:
    attempt, found = staged(lk, "SELECT 4 AS id")
    other = again(lk)
    doomed = collect(other, timedelta(days=1))
    assert {one.why for one in doomed.objects} == {"unpublished"}
    assert len(doomed.objects) == 3
    with pytest.raises(
        VersionConflict,
        match=r"is being deleted by `lake gc`: nothing was published; run the command again, which"
        r" uploads it anew$",
    ):
        commit(attempt, lk.state, found)  # type: ignore[arg-type]
    fresh = again(lk)
    assert land(fresh, "raw.trips", "SELECT 4 AS id", month="2024-01").outcome == "landed"
    assert numbers(fresh) == [4, 9]
    assert is_sound(lk)


def test_a_landing_that_publishes_first_is_kept(lk: Lake) -> None:
    attempt, found = staged(lk, "SELECT 4 AS id")
    other = again(lk)

    def after(verb: str, key: str) -> None:
        if verb == "list" and key == "raw/":
            commit(attempt, lk.state, found)  # type: ignore[arg-type]

    other.log.store = HookedStore(other.log.store, after=after)
    done = collect(other, timedelta(days=1))
    assert done.objects == ()
    assert numbers(again(lk)) == [4, 9]
    assert is_sound(lk)


def test_a_landing_between_log_and_doom_is_kept(lk: Lake) -> None:
    attempt, found = staged(lk, "SELECT 4 AS id")
    other = again(lk)

    def before(verb: str, key: str) -> None:
        if verb == "put_new" and key == layout.commit(5) and lk.commit == 4:
            commit(attempt, lk.state, found)  # type: ignore[arg-type]

    other.log.store = HookedStore(other.log.store, before=before)
    done = collect(other)
    assert (done.commit, done.versions) == (6, 2)
    assert numbers(again(lk)) == [4, 9]
    assert is_sound(lk)


LANDER = """
import sys, lake
from lake.errors import VersionConflict
lk, done, refused = lake.open(sys.argv[1]), 0, 0
for turn in range(int(sys.argv[2])):
    while True:
        try:
            lk.land(sys.argv[3 + turn % 2], dataset="raw.trips", partition={"month": "2024-03"})
            break
        except VersionConflict:
            refused += 1
            lk.refresh()
print(refused)
"""


def test_landings_and_collections_of_other_processes_lose_nothing(lk: Lake, tmp_path: Path) -> None:
    paths = [str(parquet(tmp_path / f"{n}.parquet", f"SELECT {n} AS id")) for n in (1, 2)]
    lander = subprocess.Popen(
        [sys.executable, "-c", LANDER, lk.url, "25", *paths],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    collections = 0
    while lander.poll() is None:
        collections += collect(again(lk)).commit is not None
    out, err = lander.communicate()
    assert (lander.returncode, err) == (0, "")
    assert int(out) >= 0
    assert collections > 0
    collect(again(lk))
    fresh = again(lk)
    assert numbers(fresh) == [1, 3, 9]
    assert fresh.state.partition("raw.trips", "month=2024-03").versions == 25
    assert is_sound(lk)


def test_a_kept_duration_that_is_negative_is_refused(lk: Lake) -> None:
    with pytest.raises(
        InvalidConfig,
        match=re.escape(
            "keep=-1 day, 0:00:00 lies in the future: give a duration, such as '30 days'"
        ),
    ):
        lk.gc(keep=timedelta(days=-1))


def test_it_lists_each_zone_once_and_deletes_each_object_once(lk: Lake) -> None:
    store = CountingStore(lk.log.store)
    lk.log.store = store
    done = collect(lk)
    assert store.count("delete") == len(done.objects)
    lists = [key for verb, key in store.requests if verb == "list"]
    assert lists.count("raw/") == lists.count("curated/") == 1
