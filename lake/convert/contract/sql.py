"""What is declared of columns, as SQL over the columns that a file has.

A query over a file's rows holds its columns as `c0`, `c1` …; here it gets the declared types as
`d0`, `d1` …, and in `broken` the number of the first rule that a row breaks.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation

from lake.config.types import DeclaredColumn, Limit, Reading
from lake.convert.contract.types import WIDE, ZONED, as_type
from lake.query.sql import literal
from lake.schema.join import spell
from lake.schema.reconcile import renaming
from lake.schema.types import INTEGERS, Type, parse

_TEXT = "VARCHAR"
_NUMBERS = {*INTEGERS, *WIDE, "DECIMAL", "DOUBLE", "FLOAT"}
_NUMBER = r"\s*[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?\s*"
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SHOWN = 100
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that a column's values keep to: `broken` is true, in SQL, where one does not."""

    column: str
    at: int
    broken: str
    about: str
    shows_value: bool = True

    def reason(self, value: str | None) -> str:
        """Say what is wrong with a value, which is quoted unless it is about a person."""
        if value is None or not self.shows_value:
            return self.public
        cut = f"{value[:_SHOWN]}…" if len(value) > _SHOWN else value
        return f"column {self.column!r}: {cut!r} {self.about}"

    @property
    def public(self) -> str:
        """What is wrong, without the value."""
        return f"column {self.column!r} {self.about}"


@dataclass(frozen=True, slots=True)
class Contract:
    """What a file's columns are held to.

    Attributes:
        nulls: by the number of a column, itself with the declared texts as NULL.
        typed: by the number of a column, itself as another type than it has.
        texts: the columns that are declared to be text.
        rules: in the order in which they are looked at.
        flaw: how the file breaks it as a whole, or nothing.
    """

    nulls: Mapping[int, str] = field(default_factory=dict)
    typed: Mapping[int, str] = field(default_factory=dict)
    texts: frozenset[int] = frozenset()
    rules: tuple[Rule, ...] = ()
    flaw: str = ""

    @property
    def changes(self) -> bool:
        """Whether values become others: typed, or NULL."""
        return bool(self.nulls or self.typed)

    def value(self, number: int) -> str | None:
        """Return the column that holds the values as declared, None if no type is."""
        if number in self.typed:
            return f"d{number}"
        return f"c{number}" if number in self.texts else None

    def cleaned(self, source: str) -> str:
        """Return `source`, something to select from, with the declared texts as NULL."""
        if not self.nulls:
            return source
        made = ", ".join(f"{sql} AS c{number}" for number, sql in self.nulls.items())
        return f"(SELECT * REPLACE ({made}) FROM {source})"

    def judged(self, source: str) -> str:
        """Return `cleaned`, with the typed columns, and `broken` if there are rules."""
        source = self.cleaned(source)
        if self.typed:
            made = ", ".join(f"{sql} AS d{number}" for number, sql in self.typed.items())
            source = f"(SELECT *, {made} FROM {source})"
        if self.rules:
            whens = " ".join(f"WHEN {rule.broken} THEN {n}" for n, rule in enumerate(self.rules))
            source = f"(SELECT *, CASE {whens} END AS broken FROM {source})"
        return source

    def shown(self) -> str:
        """Return the head of the value that breaks a row's rule, as text."""
        whens = " ".join(
            f"WHEN {n} THEN left(CAST(c{rule.at} AS VARCHAR), {_SHOWN + 1})"
            for n, rule in enumerate(self.rules)
            if rule.shows_value
        )
        return f"CASE broken {whens} END" if whens else "NULL"


def contract_of(columns: Sequence[tuple[str, str]], reading: Reading) -> Contract:
    """Return what columns, given with their types, are held to.

    Raises:
        InvalidConfig: a declared format does not go with the declared type.
    """
    rename = renaming(reading.columns)
    said = {spell(name): column for name, column in reading.columns.items()}
    nulls, typed, texts, rules = {}, {}, set(), list[Rule]()
    for number, (name, has) in enumerate(columns):
        declared = said.get(spell(rename(name)))
        if declared is None:
            continue
        if has == _TEXT and declared.null:
            taken = ", ".join(map(literal, declared.null))
            nulls[number] = f"CASE WHEN c{number} IN ({taken}) THEN NULL ELSE c{number} END"
        wanted = parse(declared.type or has)
        if has == _TEXT and wanted.kind != _TEXT:
            typed[number] = _typed(number, name, wanted, declared)
        elif declared.type and has == _TEXT:
            texts.add(number)
        rules += _rules(name, number, declared, wanted if has == _TEXT else parse(has), has)
    found = flaw([name for name, _ in columns], reading)
    return Contract(nulls, typed, frozenset(texts), tuple(rules), found)


def flaw(columns: Sequence[str], reading: Reading) -> str:
    """Say how the columns of a file break its contract, as a sentence; nothing if they do not."""
    rename = renaming(reading.columns)
    known = {spell(name) for name in reading.columns}
    there = {spell(rename(name)) for name in columns}
    missing = [n for n, c in reading.columns.items() if c.required and spell(n) not in there]
    unknown = [name for name in columns if spell(rename(name)) not in known]
    found = []
    if missing:
        found.append(f"{_columns(missing)} required and missing")
    if unknown and reading.unknown_columns == "reject":
        found.append(f"{_columns(unknown)} not declared, and unknown_columns is 'reject'")
    return "; ".join(found)


def _columns(names: Sequence[str]) -> str:
    told = ", ".join(map(repr, names[:_NAMED]))
    if len(names) > _NAMED:
        told += f" and {len(names) - _NAMED} more"
    return f"column {told} is" if len(names) == 1 else f"columns {told} are"


def _typed(number: int, name: str, dtype: Type, declared: DeclaredColumn) -> str:
    return as_type(f"c{number}", dtype, form=declared.format, decimal=declared.decimal, name=name)


def _rules(name: str, at: int, declared: DeclaredColumn, dtype: Type, has: str) -> list[Rule]:
    """Return the rules of one column; `dtype` is what its values are once they are converted."""
    is_typed = has == _TEXT and dtype.kind != _TEXT
    value = f"d{at}" if is_typed else f"c{at}"
    found, shows = [], not declared.personal
    if is_typed:
        form = f" of the format {declared.format!r}" if declared.format else ""
        broken = f"c{at} IS NOT NULL AND d{at} IS NULL"
        found.append(Rule(name, at, broken, f"is no {_told(declared.type)}{form}", shows))
    if declared.required:
        found.append(Rule(name, at, f"{value} IS NULL", "is required and NULL", False))
    if declared.between != (None, None):
        ok = " AND ".join(_within(value, dtype, *declared.between))
        found.append(Rule(name, at, _fails(value, ok), _about(*declared.between), shows))
    if declared.allowed:
        ok = _one_of(value, dtype, declared.allowed)
        found.append(Rule(name, at, _fails(value, ok), _none_of(declared.allowed), shows))
    return found


def _told(declared: str) -> str:
    return str(parse(declared)).replace(ZONED, "TIMESTAMPTZ")


def _fails(value: str, ok: str) -> str:
    return f"{value} IS NOT NULL AND NOT coalesce({ok}, false)"


def _about(low: Limit, high: Limit) -> str:
    if low is None or high is None:
        return f"is more than {high}" if low is None else f"is less than {low}"
    return f"is not between {low} and {high}"


def _none_of(allowed: Sequence[int | float | str]) -> str:
    more = f" or {len(allowed) - _NAMED} others" if len(allowed) > _NAMED else ""
    return f"is none of {', '.join(map(repr, allowed[:_NAMED]))}{more}"


def _within(value: str, dtype: Type, low: Limit, high: Limit) -> list[str]:
    sides = [(limit, sign) for limit, sign in ((low, ">="), (high, "<=")) if limit is not None]
    pairs = [(_comparable(value, dtype, limit), sign) for limit, sign in sides]
    found = [f"{pair[0]} {sign} {pair[1]}" if pair else "false" for pair, sign in pairs]
    # DuckDB sorts NaN above all numbers, and it is in no range.
    return [*found, f"NOT isnan({value})"] if dtype.kind in ("DOUBLE", "FLOAT") else found


def _one_of(value: str, dtype: Type, allowed: Sequence[int | float | str]) -> str:
    sides: dict[str, list[str]] = {}
    for one in allowed:
        # A text may be told to be one of `2024-01-01` or `1`: there it is no date.
        exact = dtype.kind == _TEXT and isinstance(one, str)
        pair = (value, literal(one)) if exact else _comparable(value, dtype, one)
        if pair:
            sides.setdefault(pair[0], []).append(pair[1])
    return " OR ".join(f"coalesce({x} IN ({', '.join(y)}), false)" for x, y in sides.items()) or (
        "false"
    )


def _comparable(value: str, dtype: Type, limit: int | float | str) -> tuple[str, str] | None:
    """Return the value and the limit as they are compared; None if they cannot be."""
    if dtype.kind in _NUMBERS:
        number = _exact_number(limit)
        return (value, number) if number else None
    if dtype.kind == _TEXT:
        return _text_and(value, limit)
    if dtype.kind == "BOOLEAN":
        return f"CAST({value} AS VARCHAR)", literal(str(limit).lower())
    if not isinstance(limit, str):
        return None
    taken = _moment(limit, dtype.kind)
    return (value, f"CAST({literal(limit)} AS {taken})") if taken else None


def _exact_number(limit: int | float | str) -> str:
    """Return a limit as a number in SQL, in which 0.1 is the decimal; nothing if it is none."""
    try:
        number = Decimal(str(limit))
    except InvalidOperation:
        return ""
    text = f"{number:f}"
    short = number.is_finite() and sum(map(str.isdigit, text)) <= 38
    return text if short else literal(float(limit))


def _text_and(value: str, limit: int | float | str) -> tuple[str, str]:
    if not isinstance(limit, str):
        number = f"CASE WHEN regexp_full_match({value}, {literal(_NUMBER)}) THEN"
        return f"{number} TRY_CAST({value} AS DOUBLE) END", literal(float(limit))
    if _moment(limit, "TIMESTAMP"):
        return f"TRY_CAST({value} AS TIMESTAMP)", f"CAST({literal(limit)} AS TIMESTAMP)"
    return value, literal(limit)


def _moment(limit: str, kind: str) -> str:
    """Return the type as which a limit is compared with dates or times; nothing if it is none."""
    if not _DAY.match(limit) and kind != "TIME":
        return ""
    for read, taken in ((date.fromisoformat, "DATE"), (datetime.fromisoformat, "TIMESTAMP")):
        try:
            found = read(limit)
        except ValueError:
            continue
        if kind == ZONED:
            return ZONED
        zoned = isinstance(found, datetime) and found.tzinfo is not None
        return "" if zoned or kind == "TIME" else taken if kind == "DATE" else "TIMESTAMP"
    try:
        time.fromisoformat(limit)
    except ValueError:
        return ""
    return "TIME" if kind == "TIME" else ""
