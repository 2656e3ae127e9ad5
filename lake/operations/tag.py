"""`tag`: a name for a snapshot, which `gc` keeps as long as it has one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lake import layout
from lake.catalog import fold, snapshot
from lake.catalog.collected import refuse_collected
from lake.catalog.entries import Change, Tag
from lake.catalog.state import State
from lake.errors import NoSuchVersion
from lake.operations.moved import publish_changes

if TYPE_CHECKING:
    from lake.lake import Lake


def tag(lake: "Lake", name: str, *, when: str | int | None = None) -> int:
    """Give a snapshot a name that keeps it; an existing tag moves. Returns its commit.

    Raises:
        InvalidName: it can be no tag's.
        NoSuchVersion: there is no such snapshot.
        VersionExpired: some of its files were collected: there is nothing whole to keep.
    """
    layout.tag(name)
    number = lake.commit if when is None else snapshot.resolve(lake.log, lake.state, when)
    if number == 0:
        raise NoSuchVersion(f"commit 0 is the empty lake: tag {name} needs something to keep")

    def look(head: State) -> Sequence[Change]:
        if head.tags.get(name) == number:
            return ()
        if head.doomed and number != head.commit:
            _refuse_expired(snapshot.state_at(lake.log, head, number))
        return [Tag(name, number)]

    publish_changes(lake, look, message=f"tag {name} at commit {number}")
    return number


def untag(lake: "Lake", name: str) -> int | None:
    """Take a tag away. Returns the commit that it named; None: there was no such tag."""
    layout.tag(name)
    number = lake.state.tags.get(name)

    def look(head: State) -> Sequence[Change]:
        return [Tag(name, 0)] if name in head.tags else ()

    publish_changes(lake, look, message=f"tag {name} deleted")
    return number


def _refuse_expired(then: State) -> None:
    for dataset in then.datasets:
        for partition in then.current(dataset):
            if partition.current:
                keys = fold.version_keys(partition.current)
                refuse_collected(then, keys, what=f"commit {then.commit}")
