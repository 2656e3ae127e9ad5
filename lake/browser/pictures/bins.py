"""Bars of a histogram, out of sparse counts on a grid: as many as fit, the far tails left out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lake.browser import words
from lake.profile.grid import PERIODS, Counts, edge

MOST_NUMBERS, MOST_TIMES = 28, 48
_TAIL = 0.005
"""Of the values at each end, this part may be left out, if the rest then has `_ROOM` times more."""
_ROOM = 3


@dataclass(frozen=True, slots=True)
class Bar:
    """Values from `low` (inclusive) to `high` (exclusive; `""`: no end), and how many rows.

    `label` says the same to people.
    """

    low: str
    high: str
    label: str
    rows: int


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars side by side, from the first to the last; `left_out` rows lie far beyond them."""

    bars: Sequence[Bar] = ()
    left_out: int = 0


def bars(grid: str, counts: Counts, *, whole: bool) -> Bars:
    """Return the bars of counts on a grid.

    Args:
        grid: as profiles have it: `2e-1`, or a period such as `month`.
        counts: values by bin.
        whole: whether all values are whole numbers.
    """
    try:
        numbered = [(_number(grid, at), n) for at, n in counts]
    except ValueError:
        return Bars()  # times without a date
    if not numbered:
        return Bars()
    kept = _without_tails(numbered)
    first, last = kept[0][0], kept[-1][0]
    step = _step(grid, last - first + 1)
    summed: dict[int, int] = {}
    for at, n in kept:
        summed[at // step] = summed.get(at // step, 0) + n
    found = [
        _bar(grid, at * step, step, summed.get(at, 0), whole=whole)
        for at in range(first // step, last // step + 1)
    ]
    return Bars(found, sum(n for _, n in numbered) - sum(n for _, n in kept))


def _number(grid: str, at: int | str) -> int:
    """Return a bin's place among all of its grid."""
    if grid not in PERIODS or grid in ("year", "decade", "century"):
        return int(at)
    if grid == "month":
        return int(str(at)[:4]) * 12 + int(str(at)[5:7]) - 1
    moment = datetime.fromisoformat(f"{at}:00" if grid == "hour" else str(at))
    days = moment.toordinal()
    if grid == "day":
        return days
    hours = days * 24 + moment.hour
    return hours if grid == "hour" else hours * 60 + moment.minute


def _without_tails(counts: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]]:
    room = sum(n for _, n in counts) * _TAIL
    first, last = _skipped(counts, room), len(counts) - _skipped(counts[::-1], room)
    kept = counts[first:last]
    span = counts[-1][0] - counts[0][0] + 1
    return kept if kept and (kept[-1][0] - kept[0][0] + 1) * _ROOM <= span else counts


def _skipped(counts: Sequence[tuple[int, int]], room: float) -> int:
    """Return how many bins from the front on hold so few values that they may be left out."""
    total = 0
    for number, (_, n) in enumerate(counts):
        total += n
        if total > room:
            return number
    return 0


def _step(grid: str, span: int) -> int:
    """Return how many bins make one bar, so that all fit."""
    most = MOST_TIMES if grid in PERIODS else MOST_NUMBERS
    if span <= most:
        return 1
    if grid in PERIODS:
        return next(step for step in _round(_STEPS.get(grid, (1, 2, 5))) if span / step <= most - 1)
    begin = int(grid.partition("e")[0])
    wide = (step // begin for step in _round((1, 2, 5)) if step % begin == 0)
    return next(step for step in wide if step * (most - 1) >= span)


_STEPS = {
    "minute": (1, 5, 10, 15, 30, 60, 120, 360, 720),
    "hour": (1, 2, 3, 6, 12, 24, 48, 72, 168),
    "day": (1, 2, 7, 14, 28, 56, 112),
    "month": (1, 2, 3, 6, 12, 24, 60),
}


def _round(steps: Sequence[int]) -> Iterator[int]:
    """Give these steps, then ten times as much, and so on."""
    by = 1
    while True:
        yield from (step * by for step in steps)
        by *= 10


def _bar(grid: str, at: int, step: int, rows: int, *, whole: bool) -> Bar:
    if grid in PERIODS:
        length = max(PERIODS[grid], 4)
        first, last = (_moment(grid, place)[:length] for place in (at, at + step - 1))
        return Bar(_moment(grid, at), _moment(grid, at + step), _to(first, last), rows)
    low, high = edge(grid, at), edge(grid, at + step)
    is_whole = whole and isinstance(low, int) and isinstance(high, int)
    label = _to(_short(low), _short(high - 1 if is_whole else high))
    return Bar(_text(low), _text(high), label, rows)


def _to(first: str, last: str) -> str:
    return first if first == last else f"{first} to {last}"


def _short(number: float) -> str:
    return words.number(number) if abs(number) < 1e9 else f"{number:.3g}".replace("e+", "e")


def _text(number: float) -> str:
    return str(number) if isinstance(number, int) else repr(number).removesuffix(".0")


def _moment(grid: str, at: int) -> str:
    """Return when a period begins, as a date or a time; `""` beyond the calendar."""
    try:
        return _begin(grid, at)
    except (ValueError, OverflowError):
        return ""


def _begin(grid: str, at: int) -> str:
    if grid in ("year", "decade", "century"):
        year = at * {"year": 1, "decade": 10, "century": 100}[grid]
        return datetime(max(year, 1), 1, 1).isoformat()[:10]
    if grid == "month":
        return datetime(at // 12, at % 12 + 1, 1).isoformat()[:10]
    if grid == "day":
        return datetime.fromordinal(at).isoformat()[:10]
    days, rest = divmod(at, 24 if grid == "hour" else 1440)
    minutes = rest * 60 if grid == "hour" else rest
    return (datetime.fromordinal(days) + timedelta(minutes=minutes)).isoformat()
