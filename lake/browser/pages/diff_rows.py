"""The rows of a difference: which are chosen, how a page shows them, and as CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Literal

from lake.browser.ask import Ask
from lake.browser.comparing import ROWS, Compared, Kind, Row
from lake.browser.previews import cut
from lake.browser.words import number

PER_PAGE, COLUMNS = 100, 20
_KINDS: tuple[Kind, ...] = ("added", "removed", "changed")
_PLACES = 4
_UNSAFE = ("=", "+", "-", "@", "\t", "\r")

Looks = Literal["n", "mono", ""]


@dataclass(frozen=True, slots=True)
class Cell:
    """A value of a row; `was` is told where it changed."""

    text: str | None
    changed: bool = False
    was: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A row that differs; `unchanged` others lie before it, by key."""

    kind: Kind
    cells: Sequence[Cell]
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class Filter:
    """A choice of rows."""

    name: str
    count: int
    link: str
    current: bool


@dataclass(frozen=True, slots=True)
class Rows:
    """Some of the rows that differ.

    Attributes:
        column: the one whose changes alone are shown.
        names, looks: of the columns that are shown; `left` and `right` are addresses of others,
            and `columns` tells which these are.
        hidden: how many columns are not kept for this page, of which `hidden_changed` changed.
        unchanged: rows behind the last one of all.
        kept: how many of the rows that differ can be looked at here.
        newer, older: addresses of those before and behind; `csv` of all that were chosen.
    """

    filters: Sequence[Filter]
    column: str
    names: Sequence[str]
    looks: Sequence[Looks]
    columns: str
    left: str
    right: str
    hidden: int
    hidden_changed: int
    shown: Sequence[Line]
    unchanged: int
    said: str
    kept: int
    newer: str
    older: str
    csv: str


def rows_of(found: Compared, ask: Ask) -> Rows:
    """Return the page of rows that is asked for.

    Raises:
        InvalidAddress: `from` or `columns` is no number.
    """
    chosen, gaps = _chosen(found, ask), _gaps(found, ask)
    first = min(ask.number("from", 0), ROWS)
    shown, some = chosen[first : first + PER_PAGE], _window(found, ask)
    longest = max(24, min(160, 40_000 // max(1, len(shown) * len(some.places))))
    is_last = first + PER_PAGE >= len(chosen)
    is_all = len(found.rows) == found.added + found.removed + found.changed
    return Rows(
        _filters(found, ask),
        ask.get("column"),
        [cut(found.names[at], 60) or "" for at in some.places],
        [_looks([row.values[at] for row in found.rows]) for at in some.places],
        some.said,
        some.left,
        some.right,
        found.hidden,
        found.hidden_changed,
        _lines(shown, some.places, longest, gaps[first:]),
        gaps[-1] if gaps and is_last and is_all else 0,
        f"Rows {first + 1} to {first + len(shown)} of {len(chosen)}" if shown else "",
        len(found.rows),
        ask.same(**{"from": max(0, first - PER_PAGE) or None}) if first else "",
        "" if is_last else ask.same(**{"from": first + PER_PAGE}),
        ask.same(csv=1) if shown else "",
    )


@dataclass(frozen=True, slots=True)
class _Window:
    """The columns of a page, by their places; `said` tells which, where they are not all."""

    places: Sequence[int]
    said: str
    left: str
    right: str


def _window(found: Compared, ask: Ask) -> _Window:
    """Return the key and some of the other columns: those that changed come first."""
    names, changed = found.names, found.columns or {}
    keys = [at for at, name in enumerate(names) if name in found.key]
    others = [at for at, name in enumerate(names) if name not in found.key]
    others.sort(key=lambda at: names[at] not in changed)
    room, column = max(COLUMNS - len(keys), 1), ask.get("column")
    at = names.index(column) if column in names else -1
    asked = ask.number("columns", others.index(at) if at in others else 0)
    first = min(asked, max(len(others) - 1, 0)) // room * room
    last = min(first + room, len(others))
    besides = "the key and " if keys else ""
    said = f"{besides}columns {first + 1} to {last} of {len(others)}, those that changed first"
    return _Window(
        sorted([*keys, *others[first:last]]),
        "" if last - first == len(others) else f"{said[:1].upper()}{said[1:]}",
        ask.same(columns=max(first - room, 0)) if first else "",
        ask.same(columns=last) if last < len(others) else "",
    )


def _gaps(found: Compared, ask: Ask) -> Sequence[int]:
    """Return what lies between the rows, where all are shown."""
    return () if ask.get("column") or ask.get("only") in _KINDS else found.gaps


def _filters(found: Compared, ask: Ask) -> list[Filter]:
    total = found.added + found.removed + found.changed
    counts: Mapping[str, int] = {name: getattr(found, name) for name in _KINDS}
    column, only = ask.get("column"), ask.get("only")
    plain = {"column": None, "columns": None, "from": None}
    return [
        Filter("All", total, ask.same(only=None, **plain), not only and not column),
        *(
            Filter(name.capitalize(), count, ask.same(only=name, **plain), only == name)
            for name, count in counts.items()
        ),
    ]


def _chosen(found: Compared, ask: Ask) -> Sequence[Row]:
    """Return the kept rows that the address asks for."""
    column, only = ask.get("column"), ask.get("only")
    if column:
        at = found.names.index(column) if column in found.names else -1
        return [row for row in found.rows if at in row.was]
    return [row for row in found.rows if row.kind == only] if only in _KINDS else found.rows


def _looks(values: Sequence[Any]) -> Looks:
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, (int, float, Decimal)) for value in known):
        return "" if any(isinstance(value, bool) for value in known) else "n"
    return "mono" if known and all(isinstance(v, (date, datetime, time)) for v in known) else ""


def _lines(
    rows: Sequence[Row], places: Sequence[int], longest: int, gaps: Sequence[int]
) -> list[Line]:
    digits = {at: _digits(rows, at) for at in places}
    before = [*gaps[: len(rows)]] or [0] * len(rows)
    return [_line(row, digits, longest, gap) for row, gap in zip(rows, before, strict=True)]


def _line(row: Row, digits: Mapping[int, int], longest: int, unchanged: int) -> Line:
    def text(value: Any, at: int) -> str | None:
        said = cut(value, longest)
        return _padded(said, digits[at]) if said and isinstance(value, float) else said

    cells = [
        Cell(
            text(row.values[at], at), at in row.was, text(row.was[at], at) if at in row.was else ""
        )
        for at in digits
    ]
    return Line(row.kind, cells, unchanged)


def _digits(rows: Sequence[Row], at: int) -> int:
    """Return how many decimal places align a column of fractions; 0 where that is too many."""
    values = [value for row in rows for value in (row.values[at], row.was.get(at))]
    found = [len(number(one).partition(".")[2]) for one in values if isinstance(one, float)]
    most = max(found, default=0)
    return most if most <= _PLACES else 0


def _padded(text: str, places: int) -> str:
    whole, dot, rest = text.partition(".")
    if not places or not whole[-1:].isdigit() or not (rest.isdigit() or not dot):
        return text
    return f"{whole}.{rest.ljust(places, '0')}"


def as_csv(found: Compared, ask: Ask) -> bytes:
    """Return the rows that a page is about as CSV, which no spreadsheet takes for formulas.

    A changed row is two lines: what it was, and what it is.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["change", *map(_safe, found.names)])
    for row in _chosen(found, ask):
        if row.kind == "changed":
            old = [row.was.get(at, value) for at, value in enumerate(row.values)]
            writer.writerow(["was", *map(_safe, old)])
        writer.writerow(["is" if row.kind == "changed" else row.kind, *map(_safe, row.values)])
    return out.getvalue().encode(errors="replace")


def _safe(value: Any) -> Any:
    """Return a value of which no spreadsheet makes a formula; numbers stay what they are."""
    text = "" if value is None else value
    if isinstance(text, str) and text.startswith(_UNSAFE):
        return f"'{text}"
    return text
