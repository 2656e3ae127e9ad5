"""What a lake is before its first commit: format, id and time zone, written once."""

import json
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from time import sleep
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from lake import layout
from lake.catalog.entries import FORMAT
from lake.catalog.get import get
from lake.errors import InvalidConfig, LakeTooNew, LogDamaged, NoSuchLake, StoreUnavailable
from storage_backends import Store


@dataclass(frozen=True, slots=True)
class Identity:
    """A lake's id, the time zone in which it reads bare dates, and when it was made (ISO, UTC)."""

    id: str
    timezone: str = "UTC"
    created_at: str = ""
    format: int = FORMAT


def create(store: Store, *, timezone: str, now: datetime) -> Identity:
    """Make an empty lake, or return the one that is there.

    Raises:
        InvalidConfig: `timezone` is no IANA name.
        StoreUnavailable: the store lets a key be created twice; nothing is left there.
    """
    zone(timezone)
    identity = Identity(str(uuid.uuid4()), timezone, now.isoformat(timespec="seconds"))
    data = json.dumps(asdict(identity), indent=1).encode()
    try:
        store.put_new(layout.LAKE, data)
    except FileExistsError:
        return read(store)
    with suppress(FileExistsError):
        store.put_new(layout.LAKE, data)
        store.delete(layout.LAKE)
        raise StoreUnavailable(
            f"{store.url} lets a key be created twice, so commits would be lost there: use a store"
            " with create-only writes (`lake doctor` tries it)"
        )
    return identity


def read(store: Store, pause: Callable[[float], None] = sleep) -> Identity:
    """Return who the lake is.

    Raises:
        NoSuchLake: there is none.
    """
    data = get(store, layout.LAKE, pause)
    if data is None:
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
