"""`doctor`: try what a lake needs of its store and of this machine.

What is written for it has keys of its own, and is deleted again.
"""

import errno
import platform
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from lake import layout
from lake.catalog import identity
from lake.catalog.log import open_log, refuse_hole
from lake.errors import LakeError
from lake.version import VERSION
from lake.words import cause
from storage_backends import Store, is_refusal

WRITERS = 16
ROUNDS = 5
SKEW_S = 300
_OF_WRITTEN = ("read", "list", "create-only", "lost answer", "delete")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried, whether it is as it should be, and what was seen."""

    tried: str
    ok: bool
    found: str


Told = Callable[[Finding], None]


def doctor(store: Store, told: Told = lambda finding: None) -> list[Finding]:
    """Try everything, one after the other; what fails stops only what hangs on it."""
    prefix = layout.probe(uuid.uuid4().hex[:8])
    trials: list[tuple[str, Callable[[], str]]] = [
        ("versions", _versions),
        ("lake", lambda: _lake(store)),
        ("log", lambda: _log(store)),
        ("write", lambda: _write(store, prefix)),
        ("read", lambda: _read(store, prefix)),
        ("list", lambda: _list(store, prefix)),
        ("create-only", lambda: _create_only(store, prefix)),
        ("lost answer", lambda: _lost_answer(store, prefix)),
        ("absent key", lambda: _absent(store, prefix)),
        ("clock", lambda: _clock(store)),
        ("delete", lambda: _delete(store, prefix)),
        ("protection", lambda: _protection(store)),
    ]
    found: list[Finding] = []
    try:
        for name, trial in trials:
            is_barred = name in _OF_WRITTEN and not _ok(found, "write")
            found.append(_barred(name) if is_barred else _tried(name, trial))
            told(found[-1])
    finally:
        with suppress(OSError, ValueError):
            _sweep(store, prefix)
    return found


def _barred(name: str) -> Finding:
    return Finding(name, False, "not tried: nothing could be written")


def _ok(found: list[Finding], tried: str) -> bool:
    return any(one.ok for one in found if one.tried == tried)


class _Wrong(Exception):
    """Something is not as a lake needs it; the text says what."""


def _tried(name: str, trial: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, trial())
    except (_Wrong, LakeError, OSError, ValueError) as exc:
        return Finding(name, False, cause(exc))


def _versions() -> str:
    import duckdb

    return f"clearlake {VERSION}, python {platform.python_version()}, duckdb {duckdb.__version__}"


def _lake(store: Store) -> str:
    who = identity.read(store)
    return f"format {who.format}, id {who.id}, time zone {who.timezone}"


def _log(store: Store) -> str:
    log, state = open_log(store)
    with suppress(PermissionError):  # a reader lists nothing
        refuse_hole(log, state)
    return f"reads to commit {state.commit}"


def _write(store: Store, prefix: str) -> str:
    store.put_new(f"{prefix}-a", b"probe")
    return "a new object"


def _read(store: Store, prefix: str) -> str:
    if store.get(f"{prefix}-a") != b"probe" or store.get(f"{prefix}-a", start=2, length=2) != b"ob":
        raise _Wrong("what was written comes back as something else: do not use this store")
    return "what was written, whole and in part"


def _list(store: Store, prefix: str) -> str:
    keys = [f"{prefix}-list-{number}" for number in range(3)]
    for key in keys:
        store.put_new(key, b"")
    listed = [item.key for item in store.list(f"{prefix}-list-")]
    if listed != keys:
        raise _Wrong(f"{len(listed)} of {len(keys)} new objects are listed: listings lag behind")
    return "complete at once"


def _create_only(store: Store, prefix: str) -> str:
    for number in range(ROUNDS):
        key = f"{prefix}-race-{number}"
        winners = _race(store, key)
        if len(winners) > 1:
            raise _Wrong(
                f"{len(winners)} of {WRITERS} writers were told that they created one key: commits"
                " would be lost; use a store with create-only writes"
            )
        # Who was given no clear answer may have won: that is what a writer looks for, too.
        if winners and store.get(key) != winners[0]:
            raise _Wrong("the writer who was told that it won did not: use another store")
    return f"no two winners of {WRITERS} writers, {ROUNDS} times"


def _race(store: Store, key: str) -> list[bytes]:
    gate = threading.Barrier(WRITERS)

    def write(number: int) -> bytes | None:
        data = f"writer {number}".encode()
        gate.wait()
        try:
            store.put_new(key, data)
        except OSError as exc:
            if is_refusal(exc):
                raise
            return None
        return data

    with ThreadPoolExecutor(WRITERS) as pool:
        return [data for data in pool.map(write, range(WRITERS)) if data]


def _lost_answer(store: Store, prefix: str) -> str:
    """Do what a writer does who was not told whether its entry is stored: send it again, look."""
    key, mine = f"{prefix}-lost", uuid.uuid4().bytes
    store.put_new(key, mine)
    try:
        store.put_new(key, mine)
    except FileExistsError:
        if store.get(key) == mine:
            return "resolved by what stands at the key"
        raise _Wrong("what was created is not what stands there: use another store") from None
    raise _Wrong("the same bytes were created twice: use a store with create-only writes")


def _protection(store: Store) -> str:
    try:
        return store.protection()
    except PermissionError as exc:
        if exc.errno != errno.EACCES:
            raise
        return "these credentials may not ask for versioning and locks"


def _absent(store: Store, prefix: str) -> str:
    try:
        store.get(f"{prefix}-absent")
    except FileNotFoundError:
        return "told from one that may not be read"
    raise _Wrong("a key that nobody wrote can be read: use another store")


def _clock(store: Store) -> str:
    seconds = (datetime.now(UTC) - store.now()).total_seconds()
    if abs(seconds) > SKEW_S:
        raise _Wrong(f"this host is {seconds:+.0f} s off the store: set its clock")
    return f"within {abs(seconds):.0f} s of the store"


def _sweep(store: Store, prefix: str) -> None:
    for item in list(store.list(prefix)):
        store.delete(item.key)


def _delete(store: Store, prefix: str) -> str:
    try:
        _sweep(store, prefix)
    except PermissionError as exc:
        raise _Wrong(f"{cause(exc)}; what was tried stays at {prefix}-…: delete it") from exc
    left = [item.key for item in store.list(prefix)]
    if left:
        raise _Wrong(f"{len(left)} objects are still there after they were deleted")
    return "what was written is gone again"
