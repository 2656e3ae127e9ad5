"""The cells of one sheet, read as its XML streams by, and what is wrong with where they lie."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO
from xml.parsers import expat

_CHUNK_BYTES = 1 << 16
_PLACE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")


@dataclass(slots=True)
class Cell:
    """One cell as it is written: its column from 1, type, style, text, and whether it computes."""

    column: int
    kind: str
    style: int
    text: str | None = None
    has_formula: bool = False


@dataclass(slots=True)
class Row:
    """One row that the sheet holds: its number from 1 and its cells, in order."""

    number: int
    cells: list[Cell] = field(default_factory=list)


class SheetDamaged(Exception):
    """The sheet's XML does not say for sure what it holds."""


class SheetReader:
    """Reads a sheet's rows, in order, and collects its merged regions.

    `merged` is complete once all rows were read: regions are written behind them.
    """

    def __init__(self) -> None:
        self.merged: list[str] = []
        self._rows: list[Row] = []
        self._row: Row | None = None
        self._last_row = 0
        self._cell: Cell | None = None
        self._text: list[str] | None = None
        self._phonetic = 0
        self._starts: dict[str, Callable[[dict[str, str]], None]] = {
            "row": self._start_row,
            "c": self._start_cell,
            "f": self._start_formula,
            "v": self._start_text,
            "t": self._start_text,
            "rPh": self._start_phonetic,
            "mergeCell": lambda found: self.merged.append(found.get("ref", "")),
        }

    def rows(self, file: IO[bytes]) -> Iterator[Row]:
        """Give the rows that the sheet holds; those between that hold nothing may be missing.

        Raises:
            SheetDamaged: rows or cells are out of order, or it is no XML.
        """
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        try:
            while chunk := file.read(_CHUNK_BYTES):
                parser.Parse(chunk, False)
                yield from self._drained()
            parser.Parse(b"", True)
        except expat.ExpatError as exc:
            raise SheetDamaged(str(exc)) from exc
        yield from self._drained()

    def _drained(self) -> list[Row]:
        found, self._rows = self._rows, []
        return found

    def _start(self, tag: str, found: dict[str, str]) -> None:
        start = self._starts.get(tag.rpartition(" ")[2])
        if start:
            start(found)

    def _start_row(self, found: dict[str, str]) -> None:
        number = int(found.get("r", self._last_row + 1))
        if number <= self._last_row:
            raise SheetDamaged(f"row {number} follows row {self._last_row}")
        self._row = Row(number)
        self._last_row = number

    def _start_cell(self, found: dict[str, str]) -> None:
        if self._row is None:
            raise SheetDamaged("a cell outside of any row")
        last = self._row.cells[-1].column if self._row.cells else 0
        place = found.get("r", "")
        column = column_of(place) if place else last + 1
        if column <= last:
            raise SheetDamaged(f"cell {place} follows one to its right")
        style = int(found.get("s", 0))
        self._cell = Cell(column, found.get("t", "n"), style)
        self._row.cells.append(self._cell)

    def _start_formula(self, found: dict[str, str]) -> None:
        if self._cell:
            self._cell.has_formula = True

    def _start_text(self, found: dict[str, str]) -> None:
        if self._cell and not self._phonetic:
            self._text = []

    def _start_phonetic(self, found: dict[str, str]) -> None:
        self._phonetic += 1

    def _characters(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def _end(self, tag: str) -> None:
        tag = tag.rpartition(" ")[2]
        if tag in ("v", "t") and self._text is not None and self._cell:
            # A rich text comes in several runs.
            self._cell.text = (self._cell.text or "") + "".join(self._text)
            self._text = None
        elif tag == "c":
            self._cell = None
        elif tag == "rPh":
            self._phonetic -= 1
        elif tag == "row" and self._row:
            self._rows.append(self._row)
            self._row = None


def column_of(place: str) -> int:
    """Return the column's number in a place such as `B3`: 2."""
    return corner(place)[0]


def corner(place: str) -> tuple[int, int]:
    """Return the column and row of a place such as `B3`: 2 and 3.

    Raises:
        SheetDamaged: it is none.
    """
    found = _PLACE.fullmatch(place.replace("$", ""))
    if not found:
        raise SheetDamaged(f"{place!r} is no place in a sheet")
    column = 0
    for letter in found[1]:
        column = column * 26 + ord(letter) - 64
    return column, int(found[2])


def place_of(column: int, row: int) -> str:
    """Return the place of a column and a row, such as `B3` of 2 and 3."""
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{row}"
