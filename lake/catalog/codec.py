"""Entries as JSON and back; fields that hold their default are not written."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from lake.catalog.entries import CHANGES, FORMAT, Change, Entry
from lake.errors import LakeTooNew, LogDamaged


def to_json(entry: Entry) -> bytes:
    """Return the stored bytes of an entry: compact JSON, one line, UTF-8."""
    return json.dumps(plain(entry), separators=(",", ":"), ensure_ascii=False).encode()


def from_json(data: bytes, *, key: str) -> Entry:
    """Read an entry.

    Raises:
        LakeTooNew: it is of a later format, or holds a change that this version does not know.
        LogDamaged: it is no entry.
    """
    try:
        document = json.loads(data)
        found = document["format"]
    except (ValueError, KeyError, TypeError) as exc:
        raise LogDamaged(f"{key} is no log entry: restore it from a copy of the lake") from exc
    if found > FORMAT:
        raise LakeTooNew(
            f"{key} has format {found}, this clearlake knows {FORMAT}: upgrade clearlake"
        )
    unknown = {c.get("action") for c in document.get("changes", [])} - CHANGES.keys()
    if unknown:
        raise _unknown_action(key, document["commit"], sorted(map(str, unknown))[0])
    try:
        entry: Entry = build(Entry, document)
    except (KeyError, TypeError, ValueError) as exc:
        raise LogDamaged(
            f"{key} is no log entry: {exc}; restore it from a copy of the lake"
        ) from exc
    return entry


def _unknown_action(key: str, number: int, action: str) -> Exception:
    if action == "erase":
        return LakeTooNew(f"erased at commit {number}: {key} needs a later clearlake")
    return LakeTooNew(
        f"{key} holds the change {action!r}, which this clearlake does not know: upgrade it"
    )


def plain(value: Any) -> Any:
    """Return dataclasses as JSON-able values, without the fields that hold their default."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {
            f.name: plain(getattr(value, f.name))
            for f in dataclasses.fields(value)
            if not _is_default(value, f)
        }
        action = getattr(value, "action", None)
        return {"action": action, **fields} if action else fields
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    return value


def _is_default(value: Any, item: "dataclasses.Field[Any]") -> bool:
    if item.name == "format":
        return False
    now = getattr(value, item.name)
    if item.default_factory is not dataclasses.MISSING:
        return bool(now == item.default_factory())
    return bool(now == item.default)


def build(kind: Any, value: Any) -> Any:
    """Return JSON-able values as `kind`: the inverse of `plain`.

    Raises:
        TypeError, KeyError: `value` has not the shape of `kind`.
    """
    if kind is Change:
        return build(CHANGES[value["action"]], {k: v for k, v in value.items() if k != "action"})
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = _hints(kind)
        return kind(**{name: build(hints[name], item) for name, item in value.items()})
    origin = get_origin(kind)
    if origin is tuple:
        return tuple(build(get_args(kind)[0], item) for item in value)
    if origin in (Union, UnionType):
        shaped = [one for one in get_args(kind) if dataclasses.is_dataclass(one)]
        return build(shaped[0], value) if shaped and value is not None else value
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {key: build(get_args(kind)[1], item) for key, item in value.items()}
    return value


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def sha256(data: bytes) -> str:
    """Return the SHA-256 of `data`, hex."""
    return hashlib.sha256(data).hexdigest()
