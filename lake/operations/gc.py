"""`gc`: what no kept snapshot needs is doomed in the log, then deleted.

It lists first and reads the log second. What was listed and is named by nothing that the log knows
may still be on its way: whoever would publish it must first read the entry that dooms it, and is
refused. So no clock tells an attempt that is under way from one that was killed.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from lake import layout
from lake.catalog.entries import Change, Doom
from lake.catalog.log import Log, advance, refuse_hole
from lake.catalog.state import State
from lake.errors import InvalidConfig, StoreUnavailable
from lake.operations import gc_list
from lake.operations.gc_list import Candidate
from lake.operations.moved import publish_at
from lake.words import said_by

if TYPE_CHECKING:
    from lake.lake import Lake

KEEP = timedelta(days=30)
_TOGETHER = 10_000


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection deleted, or would.

    Attributes:
        deleted: whether it did.
        commit: in which the objects were doomed; None where nothing new was.
        kept_since: the oldest snapshot that is kept besides tags; 0: all are.
        objects: what was found; those of former collections that were broken off, too.
    """

    deleted: bool
    commit: int | None
    kept_since: int
    objects: tuple[Candidate, ...] = ()

    @property
    def bytes(self) -> int:
        """How much room they take."""
        return sum(one.bytes for one in self.objects)

    @property
    def versions(self) -> int:
        """In how many folders of versions they lie."""
        return len({layout.version_folder(one.key) for one in self.objects})


def gc(
    lake: "Lake",
    *,
    keep: timedelta = KEEP,
    delete: bool = False,
    told: Callable[[int], None] = lambda count: None,
) -> Collected:
    """Find what neither the head nor a tag nor a snapshot of the last `keep` needs; delete it.

    Held versions are kept as long as they can be released. The log, schema files and checkpoints
    are never touched. Safe to kill and to run again, beside anything else: it goes on.

    Args:
        lake: moved to the head.
        keep: how long former snapshots stay readable.
        delete: False says what would be deleted.
        told: hears how many objects were deleted.

    Raises:
        InvalidConfig: `keep` is less than nothing.
        LogDamaged: the log has a hole, behind which published files would pass for left over.
        StoreUnavailable: the store could not list, or could not delete. Safe to retry.
    """
    if keep < timedelta(0):
        raise InvalidConfig(f"keep={keep} lies in the future: give a duration, such as '30 days'")
    refuse_hole(lake.log, lake.state)
    found = Collection(lake.log, lake.state, keep)
    found.look()
    number = None
    if delete:
        remove(lake.log, found.doomed_before(), told)
        number = found.doom(commit_id=lake.new_id(), run=lake.run)
        remove(lake.log, found.dead, told)
    objects = tuple(found.objects())
    return Collected(delete, number, found.first, objects)


@dataclass(slots=True)
class Collection:
    """One collection: what was listed, and what of it is dead at the newest head that was read.

    Attributes:
        first: the oldest snapshot that is kept.
        listed: what was not needed when the listing began.
        dead: what of it nobody needs and no collection doomed before.
    """

    log: Log
    state: State
    keep: timedelta
    first: int = 0
    listed: list[Candidate] = field(default_factory=list)
    dead: list[Candidate] = field(default_factory=list)

    def look(self) -> None:
        """List, then read the log."""
        self.listed = gc_list.candidates(self.log, self.state, self._needed(self.state))
        advance(self.log, self.state)
        self._judge(self.state)

    def _needed(self, state: State) -> gc_list.Folders:
        self.first = gc_list.since(state, self.log.store.now() - self.keep)
        return gc_list.folders(state, self.first)

    def _judge(self, head: State) -> None:
        dead = gc_list.still_dead(self.listed, self._needed(head)) if self.listed else []
        self.dead = [one for one in dead if not head.collected(one.key)]

    def doomed_before(self) -> list[Candidate]:
        """Return what another collection was about to delete."""
        return [one for one in self.listed if self.state.collected(one.key)]

    def objects(self) -> list[Candidate]:
        """Return all that goes, by key."""
        again = [one for one in self.listed if one.why == "doomed"]
        return sorted([*again, *self.dead], key=lambda one: one.key)

    def doom(self, *, commit_id: str, run: str = "") -> int | None:
        """Publish which keys are about to be deleted; None: there are none."""

        def plan(head: State) -> Sequence[Change]:
            self._judge(head)
            keys = tuple(one.key for one in self.dead)
            return [Doom(keys)] if keys else []

        objects = "1 object" if len(self.dead) == 1 else f"{len(self.dead):,} objects"
        return publish_at(
            self.log, self.state, plan, commit_id=commit_id, message=f"gc {objects}", run=run
        )


def remove(
    log: Log, doomed: Sequence[Candidate], told: Callable[[int], None] = lambda count: None
) -> None:
    """Delete objects that the log dooms.

    Raises:
        StoreUnavailable: some are still there; the next collection deletes them.
    """
    for start in range(0, len(doomed), _TOGETHER):
        some = doomed[start : start + _TOGETHER]
        errors = list(filter(None, _deleted(log, [one.key for one in some])))
        if errors:
            key, error = errors[0]
            more = f" and {len(errors) - 1:,} others" if len(errors) > 1 else ""
            raise StoreUnavailable(
                f"{key}{more} could not be deleted in {said_by(log.store.url, error)}; run the same"
                " command again, which goes on from here"
            )
        told(len(some))


def _deleted(log: Log, keys: Sequence[str]) -> Iterable[tuple[str, OSError] | None]:
    def delete(key: str) -> tuple[str, OSError] | None:
        try:
            log.store.delete(key)
        except OSError as exc:
            return key, exc
        return None

    if log.parallel == 1 or len(keys) == 1:
        return [delete(key) for key in keys]
    with ThreadPoolExecutor(log.parallel) as pool:
        return list(pool.map(delete, keys))
