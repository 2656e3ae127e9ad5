"""What verbs over history share: publishing what still fits, and refusing what has moved."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from lake.catalog.entries import Change
from lake.catalog.log import Log
from lake.catalog.publish import Draft, publish
from lake.catalog.state import Partition, State
from lake.errors import VersionConflict

if TYPE_CHECKING:
    from lake.lake import Lake

Seen = Mapping[str, int]
"""How many versions each partition of a dataset had."""


def seen(partitions: Sequence[Partition]) -> Seen:
    """Return what was looked at, to compare it with the head."""
    return {one.text: one.versions for one in partitions}


def refuse_moved(head: State, dataset: str, before: Seen, *, what: str) -> None:
    """Make sure that nothing which was looked at has moved.

    Raises:
        VersionConflict: a partition has.
    """
    head.prefetch((dataset, text) for text in before)
    for text, versions in before.items():
        if head.partition(dataset, text).versions != versions:
            name = address(dataset, text)
            raise VersionConflict(
                f"{name} has moved while it was {what}: nothing was published; look at"
                f" `lake log {name}`, then run the command again if it is still wanted"
            )


def address(dataset: str, partition: str) -> str:
    """Return `raw.trips/month=2024-01`."""
    return f"{dataset}/{partition}" if partition else dataset


def publish_changes(
    lake: "Lake", plan: Callable[[State], Sequence[Change]], *, message: str
) -> int | None:
    """Publish what `plan` gives as one commit, and move the lake to it; None: nothing to do."""
    return publish_at(
        lake.log, lake.state, plan, commit_id=lake.new_id(), message=message, run=lake.run
    )


def publish_at(
    log: Log,
    state: State,
    plan: Callable[[State], Sequence[Change]],
    *,
    commit_id: str,
    message: str = "",
    run: str = "",
) -> int | None:
    """Publish what `plan` gives for a head."""
    return publish(
        log, state, lambda head: Draft(plan(head)), commit_id=commit_id, message=message, run=run
    )
