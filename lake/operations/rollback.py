"""`rollback`: what an address held at some time becomes current again, by a commit."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from lake.catalog import fold, names, snapshot, tables
from lake.catalog.collected import refuse_collected
from lake.catalog.entries import Change, Declare, Remove, Replace
from lake.catalog.log import Log
from lake.catalog.state import NOTHING, Partition, State, Version, data_files
from lake.errors import NoSuchVersion
from lake.operations.moved import Seen, address, publish_changes, refuse_moved, seen
from lake.query import address as addresses
from lake.query.sql import literal
from lake.schema.admit import prepare, same_keys

if TYPE_CHECKING:
    from lake.lake import Lake


@dataclass(frozen=True, slots=True)
class Restored:
    """One partition that a rollback moved.

    Attributes:
        version: its newest version, after it.
        of: the version that is current again; 0 where it is gone again.
        rejected: the version that was current before; 0 where nothing was.
    """

    dataset: str
    partition: str
    outcome: Literal["restored", "removed"]
    version: int
    of: int = 0
    rejected: int = 0
    rows: int = 0


@dataclass(frozen=True, slots=True)
class RolledBack:
    """What a rollback came to; no `commit`: all of it was as wanted already.

    Attributes:
        to: the commit whose state it is again.
    """

    commit: int | None
    to: int
    partitions: tuple[Restored, ...] = ()


def rollback(lake: "Lake", text: str) -> RolledBack:
    """Restore what an address held, as one commit; without WHEN, before it was changed last.

    Of a dataset all partitions become what they were, and those that were not there are removed.
    What was current is rejected: `land` and `transform` skip just that until another content is
    published there.

    Raises:
        NoSuchDataset, NoSuchPartition, NoSuchVersion: the lake never had it, or it held nothing.
        VersionExpired: its files were collected.
        VersionConflict: it has moved meanwhile; nothing was published.
        SchemaConflict: it cannot be read together with what is there now; nothing was published.
    """
    wanted = addresses.parse(text)
    then = _then(lake.log, lake.state, wanted)
    texts = _texts(lake.state, then, wanted)
    before = seen([lake.state.partition(wanted.dataset, one) for one in texts])
    changes = plan(lake.state, then, wanted, texts)

    def look(head: State) -> Sequence[Change]:
        return look_again(lake.log, head, wanted.dataset, before, changes)

    message = f"rollback {address(wanted.dataset, wanted.partition)} to commit {then.commit}"
    former = lake.state.fork()
    number = publish_changes(lake, look, message=message)
    moved = [_restored(former, then, change, lake.state) for change in changes]
    return RolledBack(number, then.commit, tuple(one for one in moved if one))


def look_again(
    log: Log, head: State, dataset: str, before: Seen, changes: Sequence[Change]
) -> Sequence[Change]:
    """Return the changes of a rollback, if they still fit.

    Raises:
        VersionConflict, VersionExpired, SchemaConflict: they do not.
    """
    refuse_moved(head, dataset, before, what="rolled back")
    for change in changes:
        what = f"the version of {dataset} that the rollback wants"
        refuse_collected(head, fold.needed_keys(head, change), what=what)
    prepare(log, head, changes, {})
    return changes


def plan(head: State, then: State, wanted: addresses.Address, texts: Sequence[str]) -> list[Change]:
    """Return what makes partitions what they were; nothing for those that are."""
    pairs = [
        (head.partition(wanted.dataset, text), then.partition(wanted.dataset, text).current)
        for text in texts
    ]
    changes = [change for now, back in pairs for change in _change(head, now, back)]
    if wanted.partition and changes:
        same_keys(head, wanted.dataset, wanted.partition)
    # Whoever has the old keys goes first, or the dataset would keep them.
    changes.sort(key=lambda change: isinstance(change, Replace))
    return [*changes, *(_declarations(head, then, wanted.dataset) if changes else ())]


def _change(head: State, now: Partition, back: Version | None) -> list[Change]:
    current, rejects = now.current, rejected(now.current)
    if back is None:
        return [Remove(now.dataset, now.text, rejects)] if current else []
    if current and [f.key for f in current.files] == [f.key for f in back.files]:
        return []
    what = f"{address(now.dataset, now.text)}@v{back.number}"
    refuse_collected(head, fold.version_keys(back), what=what)
    change = Replace(now.dataset, now.text, back.files, back.content, back.landed, "rollback")
    return [replace(change, build=back.build, rejects=rejects, cursor=back.cursor)]


def rejected(version: Version | None) -> tuple[str, ...]:
    """Return what is remembered of a version that is taken back: content, source, build key."""
    if version is None:
        return (NOTHING,)
    found = (version.content, version.landed.origin.get("sha256", ""), version.build)
    return tuple(dict.fromkeys(filter(None, found)))


def _declarations(head: State, then: State, dataset: str) -> list[Declare]:
    """Return what was declared of a dataset that was dropped: its files are read by it."""
    kind, name = names.kind_of(dataset), dataset.partition(".")[2]
    text = then.declared(kind).get(name, "")
    if dataset in head.datasets or not text or name in head.declared(kind):
        return []
    return [Declare(kind, name, text)]


def _then(log: Log, head: State, wanted: addresses.Address) -> State:
    """Return the lake as it was when it held what is wanted."""
    if not wanted.when:
        return _before_last(log, head, wanted)
    then = addresses.state_of(log, head, wanted)
    addresses.find_dataset(then, wanted.dataset)
    if wanted.version is not None:
        _refuse_held(then, wanted)
    elif wanted.partition and not then.partition(wanted.dataset, wanted.partition).current:
        name = address(wanted.dataset, wanted.partition)
        raise NoSuchVersion(
            f"{name} held nothing at commit {then.commit}: `lake remove {name}` takes it away"
        )
    return then


def _refuse_held(then: State, wanted: addresses.Address) -> None:
    partition = then.partition(wanted.dataset, wanted.partition)
    name = f"{address(wanted.dataset, wanted.partition)}@{wanted.when}"
    for version in partition.held:
        if version.number == wanted.version:
            raise NoSuchVersion(
                f"{name} was held and never current ({version.reason}): `lake release {name}`"
                " publishes it"
            )
    if partition.current is None:
        raise NoSuchVersion(f"{name} is where it was taken away: it held nothing")


def _before_last(log: Log, head: State, wanted: addresses.Address) -> State:
    """Return the lake before the last commit that changed rows of an address."""
    number = _last_change(head, wanted)
    if number is None:
        addresses.find_partition(head, wanted)
        number = 1
    then = snapshot.state_at(log, head, number - 1)
    then = names.as_called(head, then, wanted.dataset)
    found = then.partitions(wanted.dataset)
    if not any(p.current for p in found if wanted.partition in ("", p.text)):
        name = address(wanted.dataset, wanted.partition)
        raise NoSuchVersion(
            f"{name} held nothing before commit {number}, which changed it last: name what to"
            f" restore, as in {name}@{max(number - 1, 1)}, or `lake log {name}`"
        )
    return then


def _last_change(head: State, wanted: addresses.Address) -> int | None:
    where = f"dataset = {literal(wanted.dataset)} AND held = '' AND action <> 'rewrite'"
    if wanted.partition:
        where += f" AND partition = {literal(wanted.partition)}"
    connection = tables.connect()
    tables.history(connection, head)
    found = connection.execute(f"SELECT max(commit) FROM meta._history WHERE {where}").fetchone()
    return int(found[0]) if found and found[0] else None


def _texts(head: State, then: State, wanted: addresses.Address) -> list[str]:
    """Return the partitions that are meant: one, or all that were there then or are now."""
    if wanted.partition or wanted.version is not None:
        return [wanted.partition]
    both = (*head.current(wanted.dataset), *then.current(wanted.dataset))
    return sorted({partition.text for partition in both})


def _restored(before: State, then: State, change: Change, after: State) -> Restored | None:
    if not isinstance(change, (Replace, Remove)):
        return None
    was = before.partition(change.dataset, change.partition)
    back = then.partition(change.dataset, change.partition).current
    return Restored(
        change.dataset,
        change.partition,
        "restored" if isinstance(change, Replace) else "removed",
        version=was.versions + 1,
        of=back.number if back and isinstance(change, Replace) else 0,
        rejected=was.current.number if was.current else 0,
        rows=sum(file.rows for file in data_files(after.partition(*_key(change)).current)),
    )


def _key(change: Replace | Remove) -> tuple[str, str]:
    return change.dataset, change.partition
