"""The records of a CSV file, cut out of its lines one by one, with what is wrong with each.

Memory is bounded by the longest record, and that by a limit.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import IO, NamedTuple

from lake.convert.csv.dialect import Dialect
from lake.errors import SourceUnreadable

MAX_ROW_BYTES = 16 << 20
_CHUNK = 1 << 20
_MARK = b"\xef\xbb\xbf"
_BAD = -1
_BLANK, _COMMENT = "a blank line", "a comment"
_STRAY = "bad quoting or a stray carriage return"
Lines = Iterator[tuple[int, bytes]]


class Record(NamedTuple):
    """A row: its first physical line, its bytes as they came, and why it cannot be read or `""`.

    `row` are its bytes as a plain dialect has them: quotes are doubled, surplus fields gone.
    """

    line: int
    raw: bytes
    row: bytes
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Grammar:
    """A dialect as bytes and patterns."""

    delimiter: bytes
    quote: bytes
    escape: bytes
    width: int
    newline: bytes
    other_end: bytes
    drops_empty: bool
    quoted: re.Pattern[bytes]
    """Matches the rest of a quoted value, with the quote that closes it."""
    bare: re.Pattern[bytes]
    """Matches a value without quotes."""


def grammar(dialect: Dialect) -> Grammar:
    """Return the grammar of a dialect."""
    delimiter, quote = dialect.delimiter.encode(), dialect.quote.encode()
    escape = dialect.escape.encode()
    d, q, e = re.escape(delimiter), re.escape(quote), re.escape(escape)
    within, freely = (rb"|%b." % e, rb"|%b." % e) if escape else (b"", b"")
    quoted = re.compile(rb"(?:[^%b%b]++|%b%b%b)*+%b" % (q, e, q, q, within, q), re.S)
    bare = re.compile(rb"(?:[^%b%b]++%b)*+" % (d, e, freely), re.S)
    other = b"\r" if dialect.newline == b"\n" else b"\n"
    columns = len(dialect.columns)
    empty = dialect.drops_empty
    return Grammar(delimiter, quote, escape, columns, dialect.newline, other, empty, quoted, bare)


def records(source: IO[bytes], dialect: Dialect, name: str) -> Iterator[Record]:
    """Give each record behind the header; a blank line is one without bytes.

    A comment is no record. A line end of the other kind ends a row, too, where all rows that it
    makes are whole.

    Raises:
        SourceUnreadable: a row is longer than 16 MiB (a quote that is never closed).
    """
    how, comment = grammar(dialect), dialect.comment.encode()
    lines = numbered_lines(source, how.newline, name)
    for number, line in islice(lines, dialect.lines_before):
        is_said = line.removeprefix(_MARK).startswith(comment)
        yield Record(number, line, b"", _COMMENT if is_said else _BLANK)
    for number, line in _behind_header(lines, dialect, how):
        if comment and line.startswith(comment):
            yield Record(number, line, b"", _COMMENT)
        elif how.quote in line or (how.escape and how.escape in line):
            yield _quoted(number, line, lines, how, name)
        else:
            yield from _unquoted(number, chomp(line), how)


def is_blank(record: Record) -> bool:
    """Tell whether a record is none, but a blank line before the header."""
    return record.reason is _BLANK


def is_comment(record: Record) -> bool:
    """Tell whether a record is none, but a line that is declared to be a comment."""
    return record.reason is _COMMENT


def _behind_header(lines: Lines, dialect: Dialect, how: Grammar) -> Lines:
    """Give the lines from the first row on, even where it is on the header's line."""
    last = b""
    for _, line in islice(lines, dialect.header_lines - dialect.lines_before):
        last = line
    rest = chomp(last).split(how.other_end)[1:]
    if how.quote not in last and any(rest):
        yield dialect.header_lines, how.other_end.join(rest)
    yield from lines


def numbered_lines(source: IO[bytes], newline: bytes, name: str) -> Lines:
    """Give the lines of a file with their numbers and their ends.

    Raises:
        SourceUnreadable: a line is longer than 16 MiB.
    """
    for number, line in enumerate(_cut(source, newline), 1):
        if len(line) > MAX_ROW_BYTES:
            raise _too_long(f"{name}, line {number}")
        yield number, line


def _cut(source: IO[bytes], newline: bytes) -> Iterator[bytes]:
    """Give the lines of a file with their ends; one that is too long is given cut."""
    if newline == b"\n":
        yield from iter(lambda: source.readline(MAX_ROW_BYTES + 1), b"")
        return
    rest = b""
    while chunk := source.read(_CHUNK):
        *whole, rest = (rest + chunk).split(newline)
        yield from (line + newline for line in whole)
        if len(rest) > MAX_ROW_BYTES:
            yield rest
    if rest:
        yield rest


def _too_long(place: str) -> SourceUnreadable:
    return SourceUnreadable(
        f"{place}: a row is longer than {MAX_ROW_BYTES >> 20} MiB; shorten it, or send such values"
        " as files of their own"
    )


def _unclosed(place: str) -> SourceUnreadable:
    return SourceUnreadable(
        f"{place}: a quote that opens there is not closed within {MAX_ROW_BYTES >> 20} MiB; correct"
        " that line"
    )


def _unquoted(number: int, row: bytes, how: Grammar) -> Iterator[Record]:
    if how.other_end not in row:
        yield _checked(number, row, row.count(how.delimiter) + 1, how)
        return
    parts = row.split(how.other_end)
    whole = [_checked(number, p, p.count(how.delimiter) + 1, how) for p in parts]
    if how.width > 1 and not any(record.raw and record.reason for record in whole):
        yield from whole
    else:
        yield Record(number, row, b"", _STRAY)


def _checked(line: int, raw: bytes, width: int, how: Grammar) -> Record:
    row = raw
    if how.drops_empty and width > how.width:
        row, width = _without_surplus(raw, width, how)
    if width == how.width:
        return Record(line, raw, _plain(row, how) if how.escape and how.escape in row else row)
    if width == _BAD:
        return Record(line, raw, b"", _STRAY)
    fields = "field" if width == 1 else "fields"
    return Record(line, raw, b"", f"{width} {fields} where the header has {how.width}")


def _without_surplus(row: bytes, width: int, how: Grammar) -> tuple[bytes, int]:
    """Take the fields off that the header does not have, if they are empty."""
    surplus = width - how.width
    if how.quote not in row and not how.escape:
        is_empty = row.endswith(how.delimiter * surplus)
        return (row[:-surplus], how.width) if is_empty else (row, width)
    values = _values(row, how)
    if set(values[how.width :]) - {b"", how.quote * 2}:
        return row, width
    return how.delimiter.join(values[: how.width]), how.width


def _quoted(number: int, line: bytes, lines: Lines, how: Grammar, name: str) -> Record:
    """Return a row that may go on over several lines."""
    parts, opened, last = [line], number, number
    width, is_open = _fields(chomp(line), how, is_open=False)
    size = len(line)
    while is_open:
        last, line = next(lines, (0, b""))
        if not line:
            reason = f"a quote that opens in line {opened} is never closed"
            return Record(number, chomp(b"".join(parts)), b"", reason)
        parts.append(line)
        size += len(line)
        if size > MAX_ROW_BYTES:
            raise _unclosed(f"{name}, line {opened}")
        closes = how.quote in line
        more, is_open = _fields(chomp(line), how, is_open=True) if closes else (1, True)
        opened = last if is_open and closes and more != 1 else opened
        width = _BAD if _BAD in (more, width) else width + more - 1
    return _checked(number, chomp(b"".join(parts)), width, how)


def _fields(text: bytes, how: Grammar, *, is_open: bool) -> tuple[int, bool]:
    """Count the fields of one physical line; is a quote open at its end?"""
    width, place = 1, 0
    while True:
        if is_open or text[place : place + 1] == how.quote:
            end = how.quoted.match(text, place if is_open else place + 1)
            if end is None:
                return width, True
            place, is_open = end.end(), False
            if place < len(text) and text[place : place + 1] != how.delimiter:
                return _BAD, False
        else:
            end_of_field = _end_of_field(text, place, how)
            if how.other_end in text[place:end_of_field]:
                return _BAD, False
            place = end_of_field
        if place >= len(text):
            return width, False
        width += 1
        place += 1


def _end_of_field(text: bytes, place: int, how: Grammar) -> int:
    if how.escape:
        found = how.bare.match(text, place)
        end = found.end() if found else place
        # An escape at the very end of a line has nothing to escape.
        return len(text) if text[end:] == how.escape else end
    end = text.find(how.delimiter, place)
    return len(text) if end < 0 else end


def _values(row: bytes, how: Grammar) -> list[bytes]:
    """Return the values of a whole row as they are written, quotes and escapes included."""
    found, place = [], 0
    while True:
        start = place
        if row[place : place + 1] == how.quote:
            end = how.quoted.match(row, place + 1)
            place = end.end() if end else len(row)
        else:
            place = _end_of_field(row, place, how)
        found.append(row[start:place])
        if place >= len(row):
            return found
        place += 1


def _plain(row: bytes, how: Grammar) -> bytes:
    return how.delimiter.join(_unescaped(value, how) for value in _values(row, how))


def _unescaped(value: bytes, how: Grammar) -> bytes:
    """Return a value as it is where quotes are doubled; other escapes stay as they are."""
    q, e, d = map(re.escape, (how.quote, how.escape, how.delimiter))
    if value.startswith(how.quote):
        text = re.sub(rb"%b(%b)|%b([%b%b])" % (q, q, e, q, e), _escaped, value[1:-1])
    else:
        text = re.sub(rb"%b()([%b%b%b])" % (e, q, e, d), _escaped, value)
        if not any(sign in text for sign in (how.quote, how.delimiter, b"\n", b"\r")):
            return text
    return how.quote + text.replace(how.quote, how.quote * 2) + how.quote


def _escaped(found: re.Match[bytes]) -> bytes:
    return bytes(found[1] or found[2])


def chomp(line: bytes) -> bytes:
    """Return a line without its end."""
    return line.removesuffix(b"\n").removesuffix(b"\r")
