"""What is different between two commits of the whole lake: from the log, no data are read."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from lake.catalog.state import Dataset, State, Version, data_files

Kind = Literal["added", "removed", "changed", "renamed", "rewritten"]


@dataclass(frozen=True, slots=True)
class PartitionDiff:
    """A partition that holds something else; versions and rows are None where there is none.

    `rewritten`: other files with the same rows.
    """

    partition: str
    kind: Kind
    version_before: int | None
    version_after: int | None
    rows_before: int | None
    rows_after: int | None


@dataclass(frozen=True, slots=True)
class DatasetDiff:
    """A dataset of which something is different; `renamed_from` is its former name, if another."""

    dataset: str
    kind: Kind
    rows_before: int
    rows_after: int
    partitions: tuple[PartitionDiff, ...] = ()
    renamed_from: str = ""


@dataclass(frozen=True, slots=True)
class LakeDiff:
    """What is different between two commits, by dataset."""

    before: int
    after: int
    datasets: tuple[DatasetDiff, ...]


def diff_states(before: State, after: State) -> LakeDiff:
    """Return what is different between two states of one lake."""
    found = tuple(_datasets(before, after))
    return LakeDiff(before.commit, after.commit, tuple(sorted(found, key=lambda d: d.dataset)))


def _datasets(before: State, after: State) -> Iterator[DatasetDiff]:
    former = _former_names(before, after)
    for name in after.datasets:
        was = former.get(name, name if name in before.datasets else "")
        old, new = before.datasets.get(was), after.datasets[name]
        if old is None or was != name or old.changed_in != new.changed_in:
            one = _dataset(before, after, old, new)
            if one.partitions or one.kind != "changed":
                yield one
    taken = {*former.values(), *after.datasets}
    for name in before.datasets.keys() - taken:
        yield _dataset(before, after, before.datasets[name], None)


def _former_names(before: State, after: State) -> dict[str, str]:
    """Return the former names of renamed datasets: their files stayed where they were."""
    owners = {
        file.key: name
        for name in before.datasets.keys() - after.datasets.keys()
        for file in before.data_files(name)
    }
    found: dict[str, str] = {}
    for name in sorted(after.datasets.keys() - before.datasets.keys()) if owners else ():
        keys = (file.key for file in after.data_files(name))
        was = next((owners[key] for key in keys if key in owners), None)
        if was and was not in found.values():
            found[name] = was
    return found


def _dataset(before: State, after: State, old: Dataset | None, new: Dataset | None) -> DatasetDiff:
    held = _versions(before, old), _versions(after, new)
    texts = sorted(held[0].keys() | held[1].keys())
    every = (_partition(text, held[0].get(text), held[1].get(text)) for text in texts)
    name = new.name if new else old.name if old else ""
    kind: Kind = "changed"
    if old is None or new is None:
        kind = "removed" if new is None else "added"
    elif old.name != new.name:
        kind = "renamed"
    return DatasetDiff(
        name,
        kind,
        old.rows if old else 0,
        new.rows if new else 0,
        tuple(one for one in every if one),
        old.name if old and kind == "renamed" else "",
    )


def _versions(state: State, dataset: Dataset | None) -> dict[str, Version]:
    found = state.current(dataset.name) if dataset else ()
    return {partition.text: partition.current for partition in found if partition.current}


def _partition(text: str, old: Version | None, new: Version | None) -> PartitionDiff | None:
    if old and new and _keys(old) == _keys(new):
        return None
    kind: Kind = "changed"
    if old is None or new is None:
        kind = "added" if old is None else "removed"
    elif old.content == new.content:
        kind = "rewritten"
    return PartitionDiff(
        text,
        kind,
        old.number if old else None,
        new.number if new else None,
        _rows(old),
        _rows(new),
    )


def _keys(version: Version) -> set[str]:
    return {file.key for file in version.files}


def _rows(version: Version | None) -> int | None:
    return sum(file.rows for file in data_files(version)) if version else None
