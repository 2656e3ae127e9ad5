"""The type that holds every value of a column of records without loss.

Like kinds become the type of that name; numbers the narrowest of BIGINT, DOUBLE (if every integer
is within ±2^53 and every written number keeps its digits) and DECIMAL; DATE with TIMESTAMP becomes
TIMESTAMP; other scalars together VARCHAR, by their exact texts. Objects become a STRUCT and arrays
a LIST where their shape is stable; else, that is above 200 keys, below 8 levels, or where scalars
meet nested values or names differ only by case, the column is text that holds exact JSON.
"""

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import chain
from typing import Any

from lake.convert.records.values import NESTED, NoValue, Written, by_kind, plain
from lake.schema.join import MAX_DIGITS, spell
from lake.schema.types import INTEGERS, Type, parse

MAX_KEYS = 200
"""Of an object that becomes a STRUCT."""
MAX_LEVELS = 8
"""Of nested columns; reading a Parquet's lists takes twice as long with each."""
MAX_COLUMNS = 100_000
_EXACT_IN_DOUBLE = 2**53
_BIGINT = 2**63
_NUMBERS = frozenset({"int", "float", "decimal", "written"})
_SINGLE = {
    "bool": "BOOLEAN",
    "text": "VARCHAR",
    "bytes": "BLOB",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "zoned": "TIMESTAMP WITH TIME ZONE",
    "time": "TIME",
}
_PLAIN = re.compile(r"-?[0-9]+\.[0-9]+")
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ISO_TIMESTAMP = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?"
)
# Python refuses to write an integer of more than 4,300 digits.
_INTEGER_BITS = 13_288
_SHORT = 16  # characters: 15 digits and a point


class Seen:
    """What was seen of a column, a field or an element so far.

    Attributes:
        path: such as `trip.fee`, for messages.
        dated: whether texts that are all ISO dates or timestamps become DATE or TIMESTAMP.
        kinds: of its values but NULL, see `record_values.KINDS`.
        fields: of its objects, in the order of their first appearance.
        element: of its arrays.
        wanted: a type that is declared for it, taken if every value fits into it.
    """

    def __init__(self, path: str = "", *, dated: bool = False, level: int = 0) -> None:
        self.path, self.dated, self.level = path, dated, level
        self.kinds: set[str] = set()
        self.fields: dict[str, Seen] = {}
        self.element: Seen | None = None
        self.wanted = ""
        self.is_loose = False
        self.low = self.high = self.whole = self.fraction = 0
        self.keeps_digits = self.fits_decimal = True
        self.are_dates = self.are_timestamps = dated

    def observe(self, values: Sequence[Any]) -> None:
        """Take more values into account.

        Raises:
            NoValue: one of them cannot be a column's.
        """
        for kind, own in by_kind(plain(values, self.path)).items():
            self.kinds.add(kind)
            if kind in _NOTES:
                _NOTES[kind](self, own)

    def _integers(self, values: list[int]) -> None:
        self.low, self.high = min(self.low, min(values)), max(self.high, max(values))
        if max(-self.low, self.high).bit_length() > _INTEGER_BITS:
            raise NoValue(f"column {self.path!r} holds an integer of more than 4,000 digits")

    def _decimals(self, values: list[Decimal]) -> None:
        for value in values:
            _, digits, exponent = value.as_tuple()
            if not isinstance(exponent, int):
                self.fits_decimal = False
                continue
            self.fraction = max(self.fraction, -exponent)
            self.whole = max(self.whole, len(digits) + exponent if value else 0)

    def _written(self, values: list[Written]) -> None:
        for value in values:
            if not _PLAIN.fullmatch(value):
                self.fits_decimal = False
                self.keeps_digits = self.keeps_digits and _keeps_digits(value)
                continue
            whole, _, fraction = value.lstrip("-").partition(".")
            self.whole = max(self.whole, len(whole.lstrip("0")))
            self.fraction = max(self.fraction, len(fraction))
            if value[0] == "-" and not value.strip("-0."):
                self.fits_decimal = False
            if len(value) > _SHORT:
                self.keeps_digits = self.keeps_digits and _keeps_digits(value)

    def _texts(self, values: list[str]) -> None:
        self.are_dates = self.are_dates and all(map(_is_date, values))
        self.are_timestamps = self.are_timestamps and all(map(_is_timestamp, values))

    def _lists(self, values: list[list[Any]]) -> None:
        if self.level >= MAX_LEVELS:
            self.is_loose = True
            return
        if self.element is None:
            path = f"{self.path}.element"
            self.element = Seen(path, dated=self.dated, level=self.level + 1)
        self.element.observe(list(chain.from_iterable(values)))

    def _objects(self, values: list[dict[Any, Any]]) -> None:
        keys = dict.fromkeys(chain.from_iterable(values))
        if self.level:
            count = len(keys.keys() | self.fields.keys())
            self.is_loose = self.is_loose or count > MAX_KEYS or self.level >= MAX_LEVELS
            if self.is_loose:
                self.fields.clear()
                return
        self._observe_fields(keys, values)

    def _observe_fields(self, keys: dict[Any, None], values: list[dict[Any, Any]]) -> None:
        if len(keys) + len(self.fields) > MAX_COLUMNS:
            raise NoValue(
                f"there are more than {MAX_COLUMNS:,} different keys, which look like data"
            )
        for key in keys:
            if key not in self.fields:
                if not isinstance(key, str):
                    raise NoValue(f"{_of(self.path)}has the key {key!r}, which is no text")
                path = f"{self.path}.{key}" if self.path else str(key)
                self.fields[key] = Seen(path, dated=self.dated, level=self.level + 1)
            self.fields[key].observe([value.get(key) for value in values])

    @property
    def choice(self) -> str:
        """The type as DuckDB names it; `STRUCT`, `LIST`, or `JSON` for text that holds JSON.

        Raises:
            NoValue: there is none, because some of its values are bytes and some are not.
        """
        kinds = self.kinds
        if not kinds or (self.wanted == "VARCHAR" and not kinds & {*NESTED, "bytes"}):
            return "VARCHAR"
        if kinds & NESTED:
            return self._nested()
        if kinds <= _NUMBERS:
            return self._number()
        if kinds == {"text"} and (self.are_dates or self.are_timestamps):
            return "DATE" if self.are_dates else "TIMESTAMP"
        if len(kinds) == 1:
            return _SINGLE.get(min(kinds), "VARCHAR")
        if "bytes" in kinds:
            others = " and ".join(sorted(kinds - {"bytes"}))
            raise NoValue(f"column {self.path!r} holds bytes and {others}: give all of one kind")
        return "TIMESTAMP" if kinds == {"date", "timestamp"} else "VARCHAR"

    def _nested(self) -> str:
        if self.is_loose or len(self.kinds) > 1:
            return "JSON"
        if "list" in self.kinds:
            return "LIST"
        names = [spell(name) for name in self.fields]
        is_stable = bool(names) and all(names) and len(set(names)) == len(names)
        return "STRUCT" if is_stable and "\0" not in "".join(names) else "JSON"

    def _number(self) -> str:
        kinds, wanted = self.kinds, parse(self.wanted)
        if self._fits(wanted):
            return str(wanted)
        if kinds == {"int"} and self.low >= -_BIGINT and self.high < _BIGINT:
            return "BIGINT"
        is_exact = max(-self.low, self.high) <= _EXACT_IN_DOUBLE and self.keeps_digits
        if is_exact and kinds & {"float", "written"} and "decimal" not in kinds:
            return "DOUBLE"
        if "float" not in kinds and self.fits_decimal:
            whole = max(self.whole, self._integer_digits())
            if whole + self.fraction <= MAX_DIGITS:
                return f"DECIMAL({max(whole + self.fraction, 1)},{self.fraction})"
        return "VARCHAR"

    def _fits(self, wanted: Type) -> bool:
        """Tell whether a type that is declared holds the numbers that were seen."""
        if wanted.kind in INTEGERS and self.kinds == {"int"}:
            least, most = INTEGERS[wanted.kind]
            return least <= self.low and self.high <= most
        if wanted.kind != "DECIMAL" or "float" in self.kinds or not self.fits_decimal:
            return False
        precision, scale = wanted.size
        whole = max(self.whole, self._integer_digits())
        return whole <= precision - scale and self.fraction <= scale

    def _integer_digits(self) -> int:
        widest = max(-self.low, self.high)
        return len(str(widest)) if widest else 0


_NOTES: dict[str, Callable[[Seen, list[Any]], None]] = {
    "int": Seen._integers,
    "decimal": Seen._decimals,
    "written": Seen._written,
    "text": Seen._texts,
    "list": Seen._lists,
    "struct": Seen._objects,
}


def _of(path: str) -> str:
    return f"column {path!r} " if path else "it "


def _keeps_digits(text: str) -> bool:
    """Tell whether a double's shortest text has the digits that were written, and is finite."""
    number = float(text)
    return abs(number) != float("inf") and _significant(text) == _significant(repr(number))


def _significant(text: str) -> str:
    digits = re.split("[eE]", text)[0].lstrip("-").replace(".", "")
    return digits.strip("0")


def _is_date(text: str) -> bool:
    return bool(_ISO_DATE.fullmatch(text)) and _exists(date, text)


def _is_timestamp(text: str) -> bool:
    return bool(_ISO_TIMESTAMP.fullmatch(text)) and _exists(datetime, text)


def _exists(kind: type[date], text: str) -> bool:
    try:
        kind.fromisoformat(text)
    except ValueError:
        return False
    return True
