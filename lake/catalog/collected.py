"""What `lake gc` took away: reading it is an error that says so, never a missing file."""

from collections.abc import Iterable

from lake.catalog.log import Log, advance
from lake.catalog.state import State
from lake.errors import LakeError, VersionExpired


def refuse_collected(state: State, keys: Iterable[str], *, what: str) -> None:
    """Make sure that none of `keys` was collected, as far as the state knows.

    Raises:
        VersionExpired: one was.
    """
    if not state.doomed and not state.expired:
        return
    for key in keys:
        if number := state.collected(key):
            raise expired(what, number)


def expired(what: str, number: int) -> VersionExpired:
    """Return the error about something whose files were collected."""
    return VersionExpired(
        f"{what} cannot be read any more: `lake gc` collected its files in commit {number}; read"
        " a newer snapshot (`lake log` lists them), or tag what is to be kept"
    )


def why_missing(log: Log, state: State, key: str, *, what: str) -> VersionExpired | None:
    """Return why a file is gone that was there at a state: the log may say so by now."""
    now = state.fork()
    try:
        advance(log, now)
    except LakeError:
        return None
    number = now.collected(key)
    return expired(what, number) if number else None
