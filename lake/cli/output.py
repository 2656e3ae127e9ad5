"""What commands print: tables and lines for people, one JSON document for programs."""

import dataclasses
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from lake.words import size

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def plain(text: str) -> str:
    """Return `text` on one line and without characters that would steer a terminal."""
    return _CONTROL.sub(lambda m: _ESCAPES.get(m[0], f"\\x{ord(m[0]):02x}"), text)


def line(text: str = "") -> None:
    """Print a line of data; a reader who has gone away does not stop the work."""
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        deafen()


def talk(text: str) -> None:
    """Print a line beside the data."""
    with suppress(OSError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def deafen() -> None:
    """Let everything that is still printed go nowhere."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def document(value: Any) -> None:
    """Print the one JSON document of a command."""
    text = json.dumps(value, default=_jsonable, ensure_ascii=False, indent=1)
    # A name may hold bytes that are no text; as they are they would be no JSON.
    line(_SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def _jsonable(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, (date, Path)):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not for JSON")


def rows(records: Iterable[Mapping[str, Any]], columns: Mapping[str, str]) -> None:
    """Print records as a table.

    Args:
        records: a mapping per row.
        columns: the keys to show, each with how: `text`, `count`, `size` or `time`.
    """
    shown = [[_cell(record[key], kind) for key, kind in columns.items()] for record in records]
    right = [kind in ("count", "size") for kind in columns.values()]
    table([key.replace("_", " ") for key in columns], shown, right=right)


def table(header: Sequence[str], cells: Sequence[Sequence[str]], *, right: Sequence[bool]) -> None:
    """Print rows of text under a header, in columns of equal width."""
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    line(aligned(header, widths, right))
    for row in cells:
        line(aligned(row, widths, right))


def aligned(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    """Return a row with each cell in its width."""
    parts = zip(row, widths, right, strict=True)
    cells = [
        text.rjust(width) if to_right else text.ljust(width) for text, width, to_right in parts
    ]
    return "  ".join(cells).rstrip()


def _cell(value: Any, kind: str) -> str:
    if value is None or value == "":
        return "-"
    if kind == "count":
        return count(value)
    if kind == "size":
        return size(value)
    return plain(moment(value) if kind == "time" else str(value))


def count(number: int) -> str:
    """Return `1,234,567`."""
    return f"{number:,}"


def moment(value: datetime | str) -> str:
    """Return a time as `2026-01-31T10:00:00Z`, which an address takes behind its `@`."""
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
