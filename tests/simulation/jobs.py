"""What the processes of the worlds do: the product's own verbs, with sources that the search moves.

Compaction is no verb yet: its plan is here, as the design has it, over the product's publishing.
"""

import dataclasses
import hashlib
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from lake import layout
from lake.catalog import checkpoint
from lake.catalog.entries import (
    Built,
    Change,
    File,
    Landed,
    Replace,
    Rewrite,
    Schema,
    schema_id,
)
from lake.catalog.get import get
from lake.catalog.log import Log
from lake.catalog.publish import Draft, publish
from lake.catalog.snapshot import state_at
from lake.catalog.state import State
from lake.convert.converted import Converted
from lake.errors import StoreUnavailable, VersionConflict, VersionExpired
from lake.landing.append import Batch, append
from lake.landing.land import land
from lake.landing.order import Order
from lake.landing.stage import Attempt
from lake.models.run import refuse_moved
from lake.operations import gc, rollback
from lake.operations.moved import publish_at, seen
from lake.parquet.inspect import Inspected
from lake.query.address import Address
from lake.schema.admit import prepare
from lake.sources.copy import Fetched
from tests.simulation import tables
from tests.simulation.process import Actor, Job, no_pause
from tests.simulation.store import Request

Ended = tuple[str, int, State]


def create(actor: Actor) -> Ended:
    """Make the lake."""
    text = '{"id": "lake", "timezone": "UTC", "created_at": "2026-01-31", "format": 1}'
    actor.store.put_new(layout.LAKE, text.encode())
    return "nothing", 0, State(lake="lake")


def landing(
    dataset: str = "raw.p",
    partition: str = "",
    *,
    end: str = "parquet",
    conditional: bool = False,
    kind: str = "int64",
) -> Job:
    """Return a job that lands what the source of a dataset holds.

    Args:
        dataset: where to; its source has the same name.
        partition: the partition's text.
        end: of the source's file name; a `csv` is converted, in each attempt to other bytes.
        conditional: whether the source knows ETags.
        kind: the type of the file's column.
    """

    def run(actor: Actor) -> Ended:
        def fetch(url: str, to: Path, *, etag: str) -> Fetched | None:
            version = ask_source(actor, dataset + partition)
            if conditional and version == etag:
                return None
            data = b"x\n1\n#" + version.encode() if end == "csv" else tables.parquet(version, kind)
            to.write_bytes(data)
            digest = hashlib.sha256(data).hexdigest()
            tag = version if conditional else ""
            return Fetched(to, f"{version}.{end}", len(data), digest, url, tag)

        def convert(path: Path, out: Path, *, name: str, **_: object) -> Converted:
            out.write_bytes(tables.parquet(f"{name} {actor.name}", kind))
            return Converted(1)

        log, state = actor.open()
        attempt = Attempt(log, actor.commit_id, "", fetch, tables.inspect, convert)
        order = Order(dataset, partition, (f"sim:{dataset}{partition}",))
        number = land(attempt, state, [order])[0].commit
        return ended(number, state)

    return run


def ask_source(actor: Actor, name: str) -> str:
    """Return what a source holds now."""
    return actor.ask(Request("fetch", name)).data.decode()


def ended(number: int | None, state: State) -> Ended:
    return ("done", number, state) if number else ("nothing", state.commit, state)


def appending(actor: Actor) -> Ended:
    """Append what is newer; a file's name says which rows it holds."""
    log, state = actor.open()
    attempt = Attempt(log, actor.commit_id)

    def extract(cursor: str) -> Batch | None:
        start, end = int(cursor or 0), int(ask_source(actor, "raw.a"))
        if end <= start:
            return None
        file, inspected = upload(actor, "raw.a", f"{start}-{end}", content=f"{start}{end}")
        schemas = {file.schema: inspected.schema}
        return Batch(cursor, str(end), (file,), Landed(at(actor)), schemas)

    return ended(append(attempt, state, "raw.a", "", extract), state)


def at(actor: Actor) -> str:
    return actor.clock().isoformat()


def upload(actor: Actor, dataset: str, name: str, *, content: str) -> tuple[File, Inspected]:
    """Upload a Parquet file that no other attempt makes byte for byte."""
    data = tables.parquet(f"{name} {actor.name}")
    digest = hashlib.sha256(content.encode()).hexdigest()
    folder = layout.version(
        dataset, "", at=actor.clock(), content=digest, commit_id=actor.commit_id
    )
    key = f"{folder}{name}.parquet"
    put_whole(actor, key, data)
    inspected = tables.inspect_bytes(data)
    made = hashlib.sha256(data).hexdigest()
    return File(key, len(data), made, 1, schema_id(inspected.schema)), inspected


def compacting(actor: Actor) -> Ended:
    """Write all files of a partition as one; refused when one of them is gone."""
    log, state = actor.open()
    now = state.partition("raw.a", "").current
    old = now.files if now else ()
    if len(old) < 2:
        return "nothing", state.commit, state
    name = "+".join(file.key.rsplit("/", 1)[-1].removesuffix(".parquet") for file in old)
    file, _ = upload(actor, "raw.a", name, content=name)

    def plan(head: State) -> Draft:
        now = head.partition("raw.a", "").current
        refuse_gone({one.key for one in old}, {one.key for one in now.files} if now else set())
        removed = tuple(one.key for one in old)
        return Draft([Rewrite("raw.a", "", removed, (file,), Landed(at(actor)))])

    return ended(publish(log, state, plan, commit_id=actor.commit_id), state)


def put_whole(actor: Actor, key: str, data: bytes) -> None:
    """Upload what is there, or not at all, once this returns."""
    try:
        actor.store.put_new(key, data)
    except OSError as exc:
        if not isinstance(exc, FileExistsError) or get(actor.store, key, no_pause) != data:
            raise StoreUnavailable(f"{key} could not be stored: {exc}") from exc


def refuse_gone(rewritten: set[str], there: set[str]) -> None:
    if not rewritten <= there:
        raise VersionConflict("a file that was rewritten is gone")


MODELS = ("curated.m1", "curated.m2")


@dataclasses.dataclass
class Transform:
    """m1 = f(raw.p), m2 = g(m1), pinned to one snapshot; each built once per key."""

    actor: Actor
    made: dict[str, tuple[Replace, Inspected]] = dataclasses.field(default_factory=dict)

    def changes(self, pinned: State) -> list[Change]:
        now = pinned.partition("raw.p", "").current
        content, changes = now.content if now else "", []
        for model in MODELS:
            key, current = f"{model}({content})", pinned.partition(model, "").current
            if current is None or current.build != key:
                changes.append(self.one(model, key, content, pinned.commit))
            content = changes[-1].content if changes else current.content if current else ""
        return [*changes, *(Built(one.dataset, one.build) for one in changes)]

    def one(self, model: str, key: str, content: str, commit: int) -> Replace:
        """Build a model, unless this process has; its bytes differ from run to run."""
        if key not in self.made:
            name = f"part-{len(self.made)}"
            file, inspected = upload(self.actor, model, name, content=content)
            change = Replace(model, "", (file,), file.sha256, Landed(at(self.actor)))
            self.made[key] = dataclasses.replace(change, why="publication", build=key), inspected
        landed = Landed(at(self.actor), origin={"in": content, "S": str(commit)})
        return dataclasses.replace(self.made[key][0], landed=landed)

    def schemas(self) -> dict[str, Schema]:
        found = self.made.values()
        return {f.schema: inspected.schema for change, inspected in found for f in change.files}


def transforming(actor: Actor) -> Ended:
    """Build and publish two models; whatever moved meanwhile, it is all planned again."""
    log, state = actor.open()
    transform = Transform(actor)
    while True:
        pinned = state.fork()
        changes = transform.changes(pinned)
        try:
            return ended(publish_models(actor, log, state, pinned, changes, transform), state)
        except VersionConflict:
            continue


def publish_models(
    actor: Actor, log: Log, state: State, pinned: State, changes: list[Change], transform: Transform
) -> int | None:
    def look(head: State) -> Draft:
        refuse_moved(changes, pinned, head)
        prepare(log, head, changes, transform.schemas())
        return Draft(changes, transform.schemas())

    return publish(log, state, look, commit_id=actor.commit_id)


def rolling_back(actor: Actor) -> Ended:
    """Restore what a partition held at commit 1; refused if it moved meanwhile."""
    log, state = actor.open()
    try:
        then = state_at(log, state, 1)
        changes = rollback.plan(state, then, Address("raw.p", when="1"), [""])
    except VersionExpired:
        return "nothing", state.commit, state
    before = seen([state.partition("raw.p", "")])

    def plan(head: State) -> Sequence[Change]:
        return rollback.look_again(log, head, "raw.p", before, changes)

    try:
        return ended(publish_at(log, state, plan, commit_id=actor.commit_id), state)
    except VersionExpired as exc:
        raise VersionConflict(str(exc)) from exc


def collecting(actor: Actor) -> Ended:
    """Collect what neither the head nor what is held needs: no former snapshot is kept."""
    log, state = actor.open()
    found = gc.Collection(log, state, timedelta(0))
    found.look()
    gc.remove(log, found.doomed_before())
    number = found.doom(commit_id=actor.commit_id)
    gc.remove(log, found.dead)
    return ended(number, state)


def checkpointing(actor: Actor) -> Ended:
    """Write a checkpoint of the head, however short the tail is; that it fails costs nothing."""
    log, state = actor.open()
    try:
        checkpoint.write(log, state)
    except OSError as exc:
        raise AssertionError("a checkpoint that cannot be written is no error") from exc
    return "nothing", state.commit, state


def reading(actor: Actor) -> Ended:
    """Read the head."""
    _, state = actor.open()
    return "read", state.commit, state
