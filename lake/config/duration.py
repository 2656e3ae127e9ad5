"""Lengths of time as people write them: `60 days`, `2 hours`."""

import re
from datetime import timedelta

from lake.errors import InvalidConfig

_DURATION = re.compile(r"\s*([0-9]+)\s*(second|minute|hour|day|week)s?\s*")
_UNITS = ("week", "day", "hour", "minute", "second")


def duration(text: str) -> timedelta:
    """Return the length of time that `text` says, such as `60 days`, `1 week` or `90 seconds`.

    Months and years are no durations: they have no fixed length.

    Raises:
        InvalidConfig: `text` is none.
    """
    found = _DURATION.fullmatch(text)
    if found:
        try:
            return timedelta(**{f"{found[2]}s": int(found[1])})
        except OverflowError:
            pass
    raise InvalidConfig(
        f"{text!r} is no duration: write a whole number and second, minute, hour, day or week,"
        " such as '60 days'"
    )


def duration_text(length: timedelta) -> str:
    """Return `length` in the largest unit that divides it: the inverse of `duration`."""
    seconds = length // timedelta(seconds=1)
    for unit in _UNITS:
        size = timedelta(**{f"{unit}s": 1}) // timedelta(seconds=1)
        if unit == "second" or (seconds and seconds % size == 0 and unit != "week"):
            count = seconds // size
            break
    return f"{count} {unit}{'' if count == 1 else 's'}"
