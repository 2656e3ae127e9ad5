"""Calendar periods as text: `2024`, `2024-Q1`, `2024-01`, `2024-W05`, `2024-01-31T05`.

Moments here are naive: wall-clock time of the lake's zone.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias, get_args

from lake.errors import InvalidConfig

Unit: TypeAlias = Literal["hour", "day", "week", "month", "quarter", "year"]
UNITS: tuple[Unit, ...] = get_args(Unit)
"""From short to long."""

_FORMS: dict[Unit, str] = {
    "year": r"([0-9]{4})",
    "quarter": r"([0-9]{4})-Q([1-4])",
    "month": r"([0-9]{4})-([0-9]{2})",
    "week": r"([0-9]{4})-W([0-9]{2})",
    "day": r"([0-9]{4})-([0-9]{2})-([0-9]{2})",
    "hour": r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2})",
}
_EXAMPLES: dict[Unit, str] = {
    "year": "2024",
    "quarter": "2024-Q1",
    "month": "2024-01",
    "week": "2024-W05",
    "day": "2024-01-31",
    "hour": "2024-01-31T05",
}
AT_ONCE, MOST_AT_ONCE = 4, 64
"""Partitions of a source that are fetched beside each other: if nothing is said, and at most."""


def pattern(unit: Unit) -> str:
    """Return the regular expression, without groups, that the texts of `unit` fit."""
    return re.sub("[()]", "", _FORMS[unit])


def label(moment: datetime, unit: Unit) -> str:
    """Return the text of the period of `unit` that holds `moment`."""
    if unit == "week":
        year, week, _ = moment.isocalendar()
        return f"{year:04}-W{week:02}"
    if unit == "quarter":
        return f"{moment.year:04}-Q{(moment.month + 2) // 3}"
    return moment.isoformat()[: len(_EXAMPLES[unit])]


def floor(moment: datetime, unit: Unit) -> datetime:
    """Return the first moment of the period of `unit` that holds `moment`."""
    if unit == "hour":
        return moment.replace(minute=0, second=0, microsecond=0)
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if unit == "week":
        return day - timedelta(days=day.weekday())
    if unit == "quarter":
        return day.replace(day=1, month=(day.month + 2) // 3 * 3 - 2)
    if unit == "month":
        return day.replace(day=1)
    return day.replace(day=1, month=1) if unit == "year" else day


def after(start: datetime, unit: Unit) -> datetime:
    """Return the first moment of the period that follows the one that begins at `start`."""
    # A little more than the longest period of its kind always lies in the next one.
    more = {"hour": 1 / 24, "day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}
    return floor(start + timedelta(days=more[unit]), unit)


def start(text: str, unit: Unit) -> datetime:
    """Return when the period `text` of `unit` begins.

    Raises:
        InvalidConfig: `text` is no such period.
    """
    found = re.fullmatch(_FORMS[unit], text)
    try:
        if found:
            return _start(unit, [int(part) for part in found.groups()])
    except (ValueError, OverflowError):
        pass
    raise InvalidConfig(f"{text!r} is no {unit}: write one such as {_EXAMPLES[unit]}")


def _start(unit: Unit, parts: list[int]) -> datetime:
    if not 1 < parts[0] < 9999:
        raise ValueError("a period's neighbours must be dates, too")
    if unit == "week":
        return datetime.fromisocalendar(parts[0], parts[1], 1)
    if unit == "quarter":
        return datetime(parts[0], parts[1] * 3 - 2, 1)
    year, month, day, hour = (*parts, *(1, 1, 0)[len(parts) - 1 :])
    return datetime(year, month, day, hour)


def interval(text: str) -> tuple[datetime, datetime]:
    """Return when a period of whatever unit begins, and when the next one does.

    Raises:
        InvalidConfig: `text` is no period.
    """
    for unit in UNITS:
        if re.fullmatch(_FORMS[unit], text):
            begin = start(text, unit)
            return begin, after(begin, unit)
    examples = ", ".join(_EXAMPLES[unit] for unit in reversed(UNITS))
    raise InvalidConfig(f"{text!r} is no time: write one such as {examples}")


def steps(first: datetime, end: datetime, unit: Unit) -> Iterator[datetime]:
    """Give the beginnings of all periods that overlap `first` (inclusive) to `end` (exclusive)."""
    at = floor(first, unit)
    while at < end:
        yield at
        at = after(at, unit)


@dataclass(frozen=True, slots=True)
class Periods:
    """Some periods in a row: from `since` to `until`, both inclusive; `""` is no end.

    Raises:
        InvalidConfig: one of them is no period, or they are the wrong way round.
    """

    since: str = ""
    until: str = ""

    def __post_init__(self) -> None:
        """Look at both."""
        if self.since and self.until and interval(self.since)[0] >= interval(self.until)[1]:
            raise InvalidConfig(f"since {self.since} is later than until {self.until}")
        for text in filter(None, (self.since, self.until)):
            interval(text)

    def hold(self, values: Iterable[str]) -> bool:
        """Tell whether a partition with these values lies among them; one without a period does."""
        for text in values:
            try:
                begin, end = interval(text)
            except InvalidConfig:
                continue
            is_early = bool(self.since) and begin < interval(self.since)[0]
            return not is_early and not (self.until and end > interval(self.until)[1])
        return True


ALL = Periods()
