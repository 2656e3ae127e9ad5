"""Values of records: their kinds, their exact texts, and other libraries' values made Python's."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

NONE = type(None)
NESTED = frozenset({"list", "struct"})


class Written(str):
    """A number with a fraction or an exponent, as its source wrote it."""

    __slots__ = ()


class NoValue(ValueError):
    """A value that no column holds exactly; the message is a sentence about its column."""


def _of_datetime(value: datetime) -> str:
    return "timestamp" if value.utcoffset() is None else "zoned"


def _of_time(value: time) -> str:
    return "time" if value.utcoffset() is None else "zoned time"


KINDS: Mapping[type, str | Callable[[Any], str]] = {
    bool: "bool",
    int: "int",
    float: "float",
    Decimal: "decimal",
    Written: "written",
    str: "text",
    bytes: "bytes",
    date: "date",
    datetime: _of_datetime,
    time: _of_time,
    UUID: "uuid",
    list: "list",
    dict: "struct",
}
_KNOWN = frozenset({NONE, *KINDS})
# A subclass comes before what it is derived from.
_BASES: Sequence[tuple[type | tuple[type, ...], Callable[[Any], Any]]] = (
    (int, int),
    (float, float),
    (Decimal, Decimal),
    (str, str.__str__),
    ((bytes, bytearray, memoryview), bytes),
    (datetime, lambda value: _moment(value)),
    (date, lambda value: date(value.year, value.month, value.day)),
    (UUID, lambda value: UUID(int=value.int)),
    (Mapping, dict),
    (tuple, list),
    (list, list),
)


def plain(values: Sequence[Any], path: str) -> Sequence[Any]:
    """Return the values as the types of `KINDS`: tuples as lists, NumPy's and pandas' as Python's.

    Raises:
        NoValue: one is nothing that a column can hold, such as a set.
    """
    if _KNOWN.issuperset(map(type, values)):
        return values
    return [value if type(value) in _KNOWN else _plain(value, path) for value in values]


def _plain(value: Any, path: str) -> Any:
    module, kind = type(value).__module__.partition(".")[0], type(value).__name__
    if module == "pandas" and kind in ("NaTType", "NAType"):
        return None
    if module == "numpy" and kind == "ndarray":
        return value.tolist()
    for base, convert in _BASES:
        if isinstance(value, base):
            return convert(value)
    item = value.item() if module == "numpy" and kind[:8] not in ("datetime", "timedelt") else value
    if type(item) in _KNOWN:
        return item
    raise NoValue(f"column {path!r} holds a {kind}, which is no value of a table")


def _moment(value: Any) -> datetime:
    if getattr(value, "nanosecond", 0):
        raise NoValue(
            f"{value} has nanoseconds, which no Python datetime holds: give an Arrow table"
        )
    whole: datetime = value.to_pydatetime() if hasattr(value, "to_pydatetime") else value
    return datetime.combine(whole.date(), whole.timetz())


def by_kind(values: Sequence[Any]) -> dict[str, list[Any]]:
    """Return the values that are not None by their kind."""
    found: dict[str, list[Any]] = {}
    for kind in dict.fromkeys(map(type, values)):
        if kind is NONE:
            continue
        own = [value for value in values if type(value) is kind]
        named = KINDS[kind]
        if isinstance(named, str):
            found[named] = own
            continue
        for value in own:
            found.setdefault(named(value), []).append(value)
    return found


def text_of(value: Any) -> str:
    """Return the exact text of a scalar, as DuckDB writes a value of its type."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            return str(value)
        return f"{value.astimezone(UTC).replace(tzinfo=None)}Z"
    return str(value)


def json_of(value: Any, path: str) -> str:
    """Return a value as exact JSON: numbers as they were written, other scalars as their texts.

    Raises:
        NoValue: there are bytes in it, which JSON has no form for.
    """
    if value is None:
        return "null"
    if isinstance(value, dict):
        fields = (f"{_quoted(str(key))}:{json_of(item, path)}" for key, item in value.items())
        return "{" + ",".join(fields) + "}"
    if isinstance(value, list):
        return "[" + ",".join([json_of(item, path) for item in value]) + "]"
    (value,) = plain([value], path)
    if isinstance(value, (dict, list)):
        return json_of(value, path)
    if isinstance(value, bytes):
        raise NoValue(f"column {path!r} holds bytes in values of unlike shapes: give them as text")
    if isinstance(value, (bool, Written)) or (isinstance(value, (int, float)) and _finite(value)):
        return text_of(value)
    return _quoted(text_of(value))


def _finite(value: int | float) -> bool:
    return isinstance(value, int) or math.isfinite(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
