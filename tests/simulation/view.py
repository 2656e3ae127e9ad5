"""What a lake is, in few words: to compare what a process took it to be with what the log says."""

from typing import NamedTuple

from lake.catalog.state import Partition, State


class Held(NamedTuple):
    """A partition."""

    dataset: str
    partition: str
    versions: int
    files: tuple[tuple[str, str], ...]
    """Key and SHA-256, in order."""
    content: str
    cursor: str
    build: str
    origin: tuple[tuple[str, str], ...]
    held: tuple[int, ...] = ()


class View(NamedTuple):
    """A lake at a commit; `head` is the SHA-256 of that entry."""

    commit: int
    head: str
    partitions: tuple[Held, ...]
    doomed: tuple[str, ...]


def view_of(state: State) -> View:
    """Return what a process takes the lake to be."""
    found = [p for name in sorted(state.datasets) for p in state.partitions(name)]
    partitions = tuple(sorted(_held(p) for p in found))
    return View(state.commit, state.head_sha256, partitions, tuple(sorted(state.doomed)))


def _held(partition: Partition) -> Held:
    now = partition.current
    return Held(
        partition.dataset,
        partition.text,
        partition.versions,
        tuple((file.key, file.sha256) for file in now.files) if now else (),
        now.content if now else "",
        now.cursor if now else "",
        now.build if now else "",
        tuple(sorted(now.landed.origin.items())) if now else (),
        tuple(version.number for version in partition.held),
    )
