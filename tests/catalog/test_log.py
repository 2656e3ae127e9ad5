import json
from pathlib import Path

import pytest

from lake import layout
from lake.catalog.cache import Cache
from lake.catalog.codec import sha256
from lake.errors import LakeTooNew, LogDamaged, StoreUnavailable
from tests.catalog.changes import (
    History,
    Writer,
    everything,
    file,
    opened,
    replace,
    walk,
    writer,
)
from tests.stores import CountingStore, HookedStore


@pytest.fixture
def at(tmp_path: Path) -> Writer:
    made = writer(tmp_path / "lake")
    walk(made, History(1), 6)
    return made


def test_the_head_is_found_without_a_listing_and_in_few_requests(at: Writer) -> None:
    counted = CountingStore(at.log.store)
    assert opened(counted)[1].commit == 6
    assert counted.count("list") == 0
    assert counted.count("get") == 1 + 1 + 1 + 2 + 4  # no hint, lake.json, entries 1, 2-3, 4-7


def test_cached_entries_are_not_fetched_again(at: Writer, tmp_path: Path) -> None:
    opened(at.log.store, tmp_path / "cache")
    counted = CountingStore(at.log.store)
    assert everything(opened(counted, tmp_path / "cache")[1]) == everything(at.state)
    assert [key for _, key in counted.requests][2:] == [layout.commit(7), layout.commit(6)]


def test_what_is_published_is_cached(at: Writer, tmp_path: Path) -> None:
    here = Writer(*opened(at.log.store, tmp_path / "cache"))
    here.commit(replace("raw.a", "", file("new")))
    stored = at.log.store.get(layout.commit(7))
    assert Cache(tmp_path / "cache").get(layout.commit(7)) == stored


@pytest.mark.parametrize("said", [b"", b"{}", b'{"format": 1}', b"[1]", b"\xff"])
@pytest.mark.parametrize("number", [1, 3, 6])
def test_a_damaged_cache_heals(at: Writer, tmp_path: Path, said: bytes, number: int) -> None:
    opened(at.log.store, tmp_path / "cache")
    damaged = tmp_path / "cache" / layout.commit(number)
    damaged.write_bytes(said)
    for _ in range(2):
        assert everything(opened(at.log.store, tmp_path / "cache")[1]) == everything(at.state)


def test_a_cached_entry_that_is_another_one_is_forgotten(at: Writer, tmp_path: Path) -> None:
    opened(at.log.store, tmp_path / "cache")
    cache, stored = Cache(tmp_path / "cache"), at.log.store.get(layout.commit(3))
    cache.put(layout.commit(3), stored.replace(b"raw.", b"new."))
    with pytest.raises(LogDamaged, match=r"00000000000000000004.json does not follow"):
        opened(at.log.store, tmp_path / "cache")
    assert everything(opened(at.log.store, tmp_path / "cache")[1]) == everything(at.state)


def test_an_entry_that_does_not_follow_stops_readers_and_writers(at: Writer) -> None:
    key = layout.commit(4)
    at.log.store.put(key, at.log.store.get(key).replace(b'"commit":4', b'"commit":4,"message":"x"'))
    with pytest.raises(LogDamaged, match=r"00000000000000000005.json does not follow"):
        opened(at.log.store)


def test_a_hole_in_the_log_stops_readers_that_see_beyond_it(at: Writer) -> None:
    at.log.store.delete(layout.commit(5))
    with pytest.raises(LogDamaged, match=r"00000000000000000005.json is missing"):
        opened(at.log.store)


def test_a_hole_at_the_head_stops_writers(at: Writer) -> None:
    behind = Writer(*opened(at.log.store))
    walk(at, History(2), 2)
    at.log.store.delete(layout.commit(7))
    with pytest.raises(LogDamaged, match=r"00000000000000000007.json is missing, and"):
        behind.commit(replace("raw.a", "", file("new")))


def test_a_store_that_may_not_tell_is_no_empty_lake(at: Writer) -> None:
    def forbid(verb: str, key: str) -> None:
        if key == layout.commit(1):
            raise PermissionError(key)

    with pytest.raises(StoreUnavailable, match="cannot read _lake/log/00000000000000000001"):
        opened(HookedStore(at.log.store, before=forbid))


def large(at: Writer, count: int = 9) -> None:
    """Publish a commit whose changes are too many for its entry."""
    at.commit(
        *(replace("raw.big", f"n={n}", file(f"big{n}" + "x" * 300_000)) for n in range(count))
    )


def changes_of(at: Writer) -> str:
    found = [item.key for item in at.log.store.list(layout.LOG) if item.key.endswith(".parquet")]
    assert len(found) == 1
    return found[0]


def test_changes_of_more_than_4_mb_lie_in_a_file_that_the_entry_names(at: Writer) -> None:
    large(at)
    entry = json.loads(at.log.store.get(layout.commit(7)))
    data = at.log.store.get(changes_of(at))
    assert "changes" not in entry or not entry["changes"]
    assert entry["changes_file"] == {"key": changes_of(at), "sha256": sha256(data)}
    assert len(at.log.store.get(layout.commit(7))) < 10_000
    assert everything(opened(at.log.store)[1]) == everything(at.state)


@pytest.mark.parametrize("said", [b"", b"PAR1"])
def test_other_changes_than_the_entry_names_are_damage(at: Writer, said: bytes) -> None:
    large(at)
    at.log.store.put(changes_of(at), said)
    with pytest.raises(LogDamaged, match="is not the file that commit 7 names"):
        opened(at.log.store)


def test_a_damaged_cache_of_changes_heals(at: Writer, tmp_path: Path) -> None:
    large(at)
    opened(at.log.store, tmp_path / "cache")
    (tmp_path / "cache" / changes_of(at)).write_bytes(b"")
    assert everything(opened(at.log.store, tmp_path / "cache")[1]) == everything(at.state)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"format":1', b'"format":2', "has format 2, this clearlake knows 1: upgrade clearlake"),
        (b'"action":"replace"', b'"action":"teleport"', "holds the change 'teleport'"),
        (b'"action":"replace"', b'"action":"erase"', "erased at commit 7"),
    ],
)
def test_an_entry_of_a_later_format_stops_readers(
    at: Writer, old: bytes, new: bytes, message: str
) -> None:
    at.commit(replace("raw.a", "", file("new")))
    at.log.store.put(layout.commit(7), at.log.store.get(layout.commit(7)).replace(old, new))
    with pytest.raises(LakeTooNew, match=message):
        opened(at.log.store)


def test_a_lake_that_was_set_back_is_damaged_for_who_remembers_more(
    at: Writer, tmp_path: Path
) -> None:
    opened(at.log.store, tmp_path / "cache")
    last = at.log.store.get(layout.commit(6))
    at.log.store.delete(layout.commit(6))
    with pytest.raises(
        LogDamaged, match=r"0006\.json in .* is missing: restore it from a copy, or"
    ):
        opened(at.log.store, tmp_path / "cache")
    at.log.store.put_new(layout.commit(6), last + b" ")
    with pytest.raises(LogDamaged, match=r"0006\.json in .* is not what it was: restore it"):
        opened(at.log.store, tmp_path / "cache")
