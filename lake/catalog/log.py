"""Reading the log: the newest checkpoint, then entry by entry to the head, without a listing."""

import errno
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from time import sleep
from typing import Any

from lake import layout
from lake.catalog import checkpoint, fold, identity
from lake.catalog.cache import Cache
from lake.catalog.codec import build, from_json, sha256
from lake.catalog.entries import CHANGES, Change, Entry
from lake.catalog.get import get
from lake.catalog.identity import Identity
from lake.catalog.state import State
from lake.errors import LakeTooNew, LogDamaged, StoreUnavailable, unavailable
from lake.words import said_by
from storage_backends import Store

BATCH = 64
TOGETHER = 256


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Log:
    """The log of one lake, and what reading and publishing need around it.

    Attributes:
        clock: gives this host's time (UTC, aware).
        pause: sleeps, seconds.
        parallel: how many requests may be under way at once.
        listed: whether this process has looked for entries beyond the head.
        forbidden: whether the head was told by a 403, which is enough for a reader only.
        no_checkpoints: whether writing one failed, so that this process leaves it to others.
        cached: the newest entry that was taken from the cache.
        catalog_rests_until: when `catalog.duckdb` of a large lake may be made again.
    """

    store: Store
    identity: Identity
    cache: Cache = field(default_factory=Cache)
    clock: Callable[[], datetime] = _utc_now
    pause: Callable[[float], None] = sleep
    parallel: int = 16
    listed: bool = False
    forbidden: bool = False
    no_checkpoints: bool = False
    cached: int = 0
    catalog_rests_until: datetime | None = None


def open_log(
    store: Store,
    *,
    cache_of: Callable[[str, str], Cache] = lambda url, lake_id: Cache(),
    **surroundings: Any,
) -> tuple[Log, State]:
    """Read a lake's head.

    Raises:
        NoSuchLake: there is none.
        LogDamaged: the log has a hole. Nobody may write.
        LakeTooNew: it was written in a later format.
    """
    with _naming(store):
        return _opened(store, cache_of, surroundings)


@contextmanager
def _naming(store: Store) -> Iterator[None]:
    """Name the store in what is said of its objects."""
    try:
        yield
    except (LogDamaged, LakeTooNew) as exc:
        if store.url in str(exc):
            raise
        raise type(exc)(f"{store.url}: {exc}") from exc


def _opened(
    store: Store, cache_of: Callable[[str, str], Cache], surroundings: dict[str, Any]
) -> tuple[Log, State]:
    pause = surroundings.get("pause", sleep)
    hint = read_hint(store, pause)
    who = hint.identity if hint else identity.read(store, pause)
    log = Log(store, who, cache_of(store.url, who.id), **surroundings)
    is_new_here = bool(hint and hint.commit and not checkpoint.is_cached(log, hint.commit))
    state = checkpoint.load(log, hint.commit) if hint else None
    state = state or State(lake=who.id)
    advance(log, state, expected=log.parallel if is_new_here else 1)
    if hint and state.commit < hint.commit:
        raise LogDamaged(
            f"{layout.HINT} says that commit {hint.commit} was published, the log in {store.url}"
            f" ends at {state.commit}: restore {layout.commit(state.commit + 1)} from a copy"
        )
    if state.commit in (log.cached, state.base.commit) and state.commit:
        _confirm(log, state)
    return log, state


def _confirm(log: Log, state: State) -> None:
    """Make sure that a head which only a cache or a checkpoint knows is the store's, too.

    A bucket that was set back to an older copy would be forked by whoever writes on.
    """
    key = layout.commit(state.commit)
    found = fetch(log, key)
    if found is None or sha256(found) != state.head_sha256:
        raise LogDamaged(
            f"{key} in {log.store.url} is {'not what it was' if found else 'missing'}"
            ": restore it from a copy, or, if the lake was set back on"
            f" purpose, delete {log.cache.root or layout.HINT}"
        )


@dataclass(frozen=True, slots=True)
class Hint:
    """The newest checkpoint, as far as anybody noted it, and whose it is."""

    commit: int
    identity: Identity


def read_hint(store: Store, pause: Callable[[float], None] = sleep) -> Hint | None:
    """Return the hint; None where it is missing or damaged, for it is only a hint."""
    data = get(store, layout.HINT, pause)
    if data is None:
        return None
    try:
        commit = json.loads(data)["commit"]
        return Hint(int(commit), identity.parse(data, key=layout.HINT))
    except (LogDamaged, ValueError, KeyError, TypeError, OverflowError):
        return None


def advance(log: Log, state: State, *, to: int | None = None, expected: int = 1) -> None:
    """Fold every entry behind `state` into it, up to the head or to commit `to`.

    Args:
        log: where they are.
        state: what is known; it is changed.
        to: the last commit that is wanted.
        expected: how many there may well be: so many are asked for at first.

    Raises:
        LogDamaged: an entry does not follow from the one before.
    """
    found = _entries(log, state.commit + 1, to, expected)
    while batch := list(islice(found, TOGETHER)):
        loaded = _look_up(log, state, batch)
        for number, data in batch:
            _fold(log, state, number, data, loaded.get(number))


def _look_up(log: Log, state: State, batch: list[tuple[int, bytes]]) -> dict[int, Entry]:
    """Look up what many entries speak of at once: a query each would take most of the opening."""
    loaded: dict[int, Entry] = {}
    with suppress(LogDamaged):
        for number, data in batch:
            loaded[number] = load_entry(log, data, number)
    state.prefetch(key for entry in loaded.values() for key in fold.touched(entry.changes))
    return loaded


def _fold(log: Log, state: State, number: int, data: bytes, entry: Entry | None) -> None:
    """Fold one entry; where the cache's bytes proved wrong, the store's."""
    try:
        fold.apply(state, entry or load_entry(log, data, number), sha256(data))
    except LogDamaged:
        kept = _forget(log, number)
        fresh = fetch(log, layout.commit(number)) if kept else None
        if fresh is None or fresh == data:
            raise
        fold.apply(state, load_entry(log, fresh, number), sha256(fresh))
        log.cache.put(layout.commit(number), fresh)


def _forget(log: Log, number: int) -> bool:
    """Forget the cached entries up to one that proved wrong; tell whether there were any.

    Each vouches for the one before it, so which of them is damaged cannot be told.
    """
    kept = False
    while (path := log.cache.path(layout.commit(number))) and path.exists():
        log.cache.drop(layout.commit(number))
        number, kept = number - 1, True
    return kept


def load_entry(log: Log, data: bytes, number: int) -> Entry:
    """Read an entry's bytes, with the changes that lie in a file beside it."""
    entry = from_json(data, key=layout.commit(number))
    if not entry.changes_file:
        return entry
    key, wanted = entry.changes_file["key"], entry.changes_file["sha256"]
    found = log.cache.get(key)
    if found is None or sha256(found) != wanted:
        found = fetch(log, key)
    if found is None or sha256(found) != wanted:
        raise LogDamaged(
            f"{key} is not the file that commit {number} names: restore it from a copy"
        )
    log.cache.put(key, found)
    return replace(entry, changes=unpack_changes(found, key=key))


def pack_changes(changes: tuple[Change, ...]) -> bytes:
    """Return changes as a Parquet file of one JSON text each."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from lake.catalog.codec import plain

    table = pa.table({"change": [json.dumps(plain(change)) for change in changes]})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())


def unpack_changes(data: bytes, *, key: str) -> tuple[Change, ...]:
    """Return the changes of such a file.

    Raises:
        LakeTooNew: it holds one that this version does not know.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = pq.read_table(pa.BufferReader(data))["change"].to_pylist()
    return tuple(_change(json.loads(row), key) for row in rows)


def _change(document: dict[str, Any], key: str) -> Change:
    action = document.pop("action")
    if action not in CHANGES:
        raise LakeTooNew(
            f"{key} holds the change {action!r}, which this clearlake does not know: upgrade it"
        )
    change: Change = build(CHANGES[action], document)
    return change


def _entries(log: Log, first: int, to: int | None, expected: int) -> Iterator[tuple[int, bytes]]:
    """Give the stored bytes of entries, from the cache while it has them, then from the store."""
    number = first
    while to is None or number <= to:
        data = log.cache.get(layout.commit(number))
        if data is None:
            break
        log.cached = number
        yield number, data
        number += 1
    yield from _stored(log, number, to, expected)


def _stored(log: Log, first: int, to: int | None, size: int) -> Iterator[tuple[int, bytes]]:
    """Give entries from the store: `size` at once, and while all are there 2, 4, 8 … times that."""
    while to is None or first <= to:
        last = first + size - 1 if to is None else min(first + size - 1, to)
        batch = _batch(log, range(first, last + 1))
        for number, data in zip(range(first, last + 1), batch, strict=True):
            if data is None and any(batch[number - first :]):
                data = _surely(log, number)
            if data is None:
                return
            log.cache.put(layout.commit(number), data)
            yield number, data
        first, size = last + 1, min(size * 2, BATCH)


def _surely(log: Log, number: int) -> bytes:
    """Get an entry whose successor was seen, so that it must be there by now."""
    data = fetch(log, layout.commit(number))
    if data is None:
        raise LogDamaged(
            f"the log has a hole: {layout.commit(number)} is missing and"
            f" {layout.commit(number + 1)} or a later one is there; restore it from a copy"
        )
    return data


def refuse_hole(log: Log, state: State) -> None:
    """Make sure that the head is one: that a listing shows nothing behind it.

    Raises:
        LogDamaged: something lies there, and an entry before it is missing.
        StoreUnavailable: the store would not list.
    """
    numbers = _numbers(log, state)
    for number in range(max(state.commit, 1), max(numbers, default=state.commit) + 1):
        # A listing is no snapshot: it may have passed a number just before that was published.
        if number not in numbers and fetch(log, layout.commit(number)) is None:
            raise LogDamaged(
                f"the log in {log.store.url} has a hole: {layout.commit(number)} is missing, and"
                f" commits up to {max(numbers)} are there; restore it from a copy"
            )


def _numbers(log: Log, state: State) -> set[int]:
    """Return which numbers from the head on a listing shows."""
    before = layout.commit(state.commit - 1) if state.commit > 1 else layout.LOG
    try:
        keys = [item.key for item in log.store.list(layout.LOG, after=before)]
    except OSError as exc:
        text = f"cannot list {layout.LOG} in {said_by(log.store.url, exc)}; nothing was changed"
        raise unavailable(text, exc) from exc
    return {number for key in keys if (number := layout.commit_number(key)) is not None}


def _batch(log: Log, numbers: range) -> list[bytes | None]:
    if len(numbers) == 1 or log.parallel == 1:
        return [_entry_or_end(log, number) for number in numbers]
    with ThreadPoolExecutor(min(log.parallel, len(numbers))) as pool:
        return list(pool.map(lambda number: _entry_or_end(log, number), numbers))


def _entry_or_end(log: Log, number: int) -> bytes | None:
    """Get an entry; where a store without LIST answers 403 behind the head, that is the end."""
    try:
        return fetch(log, layout.commit(number))
    except StoreUnavailable as exc:
        why = exc.__cause__
        is_hidden = isinstance(why, PermissionError) and why.errno == errno.EACCES
        if number == 1 or not is_hidden:  # credentials that have ended tell nothing of the log
            raise
        log.forbidden = True
        return None


def fetch(log: Log, key: str) -> bytes | None:
    """Return an object's bytes, or None if it is not there; tries again where the store is unclear.

    Raises:
        StoreUnavailable: the store gave no answer, or may not say. Safe to retry.
    """
    return get(log.store, key, log.pause)
