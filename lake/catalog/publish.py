"""Publishing: one create-only PUT of the next number, and what its outcome means.

The answer to a PUT may be lost, so no status but success settles anything: only the entry that
stands at the number does. A retry at one number sends the same bytes; a writer whose number holds a
foreign entry folds it, looks again at what it wants, and takes the next.
"""

import dataclasses
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lake import layout, objects
from lake.catalog import checkpoint, fold
from lake.catalog.codec import from_json, sha256, to_json
from lake.catalog.entries import Author, Change, Entry, Schema
from lake.catalog.log import Log, advance, pack_changes, refuse_hole
from lake.catalog.state import State
from lake.errors import (
    ClockSkewed,
    CommitRefused,
    CommitUnknown,
    StoreRefused,
    VersionConflict,
    unavailable,
)
from lake.version import VERSION
from lake.words import said_by
from storage_backends import is_refusal

LARGE = 4_000_000
TRIES = 6
SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Draft:
    """What a commit would change, as of one state; no changes: there is nothing to do."""

    changes: Sequence[Change] = ()
    schemas: Mapping[str, Schema] = dataclasses.field(default_factory=dict)


Plan = Callable[[State], Draft]
"""Looks at the head and says what to publish there.

It is called again, with the new head, after every lost race; it may fetch and upload. It raises
`VersionConflict` where what it names has moved.
"""


def publish(
    log: Log, state: State, plan: Plan, *, commit_id: str, message: str = "", run: str = ""
) -> int | None:
    """Publish what `plan` gives as one commit, and move `state` to it.

    All of it becomes visible at once, or none. Safe to retry, whatever the end: a new attempt
    recognises a former one by its meaning.

    Returns:
        The commit's number; None if there was nothing to publish.

    Raises:
        CommitRefused: the store refused; nothing was published.
        CommitUnknown: the store never said whether it was stored.
        VersionConflict: what the plan names has moved; nothing was published.
        LogDamaged: the log has a hole; nothing was published.
        ClockSkewed: this host's clock is more than 5 minutes off; nothing was published.
    """
    while True:
        draft = plan(state)
        if not draft.changes:
            return None
        _refuse_doomed(draft.changes, state)
        _look_beyond(log, state)
        entry = _entry(log, state, draft, commit_id=commit_id, message=message, run=run)
        data = _stored(log, entry)
        if _settle(log, layout.commit(entry.commit), data, commit_id):
            fold.apply(state, entry, sha256(data))
            log.cache.put(layout.commit(entry.commit), data)
            _checkpoint(log, state)
            return entry.commit
        advance(log, state)


def _refuse_doomed(changes: Sequence[Change], state: State) -> None:
    if not state.doomed:
        return
    for change in changes:
        doomed = {key for key in fold.needed_keys(state, change) if state.collected(key)}
        if doomed:
            raise VersionConflict(
                f"{min(doomed)} is being deleted by `lake gc`: nothing was published; run the"
                " command again, which uploads it anew"
            )


def _look_beyond(log: Log, state: State) -> None:
    """Make sure, once per process, that the head is one: a hole behind it would fork the log."""
    if log.forbidden:
        raise StoreRefused(
            f"{log.store.url} may not be read behind commit {state.commit}: these credentials are a"
            " reader's; publish with a writer's (`lake init --policy writer`)"
        )
    if not log.listed:
        refuse_hole(log, state)
        log.listed = True


def _entry(
    log: Log, state: State, draft: Draft, *, commit_id: str, message: str, run: str
) -> Entry:
    return Entry(
        lake=log.identity.id,
        commit=state.commit + 1,
        id=commit_id,
        parent=state.head_sha256,
        committed_at=_committed_at(log, state),
        changes=tuple(draft.changes),
        schemas={
            name: schema for name, schema in draft.schemas.items() if name not in state.schemas
        },
        message=message,
        author=Author(run=run, host=socket.gethostname(), version=VERSION),
    )


def _committed_at(log: Log, state: State) -> str:
    now, here = log.store.now(), log.clock()
    if abs(now - here) > SKEW:
        raise ClockSkewed(
            f"this host's clock says {here:%Y-%m-%dT%H:%M:%SZ}, the store's"
            f" {now:%Y-%m-%dT%H:%M:%SZ}: nothing was published; set the clock and run"
            " the command again"
        )
    if state.committed_at:
        now = max(now, datetime.fromisoformat(state.committed_at))
    return now.astimezone(UTC).isoformat(timespec="milliseconds")


def _stored(log: Log, entry: Entry) -> bytes:
    """Return the bytes that stand for the entry; changes that are too many go into a file first."""
    data = to_json(entry)
    if len(data) <= LARGE:
        return data
    key, changes = layout.commit_changes(entry.commit, entry.id), pack_changes(entry.changes)
    try:
        objects.create(log.store, key, changes, pause=log.pause)
    except OSError as exc:
        raise unavailable(
            f"{key} could not be stored in {said_by(log.store.url, exc)}; nothing was published,"
            " run the same command again",
            exc,
        ) from exc
    named = {"key": key, "sha256": sha256(changes)}
    return to_json(dataclasses.replace(entry, changes=(), changes_file=named))


def _settle(log: Log, key: str, data: bytes, commit_id: str) -> bool:
    """Put an entry and find out what stands at its key: True mine, False a foreign one."""
    number = layout.commit_number(key) or 0
    for attempt in range(TRIES):
        try:
            log.store.put_new(key, data)
            return True
        except (OSError, ValueError) as exc:
            if is_refusal(exc) and attempt == 0:
                raise CommitRefused(
                    f"commit {number} was refused by {said_by(log.store.url, exc)}; nothing was"
                    " published, run the same command again when that is mended"
                ) from exc
            if is_refusal(exc):
                raise CommitUnknown(commit_id, number) from exc
        found = objects.standing(log.store, key)
        if found is not None:
            return from_json(found, key=key).id == commit_id
        log.pause(objects.backoff_s(attempt))
    raise CommitUnknown(commit_id, number)


def _checkpoint(log: Log, state: State) -> None:
    """Spare the next reader a long tail; that it failed once is enough for one process."""
    if not log.no_checkpoints and checkpoint.due(state):
        log.no_checkpoints = not checkpoint.write(log, state)
