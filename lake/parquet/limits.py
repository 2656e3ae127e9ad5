"""Limits of columns as texts: comparing them, and what follows for joins."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

from lake.catalog.entries import Bound
from lake.parquet.footer import Chunk

_INTEGER = re.compile(r"U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)")
_DECIMAL = re.compile(r"DECIMAL\([0-9]+,[0-9]+\)")
_TEMPORAL = ("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS")
_ZONED = "TIMESTAMP WITH TIME ZONE"
_EXACT_IN_DOUBLE = 2**53

_Time: TypeAlias = tuple[float, str]
_NS: tuple[_Time, _Time] = ((1677, "09-21 00:12:43.145224193"), (2262, "04-11 23:47:16.854775807"))
_US: tuple[_Time, _Time] = ((-290308, "12-22 00:00:00"), (294247, "01-10 04:00:54.775806"))


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one leaf: how many values and NULLs, and its limits as DuckDB writes them."""

    values: int
    nulls: int
    min: str | None = None
    max: str | None = None


def is_bounded(kind: str) -> bool:
    """Tell whether limits of this type are kept: numbers and times, never texts."""
    numeric = is_integer(kind) or kind in ("FLOAT", "DOUBLE") or _DECIMAL.fullmatch(kind)
    return bool(numeric) or is_time(kind)


def is_integer(kind: str) -> bool:
    """Tell whether a type holds integers."""
    return bool(_INTEGER.fullmatch(kind))


def is_time(kind: str) -> bool:
    """Tell whether a type holds dates or instants."""
    return kind in _TEMPORAL or kind == _ZONED


def merge(kind: str, chunks: Sequence[Chunk], is_known: bool) -> Limits | None:
    """Return a leaf's limits over all row groups, or None if the footer does not hold them."""
    if not is_known or any(chunk.nulls is None for chunk in chunks):
        return None
    filled = [chunk for chunk in chunks if chunk.values > (chunk.nulls or 0)]
    values, nulls = sum(c.values for c in chunks), sum(c.nulls or 0 for c in chunks)
    if not is_bounded(kind) or not filled:
        return Limits(values, nulls)
    lows = [chunk.min for chunk in filled if chunk.min is not None]
    highs = [chunk.max for chunk in filled if chunk.max is not None]
    if len(lows) < len(filled) or len(highs) < len(filled):
        return None
    key = _key(kind)
    return Limits(values, nulls, min(lows, key=key), max(highs, key=key))


def facts_of(kind: str, limits: Limits) -> list[str]:
    """Return what a join of types must know beyond this type: `wide`, `beyond_ns`, `beyond_us`."""
    if limits.min is None or limits.max is None:
        return []
    if is_integer(kind):
        widest = max(-int(limits.min), int(limits.max))
        return ["wide"] if widest > _EXACT_IN_DOUBLE else []
    if not is_time(kind):
        return []
    low, high = time_order(limits.min), time_order(limits.max)
    names = (("beyond_ns", _NS), ("beyond_us", _US))
    return [name for name, (first, last) in names if low < first or high > last]


def bound(kind: str, text: str | None) -> Bound | None:
    """Return a limit as JSON can hold it: finite numbers, ISO times, decimals as text."""
    if text is None:
        return None
    if kind in ("FLOAT", "DOUBLE"):
        number = float(text)
        return number if math.isfinite(number) else None
    if is_integer(kind) and kind not in ("HUGEINT", "UHUGEINT"):
        return int(text)
    if is_time(kind):
        return None if "infinity" in text else _iso(text)
    return text


def _iso(text: str) -> str:
    if text.endswith("(BC)"):
        return text
    return re.sub(r"\+00$", "Z", text.replace(" ", "T", 1))


def _key(kind: str) -> Callable[[str], Any]:
    if kind in ("FLOAT", "DOUBLE"):
        return float
    return time_order if is_time(kind) else Decimal


def time_order(text: str) -> _Time:
    """Return the year (BC is 0 and below) and the rest, so that times compare as they should."""
    if "infinity" in text:
        return (-math.inf if text.startswith("-") else math.inf, "")
    year, _, rest = text.partition("-")
    number = int(year)
    return (1 - number if text.endswith("(BC)") else number, rest)
