"""What a partition is built from: `reads`, and the calendar steps of a range."""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, TypeAlias

from lake.errors import ModelInvalid

Kind: TypeAlias = Literal["whole", "each", "same", "range"]

_RANGE = re.compile(r"([+-]?[0-9]{1,4})\.\.([+-]?[0-9]{1,4})")
_UNDERSTOOD = (
    "a year 2024, a quarter 2024-Q1, a month 2024-01, an ISO week 2024-W05, a day 2024-01-31,"
    " an hour 2024-01-31T05 or an integer"
)


@dataclass(frozen=True, slots=True)
class Reads:
    """How one input is read; `first` and `last` are a range's steps, -1 and 0 of `-1..+0`."""

    kind: Kind = "whole"
    first: int = 0
    last: int = 0


def parse_reads(text: str) -> Reads:
    """Return what `"each"`, `"same"` or `"-1..+0"` says.

    Raises:
        ModelInvalid: it is none of these; the caller adds the place.
    """
    if text in ("each", "same"):
        return Reads("each" if text == "each" else "same")
    if not (match := _RANGE.fullmatch(text.replace(" ", ""))):
        raise ModelInvalid(f'{text!r} is no way to read an input: write "each", "same" or "-1..+0"')
    first, last = int(match[1]), int(match[2])
    if not first <= 0 <= last:
        raise ModelInvalid(f'the range {text!r} leaves out its own partition: write it as "-1..+0"')
    return Reads("range", first, last)


def neighbours(value: str, first: int, last: int) -> tuple[str, ...]:
    """Return the partition values `first` to `last` calendar steps away from `value`, in order.

    Raises:
        ModelInvalid: `value` is of no calendar, or a step leads out of it.
    """
    for step in (_year, _month, _day, _hour, _week, _quarter, _integer):
        try:
            found = tuple(step(value, distance) for distance in range(first, last + 1))
        except (ValueError, OverflowError):
            continue
        return found
    raise ModelInvalid(
        f"{value!r} has no neighbours {first:+}..{last:+}: a range steps over {_UNDERSTOOD};"
        " write the partition's value as one of these"
    )


def _matched(pattern: str, value: str) -> "re.Match[str]":
    match = re.fullmatch(pattern, value, re.ASCII)
    if match is None:
        raise ValueError(value)
    return match


def _year(value: str, distance: int) -> str:
    return f"{date(int(_matched(r'[0-9]{4}', value)[0]) + distance, 1, 1).year:04}"


def _month(value: str, distance: int) -> str:
    match = _matched(r"([0-9]{4})-([0-9]{2})", value)
    first = date(int(match[1]), int(match[2]), 1)
    year, month = divmod(first.year * 12 + first.month - 1 + distance, 12)
    return f"{date(year, month + 1, 1).year:04}-{month + 1:02}"


def _day(value: str, distance: int) -> str:
    _matched(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value)
    return (date.fromisoformat(value) + timedelta(days=distance)).isoformat()


def _hour(value: str, distance: int) -> str:
    _matched(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}", value)
    moved = datetime.fromisoformat(value) + timedelta(hours=distance)
    return moved.isoformat(timespec="hours")


def _week(value: str, distance: int) -> str:
    match = _matched(r"([0-9]{4})-W([0-9]{2})", value)
    monday = date.fromisocalendar(int(match[1]), int(match[2]), 1) + timedelta(weeks=distance)
    year, week, _ = monday.isocalendar()
    return f"{year:04}-W{week:02}"


def _quarter(value: str, distance: int) -> str:
    match = _matched(r"([0-9]{4})-Q([1-4])", value)
    year, quarter = divmod(int(match[1]) * 4 + int(match[2]) - 1 + distance, 4)
    return f"{date(year, 1, 1).year:04}-Q{quarter + 1}"


def _integer(value: str, distance: int) -> str:
    digits = _matched(r"-?[0-9]{1,18}", value)[0]
    # 202412 and 20241231 are a month and a day to a person: the next integer is neither.
    if _reads_as_a_date(digits):
        raise ValueError(digits)
    moved = int(digits) + distance
    padded = digits.startswith("0") and len(digits) > 1
    return f"{moved:0{len(digits)}}" if padded else str(moved)


def _reads_as_a_date(digits: str) -> bool:
    formats = {6: "%Y%m", 8: "%Y%m%d", 10: "%Y%m%d%H"}
    if len(digits) not in formats or not digits.startswith(("19", "20")):
        return False
    try:
        datetime.strptime(digits, formats[len(digits)])
    except ValueError:
        return False
    return True
