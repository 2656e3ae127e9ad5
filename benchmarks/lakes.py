"""Lakes with many commits, made by the code that publishes; their files are links to ten rows."""

import hashlib
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb

from benchmarks.places import cache, emptied
from lake import layout
from lake.catalog import identity
from lake.catalog.cache import Cache
from lake.catalog.entries import Column, File, Landed, Replace, schema_id
from lake.catalog.ids import commit_id
from lake.catalog.log import Log, open_log
from lake.catalog.publish import Draft, publish
from lake.catalog.state import State
from lake.landing.land import land
from lake.landing.order import Order
from lake.landing.stage import Attempt
from lake.schema.admit import prepare
from storage_backends import open_store

DATASETS = 10
FILES = 10
SCHEMA = (Column("at", "TIMESTAMP"), Column("zone", "INTEGER"), Column("fare", "DOUBLE"))
_ROWS = "SELECT TIMESTAMP '2024-01-01' AS at, n::INTEGER AS zone, n / 4 AS fare FROM range(10) t(n)"
_OF_WIDE = 10**6
"""Where its files are counted from: links are of files of its own."""
_LINKS = 50_000  # a file of ext4 has at most 65,000 names


def big_lake() -> Path:
    """Return the lake of 10,000 commits with 100,000 files; each benchmark adds a few."""
    path = cache() / "lake"
    if not (path / "done").exists():
        many_commits(path, 10_000)
        (path / "done").touch()
    return path


def wide_lake() -> Path:
    """Return the lake of 200 datasets with 500 partitions of a file each, as pages show it."""
    path = cache() / "wide"
    if not (path / "done").exists():
        identity.create(open_store(str(emptied(path))), timezone="UTC", now=datetime.now(UTC))
        log, state = opened(path)
        for day in range(500):
            publish_files(log, state, [_of_day(log, day, number) for number in range(200)])
        (path / "done").touch()
    return path


def _of_day(log: Log, day: int, number: int) -> Replace:
    text = f"day={date(2024, 1, 1) + timedelta(day)}"
    return _linked(log, f"raw.wide_{number:03}", text, _OF_WIDE + day * 200 + number)


def many_commits(path: Path, count: int) -> Path:
    """Make a lake of `count` commits with ten files each, each file a partition of its own."""
    identity.create(open_store(str(emptied(path))), timezone="UTC", now=datetime.now(UTC))
    log, state = opened(path)
    while state.commit < count:
        commit_one(log, state)
    return path


def opened(path: Path, entries: Path | None = None) -> tuple[Log, State]:
    """Open a lake; `entries` is the folder that caches what never changes."""
    return open_log(open_store(str(path)), cache_of=lambda url, lake_id: Cache(entries))


def commit_one(log: Log, state: State) -> None:
    """Publish the next ten files."""
    publish_files(log, state, next_files(log, state))


def next_files(log: Log, state: State) -> list[Replace]:
    """Return the next ten files, each a partition of its own."""
    return [_change(log, state.commit + 1, part) for part in range(FILES)]


def land_one(log: Log, state: State) -> None:
    """Land the ten rows as the next partition, as `Lake.land` does before its `catalog.duckdb`."""
    number = state.commit + 1
    order = Order(f"raw.trips_{number % DATASETS}", f"day={number:05}-new", (str(_rows(0)),))
    land(Attempt(log, commit_id(log.clock())), state, [order])


def publish_files(log: Log, state: State, changes: list[Replace]) -> None:
    """Publish files as one commit."""

    def plan(head: State) -> Draft:
        schemas = {schema_id(SCHEMA): SCHEMA}
        head.prefetch((change.dataset, change.partition) for change in changes)
        prepare(log, head, changes, schemas)
        return Draft(changes, schemas)

    publish(log, state, plan, commit_id=commit_id(log.clock()))


def _change(log: Log, number: int, part: int) -> Replace:
    dataset, text = f"raw.trips_{number % DATASETS}", f"day={number:05}-{part}"
    return _linked(log, dataset, text, number * FILES + part)


def _linked(log: Log, dataset: str, text: str, number: int) -> Replace:
    """Return the `number`-th file of a lake, as one that replaces a partition."""
    digest = hashlib.sha256(f"{number}".encode()).hexdigest()
    now = datetime.now(UTC)
    folder = layout.version(dataset, text, at=now, content=digest, commit_id=f"{number:08}")
    file = File(f"{folder}trips.parquet", 1000, digest, 10, schema_id(SCHEMA))
    _link(Path(log.store.data_url(file.key)), number // _LINKS)
    return Replace(dataset, text, (file,), digest, Landed(now.isoformat()))


def _link(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True)
    os.link(_rows(number), path)


def _rows(number: int) -> Path:
    path = cache() / f"ten-rows-{number}.parquet"
    if not path.exists():
        duckdb.sql(f"COPY ({_ROWS}) TO '{path}' (FORMAT parquet)")
    return path
