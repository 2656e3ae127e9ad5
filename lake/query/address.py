"""Addresses: `DATASET[/k=v…][@WHEN]`, one syntax in every command and page."""

import re
from dataclasses import dataclass

from lake import layout
from lake.catalog import names, snapshot
from lake.catalog.log import Log
from lake.catalog.state import Partition, State, Version
from lake.errors import InvalidAddress, NoSuchDataset, NoSuchPartition, NoSuchVersion
from lake.words import nearest

_VERSION = re.compile(r"v([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class Address:
    """A dataset, or one of its partitions, at some time.

    `partition` is None where none was named; `""` cannot be told from it in text.
    """

    dataset: str
    partition: str = ""
    when: str = ""

    @property
    def version(self) -> int | None:
        """The N of `@vN`."""
        match = _VERSION.fullmatch(self.when)
        return int(match[1]) if match else None


def parse(text: str) -> Address:
    """Read an address.

    Raises:
        InvalidAddress, InvalidName: it is none.
    """
    path, at, when = text.partition("@")
    name, _, partition = path.partition("/")
    if at and not when:
        raise InvalidAddress(f"{text!r} ends in '@': write a commit, a tag, a time or vN behind it")
    dataset = layout.dataset(name)
    return Address(dataset, layout.partition(layout.partition_values(partition)), when)


def find_dataset(state: State, name: str) -> str:
    """Return `name` if the lake has this dataset now.

    Raises:
        NoSuchDataset: it has not.
    """
    if name not in state.datasets:
        if moved := names.renamed_to(state, name):
            raise NoSuchDataset(f"{name} was renamed to {moved[1]} in commit {moved[0]}")
        raise NoSuchDataset(
            f"there is no dataset {name} at commit {state.commit}{nearest(name, state.datasets)}"
        )
    return name


def find_partition(state: State, address: Address) -> Partition:
    """Return the partition that an address names.

    Raises:
        NoSuchDataset, NoSuchPartition: the lake never had it.
    """
    find_dataset(state, address.dataset)
    found = state.partition(address.dataset, address.partition)
    if not found.versions:
        known = [p.text for p in state.partitions(address.dataset)]
        what = f"no partition {address.partition}" if address.partition else "no single partition"
        raise NoSuchPartition(f"{address.dataset} has {what}{nearest(address.partition, known)}")
    return found


def state_of(log: Log, head: State, address: Address) -> State:
    """Return the state of the lake that an address speaks of.

    Raises:
        NoSuchVersion: there is none; InvalidAddress: `vN` without a partition.
    """
    if not address.when:
        return head
    if address.version is None:
        number = snapshot.resolve(log, head, address.when)
    else:
        found = head.partition(address.dataset, address.partition)
        found = found if found.versions else find_partition(head, address)
        number = _commit_of(head, found, address.version)
    return names.as_called(head, snapshot.state_at(log, head, number), address.dataset)


def _commit_of(head: State, partition: Partition, number: int) -> int:
    """Return the commit in which a version of a partition was made."""
    from lake.query.meta import version_commit

    commit = version_commit(head, partition.dataset, partition.text, number)
    if commit is None:
        raise NoSuchVersion(
            f"{partition.dataset}/{partition.text} has no v{number}: its newest is"
            f" v{partition.versions}"
        )
    return commit


def version_at(log: Log, head: State, address: Address) -> Version:
    """Return the version that an address names: the current one then, or `vN` even if it was held.

    Raises:
        NoSuchDataset, NoSuchPartition, NoSuchVersion: there is none.
    """
    state = state_of(log, head, address)
    partition = find_partition(state, address)
    if address.version is not None:
        held = [version for version in partition.held if version.number == address.version]
        if held:
            return held[0]
    if partition.current is None:
        raise NoSuchVersion(
            f"{address.dataset}/{address.partition} held nothing at commit {state.commit}"
        )
    return partition.current
