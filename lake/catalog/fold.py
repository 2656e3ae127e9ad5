"""How each change moves the state: the meaning of the log."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from lake import layout
from lake.catalog.entries import (
    Append,
    Built,
    Change,
    Declare,
    Doom,
    Drop,
    Entry,
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
)
from lake.catalog.state import (
    Dataset,
    Partition,
    PartitionKey,
    State,
    Version,
    VersionEvent,
    data_files,
    slim,
)
from lake.errors import LogDamaged


def apply(state: State, entry: Entry, sha256: str) -> None:
    """Fold the entry that follows the state's commit into it.

    Args:
        state: moved forward, in place.
        entry: number `state.commit + 1`.
        sha256: of the entry's stored bytes.

    Raises:
        LogDamaged: the entry does not follow from the one before, or names what cannot be.
    """
    if (
        entry.commit != state.commit + 1
        or entry.parent != state.head_sha256
        or entry.lake != state.lake
    ):
        raise LogDamaged(
            f"{layout.commit(state.commit + 1)} does not follow from the entry before it: the log"
            " was changed behind the lake's back; restore it from a copy"
        )
    state.commit, state.head_sha256, state.committed_at = entry.commit, sha256, entry.committed_at
    apply_changes(state, entry.changes, entry.schemas)
    state.tail.append(entry)


def apply_changes(state: State, changes: Sequence[Change], schemas: Mapping[str, Schema]) -> None:
    """Fold changes into a state without an entry: what a commit that is not published would do."""
    state.schemas.update(schemas)
    state.prefetch(touched(changes))
    for change in changes:
        _APPLY[type(change)](state, change)


def touched(changes: Iterable[Change]) -> list[PartitionKey]:
    """Return the partitions that changes speak of."""
    return [
        (change.dataset, change.partition)
        for change in changes
        if isinstance(change, (Replace, Append, Rewrite, Remove, Hold, Release))
    ]


def named_keys(change: Change) -> set[str]:
    """Return the keys of all files that a change would publish."""
    if isinstance(change, (Replace, Append, Hold)):
        return {file.key for file in change.files}
    return {file.key for file in change.added} if isinstance(change, Rewrite) else set()


def needed_keys(state: State, change: Change) -> set[str]:
    """Return the keys that must be there once a change is published: its files and its receipt."""
    if isinstance(change, Release):
        held = state.partition(change.dataset, change.partition).held
        return {key for one in held if one.number == change.version for key in version_keys(one)}
    if isinstance(change, (Replace, Append, Rewrite, Hold)):
        return named_keys(change) | {change.landed.receipt} - {""}
    return set()


def version_keys(version: Version) -> set[str]:
    """Return the keys of a version's files and of its receipt."""
    return {file.key for file in version.files} | {version.landed.receipt} - {""}


def _replace(state: State, change: Replace) -> None:
    before = state.partition(change.dataset, change.partition)
    more = {"why": change.why, "build": change.build, "cursor": change.cursor}
    version = _version(state, before, change, **more)
    _move(state, before, version, action=change.why, rejects=_rejects(before, change))


def _rejects(before: Partition, change: Replace) -> tuple[str, ...]:
    """A rollback remembers what it rejected; any other content published there ends that."""
    if change.why != "rollback":
        return ()
    now = (change.content, change.build)
    both = dict.fromkeys((*before.rejects, *change.rejects))
    return tuple(one for one in both if one not in now)


def _version(state: State, before: Partition, change: Any, **more: Any) -> Version:
    files = tuple(slim(file) for file in change.files)
    return Version(before.versions + 1, state.commit, files, change.content, change.landed, **more)


def _append(state: State, change: Append) -> None:
    before = state.partition(change.dataset, change.partition)
    version = _version(state, before, change, why="append", cursor=change.end)
    if before.current:
        version = dataclasses.replace(version, files=(*before.current.files, *version.files))
    _move(state, before, version, action="append")


def _rewrite(state: State, change: Rewrite) -> None:
    before = state.partition(change.dataset, change.partition)
    if before.current is None:
        raise LogDamaged(
            f"commit {state.commit} rewrites {change.dataset}, which holds nothing there"
        )
    kept = tuple(f for f in before.current.files if f.key not in change.removed)
    version = dataclasses.replace(
        before.current,
        number=before.versions + 1,
        commit=state.commit,
        files=(*kept, *(slim(file) for file in change.added)),
        landed=change.landed,
    )
    _move(state, before, version, action="rewrite", rejects=before.rejects)


def _remove(state: State, change: Remove) -> None:
    before = state.partition(change.dataset, change.partition)
    _move(state, before, None, action="remove", rejects=(*before.rejects, *change.rejects))


def _drop(state: State, change: Drop) -> None:
    for partition in state.partitions(change.dataset):
        bare = dataclasses.replace(partition, held=(), rejects=(), gone=False)
        if partition.current or partition.held:
            _move(state, bare, None, action="drop")
        else:
            state.put(bare)
    state.datasets.pop(change.dataset, None)
    state.built.pop(change.dataset, None)


def _rename(state: State, change: Rename) -> None:
    for partition in state.partitions(change.dataset):
        state.put(dataclasses.replace(partition, dataset=change.to))
        state.put(Partition(partition.dataset, partition.text))
    dataset = state.datasets.pop(change.dataset)
    state.datasets[change.to] = dataclasses.replace(dataset, name=change.to)
    state.renames.append((change.dataset, change.to))
    state.renamed.append((state.commit, change.dataset, change.to))
    state.events = [
        dataclasses.replace(event, dataset=change.to) if event.dataset == change.dataset else event
        for event in state.events
    ]
    if change.dataset in state.built:
        state.built[change.to] = state.built.pop(change.dataset)


def _hold(state: State, change: Hold) -> None:
    before = state.partition(change.dataset, change.partition)
    version = _version(state, before, change, why=change.why, reason=change.reason)
    state.put(dataclasses.replace(before, versions=version.number, held=(*before.held, version)))
    dataset = _dataset(state, before)
    dataset.versions += 1
    dataset.held += 1
    _note_event(state, before, version, action="hold", added=version.files, removed=())


def _release(state: State, change: Release) -> None:
    before = state.partition(change.dataset, change.partition)
    held = next((v for v in before.held if v.number == change.version), None)
    if held is None:
        raise LogDamaged(f"commit {state.commit} releases v{change.version}, which was not held")
    version = dataclasses.replace(
        held, number=before.versions + 1, commit=state.commit, why="release", reason=""
    )
    rest = tuple(v for v in before.held if v.number != change.version)
    _dataset(state, before).held -= 1
    _move(state, dataclasses.replace(before, held=rest), version, action="release")


def _move(
    state: State,
    before: Partition,
    version: Version | None,
    *,
    action: str,
    rejects: tuple[str, ...] = (),
) -> None:
    """Make `version` what the partition holds, and keep the dataset's totals right."""
    number = before.versions + 1
    gone = before.gone and action == "rewrite"
    state.put(
        dataclasses.replace(before, versions=number, current=version, rejects=rejects, gone=gone)
    )
    _count(state, before, version, grows=action in ("append", "rewrite"))
    old, new = _keys(before.current), _keys(version)
    shown = version or Version(number, state.commit, (), "", Landed(at=state.committed_at))
    added = tuple(f for f in shown.files if f.key not in old)
    _note_event(state, before, shown, action=action, added=added, removed=tuple(sorted(old - new)))


def _count(state: State, before: Partition, version: Version | None, *, grows: bool) -> None:
    dataset = _dataset(state, before)
    dataset.versions += 1
    if version:
        dataset.keys = tuple(layout.partition_values(before.text))
    # Files that stay are as old as they were: who counts them anew makes their schema the newest.
    stay = _keys(before.current) & _keys(version) if grows else frozenset()
    for sign, one in ((-1, before.current), (1, version)):
        if one:
            dataset.partitions += sign
            dataset.files += sign * len(one.files)
            dataset.bytes += sign * sum(file.bytes for file in one.files)
            dataset.rows += sign * sum(file.rows for file in data_files(one))
            moved = tuple(file for file in data_files(one) if file.key not in stay)
            _count_schemas(dataset, moved, sign)
    dataset.changed_in, dataset.changed_at = state.commit, state.committed_at


def _keys(version: Version | None) -> frozenset[str]:
    return frozenset(file.key for file in version.files) if version else frozenset()


def _count_schemas(dataset: Dataset, files: tuple[File, ...], sign: int) -> None:
    for file in files:
        count, newest = dataset.schemas.get(file.schema, (0, 0))
        newest = dataset.versions if sign > 0 else newest
        dataset.schemas[file.schema] = (count + sign, newest)
        if sign > 0:
            dataset.last_schema = file.schema
        elif count + sign == 0:
            del dataset.schemas[file.schema]


def _dataset(state: State, partition: Partition) -> Dataset:
    if partition.dataset not in state.datasets:
        keys = tuple(layout.partition_values(partition.text))
        state.datasets[partition.dataset] = Dataset(partition.dataset, keys=keys)
    return state.datasets[partition.dataset]


def _note_event(
    state: State,
    before: Partition,
    version: Version,
    *,
    action: str,
    added: tuple[File, ...],
    removed: tuple[str, ...],
) -> None:
    files = data_files(version)
    state.events.append(
        VersionEvent(
            dataset=before.dataset,
            partition=before.text,
            version=version.number,
            commit=state.commit,
            action=action,
            landed=version.landed,
            content=version.content,
            rows=sum(file.rows for file in files),
            bytes=sum(file.bytes for file in version.files),
            files=len(version.files),
            current=not version.reason and bool(version.content),
            held=version.reason,
            added=added,
            removed=removed,
        )
    )


def _built(state: State, change: Built) -> None:
    builds = state.built.setdefault(change.dataset, {})
    scope = change.each or change.scope
    if change.gone:
        builds.pop(scope, None)
    else:
        builds[scope] = dataclasses.replace(change, commit=state.commit)


def _note(state: State, change: Note) -> None:
    if change.kind == "gone":
        partition = state.partition(change.dataset, change.partition)
        state.put(dataclasses.replace(partition, gone=True))


def _declare(state: State, change: Declare) -> None:
    of_kind = state.declarations.setdefault(change.kind, {})
    if change.text:
        of_kind[change.name] = change.text
    else:
        of_kind.pop(change.name, None)


def _tag(state: State, change: Tag) -> None:
    if change.commit:
        state.tags[change.name] = change.commit
    else:
        state.tags.pop(change.name, None)


def _doom(state: State, change: Doom) -> None:
    # What no folder of a version holds is its own folder.
    folders = {layout.version_folder(key) or key for key in change.keys}
    state.doomed.update(dict.fromkeys(folders, state.commit))


_APPLY: dict[type, Callable[[State, Any], None]] = {
    Replace: _replace,
    Append: _append,
    Rewrite: _rewrite,
    Remove: _remove,
    Drop: _drop,
    Rename: _rename,
    Hold: _hold,
    Release: _release,
    Built: _built,
    Note: _note,
    Declare: _declare,
    Tag: _tag,
    Doom: _doom,
}
