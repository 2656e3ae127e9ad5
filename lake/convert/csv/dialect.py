"""How a CSV file is written: its delimiter, its quotes, its line ends and its header."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path

from lake.config.types import AS_IT_COMES, Reading
from lake.errors import SourceUnreadable

HEAD_BYTES = 1 << 20
MAX_COLUMNS = 2_000
_DELIMITERS = (",", ";", "\t", "|")
_ROWS = 50


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file is written.

    Attributes:
        delimiter: what is between two fields.
        newline: the byte that ends a line; a carriage return in front of a line feed goes with it.
        columns: the names in the header.
        header_lines: lines up to the end of the header; 0: there is none.
        quote: what is around values; doubled, it stands for itself.
        escape: what makes a quote, a delimiter or itself stand for itself; usually nothing does.
        comment: what lines start with that are no rows; usually nothing.
        drops_empty: empty fields behind the last column are no fault.
        lines_before: how many of the header's lines are comments and blank lines before it.
    """

    delimiter: str
    newline: bytes
    columns: tuple[str, ...]
    header_lines: int
    quote: str = '"'
    escape: str = ""
    comment: str = ""
    drops_empty: bool = False
    lines_before: int = 0

    @property
    def is_plain(self) -> bool:
        """Whether DuckDB reads such a file as we do."""
        return not self.escape and not self.comment


def read_dialect(path: Path, *, name: str, reading: Reading = AS_IT_COMES) -> Dialect:
    """Return how the CSV file at `path` is written, as declared or as its first MiB shows.

    Raises:
        SourceUnreadable: the header is missing, too long, or has empty or duplicate names.
    """
    text, is_whole = _head(path)
    newline = b"\r" if "\r" in text and "\n" not in text else b"\n"
    text, skipped = _behind_comments(text, reading.comment, newline.decode(), is_whole, name)
    quote = reading.quote or '"'
    delimiter = reading.delimiter or _delimiter(text, quote, is_whole)
    escape = reading.escape if reading.escape != quote else ""
    columns, header = _header(text, delimiter, quote, escape, name)
    if not is_whole and len(header) == len(text):
        raise SourceUnreadable(
            f"{name} has a header longer than {HEAD_BYTES >> 20} MiB: its first line must name the"
            " columns"
        )
    _check_names(columns, name)
    if not reading.escape and _is_escaped(text, delimiter, quote, len(columns), is_whole):
        escape = "\\"
    return Dialect(
        delimiter,
        newline,
        columns,
        skipped + _line_count(header, newline.decode()),
        quote,
        escape,
        reading.comment,
        reading.extra_fields == "empty",
        skipped,
    )


def _head(path: Path) -> tuple[str, bool]:
    with path.open("rb") as file:
        data = file.read(HEAD_BYTES)
        is_whole = not file.read(1)
    # A bad byte is reported with its offset by whoever reads the whole file.
    return data.decode("utf-8", "replace").removeprefix("\ufeff"), is_whole


def _behind_comments(
    text: str, comment: str, newline: str, is_whole: bool, name: str
) -> tuple[str, int]:
    """Return the text from the header on, and how many lines are before it."""
    if not comment:
        return text, 0
    lines = text.split(newline)
    rest = list(dropwhile(lambda line: line.startswith(comment) or not line.strip("\r"), lines))
    if not rest:
        where = "" if is_whole else f" in its first {HEAD_BYTES >> 20} MiB"
        raise SourceUnreadable(
            f"{name} has nothing but comments and blank lines{where}: look at what its source sends"
        )
    return newline.join(rest), len(lines) - len(rest)


def _line_count(text: str, newline: str) -> int:
    return text.count(newline) + (not text.endswith(newline))


def _delimiter(text: str, quote: str, is_whole: bool) -> str:
    return max(_DELIMITERS, key=lambda d: _fitness(_widths(text, d, quote, is_whole)))


def _widths(text: str, delimiter: str, quote: str, is_whole: bool) -> list[int]:
    """Return how many fields the first records have; a record that is cut off is left out."""
    widths = []
    try:
        for record in _records(text, delimiter, quote):
            widths.append(len(record))
            if len(widths) > _ROWS:
                return widths
    except csv.Error:
        return widths
    return widths if is_whole or len(widths) < 2 else widths[:-1]


def _records(text: str, delimiter: str, quote: str) -> "Iterator[list[str]]":
    return iter(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote))


def _fitness(widths: Sequence[int]) -> tuple[bool, float, int]:
    """Rank a delimiter: it splits header and rows, most rows as the header, into most fields."""
    header, rows = widths[0] if widths else 0, [width for width in widths[1:] if width]
    usual = Counter(rows).most_common(1)[0][0] if rows else header
    fitting = rows.count(header) / len(rows) if rows else 1.0
    return header > 1 and usual > 1, fitting, header


def _is_escaped(text: str, delimiter: str, quote: str, width: int, is_whole: bool) -> bool:
    r"""Tell whether a head shows quotes written as `\"`.

    So it is taken only where the head has a record that cannot be read otherwise, and all of its
    records are whole when it is read so.
    """
    if f"\\{quote}" not in text:
        return False
    doubled, _ = _strict(text, delimiter, quote, "", width, is_whole)
    escaped, is_good = _strict(text, delimiter, quote, "\\", width, is_whole)
    return is_good and escaped > doubled


def _strict(
    text: str, delimiter: str, quote: str, escape: str, width: int, is_whole: bool
) -> tuple[int, bool]:
    """Return how many records are whole before the first that is not, and whether all are."""
    lines = io.StringIO(text, newline="")
    reader = csv.reader(
        lines, delimiter=delimiter, quotechar=quote, escapechar=escape or None, strict=True
    )
    whole = 0
    try:
        for record in reader:
            if record and len(record) != width:
                return whole, not is_whole and not lines.read(1)
            whole += 1
    except csv.Error:
        return whole, not is_whole and not lines.read(1)
    return whole, True


def _header(
    text: str, delimiter: str, quote: str, escape: str, name: str
) -> tuple[tuple[str, ...], str]:
    """Return the names in the header, and the header as it is written, with its line end."""
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=delimiter, quotechar=quote, escapechar=escape or None)
    try:
        columns = tuple(next(reader, ()))
    except csv.Error as exc:
        raise SourceUnreadable(
            f"{name} has no readable header: {exc}; its first line names the columns"
        ) from exc
    return columns, text[: lines.tell()]


def _check_names(columns: Sequence[str], name: str) -> None:
    """Refuse a header of which two names would be one column of a view, or one no column."""
    if not columns:
        raise SourceUnreadable(
            f"{name} begins with an empty line: its first line must name the columns"
        )
    if len(columns) > MAX_COLUMNS:
        raise SourceUnreadable(
            f"{name} has {len(columns)} columns, and a table at most {MAX_COLUMNS}: send it as rows"
            " of name and value"
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
