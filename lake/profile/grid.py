"""Grids whose counts add up: numbers in steps of 1, 2 or 5 times a power of ten, times in periods.

A number x lies in the bin b of the grid `2e-1` (width w = 0.2) where b is the largest integer with
double(b·w) ≤ x. The edges of a grid are therefore edges of every grid whose width divides its
width, and counts move to such a coarser grid exactly. A time lies in a period, named as ISO 8601
begins: `2024-01-31T10` of the grid `hour`, `2024-01` of `month`, `202` of `decade`.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from typing import TypeAlias

Bin: TypeAlias = int | str
Counts: TypeAlias = tuple[tuple[Bin, int], ...]
"""Bins that hold anything, in order, with how many values."""

BINS = 100
PERIODS = {
    "minute": 16,
    "hour": 13,
    "day": 10,
    "month": 7,
    "year": 4,
    "decade": 3,
    "century": 2,
}
"""From fine to coarse, with how many characters of a time name one."""
FINEST, COARSEST = -22, 22
"""Powers of ten that doubles hold exactly; numbers from 10^22 on are counted apart."""


def width(exponent: int) -> str:
    """Return the grid of a power of ten."""
    return f"1e{exponent}"


def edge(grid: str, number: int) -> int | float:
    """Return where a bin of numbers begins: an integer on a grid of integers."""
    step, exponent = _parsed(grid)
    if exponent >= 0:
        return number * step * _ten(exponent)
    return number * step / 10.0**-exponent


def coarsened(grid: str, counts: Counts, to: str) -> Counts:
    """Return the counts on a coarser grid, exactly.

    Raises:
        ValueError: `to` is not made of whole bins of `grid`.
    """
    if not _divides(grid, to):
        raise ValueError(f"counts on the grid {grid!r} do not add up to {to!r}: take a multiple")
    if to in PERIODS:
        return _summed((str(at)[: PERIODS[to]], n) for at, n in counts)
    times = _ratio(grid, to)
    return _summed((int(at) // times, n) for at, n in counts)


def fitted(grid: str, counts: Counts, bins: int = BINS) -> tuple[str, Counts]:
    """Return the counts on the finest grid, from `grid` on, that leaves at most so many bins."""
    found = grid, counts
    for to in _coarser(grid):
        if len(found[1]) <= bins:
            return found
        found = to, coarsened(grid, counts, to)
    return found


def added(parts: Sequence[tuple[str, Counts]], bins: int = BINS) -> tuple[str, Counts]:
    """Return the counts of all parts together, on the finest grid that all can move to and fits."""
    common = reduce(_common, (grid for grid, _ in parts))
    moved = [
        count
        for grid, counts in parts
        for count in (counts if grid == common else coarsened(grid, counts, common))
    ]
    return fitted(common, _summed(moved), bins)


def scaled(counts: Sequence[int], total: int) -> list[int]:
    """Return whole numbers in the ratio of `counts` that add up to `total`: largest remainders."""
    have = sum(counts)
    if not have or have == total:
        return list(counts)
    found = [count * total // have for count in counts]
    by_rest = sorted(range(len(counts)), key=lambda i: (-(counts[i] * total % have), i))
    for i in by_rest[: total - sum(found)]:
        found[i] += 1
    return found


def _summed(counts: Iterable[tuple[Bin, int]]) -> Counts:
    total: dict[Bin, int] = {}
    for at, n in counts:
        total[at] = total.get(at, 0) + n
    return tuple(sorted(total.items(), key=lambda item: item[0]))


def _parsed(grid: str) -> tuple[int, int]:
    step, _, exponent = grid.partition("e")
    return int(step), int(exponent)


def _divides(grid: str, to: str) -> bool:
    if grid in PERIODS or to in PERIODS:
        return PERIODS.get(grid, 0) >= PERIODS.get(to, 99)
    (step, exponent), (step_to, exponent_to) = _parsed(grid), _parsed(to)
    if exponent_to < exponent:
        return False
    return step_to * _ten(exponent_to - exponent) % step == 0


def _ratio(grid: str, to: str) -> int:
    (step, exponent), (step_to, exponent_to) = _parsed(grid), _parsed(to)
    return step_to * _ten(exponent_to - exponent) // step


def _ten(power: int) -> int:
    return int(10**power)


def _coarser(grid: str) -> Iterator[str]:
    if grid in PERIODS:
        yield from (name for name in PERIODS if PERIODS[name] < PERIODS[grid])
        return
    step, exponent = _parsed(grid)
    # A text's length may be as large as a grid of numbers goes, and no larger.
    for power in range(exponent, COARSEST + 1):
        for times in (1, 2, 5):
            if (power, times) > (exponent, step) and _divides(grid, f"{times}e{power}"):
                yield f"{times}e{power}"


def _common(one: str, other: str) -> str:
    """Return the finest grid that both move to exactly."""
    if _divides(one, other):
        return other
    return next(grid for grid in (one, *_coarser(one)) if _divides(other, grid))
