"""Files whose names say which rows they hold: `0-2.parquet`; compacted ones, `0-1+1-2.parquet`."""

import re
from collections.abc import Iterable

_RANGES = re.compile(r"[0-9]+-[0-9]+(\+[0-9]+-[0-9]+)*")


def ranges_of(key: str) -> list[tuple[int, int]]:
    """Return the ranges of rows that a file holds; none if its name does not say."""
    stem = key.rsplit("/", 1)[-1].removesuffix(".parquet")
    if not _RANGES.fullmatch(stem):
        return []
    return [(int(a), int(b)) for a, _, b in (part.partition("-") for part in stem.split("+"))]


def broken_ranges(files: Iterable[tuple[str, str]], cursor: str) -> str:
    """Return how the rows of a partition are not just those up to its cursor, or `""`."""
    found = sorted(one for key, _ in files for one in ranges_of(key))
    at = 0
    for start, end in found:
        if start != at:
            return f"rows {'doubled' if start < at else 'lost'}: {found}"
        at = end
    return f"rows lost: {found}, the cursor is {cursor}" if at < int(cursor or 0) else ""
