import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lake import layout
from lake.catalog import checkpoint, identity
from lake.catalog.codec import sha256, to_json
from lake.catalog.entries import Author, Declare, Entry
from lake.errors import LakeTooNew, LogDamaged
from storage_backends import Store
from tests.catalog.changes import (
    History,
    Writer,
    everything,
    file,
    new_lake,
    opened,
    query,
    replace,
    walk,
    writer,
)
from tests.catalog.memory import MemoryStore
from tests.stores import CountingStore

PARTS = ("current.parquet", "history.parquet", "commits.parquet", "state.json")


@pytest.fixture
def at(tmp_path: Path) -> Writer:
    return writer(tmp_path / "lake")


def checkpoints(store: Store) -> list[int]:
    found = {item.key.split("/")[-1][:20] for item in store.list("_lake/checkpoints/")}
    return sorted(map(int, found))


def hint(store: Store) -> dict[str, object]:
    said: dict[str, object] = json.loads(store.get(layout.HINT))
    return said


def test_the_128th_entry_brings_a_checkpoint(at: Writer) -> None:
    for number in range(1, 130):
        at.commit(replace("raw.a", f"n={number}", file(f"f{number}")))
    assert checkpoints(at.log.store) == [128]
    assert hint(at.log.store)["commit"] == 128
    assert (at.state.base.commit, len(at.state.tail)) == (128, 1)
    _, state = opened(at.log.store)
    assert (state.base.commit, len(state.tail), state.commit) == (128, 1, 129)
    assert len(state.partitions("raw.a")) == 129


def test_many_changed_files_bring_one_too_but_not_in_a_lake_of_many_more(at: Writer) -> None:
    at.commit(*(replace("raw.a", f"n={n}", file(f"f{n}")) for n in range(999)))
    assert checkpoints(at.log.store) == []
    at.commit(replace("raw.a", "n=x", file("x"), file("y")))
    assert checkpoints(at.log.store) == [2]
    at.state.datasets["raw.a"].files = 100_000
    at.commit(*(replace("raw.b", f"n={n}", file(f"g{n}")) for n in range(1001)))
    assert checkpoints(at.log.store) == [2]


def test_a_checkpoint_is_five_objects_that_name_their_commit(at: Writer) -> None:
    walk(at, History(1), 5)
    assert checkpoint.write(at.log, at.state)
    assert {item.key for item in at.log.store.list("_lake/checkpoints/")} == {
        layout.checkpoint(5, part) for part in PARTS
    }
    state = json.loads(at.log.store.get(layout.checkpoint(5, "state.json")))
    assert state["sha256"] == sha256(at.log.store.get(layout.commit(5)))


def test_opening_reads_the_checkpoint_and_only_what_came_behind_it(at: Writer) -> None:
    walk(at, History(1), 20, checkpoints=15)
    counted = CountingStore(at.log.store)
    opened(counted)
    entries = [key for verb, key in counted.requests if key.startswith(layout.LOG)]
    assert entries[0] == layout.commit(16)
    assert counted.count("list") == 0


@pytest.mark.parametrize("part", PARTS)
def test_a_lake_opens_without_any_part_of_its_checkpoint(at: Writer, part: str) -> None:
    walk(at, History(2), 12, checkpoints=10)
    known = everything(at.state)
    at.log.store.delete(layout.checkpoint(10, part))
    _, state = opened(at.log.store)
    assert everything(state) == known
    assert state.base.commit == 0


@pytest.mark.parametrize("part", PARTS)
def test_a_lake_opens_with_a_checkpoint_that_was_cut_off(at: Writer, part: str) -> None:
    walk(at, History(2), 12, checkpoints=10)
    known = everything(at.state)
    path = Path(at.log.store.data_url(layout.checkpoint(10, part)))
    path.chmod(0o644)
    os.truncate(path, path.stat().st_size // 2)
    _, state = opened(at.log.store)
    assert everything(state) == known
    assert state.base.commit == 0


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"commit": "x"}',
        b'{"commit": 1e999}',
        b"\xff",
        b'{"commit": 3}',
    ],
)
def test_a_hint_that_is_rubbish_costs_time_only(at: Writer, said: bytes) -> None:
    walk(at, History(3), 12, checkpoints=10)
    at.log.store.put(layout.HINT, said)
    assert everything(opened(at.log.store)[1]) == everything(at.state)


def test_a_lake_opens_without_a_hint_and_with_an_old_one(at: Writer) -> None:
    walk(at, History(3), 22, checkpoints=10)
    at.log.store.put(layout.HINT, checkpoint.hint(at.log.identity, 10))
    assert everything(opened(at.log.store)[1]) == everything(at.state)
    at.log.store.delete(layout.HINT)
    assert everything(opened(at.log.store)[1]) == everything(at.state)


def test_a_hint_beyond_the_log_is_damage(at: Writer) -> None:
    walk(at, History(3), 3)
    at.log.store.put(layout.HINT, checkpoint.hint(at.log.identity, 9))
    with pytest.raises(LogDamaged, match=r"commit 9 was published, the log in .* ends at 3"):
        opened(at.log.store)


@pytest.mark.parametrize("key", [layout.HINT, layout.LAKE, layout.checkpoint(10, "state.json")])
def test_a_lake_of_a_later_format_is_not_read(at: Writer, key: str) -> None:
    walk(at, History(3), 10, checkpoints=10)
    said = json.loads(at.log.store.get(key)) | {"format": 2}
    at.log.store.put(key, json.dumps(said).encode())
    if key == layout.LAKE:
        at.log.store.delete(layout.HINT)
    with pytest.raises(LakeTooNew, match=r"has format 2.*upgrade clearlake"):
        opened(at.log.store)


def test_a_checkpoint_of_another_lake_is_not_taken(at: Writer) -> None:
    walk(at, History(3), 10, checkpoints=10)
    key = layout.checkpoint(10, "state.json")
    at.log.store.put(
        key, json.dumps(json.loads(at.log.store.get(key)) | {"lake": "other"}).encode()
    )
    assert opened(at.log.store)[1].base.commit == 0


def test_a_second_checkpoint_stands_on_the_first(at: Writer) -> None:
    walk(at, History(4), 30, checkpoints=10)
    assert opened(at.log.store)[1].checkpoints == (10, 20, 30)
    found = query(at.state, "SELECT count(*), max(commit) FROM meta.commits")
    assert found == [(30, 30)]


def test_many_threads_ask_a_checkpoint_at_a_time(at: Writer) -> None:
    at.commit(*(replace("raw.a", f"n={n}", file(f"f{n}")) for n in range(300)))
    checkpoint.write(at.log, at.state)
    base = opened(at.log.store)[1].base

    def ask(number: int) -> int:
        asked = base.of if number % 2 else base.data_files
        return len(list(asked("raw.a")))

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(64))) == {300}


def test_two_processes_may_write_one_checkpoint(at: Writer) -> None:
    walk(at, History(4), 10)
    other = Writer(*opened(at.log.store))
    assert checkpoint.write(at.log, at.state)
    assert checkpoint.write(other.log, other.state)
    assert everything(at.state) == everything(other.state)


def test_a_bucket_is_read_through_a_scratch_folder_where_there_is_no_cache(
    tmp_path: Path,
) -> None:
    store = MemoryStore()
    identity.create(store, timezone="UTC", now=datetime.now(UTC))
    at = Writer(*opened(store))
    walk(at, History(5), 12, checkpoints=10)
    for cache in (None, tmp_path / "cache"):
        _, state = opened(store, cache)
        assert state.base.commit == 10
        assert everything(state) == everything(at.state)


def test_a_cached_checkpoint_is_not_fetched_again_unless_it_was_cut_off(tmp_path: Path) -> None:
    store = MemoryStore()
    identity.create(store, timezone="UTC", now=datetime.now(UTC))
    at = Writer(*opened(store))
    walk(at, History(5), 10, checkpoints=10)
    opened(store, tmp_path)
    counted = CountingStore(store)
    assert everything(opened(counted, tmp_path)[1]) == everything(at.state)
    asked = [layout.HINT, layout.commit(11), layout.commit(10)]
    assert counted.requests == [("get", key) for key in asked]
    for part in PARTS:
        os.truncate(tmp_path / layout.checkpoint(10, part), 7)
    for _ in range(2):
        assert everything(opened(store, tmp_path)[1]) == everything(at.state)


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    store = MemoryStore()
    identity.create(store, timezone="UTC", now=datetime.now(UTC))
    at = Writer(*opened(store))
    walk(at, History(5), 10, checkpoints=10)
    (tmp_path / "file").write_bytes(b"no folder")
    assert opened(store, tmp_path / "file")[1].base.commit == 10


def test_the_first_entry_has_no_parent() -> None:
    entry = Entry("lake", 1, "id", "", "", (Declare("lake", "a", "b"),), author=Author())
    assert json.loads(to_json(entry))["parent"] == ""


def test_an_empty_lake_has_no_checkpoint(tmp_path: Path) -> None:
    log, state = opened(new_lake(tmp_path / "lake"))
    assert not checkpoint.write(log, state)
