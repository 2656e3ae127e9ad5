"""Declared columns: what lands keeps to the declaration, and what is rejected does not."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from lake.config.types import DeclaredColumn, Reading
from lake.convert.csv.convert import convert_csv
from lake.schema.types import INTEGERS, parse
from tests.fuzz import texts
from tests.fuzz.csv_files import Written
from tests.fuzz.landed import landed

_PLAIN = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_NUMBER = re.compile(_PLAIN.pattern + r"(?:[eE][-+]?[0-9]+)?")
_WHOLE = re.compile(r"[-+]?[0-9]+(?:\.0*)?|[-+]?[0-9]+[eE]\+?[0-9]{1,2}")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[ T](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.([0-9]{0,6}0*))?)?)?"
)
_WORDS = dict.fromkeys(("true", "t", "yes", "y", "1"), True)
_WORDS |= dict.fromkeys(("false", "f", "no", "n", "0"), False)
_LIMITS = {
    "INTEGER": ((0, 10), (-1, None)),
    "DOUBLE": ((0, 1), (None, 1000)),
    "DECIMAL(6,2)": ((0, 99), (None, 0.1)),
    "DATE": (("2000-01-01", None), ("1990-01-01", "2024-02-29")),
}
_TYPES = (
    *("INTEGER", "UTINYINT", "BIGINT", "UBIGINT", "DECIMAL(6,2)", "DECIMAL(38,10)"),
    *("DOUBLE", "BOOLEAN", "DATE", "TIMESTAMP", "VARCHAR"),
)
_FITTING = {
    "BOOLEAN": st.one_of(texts.booleans, texts.nearly_booleans),
    "DATE": st.one_of(texts.dates, texts.timestamps),
    "TIMESTAMP": st.one_of(texts.timestamps, texts.dates),
    "VARCHAR": texts.words,
}
_NUMERIC = st.one_of(texts.integers, texts.fractions, texts.doubles, texts.forms)
_REFUSED = object()


@dataclass(frozen=True, slots=True)
class Declared:
    """One declared column and the texts that a file has in it."""

    column: DeclaredColumn
    texts: tuple[str | None, ...]

    def value(self, text: str | None) -> Any:
        """Return what a text becomes, or `_REFUSED`."""
        value = None
        if text is not None and text not in self.column.null:
            value = _READ.get(parse(self.column.type).kind, _whole)(text, self.column.type)
        if value is _REFUSED or (value is None and self.column.required):
            return _REFUSED
        return value if value is None or self._is_within(value) else _REFUSED

    def _is_within(self, value: Any) -> bool:
        low, high = map(_limit, self.column.between)
        number = Decimal(repr(value)) if isinstance(value, float) else value
        return (low is None or number >= low) and (high is None or number <= high)


@st.composite
def columns(draw: st.DrawFn) -> Declared:
    """Draw a declaration, and texts that mostly fit its type."""
    dtype = draw(st.sampled_from(_TYPES))
    column = DeclaredColumn(
        type=dtype,
        null=draw(st.sampled_from([(), (), ("", "NA"), ("0",)])),
        required=draw(st.booleans()),
        between=draw(st.sampled_from([(None, None), *_LIMITS.get(dtype, ())])),
    )
    fitting = _FITTING.get(dtype, _NUMERIC)
    field = st.one_of(fitting, fitting, fitting, texts.ODD, st.none(), st.just("NA"))
    return Declared(column, tuple(draw(st.lists(field, min_size=1, max_size=12))))


def keeps_to_it(drawn: Declared, folder: Path) -> None:
    """Hold what landed, and what was rejected, against the declaration."""
    rows = tuple((str(n), text) for n, text in enumerate(drawn.texts))
    file = Written(rows, ",", "\n", "")
    path = folder / "in.csv"
    path.write_bytes(file.data())
    reading = Reading(delimiter=",", escape='"', columns={"c1": drawn.column})
    done, found, types = landed(path, folder, convert_csv, reading)
    assert types["c1"] == drawn.column.type
    meant = {n: drawn.value(text) for n, text in enumerate(drawn.texts)}
    wanted = {n: value for n, value in meant.items() if value is not _REFUSED}
    assert {int(n): value for n, value in found} == wanted, dict(enumerate(drawn.texts))
    assert done.rows + done.rejected == len(rows)


def _limit(limit: int | float | str | None) -> Any:
    if limit is None:
        return None
    return date.fromisoformat(limit) if isinstance(limit, str) else Decimal(str(limit))


def _whole(text: str, dtype: str) -> Any:
    text, (low, high) = text.strip(" "), INTEGERS[dtype]
    if not _WHOLE.fullmatch(text):
        return _REFUSED
    value = int(Decimal(text))
    return value if low <= value <= high else _REFUSED


def _decimal(text: str, dtype: str) -> Any:
    text, (precision, scale) = text.strip(" "), parse(dtype).size
    if not _PLAIN.fullmatch(text):
        return _REFUSED
    whole, _, fraction = text.lstrip("+-").partition(".")
    if len(whole.lstrip("0")) > precision - scale or len(fraction.rstrip("0")) > scale:
        return _REFUSED
    return Decimal(text)


def _double(text: str, _: str) -> Any:
    text = text.strip(" ")
    if not _NUMBER.fullmatch(text) or abs(float(text)) == float("inf"):
        return _REFUSED
    return float(text) if Decimal(repr(float(text))) == Decimal(text) else _REFUSED


def _boolean(text: str, _: str) -> Any:
    return _WORDS.get(text.strip(" ").lower(), _REFUSED)


def _date(text: str, _: str) -> Any:
    value = _moment(text, "")
    if value is _REFUSED or value.time() != datetime.min.time():
        return _REFUSED
    return value.date()


def _moment(text: str, _: str) -> Any:
    text = text.strip(" ")
    found = _TIME.fullmatch(text)
    if not found:
        return _REFUSED
    if found[1] is not None:
        text = text[: -len(found[1])] + found[1][:6].ljust(6, "0")
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return _REFUSED


_READ: dict[str, Callable[[str, str], Any]] = {
    "DECIMAL": _decimal,
    "DOUBLE": _double,
    "BOOLEAN": _boolean,
    "DATE": _date,
    "TIMESTAMP": _moment,
    "VARCHAR": lambda text, _: text,
}
