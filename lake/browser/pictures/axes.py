"""Axes: where ticks stand, and what they say."""

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from lake.browser.words import MINUS, THIN

_DAY = 86_400.0
_LARGE = 1e15
_STEPS = (1.0, 2.0, 5.0, 10.0)


def nice(low: float, high: float, most: int) -> list[float]:
    """Return at most so many round numbers, evenly apart, that reach over `low` and `high`."""
    size = max(abs(low), abs(high))
    if high - low <= size * 1e-9:  # floats have no more digits than that to tell ticks apart
        low, high = (low - size / 10, high + size / 10) if size else (0.0, 1.0)
    rough = (high - low) / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(one * power for one in _STEPS if one * power >= rough * 0.9999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def label(value: float, step: float, most: float = 0.0) -> str:
    """Return what stands beside a tick: as many digits as its step needs.

    Args:
        value: of the tick.
        step: to the next one.
        most: the greatest of the axis, whose unit all ticks have.
    """
    size, unit = max(abs(value), most), ""
    if size >= _LARGE:
        return f"{value:.3g}".replace("-", MINUS)
    for word, many in (("G", 1e9), ("M", 1e6), ("K", 1e4)):
        if size >= many:
            unit, scale = word, {"K": 1e3}.get(word, many)
            value, step = value / scale, step / scale
            break
    digits = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
    text = f"{value:,.{min(digits, 9)}f}".replace(",", THIN).replace("-", MINUS)
    if unit:
        return f"{text} {unit}" if value else "0"
    return text


def moment(text: str) -> float | None:
    """Return a time of the data as seconds, or None: `2024-01`, `2024-01-31`, with a time, too."""
    if len(text) == 7 and text[4] == "-":
        text = f"{text}-01"
    if len(text) < 10 or text[4] != "-" or text[7] != "-":
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def times(low: float, high: float, most: int) -> list[tuple[float, str]]:
    """Return ticks of a time axis between two moments, as seconds and text."""
    start = datetime.fromtimestamp(low, UTC)
    found: list[tuple[float, str]] = []
    for months in (1, 3, 6, 12, 24, 60, 120, 240, 600, 1200):
        if (high - low) / (months * 30.4 * _DAY) > most:
            continue
        found = [one for one in _months(start, high, months) if low - 1 <= one[0] <= high + 1]
        break
    if len(found) >= 3:
        return found
    for seconds in (1, 5, 15, 60, 300, 900, 3600, 10_800, 21_600, _DAY, 2 * _DAY, 7 * _DAY):
        if (high - low) / seconds <= most:
            return list(_even(low, high, float(seconds)))
    return found or list(_even(low, high, 7 * _DAY))


def _months(start: datetime, high: float, step: int) -> Iterator[tuple[float, str]]:
    number = (start.year * 12 + start.month - 1) // step * step
    shown = False
    while number <= 9998 * 12:
        at = datetime(max(number // 12, 1), number % 12 + 1, 1, tzinfo=UTC)
        if at.timestamp() > high + 1:
            return
        if at.timestamp() >= start.timestamp() - 1:
            is_year = at.month == 1 or not shown
            text = f"{at:%Y}" if step >= 12 else f"{at:%Y-%m}" if is_year else f"{at:%b}"
            yield at.timestamp(), text
            shown = True
        number += step


def _even(low: float, high: float, step: float) -> Iterator[tuple[float, str]]:
    value = math.ceil(low / step - 1e-9) * step
    last = ""
    while value <= high + 1e-6:
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=value)
        day = f"{at:%m-%d}"
        text = day if step >= _DAY else f"{at:%H:%M:%S}" if step < 60 else f"{at:%H:%M}"
        yield value, day if step < _DAY and day != last and at.hour == at.minute == 0 else text
        last = day
        value += step


def apart(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return places for labels, at least a gap apart, near to where they belong."""
    order = sorted(range(len(places)), key=places.__getitem__)
    found = list(places)
    least = low
    for one in order:
        found[one] = max(found[one], least)
        least = found[one] + gap
    most = high
    for one in reversed(order):
        found[one] = min(found[one], most)
        most = found[one] - gap
    return found
