"""What a lake is before its first commit: format, id and time zone, written once."""

import json
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from time import sleep
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from lake import layout, objects
from lake.catalog.entries import FORMAT
from lake.catalog.get import get
from lake.errors import InvalidConfig, LakeTooNew, LogDamaged, NoSuchLake, StoreUnavailable
from storage_backends import Store, is_refusal


@dataclass(frozen=True, slots=True)
class Identity:
    """A lake's id, the time zone in which it reads bare dates, and when it was made (ISO, UTC)."""

    id: str
    timezone: str = "UTC"
    created_at: str = ""
    format: int = FORMAT


def create(
    store: Store,
    *,
    timezone: str,
    now: datetime,
    former: Identity | None = None,
    pause: Callable[[float], None] = sleep,
) -> Identity:
    """Make an empty lake, or return the one that is there.

    Args:
        store: where.
        timezone: its IANA name.
        now: when it is made.
        former: whose lake the hint says this is, should its `lake.json` be lost: written again.
        pause: sleeps, seconds.

    Raises:
        InvalidConfig: `timezone` is no IANA name.
        LogDamaged: there is a log, and nothing says whose.
        StoreUnavailable: the store lets a key be created twice; nothing is left there.
    """
    zone(timezone)
    there = get(store, layout.LAKE, pause)
    if there is not None:
        return parse(there, key=layout.LAKE)
    if former is None:
        _refuse_orphaned_log(store, pause)
    made = now.isoformat(timespec="seconds")
    identity = former or Identity(str(uuid.uuid4()), timezone, made)
    data = json.dumps(asdict(identity), indent=1).encode()
    try:
        objects.create(store, layout.LAKE, data, pause=pause)
    except FileExistsError:
        return read(store, pause)
    _refuse_overwriting(store, data, pause)
    return identity


def _refuse_orphaned_log(store: Store, pause: Callable[[float], None]) -> None:
    if get(store, layout.commit(1), pause) is not None:
        raise LogDamaged(
            f"{layout.LAKE} is missing in {store.url}, and the log is there: restore it from a copy"
            " of the lake"
        )


def _refuse_overwriting(store: Store, data: bytes, pause: Callable[[float], None]) -> None:
    """Write the key that was just created once more: a store for lakes refuses that."""
    for attempt in range(objects.TRIES):
        try:
            store.put_new(layout.LAKE, data)
        except FileExistsError:
            return
        except OSError as exc:  # such as: too many writes of one key in a second
            if is_refusal(exc) or attempt + 1 == objects.TRIES:
                raise
            pause(objects.backoff_s(attempt))
            continue
        store.delete(layout.LAKE)
        raise StoreUnavailable(
            f"{store.url} lets a key be created twice, so commits would be lost there: use a store"
            " with create-only writes (`lake doctor` tries it)"
        )


def read(store: Store, pause: Callable[[float], None] = sleep) -> Identity:
    """Return who the lake is.

    Raises:
        NoSuchLake: there is none.
        LogDamaged: there is a log, and nothing says whose.
    """
    data = get(store, layout.LAKE, pause)
    if data is None:
        _refuse_orphaned_log(store, pause)
        raise NoSuchLake(
            f"there is no lake at {store.url}: make one with `lake init {store.url}`"
        ) from None
    return parse(data, key=layout.LAKE)


def parse(data: bytes, *, key: str) -> Identity:
    """Read an identity out of JSON that may hold more.

    Raises:
        LakeTooNew: it was written in a later format.
        LogDamaged: it is none.
    """
    try:
        document = json.loads(data)
        known = {name: document[name] for name in ("id", "timezone", "created_at", "format")}
        known["format"] = int(known["format"])
    except (ValueError, KeyError, TypeError) as exc:
        raise LogDamaged(
            f"{key} is not what it should be: restore it from a copy of the lake"
        ) from exc
    if known["format"] > FORMAT:
        raise LakeTooNew(
            f"{key} has format {known['format']}, this clearlake knows {FORMAT}: upgrade clearlake"
        )
    return Identity(**known)


def zone(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name.

    Raises:
        InvalidConfig: there is none of this name.
    """
    try:
        if name == "localtime":  # means another zone on every host, and none to DuckDB
            raise ValueError(name)
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise InvalidConfig(f"{name!r} is no time zone: write one such as Europe/Paris") from exc
