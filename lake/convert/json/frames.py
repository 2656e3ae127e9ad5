"""Where the records of a JSON file begin and end, found without parsing them.

A file is one of: a record per line; an array, whose items are records; objects one after the other,
each over as many lines as it takes. Memory is bounded by the longest record that is allowed.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias

from lake.errors import SourceUnreadable

MAX_RECORD_BYTES = 16 << 20
_HEAD_BYTES = 1 << 20
_READ_BYTES = 1 << 20
_BOM = b"\xef\xbb\xbf"
_BLANKS = b" \t\r\n"
_NOT_BLANK = re.compile(rb"[^ \t\r\n]")
_TEXT = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
# All up to the next bracket, or comma, that is in no text.
_TO_BRACKET = re.compile(rb'[^"{}\[\]]*+(?:%s[^"{}\[\]]*+)*+([{}\[\]])' % _TEXT, re.S)
_TO_COMMA = re.compile(rb'[^"{}\[\],]*+(?:%s[^"{}\[\],]*+)*+([{}\[\],])' % _TEXT, re.S)

Shape: TypeAlias = Literal["lines", "array", "objects"]


@dataclass(frozen=True, slots=True)
class Frame:
    """What may be a record, and the physical line that it begins in; the first is 1."""

    line: int
    data: bytes
    is_blank: bool = False


def frames(path: Path, *, name: str) -> Iterator[Frame]:
    """Give the records of the JSON file at `path`, and its blank lines where each line is one.

    Raises:
        SourceUnreadable: a record is too long, the file ends within an array or an object, or goes
            on behind its array.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        file.seek(len(_BOM) if head.startswith(_BOM) else 0)
        shape = _shape(head.removeprefix(_BOM), is_whole=len(head) < _HEAD_BYTES)
        if shape == "lines":
            yield from _lines(file, name)
        else:
            scan = _Scan(file, name)
            yield from scan.items() if shape == "array" else scan.objects()


def _shape(head: bytes, *, is_whole: bool) -> Shape:
    start = head.lstrip(_BLANKS)
    if start.startswith(b"["):
        return "array"
    lines = start.split(b"\n") if is_whole else start.split(b"\n")[:-1]
    if not start.startswith(b"{") or (lines and _is_object(lines[0])):
        return "lines"
    end = _end_of_object(start)
    if end is not None and _is_object(start[:end]):
        return "objects"
    # Broken, cut off, or longer than the head: is it one line of many, or one of many lines?
    is_a_line = (is_whole and not any(lines[1:])) or (end is not None and b"\n" not in start[:end])
    return "lines" if is_a_line or any(map(_is_object, lines)) else "objects"


def _is_object(line: bytes) -> bool:
    try:
        return line.startswith(b"{") and isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _end_of_object(data: bytes) -> int | None:
    depth = at = 0
    while match := _TO_BRACKET.match(data, at):
        depth += 1 if match[1] in b"{[" else -1
        at = match.end()
        if depth <= 0:
            return at
    return None


def _lines(file: BinaryIO, name: str) -> Iterator[Frame]:
    line = 0
    while data := file.readline(MAX_RECORD_BYTES + 1):
        line += 1
        if len(data) > MAX_RECORD_BYTES:
            raise _too_long(name, line)
        stripped = data.strip(_BLANKS)
        yield Frame(line, stripped, is_blank=not stripped)


class _Scan:
    """A file that is read piece by piece; `_at` is where its next record begins in the piece."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file, self._name = file, name
        self._data = b""
        self._at = 0
        self._line = 1
        self._before = file.tell()

    def items(self) -> Iterator[Frame]:
        """Give what lies between the commas of an array; of an empty array, nothing."""
        self._skip_blanks()
        self._pass(self._at + 1)
        is_first = True
        while True:
            self._skip_blanks()
            line = self._line
            end = self._end_of_item()
            data = self._data[self._at : end].strip(_BLANKS)
            is_last = self._data[end : end + 1] == b"]"
            self._pass(end + 1)
            if data or not (is_first and is_last):
                yield Frame(line, data)
            if is_last:
                return self._expect_end()
            is_first = False

    def objects(self) -> Iterator[Frame]:
        """Give objects that follow each other, and what lies between them."""
        self._skip_blanks()
        while self._at < len(self._data):
            line, end = self._line, self._end_of_value()
            data = self._data[self._at : end]
            self._pass(end)
            yield Frame(line, data.strip(_BLANKS))
            self._skip_blanks()

    def _end_of_item(self) -> int:
        """Return where the comma or bracket is that ends an item."""
        at, depth = self._at, 0
        while True:
            match = (_TO_BRACKET if depth else _TO_COMMA).match(self._data, at)
            if match is None:
                at = self._at_after_more(at)
                continue
            mark, at = match[1], match.end()
            if not depth and mark in b",]}":
                return at - 1
            depth += 1 if mark in b"{[" else -1

    def _end_of_value(self) -> int:
        """Return where an object ends; of anything else, where the next one begins."""
        if self._data[self._at : self._at + 1] != b"{":
            found = self._data.find(b"{", self._at)
            return found if found >= 0 else len(self._data)
        at, depth = self._at, 0
        while True:
            match = _TO_BRACKET.match(self._data, at)
            if match is None:
                at = self._at_after_more(at)
                continue
            depth += 1 if match[1] in b"{[" else -1
            at = match.end()
            if depth <= 0:
                return at

    def _at_after_more(self, at: int) -> int:
        """Read on within a record; return where `at` is now."""
        if len(self._data) - self._at > MAX_RECORD_BYTES:
            raise _too_long(self._name, self._line)
        moved = self._at
        if not self._more():
            raise SourceUnreadable(
                f"{self._name} is cut off at byte {self._before + len(self._data)}, within what"
                f" begins in line {self._line}: fetch it again"
            )
        return at - moved + self._at

    def _more(self) -> bool:
        piece = self._file.read(_READ_BYTES)
        self._before += self._at
        self._data = self._data[self._at :] + piece
        self._at = 0
        return bool(piece)

    def _skip_blanks(self) -> None:
        while True:
            found = _NOT_BLANK.search(self._data, self._at)
            self._pass(found.start() if found else len(self._data))
            if found or not self._more():
                return

    def _pass(self, end: int) -> None:
        self._line += self._data.count(b"\n", self._at, end)
        self._at = end

    def _expect_end(self) -> None:
        self._skip_blanks()
        if self._at < len(self._data):
            raise SourceUnreadable(
                f"{self._name} goes on behind its array, in line {self._line}: send one array,"
                " or one record per line"
            )


def _too_long(name: str, line: int) -> SourceUnreadable:
    return SourceUnreadable(
        f"{name}: the record in line {line} is longer than {MAX_RECORD_BYTES >> 20} MiB: split it,"
        " or close the text or bracket that it opens"
    )
