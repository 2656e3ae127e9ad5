"""A lake's log in a folder, changes to publish on it, and random histories of them."""

import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lake import layout
from lake.catalog import checkpoint, identity, tables
from lake.catalog.cache import Cache
from lake.catalog.entries import (
    Append,
    Built,
    Change,
    Column,
    Declare,
    Drop,
    File,
    Hold,
    Landed,
    Note,
    Release,
    Remove,
    Rename,
    Replace,
    Rewrite,
    Schema,
    Tag,
    schema_id,
)
from lake.catalog.ids import commit_id
from lake.catalog.log import Log, open_log
from lake.catalog.publish import Draft, publish
from lake.catalog.state import State
from lake.query import meta
from storage_backends import Store, open_store

NOON = datetime(2024, 1, 31, 12, tzinfo=UTC)
SCHEMAS: dict[str, Schema] = {
    schema_id(schema): schema
    for schema in (
        (Column("id", "BIGINT"), Column("fare", "DOUBLE")),
        (Column("id", "INTEGER"), Column("Fare", "DOUBLE")),
        (Column("ID", "BIGINT"), Column("fee", "BIGINT", ("null",))),
    )
}


def file(name: str, *, rows: int = 3, kind: int = 0, role: str = "data", each: str = "") -> File:
    """Return a file that a change may name; the log never looks whether it is there."""
    made: Any = {"role": role, "each": each}
    digest = hashlib.sha256(name.encode()).hexdigest()
    schema = sorted(SCHEMAS)[kind] if role == "data" else ""
    return File(f"raw/files/{name}.parquet", 10 * rows, digest, rows, schema, **made)


def landed(at: datetime = NOON) -> Landed:
    """Return what came with a version."""
    return Landed(at.isoformat(), "raw/files/_receipt.json", "run", {"url": "a.parquet"})


def replace(dataset: str, partition: str, *files: File, **more: Any) -> Replace:
    """Return a landing."""
    content = "-".join(one.key for one in files)
    return Replace(dataset, partition, files, content, landed(), **more)


def new_lake(root: Path, *, timezone: str = "UTC") -> Store:
    """Make an empty lake in a folder."""
    store = open_store(str(root))
    identity.create(store, timezone=timezone, now=datetime.now(UTC))
    return store


def opened(store: Store, cache: Path | None = None) -> tuple[Log, State]:
    """Open a lake as another process would."""
    return open_log(store, cache_of=lambda url, lake: Cache(cache))


@dataclass
class Clock:
    """A clock that the test sets, for a store and a host."""

    moment: datetime = NOON

    def __call__(self) -> datetime:
        return self.moment


@dataclass
class Writer:
    """Publishes changes, one commit after the other."""

    log: Log
    state: State

    def commit(self, *changes: Change) -> int:
        number = publish(
            self.log,
            self.state,
            lambda state: Draft(changes, SCHEMAS),
            commit_id=commit_id(datetime.now(UTC)),
        )
        assert number is not None
        return number


def writer(root: Path, **lake: Any) -> Writer:
    """Make a lake in a folder and open it to write."""
    return Writer(*opened(new_lake(root, **lake)))


def everything(state: State) -> dict[str, Any]:
    """Return all that a state says, to compare it with another one."""
    names = {*state.datasets, *NAMES}
    return {
        "commit": (state.commit, state.head_sha256, state.committed_at),
        "datasets": {name: repr(one) for name, one in sorted(state.datasets.items())},
        "partitions": {name: state.partitions(name) for name in sorted(names)},
        "files": {name: state.data_files(name) for name in sorted(names)},
        "schemas": dict(state.schemas),
        "declarations": {kind: dict(texts) for kind, texts in state.declarations.items() if texts},
        "tags": dict(state.tags),
        "built": {name: dict(one) for name, one in state.built.items() if one},
    }


def query(state: State, select: str) -> list[tuple[Any, ...]]:
    """Return what a SELECT over the metadata tables of a state gives."""
    connection = tables.connect()
    meta.make(connection, state)
    rows: list[tuple[Any, ...]] = connection.execute(select).fetchall()
    return rows


NAMES = ("raw.a", "raw.b", "raw.c")
PARTITIONS = ("month=2024-01", "month=2024-02", "month=%C3%A9%20%2F")


@dataclass
class History:
    """Random commits, each allowed where it comes; the same seed gives the same."""

    seed: int
    count: int = 0
    steps: int = 0
    dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)

    def changes(self, state: State) -> list[Change]:
        """Return the changes of the next commit: of one dataset's partitions, or of the lake."""
        pick = self.dice.choice
        dataset = pick(NAMES)
        texts = self.dice.sample(PARTITIONS, self.dice.randint(1, 3))
        made = [pick(_KINDS)(self, state, dataset, text) for text in texts]
        found = [change for change in made if change]
        return found or [Tag(f"t{self.dice.randint(1, 3)}", state.commit + 1)]

    def files(self) -> Iterator[File]:
        for _ in range(self.dice.randint(1, 3)):
            self.count += 1
            name, rows = f"{self.seed}-{self.count}", self.dice.randint(0, 9)
            yield file(name, rows=rows, kind=self.dice.randrange(3))
        if self.dice.random() < 0.3:
            yield file(f"{self.seed}-{self.count}-original", role="original", rows=0)

    def replace(self, state: State, dataset: str, text: str) -> Change:
        return replace(dataset, text, *self.files())

    def append(self, state: State, dataset: str, text: str) -> Change:
        self.count += 1
        cursor = str(self.count)
        return Append(dataset, text, tuple(self.files()), cursor, landed(), end=cursor)

    def rewrite(self, state: State, dataset: str, text: str) -> Change | None:
        current = state.partition(dataset, text).current
        if current is None:
            return None
        removed = [one.key for one in current.files if one.role == "data"][:2]
        added = tuple(one for one in self.files() if one.role == "data")
        return Rewrite(dataset, text, tuple(removed), added, landed())

    def rollback(self, state: State, dataset: str, text: str) -> Change | None:
        events = [e for e in state.events if (e.dataset, e.partition) == (dataset, text)]
        old = [event for event in events if event.added and not event.held]
        if not old:
            return None
        files, rejects = self.dice.choice(old).added, (f"r{self.count}",)
        return replace(dataset, text, *files, why="rollback", rejects=rejects)

    def remove(self, state: State, dataset: str, text: str) -> Change | None:
        return Remove(dataset, text) if state.partition(dataset, text).current else None

    def hold(self, state: State, dataset: str, text: str) -> Change:
        self.count += 1
        return Hold(dataset, text, tuple(self.files()), f"h{self.count}", landed(), "no")

    def release(self, state: State, dataset: str, text: str) -> Change | None:
        held = state.partition(dataset, text).held
        return Release(dataset, text, held[0].number) if held else None

    def build(self, state: State, dataset: str, text: str) -> Change:
        return Built(dataset, f"key{self.count}", scope=text, gone=self.dice.random() < 0.2)

    def note(self, state: State, dataset: str, text: str) -> Change | None:
        known = state.partition(dataset, text).versions
        return Note("gone", dataset, text) if known else None

    def declare(self, state: State, dataset: str, text: str) -> Change:
        return Declare("lake", dataset, self.dice.choice(["", "said"]))


_Kind = Callable[[History, State, str, str], Change | None]
_KINDS: tuple[_Kind, ...] = (
    *(History.replace,) * 3,
    History.append,
    History.rewrite,
    History.rollback,
    History.remove,
    History.hold,
    History.release,
    History.build,
    History.note,
    History.declare,
)


def drop_or_rename(history: History, state: State) -> list[Change]:
    """Return a commit that drops or renames a dataset, if there is one."""
    if not state.datasets:
        return []
    dataset = history.dice.choice(sorted(state.datasets))
    unused = f"raw.n{state.commit}"
    if history.dice.random() < 0.5:
        return [Drop(dataset)]
    return [Rename(dataset, unused)]


def walk(at: Writer, history: History, commits: int, *, checkpoints: int = 0) -> None:
    """Publish the next commits of a random history, with a checkpoint every so often."""
    for _ in range(commits):
        history.steps += 1
        moved = drop_or_rename(history, at.state) if history.steps % 11 == 0 else []
        at.commit(*(moved or history.changes(at.state)))
        if checkpoints and history.steps % checkpoints == 0:
            assert checkpoint.write(at.log, at.state)


def entry_keys(store: Store) -> list[str]:
    """Return the keys of the log."""
    return [item.key for item in store.list(layout.LOG)]
