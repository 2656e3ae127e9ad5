"""Records of Python's own values, and what must come of each."""

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from lake.convert.records.convert import write_records

_INTEGERS = st.one_of(
    st.integers(-(2**70), 2**70), st.sampled_from([2**53, 2**53 + 1, 2**63 - 1, 2**63, -(2**63)])
)
_DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), places=4)
_FAMILIES: tuple[SearchStrategy[Any], ...] = (
    _INTEGERS,
    st.integers(-(2**53), 2**53) | st.floats(),
    st.floats() | _INTEGERS,
    _DECIMALS,
    _DECIMALS | _INTEGERS,
    st.booleans(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    st.dates(),
    st.datetimes() | st.dates(),
    st.datetimes(timezones=st.just(UTC)),
    st.times(),
    st.uuids(),
)
_ODD = st.one_of(*_FAMILIES)


@st.composite
def records(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw records whose columns are mostly of one kind, as values or in lists."""
    families = [draw(st.sampled_from(_FAMILIES)) for _ in range(draw(st.integers(1, 3)))]
    in_lists = [draw(st.booleans()) for _ in families]
    found: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(1, 8))):
        record: dict[str, Any] = {"id": 1}
        for number, family in enumerate(families):
            value = _drawn(draw, family)
            record[f"c{number}"] = [value] if in_lists[number] and value is not None else value
        found.append(record)
    return found


def _drawn(draw: st.DrawFn, family: SearchStrategy[Any]) -> Any:
    dice = draw(st.integers(0, 30))
    return None if dice < 3 else draw(_ODD if dice == 3 else family)


def lands_whole(drawn: list[dict[str, Any]], folder: Path) -> None:
    """Hold every value that landed against the one that was given."""
    out = folder / "out.parquet"
    assert write_records(drawn, out, name="records") == len(drawn)
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        found = con.read_parquet(str(out))
        names, rows = found.columns, found.fetchall()
    for record, row in zip(drawn, rows, strict=True):
        for name, value in zip(names, row, strict=True):
            assert says(value, record[name]), f"{value!r} for {record[name]!r} in {name}"


def says(value: Any, meant: Any) -> bool:
    """Tell whether a landed value is the one that was given, or its exact text."""
    if meant is None or value is None:
        return value is meant
    if isinstance(meant, list):
        return len(value) == len(meant) and all(map(says, value, meant))
    if isinstance(value, str):
        return value == (meant if isinstance(meant, str) else _text(meant))
    if isinstance(meant, bool) or isinstance(value, bool):
        return value is meant
    if isinstance(meant, (int, float, Decimal)):
        return value == meant or (math.isnan(value) and math.isnan(meant))
    if isinstance(value, datetime) and type(meant) is date:
        return value == datetime(meant.year, meant.month, meant.day)
    return bool(value == meant)


def _text(meant: Any) -> str:
    if isinstance(meant, bool):
        return str(meant).lower()
    if isinstance(meant, datetime) and meant.tzinfo:
        return f"{meant.replace(tzinfo=None)}Z"
    return str(meant)
