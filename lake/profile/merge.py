"""Profiles of one column in several files as one: what is counted adds up."""

from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from lake.catalog.entries import Bound
from lake.parquet.limits import time_order
from lake.profile.grid import Counts, added
from lake.profile.profile import ColumnProfile
from lake.profile.scan import LONGEST, Family

_TOP = 100


def merged(name: str, kind: str, parts: Sequence[ColumnProfile]) -> ColumnProfile:
    """Return one column over all of `parts`, in any order.

    Counts are exactly those of the values of all parts together, on the finest grid of 1, 2 and 5
    that every part can move to and that leaves 100 bins. `distinct` is the largest of the parts':
    there are at least so many; of texts it is exact where `has_every_text` tells so of every part.
    Counts in `top` are lower bounds. Where values of different families
    come together, only NULLs are counted.
    """
    if any(part.personal for part in parts):
        return ColumnProfile(name, kind, personal=True)
    nulls = sum(part.nulls for part in parts)
    filled = [part for part in parts if _has_values(part)]
    families = {part.family for part in filled}
    if len(families) != 1 or families == {"other"}:
        return ColumnProfile(name, kind, nulls=nulls)
    (family,) = families
    grid, counts = _counts(filled)
    return ColumnProfile(
        name,
        kind,
        family=family,
        nulls=nulls,
        min=_end(min, family, [part.min for part in filled]),
        max=_end(max, family, [part.max for part in filled]),
        distinct=_distinct(filled),
        grid=grid,
        counts=counts,
        nan=sum(part.nan for part in filled),
        beyond=sum(part.beyond for part in filled),
        top=_top(filled),
    )


def has_every_text(column: ColumnProfile) -> bool:
    """Tell whether `top` holds each text of the rows that were counted, and whole."""
    counted = sum(rows for _, rows in column.counts) + column.beyond
    is_whole = all(len(text) < LONGEST for text, _ in column.top)
    return column.family == "text" and is_whole and counted == sum(rows for _, rows in column.top)


def _distinct(parts: Sequence[ColumnProfile]) -> int:
    if all(map(has_every_text, parts)):
        return len({text for part in parts for text, _ in part.top})
    return max(part.distinct for part in parts)


def _has_values(part: ColumnProfile) -> bool:
    return bool(part.counts or part.nan or part.beyond) or part.min is not None


def _counts(parts: Sequence[ColumnProfile]) -> tuple[str, Counts]:
    on_grids = [(part.grid, part.counts) for part in parts if part.grid and part.counts]
    if on_grids:
        return added(on_grids)
    total: Counter[Any] = Counter()
    for part in parts:
        total.update(dict(part.counts))
    return "", tuple(sorted(total.items()))


def _end(
    choose: Callable[..., Any], family: Family, limits: Sequence[Bound | None]
) -> Bound | None:
    """Return the least or greatest; unknown where one of them is."""
    known = [limit for limit in limits if limit is not None]
    if len(known) < len(limits) or family == "boolean":
        return None
    found: Bound = choose(known, key=_order(family))
    return found


def _order(family: Family) -> Callable[[Any], Any]:
    if family == "number":
        return lambda limit: Decimal(str(limit))
    return time_order if family == "time" else str


def _top(parts: Sequence[ColumnProfile]) -> tuple[tuple[str, int], ...]:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(dict(part.top))
    return tuple(sorted(total.items(), key=lambda item: (-item[1], item[0]))[:_TOP])
