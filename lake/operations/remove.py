"""`remove`, `drop`, `rename`: a partition or a dataset is there no longer, or is called otherwise.

No object is deleted: former commits hold what they held, until `lake gc` collects it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lake import layout
from lake.catalog import fold, names
from lake.catalog.entries import Change, Declare, Drop, Remove
from lake.catalog.state import State
from lake.errors import InvalidAddress, InvalidName, LakeError
from lake.operations.moved import address, publish_changes, refuse_moved, seen
from lake.operations.rollback import rejected
from lake.query import address as addresses
from lake.schema.admit import prepare, restore

if TYPE_CHECKING:
    from lake.lake import Lake


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a partition or a dataset; no `commit`: it was so already.

    Attributes:
        to: the new name, of a rename.
        partitions: how many were current.
        notes: what is still to be done, and who reads it.
    """

    commit: int | None
    dataset: str
    partition: str = ""
    to: str = ""
    partitions: int = 0
    notes: tuple[str, ...] = ()


def remove(lake: "Lake", text: str) -> Taken:
    """Take a partition away, as a commit; what it held is landed or built again only if it changes.

    Raises:
        NoSuchDataset, NoSuchPartition: the lake never had it.
        InvalidAddress: it names no partition of a dataset that has some, or a time.
        VersionConflict: it has moved meanwhile; nothing was published.
    """
    wanted = addresses.parse(text)
    dataset = _now(lake.state, wanted)
    if lake.state.datasets[dataset].keys and not wanted.partition:
        raise InvalidAddress(
            f"{dataset} has partitions: name one, as in `lake ls {dataset}`, or take all of it away"
            f" with `lake drop {dataset}`"
        )
    partition = addresses.find_partition(lake.state, wanted)
    gone = Remove(dataset, partition.text, rejected(partition.current))
    before = seen([partition])

    def look(head: State) -> Sequence[Change]:
        refuse_moved(head, dataset, before, what="removed")
        changes = [gone] if partition.current else []
        prepare(lake.log, head, changes, {})
        return changes

    number = publish_changes(lake, look, message=f"remove {address(dataset, partition.text)}")
    notes = _readers(lake, dataset, "{} reads it: the next `lake transform` builds it without it")
    found = notes if number else ()
    return Taken(number, dataset, partition.text, partitions=bool(number), notes=found)


def drop(lake: "Lake", name: str) -> Taken:
    """Take a dataset away, as a commit, with what was held of it and what was declared.

    Raises:
        NoSuchDataset: the lake never had it, or it has another name now.
        InvalidAddress: it names a partition or a time.
        VersionConflict: it has moved meanwhile; nothing was published.
    """
    wanted = addresses.parse(name)
    if wanted.partition:
        raise InvalidAddress(f"{name} is a partition: `lake remove {name}` takes it away")
    if _is_dropped(lake.state, wanted):
        return Taken(None, wanted.dataset)
    dataset = _now(lake.state, wanted)
    found = lake.state.partitions(dataset)
    before, notes = seen(found), _still_made(lake, dataset)
    notes += _readers(lake, dataset, "{} reads it: it cannot be built any more")
    kind, bare = names.kind_of(dataset), dataset.partition(".")[2]

    def look(head: State) -> Sequence[Change]:
        refuse_moved(head, dataset, before, what="dropped")
        said = bare in head.declared(kind)
        return [Drop(dataset), *([Declare(kind, bare, "")] if said else [])]

    number = publish_changes(lake, look, message=f"drop {dataset}")
    current = sum(partition.current is not None for partition in found)
    return Taken(number, dataset, partitions=current, notes=notes)


def rename(lake: "Lake", old: str, new: str) -> Taken:
    """Give a dataset another name, as a commit; its files stay, what is declared goes along.

    Raises:
        NoSuchDataset: there is none.
        InvalidName: the new name is none, is of another zone, or was ever used: former commits
            are read by the names that they knew.
        VersionConflict: it has moved meanwhile; nothing was published.
    """
    layout.dataset(old), layout.dataset(new)
    if _is_renamed(lake.state, old, new):
        return Taken(None, old, to=new)
    addresses.find_dataset(lake.state, old)
    _refuse_name(lake.state, old, new)
    found = lake.state.partitions(old)
    before, notes = seen(found), _still_called(lake, old, new)
    notes += _readers(lake, old, f"{{}} reads it: write {new} there")

    def look(head: State) -> Sequence[Change]:
        refuse_moved(head, old, before, what="renamed")
        addresses.find_dataset(head, old)
        _refuse_name(head, old, new)
        changes, trial = names.rename(head, old, new), head.fork()
        fold.apply_changes(trial, changes, {})
        restore(lake.log, trial, [new])
        return changes

    number = publish_changes(lake, look, message=f"rename {old} to {new}")
    current = sum(partition.current is not None for partition in found)
    return Taken(number, old, to=new, partitions=current, notes=notes)


def _now(state: State, wanted: addresses.Address) -> str:
    """Return the dataset that is meant: as it is now, there is nothing to change in the past."""
    if wanted.when:
        name = address(wanted.dataset, wanted.partition)
        raise InvalidAddress(f"@{wanted.when} cannot be changed any more: write {name}")
    return addresses.find_dataset(state, wanted.dataset)


def _is_dropped(state: State, wanted: addresses.Address) -> bool:
    name = wanted.dataset
    if name in state.datasets or names.renamed_to(state, name) or wanted.when:
        return False
    return names.was_used(state, name)


def _is_renamed(state: State, old: str, new: str) -> bool:
    if old == new and old in state.datasets:
        return True
    moved = names.renamed_to(state, old)
    return bool(moved and moved[1] == new) and old not in state.datasets


def _refuse_name(state: State, old: str, new: str) -> None:
    zone = old.partition(".")[0]
    if not new.startswith(f"{zone}."):
        raise InvalidName(f"{old} stays in its zone: write {zone}.{new.partition('.')[2]}")
    if names.was_used(state, new):
        raise InvalidName(
            f"{old} cannot be called {new}: the lake has or had a dataset of that name, which"
            " former commits are read by; choose another name"
        )


def _still_made(lake: "Lake", dataset: str) -> tuple[str, ...]:
    """Say what would make a dropped dataset anew."""
    kind, name = names.kind_of(dataset), dataset.partition(".")[2]
    if kind == "source" and name in lake.config.sources:
        return (f"lake.toml has [sources.{name}]: take it out, or `lake land` lands it anew",)
    path = lake.config.models / f"{name}.sql"
    if kind == "model" and path.is_file():
        shown = path.relative_to(lake.config.root)
        return (f"{shown} makes it: delete it, or `lake transform` makes it anew",)
    return ()


def _still_called(lake: "Lake", old: str, new: str) -> tuple[str, ...]:
    """Say what goes on under the old name."""
    kind, was, to = names.kind_of(old), old.partition(".")[2], new.partition(".")[2]
    if kind == "source" and was in lake.config.sources:
        return (f"lake.toml has [sources.{was}]: call it [sources.{to}], or it is landed twice",)
    path = lake.config.models / f"{was}.sql"
    if kind == "model" and path.is_file():
        shown = path.relative_to(lake.config.root)
        return (f"{shown} makes {old}: call it {shown.with_name(f'{to}.sql')}",)
    return ()


def _readers(lake: "Lake", dataset: str, words: str) -> tuple[str, ...]:
    """Say which models read a dataset; nothing where they cannot be told."""
    from lake.models.project import project, reads_of

    try:
        nodes = project(lake).nodes
    except LakeError:
        return ()
    return tuple(words.format(name) for name, node in nodes.items() if dataset in reads_of(node))
