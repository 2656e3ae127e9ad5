"""A file's profile: what pages show of its columns, as an object beside the file, never in the log.

Nobody reads it to answer a query; it may be deleted at any time. It holds values (the limits and
the most frequent of texts), but nothing of columns that are declared personal, except their names.
`_profile.json` is one JSON object:

    {"format": 1, "files": [FILE …]}         one per data file of the version's folder
    FILE    key        of the file
            rows       that it has
            profiled   of how many of them values were counted; 0: of none
            columns    [COLUMN …], in the file's order
    COLUMN  name, type as the file has them
            personal   true: nothing else is kept
            family     number, time, text, boolean or other (nested and binary values)
            nulls      exact; of `other` columns as many as the counted rows lead to expect
            min, max   exact of numbers and times (as in the log: decimals and times are texts);
                       of texts those of the counted rows, cut after 100 characters
            distinct   about how many different values the counted rows have
            grid       what `counts` are on, see `profile_grid`; of texts it is their lengths
            counts     [[bin, values] …], at most 100
            nan        values that are no number
            beyond     values too far out for any bin: infinite, from 10^22 on, years not 1 to 9999
            top        [[text, values] …] of texts: the 20 most frequent that have at most 100
                       characters; once each has to do only where there are no more than 20

A field that would be 0, empty or unknown is not written. `counts`, `nan` and `beyond` add up to
`rows` less `nulls`, exactly, wherever `profiled` is not 0.

Where `profiled` is less than `rows`, the counted rows are three stretches spread over the file, and
all counts are theirs, brought to the file's number of values by the largest remainders: estimates
that add up over files as exact ones do. Merged counts are the sums; those of `top` are lower
bounds, because a file does not say how often it has a text that is not among its 20.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import duckdb

from lake.catalog.entries import Bound, Bounds, Column
from lake.parquet.inspect import Inspected
from lake.parquet.session import BOUNDED, session
from lake.profile.grid import Counts, fitted, scaled
from lake.profile.scan import LONGEST, TOP, Asked, Counted, Family, count, family

FORMAT = 1
LARGE_AS_LANDED = 2_048
AS_LANDED = 6_144
"""Rows counted of a Parquet that lands as it is: more would take longer than landing it."""
CONVERTED = 262_144
"""Rows counted of what had to be converted, which takes so much longer."""
_ROWS_PER_COLUMN = 80
_COLUMNS = 1_000
_CELLS_PER_ROW = 20
_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """What is known of one column; the fields are those of the document, see the module."""

    name: str
    type: str
    personal: bool = False
    family: Family = "other"
    nulls: int = 0
    min: Bound | None = None
    max: Bound | None = None
    distinct: int = 0
    grid: str = ""
    counts: Counts = ()
    nan: int = 0
    beyond: int = 0
    top: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of one file; `profiled` of its rows were counted."""

    key: str
    rows: int
    profiled: int
    columns: tuple[ColumnProfile, ...]


def profile(
    path: Path,
    *,
    key: str,
    name: str,
    inspected: Inspected,
    personal: frozenset[str] = frozenset(),
    at_most: int = AS_LANDED,
    connection: duckdb.DuckDBPyConnection | None = None,
) -> Profile:
    """Return the profile of the Parquet file at `path`; see the module for what is in it.

    Memory is bounded, whatever the file holds: where rows are large, fewer are counted.

    Args:
        path: the file.
        key: under which it lies in the lake.
        name: for messages.
        inspected: what `inspect_parquet` said of it.
        personal: its columns that speak of people, spelled as in the file.
        at_most: so many rows are counted, if they have twenty columns; of its columns, the first
            80th as many, at most 1,000.
        connection: saves the time to open one.

    Raises:
        SourceUnreadable: its rows cannot be read.
    """
    asked = _asked(inspected, personal, min(at_most // _ROWS_PER_COLUMN, _COLUMNS))
    wanted = _wanted(inspected, at_most) if asked else 0
    counted: dict[int, Counted] | None = None
    if wanted:
        with session(BOUNDED, connection) as con:
            counted = count(con, path, asked, name=name, rows=inspected.rows, wanted=wanted)
    columns = tuple(
        _column(column, inspected, (counted or {}).get(i), wanted, column.name in personal)
        for i, column in enumerate(inspected.schema)
    )
    return Profile(key, inspected.rows, wanted if counted else 0, columns)


def _asked(inspected: Inspected, personal: frozenset[str], columns: int) -> list[Asked]:
    return [
        Asked(i, column.type)
        for i, column in enumerate(inspected.schema[:columns])
        if column.name not in personal
    ]


def _wanted(inspected: Inspected, at_most: int) -> int:
    """Return how many rows to count: fewer where there are many columns, or large values."""
    by_columns = at_most * _CELLS_PER_ROW // max(len(inspected.schema), _CELLS_PER_ROW)
    by_bytes = _BYTES * inspected.rows // max(inspected.byte_count, 1)
    return min(inspected.rows, max(by_columns, 1), by_bytes)


def _column(
    column: Column, inspected: Inspected, counted: Counted | None, wanted: int, is_personal: bool
) -> ColumnProfile:
    if is_personal:
        return ColumnProfile(column.name, column.type, personal=True)
    kind = family(column.type)
    bounds = inspected.bounds.get(column.name, Bounds())
    nulls = inspected.nulls.get(column.name, 0)
    if counted is None:
        return ColumnProfile(column.name, column.type, False, kind, nulls, bounds.min, bounds.max)
    if column.name not in inspected.nulls:
        nulls = (wanted - counted.values) * inspected.rows // wanted
    total = inspected.rows - nulls
    grid, counts, nan, beyond = _counts(counted, kind, total)
    return ColumnProfile(
        column.name,
        column.type,
        family=kind,
        nulls=nulls,
        min=_cut(counted.low) if kind == "text" else bounds.min,
        max=_cut(counted.high) if kind == "text" else bounds.max,
        distinct=counted.distinct if kind != "other" else 0,
        grid=grid,
        counts=counts,
        nan=nan,
        beyond=beyond,
        top=_top(counted, total),
    )


def _counts(counted: Counted, kind: Family, total: int) -> tuple[str, Counts, int, int]:
    """Return a column's counts as of all its values."""
    if kind == "other":
        return "", (), 0, 0
    bins = tuple(sorted(counted.bins))
    grid, bins = fitted(counted.grid, bins) if counted.grid else ("", bins)
    beyond = counted.values - counted.nan - sum(n for _, n in bins)
    *numbers, nan, beyond = scaled([*(n for _, n in bins), counted.nan, beyond], total)
    found = tuple((at, n) for (at, _), n in zip(bins, numbers, strict=True) if n)
    return grid, found, nan, beyond


def _top(counted: Counted, total: int) -> tuple[tuple[str, int], ...]:
    kept = [(text, n) for text, n in counted.top if n > 1 or len(counted.top) < TOP]
    rest = counted.values - sum(n for _, n in kept)
    numbers = scaled([*(n for _, n in kept), rest], total)
    return tuple((text, n) for (text, _), n in zip(kept, numbers, strict=False))


def _cut(text: str | None) -> str | None:
    return text[:LONGEST] if text is not None else None


def profile_document(parts: Sequence[Profile]) -> bytes:
    """Return the stored bytes of the profiles of one version's files; the same for the same."""
    files = [
        {
            "key": part.key,
            "rows": part.rows,
            "profiled": part.profiled,
            "columns": [_plain(column) for column in part.columns],
        }
        for part in parts
    ]
    document = {"format": FORMAT, "files": files}
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def _plain(column: ColumnProfile) -> dict[str, Any]:
    if column.personal:
        return {"name": column.name, "type": column.type, "personal": True}
    written = ("name", "type", "family", "min", "max")
    return {
        name: value
        for name, value in asdict(column).items()
        if value or (name in written and value is not None)
    }


def profiles_of(data: bytes) -> tuple[Profile, ...]:
    """Read `_profile.json`; one that cannot be read, or is of a later format, says nothing."""
    try:
        document = json.loads(data)
        if document["format"] != FORMAT:
            return ()
        return tuple(
            Profile(
                file["key"],
                file["rows"],
                file["profiled"],
                tuple(_read(column) for column in file["columns"]),
            )
            for file in document["files"]
        )
    except (ValueError, KeyError, TypeError):
        return ()


def _read(column: Mapping[str, Any]) -> ColumnProfile:
    known = {field.name for field in fields(ColumnProfile)}
    values = {name: value for name, value in column.items() if name in known}
    for name in ("counts", "top"):
        values[name] = tuple((at, n) for at, n in values.get(name, ()))
    return ColumnProfile(**values)
