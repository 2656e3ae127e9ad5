"""How a CSV file is written: its delimiter, its line ends and its header."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lake.errors import SourceUnreadable

HEAD_BYTES = 1 << 20
_DELIMITERS = (",", ";", "\t", "|")
_ROWS = 50


@dataclass(frozen=True, slots=True)
class Dialect:
    """A file's delimiter, the byte that ends its lines, its columns and its header's lines."""

    delimiter: str
    newline: bytes
    columns: tuple[str, ...]
    header_lines: int


def read_dialect(path: Path, *, name: str) -> Dialect:
    """Return how the CSV file at `path` is written, seen in its first MiB; quotes are `"`.

    Raises:
        SourceUnreadable: the header is missing, or has empty or duplicate names.
    """
    text, is_whole = _head(path)
    newline = b"\r" if "\r" in text and "\n" not in text else b"\n"
    delimiter = max(_DELIMITERS, key=lambda d: _fitness(_widths(text, d, is_whole)))
    columns, header_lines = _header(text, delimiter, name)
    _check_names(columns, name)
    return Dialect(delimiter, newline, columns, header_lines)


def _head(path: Path) -> tuple[str, bool]:
    with path.open("rb") as file:
        data = file.read(HEAD_BYTES)
        is_whole = not file.read(1)
    # A bad byte is reported with its offset by whoever reads the whole file.
    return data.decode("utf-8", "replace").removeprefix("\ufeff"), is_whole


def _widths(text: str, delimiter: str, is_whole: bool) -> list[int]:
    """Return how many fields the first records have; a record that is cut off is left out."""
    widths = []
    try:
        for record in _records(text, delimiter):
            widths.append(len(record))
            if len(widths) > _ROWS:
                return widths
    except csv.Error:
        return widths
    return widths if is_whole or len(widths) < 2 else widths[:-1]


def _records(text: str, delimiter: str) -> "Iterator[list[str]]":
    return iter(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


def _fitness(widths: Sequence[int]) -> tuple[bool, float, int]:
    """Rank a delimiter: it splits header and rows, most rows as the header, into most fields."""
    header, rows = widths[0] if widths else 0, [width for width in widths[1:] if width]
    usual = Counter(rows).most_common(1)[0][0] if rows else header
    fitting = rows.count(header) / len(rows) if rows else 1.0
    return header > 1 and usual > 1, fitting, header


def _header(text: str, delimiter: str, name: str) -> tuple[tuple[str, ...], int]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        return tuple(next(reader, ())), reader.line_num
    except csv.Error as exc:
        raise SourceUnreadable(
            f"{name} has no readable header: {exc}; its first line names the columns"
        ) from exc


def _check_names(columns: Sequence[str], name: str) -> None:
    """Refuse a header of which two names would be one column of a view, or one no column."""
    if not columns:
        raise SourceUnreadable(
            f"{name} begins with an empty line: its first line must name the columns"
        )
    seen: dict[str, str] = {}
    for number, column in enumerate(columns, 1):
        key = column.strip().casefold()
        if not key:
            raise SourceUnreadable(
                f"{name} has no name for column {number} of {len(columns)}: complete its header"
            )
        if key in seen:
            raise SourceUnreadable(
                f"{name} has two columns {_both(seen[key], column)}: rename one in its header"
            )
        seen[key] = column


def _both(first: str, second: str) -> str:
    if first == second:
        return f"{first!r}"
    return f"{first!r} and {second!r}, which differ only in case or blanks"
