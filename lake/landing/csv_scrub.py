"""A CSV file that is not regular throughout, taken apart row by row.

DuckDB reads regular files fast; in others its reject tables lose rows (a stray quote near the
start of a large file) and take gigabytes. So here every row is either written to a clean file or
rejected, in one streaming pass whose memory is bounded by the longest row.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

from lake.errors import SourceUnreadable
from lake.landing.csv_dialect import Dialect
from lake.landing.rejects import Rejects

MAX_ROW_BYTES = 16 << 20
_QUOTED_REST = re.compile(rb'(?:[^"]++|"")*+"')
_BAD = -1


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """What a file holds: rows written to the clean file, rows rejected, blank lines."""

    rows: int
    rejected: int
    blank_lines: int
    first_reject: str
    longest: int
    """Bytes of the longest row."""


def scrub(
    path: Path, clean: Path, dialect: Dialect, *, name: str, rejects: Path | None
) -> Scrubbed:
    """Write the rows of `path` that have the header's fields to `clean`, without a header.

    Rows stay byte for byte, except that each ends in a line feed. All others go to `rejects`.

    Raises:
        SourceUnreadable: a row is longer than 16 MiB (a quote that is never closed).
    """
    rows = blank_lines = longest = 0
    with path.open("rb") as source, clean.open("wb") as target, Rejects(rejects) as rejected:
        for line, row, reason in _rows(source, dialect, name):
            if not row and len(dialect.columns) > 1:
                blank_lines += 1
            elif reason:
                rejected.add(line, reason, row)
            else:
                target.write(row + b"\n")
                rows += 1
                longest = max(longest, len(row))
    return Scrubbed(rows, rejected.count, blank_lines, rejected.first, longest)


def _rows(source: IO[bytes], dialect: Dialect, name: str) -> Iterator[tuple[int, bytes, str]]:
    """Give each row's first physical line, its bytes, and why it cannot be read or `""`."""
    delimiter, expected = dialect.delimiter.encode(), len(dialect.columns)
    lines = enumerate(_lines(source, name), 1)
    for number, line in islice(lines, dialect.header_lines, None):
        if b'"' in line:
            row, width = _quoted_row(line, lines, delimiter, f"{name}, line {number}")
            yield number, row, _reason(width, expected)
        else:
            row = _chomp(line)
            width = _BAD if b"\r" in row else row.count(delimiter) + 1
            yield number, row, _reason(width, expected)


def _lines(source: IO[bytes], name: str) -> Iterator[bytes]:
    number = 0
    while line := source.readline(MAX_ROW_BYTES + 1):
        number += 1
        if len(line) > MAX_ROW_BYTES:
            raise _too_long(f"{name}, line {number}")
        yield line


def _too_long(place: str) -> SourceUnreadable:
    return SourceUnreadable(
        f"{place}: a row is longer than {MAX_ROW_BYTES >> 20} MiB, as if a quote opened there were"
        " never closed; correct that line"
    )


def _reason(width: int, expected: int) -> str:
    if width == expected:
        return ""
    if width == _BAD:
        return "bad quoting or a stray carriage return"
    return f"{width} {'field' if width == 1 else 'fields'} where the header has {expected}"


def _quoted_row(
    line: bytes, lines: Iterator[tuple[int, bytes]], delimiter: bytes, place: str
) -> tuple[bytes, int]:
    """Return a row that may go on over several lines, and its width or `_BAD`."""
    parts = [line]
    width, is_open = _fields(_chomp(line), delimiter, is_open=False)
    size = len(line)
    while is_open:
        _, line = next(lines, (0, b""))
        if not line:
            return _chomp(b"".join(parts)), _BAD
        parts.append(line)
        size += len(line)
        if size > MAX_ROW_BYTES:
            raise _too_long(place)
        more, is_open = _fields(_chomp(line), delimiter, is_open=True)
        width = _BAD if more == _BAD else width + more - 1
    return _chomp(b"".join(parts)), width


def _fields(text: bytes, delimiter: bytes, *, is_open: bool) -> tuple[int, bool]:
    """Count the fields of one physical line; is a quote open at its end?"""
    width, place = 1, 0
    while True:
        if is_open or text[place : place + 1] == b'"':
            end = _QUOTED_REST.match(text, place if is_open else place + 1)
            if end is None:
                return width, True
            place, is_open = end.end(), False
            if place < len(text) and text[place : place + 1] != delimiter:
                return _BAD, False
        else:
            end_of_field = text.find(delimiter, place)
            end_of_field = len(text) if end_of_field < 0 else end_of_field
            if b"\r" in text[place:end_of_field]:
                return _BAD, False
            place = end_of_field
        if place >= len(text):
            return width, False
        width += 1
        place += 1


def _chomp(line: bytes) -> bytes:
    return line.removesuffix(b"\n").removesuffix(b"\r")
