"""Files whose schemas drift, landed in two orders: one answer, and every value as it went in."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from struct import pack, unpack
from typing import Any

import duckdb
from hypothesis import strategies as st

from lake.errors import SchemaConflict, VersionHeld
from lake.lake import Lake
from lake.query.sql import identifier, literal
from lake.schema.types import INTEGERS, Type, parse
from tests.lakes import new_lake, parquet

_TIMES = ["1970-01-01 00:00:00", "2024-02-29 12:34:56", "1999-12-31 23:59:59"]
_VALUES: Mapping[str, Sequence[str]] = {
    **{kind: sorted(map(str, {*limits, 0, 1, 7})) for kind, limits in INTEGERS.items()},
    "BIGINT": ["0", "-5", "9007199254740992", "9007199254740993", "-9223372036854775808"],
    "FLOAT": ["0.5", "16777216", "-1e30", "0.1"],
    "DOUBLE": ["0.1", "1e300", "9007199254740993", "-2.5", "0"],
    "DECIMAL(4,2)": ["0.10", "-99.99", "1.00"],
    "DECIMAL(18,3)": ["123456789012345.678", "-0.001", "0"],
    "DECIMAL(38,10)": ["1234567890123456789012345678.0123456789", "0"],
    "VARCHAR": ["", "a", "01", "1.50", "NULL", "é\n"],
    "BOOLEAN": ["true", "false"],
    "DATE": ["2024-02-29", "1970-01-01", "0001-01-01", "9999-12-31"],
    "TIMESTAMP_S": _TIMES,
    "TIMESTAMP_MS": [f"{at}.123" for at in _TIMES],
    "TIMESTAMP": [f"{at}.123456" for at in _TIMES] + ["0001-01-01 00:00:00"],
    "TIMESTAMP_NS": [f"{at}.123456789" for at in _TIMES],
    "TIMESTAMP WITH TIME ZONE": [f"{at}.5+02" for at in _TIMES],
    "TIME": ["00:00:00", "23:59:59.999999"],
    "UUID": ["00000000-0000-0000-0000-000000000001"],
    "BLOB": ["ab", "c"],
}
_NUMBERS = frozenset({*INTEGERS, "FLOAT", "DOUBLE", "DECIMAL"})
_NAMES = {"a": ["a", "A", " a"], "b": ["b"], "c": ["c", "C "]}
_FRIENDS = (  # kinds that often go together, so that not everything is held
    ["TINYINT", "UTINYINT", "INTEGER", "BIGINT", "UINTEGER", "UBIGINT", "DECIMAL(4,2)"],
    ["SMALLINT", "FLOAT", "DOUBLE", "BIGINT"],
    ["DATE", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP", "TIMESTAMP_NS"],
    ["VARCHAR", "INTEGER", "BOOLEAN", "DATE", "DECIMAL(18,3)", "UUID", "DOUBLE"],
    ["VARCHAR", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "TIME", "BIGINT"],
    ["BLOB"],
    list(_VALUES),
)
_VIEW = "SELECT * FROM raw.x"
_RULES = 'SELECT "column", type, file_column, file_type, rule FROM meta.columns'


@dataclass(frozen=True, slots=True)
class Drifting:
    """One file: its columns by name with type and values, as many in each, None for NULL."""

    columns: tuple[tuple[str, str, tuple[Any, ...]], ...]

    def select(self, connection: duckdb.DuckDBPyConnection) -> str:
        """Return a query that gives its rows."""
        size = len(self.columns[0][2])
        rows = (self._row(connection, at) for at in range(size))
        return " UNION ALL ".join(rows)

    def _row(self, connection: duckdb.DuckDBPyConnection, at: int) -> str:
        made = (
            f"{_sql(values[at], parse(dtype))} AS {identifier(name)}"
            for name, dtype, values in self.columns
        )
        return f"SELECT {', '.join(made)}"


@st.composite
def files(draw: st.DrawFn) -> tuple[list[Drifting], list[int]]:
    """Draw two to four files and an order to land them in."""
    friends = {name: draw(st.sampled_from(_FRIENDS)) for name in _NAMES}
    nesting = {name: draw(st.sampled_from(["", "", "[]", "STRUCT"])) for name in _NAMES}
    count = draw(st.integers(2, 4))
    found = [_file(draw, friends, nesting) for _ in range(count)]
    return found, draw(st.permutations(range(count)))


def _file(
    draw: st.DrawFn, friends: Mapping[str, list[str]], nesting: Mapping[str, str]
) -> Drifting:
    size = draw(st.integers(1, 3))
    columns = []
    for name, spellings in _NAMES.items():
        if name != "b" and not draw(st.integers(0, 3)):
            continue
        dtype = _nested(draw, friends[name], nesting[name])
        nulls = draw(st.integers(0, 6)) == 0
        values = tuple(None if nulls else _drawn(draw, parse(dtype)) for _ in range(size))
        columns.append((draw(st.sampled_from(spellings)), dtype, values))
    return Drifting(tuple(columns))


def _nested(draw: st.DrawFn, friends: list[str], nesting: str) -> str:
    scalar = draw(st.sampled_from(friends))
    if nesting != "STRUCT":
        return scalar + nesting
    names = draw(st.lists(st.sampled_from(["x", "y", "X"]), min_size=1, unique_by=str.lower))
    return str(Type("STRUCT", tuple((name, parse(scalar)) for name in names)))


def _drawn(draw: st.DrawFn, dtype: Type) -> Any:
    if not draw(st.integers(0, 6)):
        return None
    if dtype.kind == "LIST":
        return [_drawn(draw, dtype.fields[0][1]) for _ in range(draw(st.integers(0, 2)))]
    if dtype.kind == "STRUCT":
        return {name: _drawn(draw, field) for name, field in dtype.fields}
    return draw(st.sampled_from(_VALUES[str(dtype)]))


def _sql(value: Any, dtype: Type) -> str:
    if value is None:
        return f"CAST(NULL AS {dtype})"
    if dtype.kind == "LIST":
        items = ", ".join(_sql(item, dtype.fields[0][1]) for item in value)
        return f"CAST([{items}] AS {dtype})"
    if dtype.kind == "STRUCT":
        fields = (f"{identifier(n)} := {_sql(value[n], field)}" for n, field in dtype.fields)
        return f"struct_pack({', '.join(fields)})"
    return f"CAST({literal(value)} AS {dtype})"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a lake answers: columns and types, rows, and the rules; without spelling or order."""

    types: Mapping[str, Type]
    rows: "Counter[str]"
    rules: frozenset[tuple[Any, ...]]
    held: frozenset[int]


def one_answer(drawn: tuple[list[Drifting], list[int]], folder: Path) -> None:
    """Land files in the order drawn and in its reverse; compare what comes of it."""
    found, order = drawn
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        paths = [parquet(folder / f"{n}.parquet", f.select(con)) for n, f in enumerate(found)]
        went_in = [con.execute(f"SELECT * FROM {literal(str(path))}").fetchall() for path in paths]
    answers = []
    for number, one in enumerate([order, order[::-1]]):
        lk = new_lake(folder / str(number))
        held = _land(lk, paths, one)
        answers.append(_answer(lk, held))
        _holds_what_went_in(lk, found, went_in, held)
    if not any(answer.held for answer in answers):
        first, *others = answers
        assert [other for other in others if other != first] == [], first


def _land(lk: Lake, paths: Sequence[Path], order: Sequence[int]) -> frozenset[int]:
    held = set()
    for number in order:
        try:
            where = {"k": str(number)}
            lk.land(paths[number], dataset="raw.x", partition=where, read={"profile": False})
        except (VersionHeld, SchemaConflict):
            held.add(number)
    return frozenset(held)


def _answer(lk: Lake, held: frozenset[int]) -> Answer:
    view = lk.sql(_VIEW)
    names = [name.casefold() for name in view.columns]
    types = {n: _folded(parse(str(t))) for n, t in zip(names, view.types, strict=True)}
    rows = Counter(
        json.dumps(dict(zip(names, map(_plain, row), strict=True)), sort_keys=True)
        for row in view.fetchall()
    )
    rules = [
        (column.casefold(), _folded(parse(dtype)), file_column, file_type, _said(rule))
        for column, dtype, file_column, file_type, rule in lk.sql(_RULES).fetchall()
    ]
    return Answer(types, rows, frozenset(rules), held)


def _said(rule: str) -> str:
    """Return a rule; in what it says of a struct's type the newest spelling shows."""
    return re.sub(r"(same|, )?(null with )?STRUCT.*|same", "", rule)


def _folded(dtype: Type) -> Type:
    """Return a type without the spelling and the order of its fields, which the newest decides."""
    fields = [(name.casefold(), _folded(field)) for name, field in dtype.fields]
    if dtype.kind == "STRUCT":
        fields.sort(key=lambda field: field[0])
    return Type(dtype.kind, tuple(fields), dtype.size, dtype.text)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name.casefold(): _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return repr(value)


def _holds_what_went_in(
    lk: Lake,
    found: Sequence[Drifting],
    went_in: Sequence[list[tuple[Any, ...]]],
    held: frozenset[int],
) -> None:
    """Hold the view against every current file: rows, each value, and totals."""
    view = lk.sql(_VIEW)
    types = {n.casefold(): parse(str(t)) for n, t in zip(view.columns, view.types, strict=True)}
    names, rows = list(types), view.fetchall()
    assert len(rows) == sum(len(one) for n, one in enumerate(went_in) if n not in held)
    for number, file in enumerate(found):
        own = [dict(zip(names, row, strict=True)) for row in rows if row[-1] == str(number)]
        assert bool(own) == (number not in held)
        for at, (name, dtype, _) in enumerate(file.columns):
            values = [row[at] for row in went_in[number]]
            called = name.strip().casefold()
            for row, value in zip(own, values, strict=False):
                _same(row[called], value, parse(dtype), types[called])
    _totals(lk, found, went_in, held, types)


def _same(found: Any, value: Any, source: Type, target: Type) -> None:
    """Compare a value of the view with the one that the file holds."""
    if value is None or found is None:
        assert found is value
    elif source.kind == "LIST":
        for own, item in zip(found, value, strict=True):
            _same(own, item, source.fields[0][1], target.fields[0][1])
    elif source.kind == "STRUCT":
        own, types = {n.casefold(): v for n, v in found.items()}, dict(_folded(target).fields)
        for name, field in source.fields:
            _same(own[name.casefold()], value[name], field, types[name.casefold()])
    else:
        assert _is_same(found, value, source.kind, target.kind), (found, value, source, target)


def _is_same(found: Any, value: Any, source: str, target: str) -> bool:
    if source == target:
        return bool(found == value)
    if target != "VARCHAR":
        exact = Fraction(found) == Fraction(value) if target in _NUMBERS else None
        return exact if exact is not None else str(found).startswith(str(value))
    if source == "FLOAT":
        return bool(unpack("f", pack("f", float(found)))[0] == value)
    if source == "DOUBLE":
        return bool(float(found) == value)
    if source == "BOOLEAN":
        return bool(found == str(value).lower())
    if source == "TIMESTAMP WITH TIME ZONE":
        return bool(found.rstrip("Z0").rstrip(".") == f"{value:%Y-%m-%d %H:%M:%S.%f}".rstrip("0."))
    return bool(found == str(value)) or source.startswith("TIMESTAMP")


def _totals(
    lk: Lake,
    found: Sequence[Drifting],
    went_in: Sequence[list[tuple[Any, ...]]],
    held: frozenset[int],
    types: Mapping[str, Type],
) -> None:
    for name, dtype in types.items():
        if dtype.kind not in _NUMBERS:
            continue
        values = list(_of_column(found, went_in, held, name))
        query = f"SELECT sum({identifier(name)}), list({identifier(name)}) FROM raw.x"
        ((total, listed),) = lk.sql(query).fetchall()
        if dtype.kind in ("FLOAT", "DOUBLE"):
            total = math.fsum(value for value in listed or () if value is not None)
            assert total == float(sum(map(Fraction, values), Fraction()))
        elif values:
            assert Decimal(total) == sum(map(Decimal, values), Decimal()), (name, dtype)


def _of_column(
    found: Sequence[Drifting],
    went_in: Sequence[list[tuple[Any, ...]]],
    held: frozenset[int],
    name: str,
) -> Iterator[Any]:
    for number, file in enumerate(found):
        for at, (own, _, _) in enumerate(file.columns):
            if own.strip().casefold() == name and number not in held:
                yield from (row[at] for row in went_in[number] if row[at] is not None)
