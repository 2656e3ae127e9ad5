"""`release`: what was held becomes current, as a new version."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lake import layout
from lake.catalog import fold
from lake.catalog.collected import refuse_collected
from lake.catalog.entries import Change, Release
from lake.catalog.state import Partition, State, Version, data_files
from lake.errors import InvalidAddress, NoSuchVersion, SchemaConflict, VersionConflict, VersionHeld
from lake.landing.explain import explain
from lake.operations.moved import address, publish_changes, refuse_moved, seen
from lake.query import address as addresses
from lake.schema.admit import crowd, prepare, same_keys

if TYPE_CHECKING:
    from lake.lake import Lake


@dataclass(frozen=True, slots=True)
class Released:
    """One held version that became current.

    Attributes:
        version: as which it is current.
        of: as which it was held.
        why: why it was.
    """

    dataset: str
    partition: str
    version: int
    of: int
    rows: int
    why: str


@dataclass(frozen=True, slots=True)
class Releases:
    """What a release came to; no `commit`: nothing of it is held."""

    commit: int | None
    partitions: tuple[Released, ...] = ()


def release(lake: "Lake", text: str) -> Releases:
    """Publish held files as a new version, in one commit; of a dataset all that can be released.

    It overrides the contract only: what cannot be read together with the rest waits for a
    declaration.

    Raises:
        NoSuchDataset, NoSuchPartition, NoSuchVersion: there is none.
        VersionHeld: no rule joins it with the rest; it stays held.
        VersionConflict: a newer version is current, or it has moved meanwhile.
        VersionExpired: its files were collected.
    """
    wanted = addresses.parse(text)
    chosen = _chosen(lake.state, wanted)
    before = seen([partition for partition, _ in chosen])
    changes = [Release(one.dataset, one.text, held.number) for one, held in chosen]

    def look(head: State) -> Sequence[Change]:
        refuse_moved(head, wanted.dataset, before, what="released")
        _refuse_unjoinable(head, wanted.dataset, chosen)
        prepare(lake.log, head, changes, {})
        return changes

    message = f"release {address(wanted.dataset, wanted.partition)}"
    number = publish_changes(lake, look, message=message)
    return Releases(number, tuple(_released(one, held) for one, held in chosen))


def _chosen(head: State, wanted: addresses.Address) -> list[tuple[Partition, Version]]:
    """Return the held versions that are meant."""
    addresses.find_dataset(head, wanted.dataset)
    if wanted.when and wanted.version is None:
        raise InvalidAddress(
            f"@{wanted.when} is no held version: write {address(wanted.dataset, wanted.partition)}"
            " or add its @vN"
        )
    if wanted.version is not None:
        return _one(head, addresses.find_partition(head, wanted), wanted.version)
    if wanted.partition:
        partitions: Sequence[Partition] = [addresses.find_partition(head, wanted)]
    else:
        partitions = head.partitions(wanted.dataset)
    newest = [(one, one.held[-1]) for one in partitions if one.held]
    if wanted.partition:
        for one, held in newest:
            _refuse_older(one, held)
    return [(one, held) for one, held in newest if _is_newest(one, held)]


def _one(head: State, partition: Partition, number: int) -> list[tuple[Partition, Version]]:
    name = address(partition.dataset, partition.text)
    if number > partition.versions or number < 1:
        raise NoSuchVersion(f"{name} has no v{number}: its newest is v{partition.versions}")
    found = [(partition, held) for held in partition.held if held.number == number]
    for one, held in found:
        _refuse_older(one, held)
        what = f"{name}@v{number}"
        refuse_collected(head, fold.version_keys(held), what=what)
    return found


def _is_newest(partition: Partition, held: Version) -> bool:
    return partition.current is None or held.number > partition.current.number


def _refuse_older(partition: Partition, held: Version) -> None:
    if not _is_newest(partition, held) and partition.current:
        name = address(partition.dataset, partition.text)
        raise VersionConflict(
            f"{name}@v{held.number} is held and v{partition.current.number} is current, which is"
            f" newer: nothing was released; `lake get {name}@v{held.number}` gives its bytes, which"
            " can be landed again"
        )


def _refuse_unjoinable(
    head: State, dataset: str, chosen: Sequence[tuple[Partition, Version]]
) -> None:
    """Let all of them into the dataset, or say of the first that does not fit what to declare."""
    together = crowd(head, dataset)
    for one, held in chosen:
        refuse_collected(
            head, fold.version_keys(held), what=f"{address(dataset, one.text)}@v{held.number}"
        )
        same_keys(head, dataset, one.text)
        together.keys = tuple(layout.partition_values(one.text))
        together = together.with_files(data_files(one.current), held.files, {})
        try:
            together.reconciled()
        except SchemaConflict as conflict:
            said = explain(head, together, held.files, conflict)
            raise VersionHeld(
                f"{address(dataset, one.text)}@v{held.number} cannot be released, only a"
                f" declaration can let it in: {said}"
            ) from conflict


def _released(partition: Partition, held: Version) -> Released:
    return Released(
        partition.dataset,
        partition.text,
        version=partition.versions + 1,
        of=held.number,
        rows=sum(file.rows for file in data_files(held)),
        why=held.reason,
    )
