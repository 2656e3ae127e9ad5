"""The state of a whole lake at one commit: a checkpoint, and the entries after it folded in.

Partitions are looked up, never all held: what the checkpoint knows stays in its Parquet files until
it is asked for (`Base`). Everything else (datasets' totals, declarations, tags, builds) is small.
"""

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

from lake import layout
from lake.catalog.entries import Built, Entry, File, Landed, Schema

NOTHING = "nothing"
"""Stands among the rejected contents for a partition that was not there."""
_COPIED = ("schemas", "tags", "doomed", "renames", "renamed", "tail", "events", "_found", "_whole")
PartitionKey = tuple[str, str]
"""Dataset and partition text."""


@dataclass(frozen=True, slots=True)
class Version:
    """What a partition holds, or held back, after one commit touched it."""

    number: int
    commit: int
    files: tuple[File, ...]
    content: str
    landed: Landed
    why: str = "landing"
    """Of a held one `contract` or `schema`, see `Hold`."""
    build: str = ""
    cursor: str = ""
    reason: str = ""
    """Why it is held; `""` for a current one."""


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition: its number of versions, the current one, and those held back.

    `rejects` are the contents, source hashes and build keys that a rollback rejected.
    """

    dataset: str
    text: str
    versions: int = 0
    current: Version | None = None
    held: tuple[Version, ...] = ()
    rejects: tuple[str, ...] = ()
    gone: bool = False
    """The source has it no longer; what was landed is kept."""


@dataclass(slots=True)
class Dataset:
    """Totals over a dataset's current partitions."""

    name: str
    partitions: int = 0
    versions: int = 0
    held: int = 0
    files: int = 0
    rows: int = 0
    bytes: int = 0
    keys: tuple[str, ...] = ()
    """Names of the partition's keys."""
    schemas: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Per schema id: in how many current data files, and the newest of the versions with one.

    Versions are counted over the dataset, in the order of the log.
    """
    last_schema: str = ""
    changed_in: int = 0
    changed_at: str = ""


@dataclass(frozen=True, slots=True)
class VersionEvent:
    """One version as the metadata tables show it, in the order of the log."""

    dataset: str
    partition: str
    version: int
    commit: int
    action: str
    landed: Landed
    content: str
    rows: int
    bytes: int
    files: int
    current: bool
    held: str
    added: tuple[File, ...]
    removed: tuple[str, ...]


class DataFile(NamedTuple):
    """A current file as a view needs it. A plain tuple: there may be a million."""

    partition: str
    key: str
    schema: str
    bytes: int
    rows: int


class Base(Protocol):
    """Where the partitions of a checkpoint are looked up."""

    @property
    def commit(self) -> int:
        """The number of the checkpoint's commit; 0 for the empty lake."""

    def find(self, keys: Sequence[PartitionKey]) -> Iterable[Partition]:
        """Give those of `keys` that there are."""

    def of(self, dataset: str) -> Iterable[Partition]:
        """Give every partition of a dataset, by text."""

    def data_files(self, dataset: str) -> Iterable[DataFile]:
        """Give the current data files of a dataset, by partition."""


class EmptyBase:
    """The checkpoint of commit 0."""

    commit = 0

    def find(self, keys: Sequence[PartitionKey]) -> Iterable[Partition]:
        """Find nothing."""
        return ()

    def of(self, dataset: str) -> Iterable[Partition]:
        """Give nothing."""
        return ()

    def data_files(self, dataset: str) -> Iterable[DataFile]:
        """Give nothing."""
        return ()


@dataclass(slots=True)
class State:
    """The lake at `commit`. `fold.apply` moves it forward, in place."""

    lake: str
    base: Base = field(default_factory=EmptyBase)
    commit: int = 0
    head_sha256: str = ""
    committed_at: str = ""
    datasets: dict[str, Dataset] = field(default_factory=dict)
    schemas: dict[str, Schema] = field(default_factory=dict)
    declarations: dict[str, dict[str, str]] = field(default_factory=dict)
    """Kind, name, text."""
    tags: dict[str, int] = field(default_factory=dict)
    doomed: dict[str, int] = field(default_factory=dict)
    """Folders of versions that the collector deletes, and the commit that said so."""
    expired: Mapping[str, int] = field(default_factory=dict)
    """Of a former snapshot: what has been doomed since."""
    built: dict[str, dict[str, Built]] = field(default_factory=dict)
    """Per dataset, the last build of each scope or input partition."""
    renames: list[tuple[str, str]] = field(default_factory=list)
    """Old and new names since the checkpoint, in order."""
    renamed: list[tuple[int, str, str]] = field(default_factory=list)
    """Every rename ever: its commit, the old and the new name."""
    checkpoints: tuple[int, ...] = ()
    tail: list[Entry] = field(default_factory=list)
    events: list[VersionEvent] = field(default_factory=list)
    _found: dict[PartitionKey, Partition] = field(default_factory=dict)
    _whole: set[str] = field(default_factory=set)

    def prefetch(self, keys: Iterable[PartitionKey]) -> None:
        """Look up many partitions at once, for `partition` to find them."""
        missing = [key for key in dict.fromkeys(keys) if not self._knows(key)]
        if missing:
            self._found.update({key: Partition(*key) for key in missing})
            self._found.update({(p.dataset, p.text): p for p in self.base.find(missing)})

    def _knows(self, key: PartitionKey) -> bool:
        return key in self._found or key[0] in self._whole

    def partition(self, dataset: str, text: str) -> Partition:
        """Return a partition; one that never was has no versions."""
        self.prefetch([(dataset, text)])
        return self._found.get((dataset, text)) or Partition(dataset, text)

    def partitions(self, dataset: str) -> tuple[Partition, ...]:
        """Return every partition that a dataset ever had, by text."""
        if dataset not in self._whole:
            for found in self.base.of(dataset):
                self._found.setdefault((found.dataset, found.text), found)
            self._whole.add(dataset)
        mine = [p for (name, _), p in self._found.items() if name == dataset and p.versions]
        return tuple(sorted(mine, key=lambda p: p.text))

    def current(self, dataset: str) -> tuple[Partition, ...]:
        """Return the partitions of a dataset that hold something now, by text."""
        return tuple(p for p in self.partitions(dataset) if p.current)

    def data_files(self, dataset: str) -> list[DataFile]:
        """Return the current data files of a dataset, by partition, then in landing order."""
        mine = {p.text: p for (name, _), p in self._found.items() if name == dataset}
        old = [] if dataset in self._whole else self.base.data_files(dataset)
        files = [file for file in old if file.partition not in mine]
        for partition in mine.values():
            files += [
                DataFile(partition.text, f.key, f.schema, f.bytes, f.rows)
                for f in data_files(partition.current)
            ]
        return sorted(files, key=lambda file: file.partition)

    def put(self, partition: Partition) -> None:
        """Set what a partition is; for folding only."""
        self._found[partition.dataset, partition.text] = partition

    def touched(self) -> tuple[Partition, ...]:
        """Return the partitions that may differ from the checkpoint's."""
        return tuple(self._found.values())

    def fork(self) -> "State":
        """Return an equal state that moves on its own."""
        other = copy(self)
        for name in _COPIED:
            setattr(other, name, copy(getattr(self, name)))
        other.datasets = {
            name: replace(dataset, schemas=dict(dataset.schemas))
            for name, dataset in self.datasets.items()
        }
        other.declarations = {kind: dict(texts) for kind, texts in self.declarations.items()}
        other.built = {dataset: dict(builds) for dataset, builds in self.built.items()}
        return other

    def become(self, other: "State") -> None:
        """Turn into another state, which is the same commit's."""
        for name in State.__slots__:
            setattr(self, name, getattr(other, name))

    def collected(self, key: str) -> int:
        """Return in which commit the folder of a key was doomed; 0: it was not."""
        if not self.doomed and not self.expired:
            return 0
        folder = layout.version_folder(key) or key
        return self.doomed.get(folder) or self.expired.get(folder, 0)

    def declared(self, kind: str) -> Mapping[str, str]:
        """Return the texts declared for a kind, by name."""
        return self.declarations.get(kind, {})


def data_files(version: Version | None) -> tuple[File, ...]:
    """Return the files of a version that hold its rows."""
    return tuple(f for f in version.files if f.role == "data") if version else ()


def slim(file: File) -> File:
    """Return a file without the limits of its columns, which the state does not keep."""
    return replace(file, bounds={}) if file.bounds else file
