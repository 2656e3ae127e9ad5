"""How often the store is asked: what a bucket bills, and what a slow network waits for."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier

import duckdb
import pytest

from lake import layout
from lake.catalog import checkpoint, identity
from lake.catalog.cache import Cache
from lake.catalog.entries import Tag
from lake.catalog.ids import commit_id
from lake.catalog.log import Log, open_log
from lake.catalog.publish import Draft, publish
from lake.catalog.state import State
from lake.landing.land import land
from lake.landing.order import Order
from lake.landing.stage import Attempt
from tests.catalog.memory import MemoryStore
from tests.stores import CountingStore, HookedStore

Open = Callable[[], tuple[CountingStore, Log, State]]


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    """Open the lake as a new process on the same machine does: with its cache, and nothing else."""
    store = MemoryStore()
    who = identity.create(store, timezone="UTC", now=datetime.now(UTC))
    store.put_new(layout.HINT, checkpoint.hint(who, 0))

    def open_it() -> tuple[CountingStore, Log, State]:
        counted = CountingStore(store)
        log, state = open_log(counted, cache_of=lambda url, lake_id: Cache(tmp_path / "entries"))
        return counted, log, state

    land_month(*open_it()[1:], tmp_path, 0)
    return open_it


def land_month(log: Log, state: State, folder: Path, number: int, columns: str = "") -> None:
    path = folder / f"{number}.parquet"
    duckdb.sql(f"COPY (SELECT {number} AS trips {columns}) TO '{path}' (FORMAT parquet)")
    order = Order("raw.trips", f"month={number}", (str(path),))
    land(Attempt(log, commit_id(log.clock())), state, [order])


def tag(log: Log, state: State, count: int) -> None:
    def plan(head: State) -> Draft:
        return Draft([Tag("t", head.commit)])

    for _ in range(count):
        publish(log, state, plan, commit_id=commit_id(log.clock()))


def counted_requests(store: CountingStore) -> list[tuple[str, str]]:
    """Leave out the data and their profile, and checkpoints with the hint of the newest."""
    return [
        (verb, key)
        for verb, key in store.requests
        if verb != "upload"
        and not key.startswith("_lake/checkpoint")
        and not key.endswith(layout.PROFILE)
    ]


def test_a_partition_lands_in_six_requests_besides_its_upload(opened: Open, tmp_path: Path) -> None:
    store, log, state = opened()

    land_month(log, state, tmp_path, 1, ", 2.5 AS fare")

    asked = counted_requests(store)
    assert len(asked) <= 6, asked
    assert [verb for verb, _ in asked].count("list") == 1
    assert sum(key.startswith("_lake/schemas/") for _, key in asked) == 1
    assert [verb for verb, _ in store.requests].count("upload") == 1


def test_the_next_partition_of_the_same_process_takes_two(opened: Open, tmp_path: Path) -> None:
    store, log, state = opened()
    land_month(log, state, tmp_path, 1)
    store.requests.clear()

    land_month(log, state, tmp_path, 2)

    receipt, entry = counted_requests(store)
    assert receipt[1].endswith(layout.RECEIPT)
    assert entry == ("put_new", layout.commit(3))


@pytest.mark.parametrize("commits", [0, 3, 300])
def test_a_warm_open_takes_three_requests_and_no_listing(opened: Open, commits: int) -> None:
    _, log, state = opened()
    tag(log, state, commits)
    opened()

    store, _, state = opened()

    assert state.commit == 1 + commits
    assert store.count() <= 3, store.requests
    assert store.count("list") == 0


def test_a_commit_takes_as_many_requests_at_300_as_at_3(opened: Open, tmp_path: Path) -> None:
    taken = []
    for commits in (2, 296):
        _, log, state = opened()
        tag(log, state, commits)
        opened()
        store, log, state = opened()
        land_month(log, state, tmp_path, state.commit)
        taken.append(len(counted_requests(store)))

    assert taken[0] == taken[1] <= 6


def test_what_a_first_open_reads_of_a_long_log_is_asked_for_together(opened: Open) -> None:
    _, log, state = opened()
    tag(log, state, 10)
    checkpoint.write(log, state)
    tag(log, state, log.parallel - 1)
    tables, entries = Barrier(len(checkpoint.TABLES)), Barrier(log.parallel)

    def wait_for_the_others(verb: str, key: str) -> None:
        if verb == "download":
            tables.wait(timeout=10)
        elif layout.LOG in key:
            entries.wait(timeout=10)

    _, found = open_log(HookedStore(log.store, before=wait_for_the_others))

    assert found.commit == state.commit
