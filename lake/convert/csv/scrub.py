"""A CSV file that is not regular throughout, taken apart row by row.

DuckDB reads regular files fast; in others its reject tables lose rows (a stray quote near the
start of a large file) and take gigabytes. So here every row is either written to a clean file or
rejected, in one streaming pass whose memory is bounded by the longest row.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeAlias

from lake.convert.csv.dialect import Dialect
from lake.convert.csv.records import Record, is_blank, is_comment, records
from lake.convert.rejects import Rejects


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """What a file holds: rows written to the clean file, rows rejected, lines without any."""

    rows: int
    rejected: int
    blank_lines: int
    comment_lines: int
    first_reject: str
    longest: int
    """Bytes of the longest row."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A row of the clean file that breaks the contract: its number from 1, and why."""

    row: int
    reason: str
    public: str


Scrub: TypeAlias = Callable[[Path, Path | None, Iterable[Broken]], Scrubbed]
"""Writes a clean file and the rejects; leaves out the rows that the first clean file broke in."""


class Sieve:
    """Takes a file's readable rows, in order: those that break the contract are rejected."""

    def __init__(self, rejected: Rejects, broken: Iterable[Broken]) -> None:
        self.rows = self.longest = 0
        self._seen = 0
        self._rejected = rejected
        self._broken: Iterator[Broken] = iter(broken)
        self._next = next(self._broken, None)

    def keeps(self, line: int, raw: bytes, row: bytes) -> bool:
        """Count a row; reject it if it breaks the contract."""
        self._seen += 1
        if self._next and self._next.row == self._seen:
            self._rejected.add(line, self._next.reason, raw, public=self._next.public)
            self._next = next(self._broken, None)
            return False
        self.rows += 1
        self.longest = max(self.longest, len(row))
        return True


def scrub(
    path: Path,
    clean: Path,
    dialect: Dialect,
    *,
    name: str,
    rejects: Path | None,
    broken: Iterable[Broken] = (),
) -> Scrubbed:
    """Write the rows of `path` that have the header's fields to `clean`, without a header.

    Rows stay byte for byte, except that each ends in a line feed, escaped quotes are doubled, and
    surplus empty fields go if they are no fault. All others go to `rejects`.

    Args:
        path: the source.
        clean: what is written.
        dialect: how the source is written.
        name: what messages call it.
        rejects: where rejected rows go, if anywhere.
        broken: rows that are to be rejected, too, numbered as in a `clean` that has them.

    Raises:
        SourceUnreadable: a row is longer than 16 MiB (a quote that is never closed).
    """
    with path.open("rb") as source, clean.open("wb") as target, Rejects(rejects) as rejected:
        sieve = Sieve(rejected, broken)
        found = records(source, dialect, name)
        blank, comments = _sift(found, sieve, rejected, target, len(dialect.columns))
    return Scrubbed(sieve.rows, rejected.count, blank, comments, rejected.first, sieve.longest)


def _sift(
    found: Iterable[Record], sieve: Sieve, rejected: Rejects, target: IO[bytes], width: int
) -> tuple[int, int]:
    """Write or reject every record; return how many blank lines and comments there are."""
    blank_lines = comment_lines = 0
    for record in found:
        # An empty line of a single column is a row, whose value is NULL.
        if is_blank(record) or (width > 1 and not record.raw):
            blank_lines += 1
        elif not record.reason:
            if sieve.keeps(record.line, record.raw, record.row):
                target.write(record.row + b"\n")
        elif is_comment(record):
            comment_lines += 1
        else:
            rejected.add(record.line, record.reason, record.raw)
    return blank_lines, comment_lines
