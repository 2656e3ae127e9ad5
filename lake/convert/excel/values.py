"""What a cell means: a value's exact text and its type, and the type of a column of such.

Whole numbers are BIGINT, others DOUBLE; dates, times and booleans what they are, to the millisecond
that Excel keeps; lengths of time (`[h]:mm`) are text, and so is a column of several kinds, by the
exact text of each value.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Literal, TypeAlias

from lake.convert.excel.cells import Cell

Type: TypeAlias = Literal["BIGINT", "DOUBLE", "DATE", "TIMESTAMP", "TIME", "BOOLEAN", "VARCHAR"]
DateStyle: TypeAlias = Literal["", "date", "time", "length"]

_DAY_MS = 86_400_000
_BIGGEST = 2**63
_WIDER: dict[frozenset[Type], Type] = {
    frozenset(("BIGINT", "DOUBLE")): "DOUBLE",
    frozenset(("DATE", "TIMESTAMP")): "TIMESTAMP",
}
_DIGITS = re.compile(r"-?[0-9]+")
_ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Value:
    """A cell's value as text that DuckDB casts to `type` and back without a change."""

    text: str
    type: Type
    is_wide: bool = False
    """An integer that no DOUBLE holds exactly."""


@dataclass(frozen=True, slots=True)
class Book:
    """What all cells of a workbook share: texts, what styles show, and where days begin."""

    texts: Sequence[str]
    styles: Sequence[DateStyle]
    is_1904: bool


class CellBad(Exception):
    """A cell whose value cannot be told; its row is rejected."""


class NoValue(Exception):
    """A formula whose result is not in the file."""


def value_of(cell: Cell, book: Book) -> Value | None:
    """Return what a cell holds, or None if it is empty.

    Raises:
        CellBad: it holds an error such as `#DIV/0!`, or nothing that can be told.
        NoValue: it is a formula without a result.
    """
    text = cell.text
    if cell.has_formula and (text is None or (not text and cell.kind != "str")):
        raise NoValue
    if text is None or (not text and cell.kind not in ("str", "inlineStr")):
        return None
    if cell.kind == "s":
        return Value(_shared(text, book), "VARCHAR")
    if cell.kind in ("str", "inlineStr"):
        return Value(text, "VARCHAR")
    if cell.kind == "b":
        return Value("true" if text.strip() in ("1", "true") else "false", "BOOLEAN")
    if cell.kind == "e":
        raise CellBad(f"holds {text}")
    if cell.kind == "d":
        return _iso(text)
    return _number(text, _style(cell, book), book.is_1904)


def column_type(types: Sequence[Type], *, is_wide: bool) -> Type:
    """Return the type that holds values of all these types; text where there is no such."""
    if not types:
        return "VARCHAR"
    if len(types) == 1:
        return types[0]
    wider = _WIDER.get(frozenset(types), "VARCHAR")
    return "VARCHAR" if wider == "DOUBLE" and is_wide else wider


def _shared(text: str, book: Book) -> str:
    try:
        return book.texts[int(text)]
    except (ValueError, IndexError):
        raise CellBad("holds a text that is not in the workbook") from None


def _style(cell: Cell, book: Book) -> DateStyle:
    return book.styles[cell.style] if 0 <= cell.style < len(book.styles) else ""


def _number(text: str, style: DateStyle, is_1904: bool) -> Value:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        raise CellBad("holds no number") from None
    if not number.is_finite():
        raise CellBad("holds no number")
    if style:
        return _moment(number, style, is_1904)
    double = float(number)
    if math.isinf(double) or (number and not double):
        raise CellBad("holds a number that no DOUBLE holds")
    whole = number == number.to_integral_value()
    is_wide = whole and Decimal(double) != number
    if whole and -_BIGGEST <= number < _BIGGEST and not (number == 0 and number.is_signed()):
        return Value(str(int(number)), "BIGINT", is_wide)
    if is_wide and _DIGITS.fullmatch(text.strip()):
        return Value(text.strip(), "VARCHAR")
    return Value(repr(double), "DOUBLE")


def _moment(days: Decimal, style: DateStyle, is_1904: bool) -> Value:
    """Return a number of days as a date or time; Excel keeps milliseconds."""
    if abs(days) > 10**8:
        raise CellBad("holds a number that is no date")
    ms = int((days * _DAY_MS).to_integral_value(ROUND_HALF_EVEN))
    if style == "length":
        return Value(_length(ms), "VARCHAR")
    if 0 <= ms < _DAY_MS and (style == "time" or not is_1904):
        return Value(f"{_clock(ms)}", "TIME")
    day, rest = divmod(ms, _DAY_MS)
    found = _day(day, is_1904)
    if not rest:
        return Value(found.isoformat(), "DATE")
    return Value(f"{found.isoformat()} {_clock(rest)}", "TIMESTAMP")


def _day(day: int, is_1904: bool) -> date:
    if not is_1904 and day == 60:
        raise CellBad("holds 29 February 1900, a day that never was")
    # Excel's 1900 is a leap year.
    first = date(1904, 1, 1) if is_1904 else date(1899, 12, 31 if day < 60 else 30)
    try:
        if day < 0:
            raise OverflowError
        return first + timedelta(days=day)
    except OverflowError:
        raise CellBad("holds a number that is no date") from None


def _clock(ms: int) -> str:
    seconds, ms = divmod(ms, 1000)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{text}.{ms:03}" if ms else text


def _length(ms: int) -> str:
    return f"-{_clock(-ms)}" if ms < 0 else _clock(ms)


def _iso(text: str) -> Value:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise CellBad("holds no date") from None
    if found.tzinfo:
        return Value(text, "VARCHAR")
    if _ISO_DAY.fullmatch(text):
        return Value(text, "DATE")
    return Value(found.isoformat(" "), "TIMESTAMP")
