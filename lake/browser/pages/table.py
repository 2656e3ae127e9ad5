"""A table of an answer, as much of it as a page holds: some of its columns, its cells cut."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from lake.browser.ask import Ask
from lake.browser.pictures.choose import is_number
from lake.browser.words import LONGEST_CELL, cell, exact

COLUMNS = 30
ROOM = 60_000
"""Bytes for what stands in the cells of a page."""
_LEAST = 12
_WORTHY = 200
"""Characters of a text of which it is told how many more there are."""
_ALIGNED = 1_000
"""Cells of a table whose numbers stand point below point: that takes room, too."""
_FLOATS = ("DOUBLE", "FLOAT")
_MOST_DIGITS = 6
_MONO = ("DATE", "TIME", "UUID", "INTERVAL", "BLOB", "BIT")


@dataclass(frozen=True, slots=True)
class Shown:
    """A column as it is shown: its number from 1, and the class of its cells."""

    number: int
    name: str
    type: str
    kind: str


@dataclass(frozen=True, slots=True)
class Window:
    """What is shown of a table; `said` tells which columns, where not all are."""

    columns: Sequence[Shown]
    rows: Sequence[Sequence[Markup]]
    said: str
    before: str
    after: str


def window(
    ask: Ask,
    columns: Sequence[tuple[str, str]],
    rows: Sequence[Sequence[Any]],
    *,
    most: int = COLUMNS,
    room: int = ROOM,
) -> Window:
    """Return as many columns as a page holds, from the one that `?columns=` tells.

    Args:
        ask: what was asked for.
        columns: name and type of each.
        rows: those of the page.
        most: columns at once.
        room: bytes for what stands in the cells.
    """
    first = min(ask.number("columns", 0), max(len(columns) - 1, 0)) // most * most
    last = min(first + most, len(columns))
    shown = [
        Shown(number + 1, columns[number][0], columns[number][1], _class(columns[number][1]))
        for number in range(first, last)
    ]
    longest = fitting([row[first:last] for row in rows], room=room)
    cells = [[told(row[one.number - 1], one.type, longest) for one in shown] for row in rows]
    if len(rows) * len(shown) < _ALIGNED:
        _align(cells, [place for place, one in enumerate(shown) if one.type in _FLOATS])
    is_all = last - first == len(columns)
    return Window(
        shown,
        cells,
        "" if is_all else f"columns {first + 1} to {last} of {exact(len(columns))}",
        ask.same(columns=first - most or None) if first else "",
        ask.same(columns=first + most) if last < len(columns) else "",
    )


def _align(cells: list[list[Markup]], places: Sequence[int]) -> None:
    """Let what follows the point be as wide in all cells of a column, seen or not."""
    for place in places:
        digits = [_digits(row[place]) for row in cells]
        most = max(digits, default=0)
        for row, some in zip(cells, digits, strict=True):
            if some < most and str(row[place])[-1:].isdigit():
                rest = f"{'' if some else '.'}{'0' * (most - some)}"
                row[place] += Markup('<span class="pad">{}</span>').format(rest)


def _digits(cell: Markup) -> int:
    _, dot, rest = str(cell).partition(".")
    return len(rest) if dot and rest.isdigit() and len(rest) <= _MOST_DIGITS else 0


def _class(kind: str) -> str:
    if is_number(kind):
        return "n"
    return "mono" if kind.startswith(_MONO) else ""


def fitting(rows: Sequence[Sequence[Any]], longest: int = LONGEST_CELL, *, room: int = ROOM) -> int:
    """Return how much of each text is shown, so that a page holds all cells."""
    texts = [_text(value) for row in rows for value in row]
    while longest > _LEAST and sum(_size(text, longest) for text in texts) > room:
        longest = longest * 2 // 3
    return longest


def _text(value: Any) -> str:
    return str(value["start"] if isinstance(value, Mapping) else value)


def _size(text: str, longest: int) -> int:
    some = text[:longest]
    return (
        len(some.encode(errors="replace"))
        if some.isalnum()
        else len(escape(some).encode(errors="replace"))
    )


def told(value: Any, kind: str, longest: int = LONGEST_CELL) -> Markup:
    """Return the inside of a cell: a number in groups of three, whichever type holds it."""
    if isinstance(value, Mapping):
        return _cut(value["start"][:longest], value["characters"])
    if isinstance(value, str) and len(value) > longest:
        return _cut(value[:longest], len(value))
    if isinstance(value, str) and is_number(kind):
        whole, dot, rest = value.partition(".")
        if whole.lstrip("-").isdigit() and len(whole) < 60:
            sign = "-" if whole.startswith("-") else ""
            value = exact(int(whole)) if int(whole) or not sign else f"\u2212{whole[1:]}"
            return escape(f"{value}{dot}{rest}")
    return cell(value, longest=longest)


def _cut(some: str, characters: int) -> Markup:
    if len(some) < _WORTHY:
        return cell(some) + "…"
    more = Markup(' <span class="faint">+{} more characters</span>')
    return cell(some, longest=len(some)) + more.format(exact(characters - len(some)))
