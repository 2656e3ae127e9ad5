"""Snapshots: which commit a WHEN means, and the state of the lake there."""

import re
from datetime import UTC, date, datetime, time, timedelta

from lake import layout
from lake.catalog import checkpoint, identity
from lake.catalog.base import ParquetBase
from lake.catalog.log import Log, advance
from lake.catalog.state import State
from lake.errors import InvalidAddress, NoSuchVersion
from lake.query.sql import literal

_NUMBER = re.compile(r"[0-9]{1,18}")
_LIKE_A_NUMBER = re.compile(r"-?[0-9]+")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ].+")


def resolve(log: Log, head: State, when: str | int) -> int:
    """Return the number of the commit that `when` means.

    Args:
        log: the lake's.
        head: the state to look in; nothing behind it is seen.
        when: a commit number, a tag, an ISO time, or a date: its end in the lake's zone.

    Raises:
        NoSuchVersion: no such commit or tag, or nothing had been published by then.
        InvalidAddress: it is none of these.
    """
    text = str(when)
    if _NUMBER.fullmatch(text):
        return _number(head, int(text))
    if _LIKE_A_NUMBER.fullmatch(text):
        raise NoSuchVersion(f"there is no commit {text[:40]}: the newest is {head.commit}")
    if _DATE.fullmatch(text) or _TIME.fullmatch(text):
        return _commit_at(head, moment(log, text), text)
    if re.fullmatch(r"v[0-9]+", text):
        raise InvalidAddress(
            f"@{text} names a version, which needs a partition: write DATASET/k=v@{text}"
        )
    if text not in head.tags:
        known = ", ".join(sorted(head.tags)) or "none"
        raise NoSuchVersion(f"there is no tag {text[:80]!r} at commit {head.commit}; tags: {known}")
    return head.tags[text]


def _number(head: State, number: int) -> int:
    if number > head.commit:
        raise NoSuchVersion(f"there is no commit {number}: the newest is {head.commit}")
    return number


def moment(log: Log, text: str) -> datetime:
    """Return the time that a text says, UTC: of a date, its end in the lake's zone.

    Raises:
        InvalidAddress: it says none.
    """
    zone = identity.zone(log.identity.timezone)
    try:
        if _DATE.fullmatch(text):
            next_day = date.fromisoformat(text) + timedelta(days=1)
            # In UTC: where clocks are set back at midnight, the day's last hour is there twice.
            midnight = datetime.combine(next_day, time(), zone).astimezone(UTC)
            return midnight - timedelta(microseconds=1)
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise InvalidAddress(
            f"{text!r} is no time: write 2026-01-31 or 2026-01-31T10:00:00Z"
        ) from exc


def _commit_at(head: State, stamp: datetime, text: str) -> int:
    in_tail = [e.commit for e in head.tail if datetime.fromisoformat(e.committed_at) <= stamp]
    if in_tail:
        return max(in_tail)
    if isinstance(head.base, ParquetBase):
        ((number,),) = head.base.rows(
            "SELECT max(commit) FROM commits"
            f" WHERE committed_at::TIMESTAMPTZ <= {literal(stamp.isoformat())}::TIMESTAMPTZ"
        )
        if number:
            return int(number)
    raise NoSuchVersion(f"nothing had been published by {text}: the lake's first commit came later")


def state_at(log: Log, head: State, number: int) -> State:
    """Return the state at commit `number`, from the nearest checkpoint before it.

    Raises:
        NoSuchVersion: there is no such commit yet.
    """
    _number(head, number)
    state: State | None = None
    for known in sorted(head.checkpoints, reverse=True):
        if state is None and known <= number:
            state = checkpoint.load(log, known)
    state = state or State(lake=head.lake)
    advance(log, state, to=number)
    state.expired = {**head.expired, **head.doomed} if head.expired else head.doomed
    if state.commit != number:
        raise NoSuchVersion(
            f"{layout.commit(state.commit + 1)} cannot be read: commit {number} is out of reach"
        )
    return state
