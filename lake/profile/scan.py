"""What the rows of a Parquet file are counted by: one read of some of them, three questions."""

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, TypeAlias

import duckdb

from lake.errors import SourceUnreadable
from lake.parquet.limits import is_bounded, is_integer, is_time
from lake.profile.grid import COARSEST, FINEST, PERIODS, Bin, width
from lake.query.sql import identifier, literal

Family: TypeAlias = Literal["number", "time", "text", "boolean", "other"]

TOP = 20
LONGEST = 100
"""Characters of a text that may be kept; longer ones are counted by their length alone."""
_SLICES = 3
_ONE_SLICE = 2_048
_TABLE = "profiled"
_SECONDS = {
    "minute": 60,
    "hour": 3600,
    "day": 86_400,
    "month": 2_629_746,
    "year": 31_556_952,
    "decade": 315_569_520,
    "century": math.inf,
}
_PER_FILE = 200
_AT_ONCE = 24  # planning takes with the cube of the columns
_TOO_LARGE = 10.0**COARSEST


@dataclass(frozen=True, slots=True)
class Asked:
    """A column that is to be counted; `position` is its place in the file."""

    position: int
    type: str

    @property
    def family(self) -> Family:
        """How its values are counted."""
        return family(self.type)

    @property
    def name(self) -> str:
        """Its name in the table of rows."""
        return f"c{self.position}"

    @property
    def length(self) -> str:
        """Of a text: its length's name there."""
        return f"length_{self.position}"


@dataclass(slots=True)
class Counted:
    """What was counted of one column.

    Attributes:
        values: rows that are not NULL; `nan` of them are no numbers, `distinct` about so many
            different.
        low, high: of texts.
        grid, bins: values (of texts: their lengths) by bin; those too far out are in none.
        top: the most frequent values of a text.
    """

    values: int = 0
    distinct: int = 0
    nan: int = 0
    low: str | None = None
    high: str | None = None
    grid: str = ""
    bins: list[tuple[Bin, int]] = field(default_factory=list)
    top: list[tuple[str, int]] = field(default_factory=list)


def family(kind: str) -> Family:
    """Return how values of a type are counted."""
    if is_time(kind):
        return "time"
    if is_bounded(kind):
        return "number"
    if kind in ("VARCHAR", "UUID") or kind.startswith("ENUM"):
        return "text"
    return "boolean" if kind == "BOOLEAN" else "other"


def count(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    asked: Sequence[Asked],
    *,
    name: str,
    rows: int,
    wanted: int,
) -> dict[int, Counted] | None:
    """Count `wanted` of the `rows` rows of a file; None if there is no memory for them.

    Raises:
        SourceUnreadable: these rows cannot be read, so nobody could read them later.
    """
    found: dict[int, Counted] = {}
    try:
        for first in range(0, len(asked), _AT_ONCE):
            some = asked[first : first + _AT_ONCE]
            _read(con, path, some, rows, wanted)
            # What is known already is no reason to refuse the file.
            with suppress(duckdb.Error):
                found |= _counted(con, some)
    except (duckdb.IOException, duckdb.InvalidInputException) as exc:
        raise SourceUnreadable(
            f"{name} is a damaged Parquet: its rows cannot be read"
            f" ({str(exc).splitlines()[0]}); fetch it again"
        ) from exc
    except duckdb.Error:
        return None  # no memory, or a type that cannot be counted: no reason to refuse the file
    return found if len(found) == len(asked) else None


def _counted(con: duckdb.DuckDBPyConnection, asked: Sequence[Asked]) -> dict[int, Counted]:
    found = _totals(con, asked)
    _count_numbers(con, [one for one in asked if found[one.position].grid], found)
    _count_texts(con, asked, found)
    return {one.position: _told_apart(one, found[one.position]) for one in asked}


def _read(
    con: duckdb.DuckDBPyConnection, path: Path, asked: Sequence[Asked], rows: int, wanted: int
) -> None:
    reader = f"read_parquet({literal(str(path))}, hive_partitioning=false, filename=false"
    columns = con.sql(f"FROM {reader})").columns
    taken = ", ".join(_kept(one, identifier(columns[one.position])) for one in asked)
    source = f"{reader})"
    if wanted < rows and "file_row_number" not in (column.lower() for column in columns):
        source = f"{reader}, file_row_number=true) WHERE {_slices(rows, wanted)}"
    elif wanted < rows:
        source = f"{source} LIMIT {wanted:d}"
    con.execute(f"CREATE OR REPLACE TEMP TABLE {_TABLE} AS SELECT {taken} FROM {source}")


def _slices(rows: int, wanted: int) -> str:
    """Take a stretch out of the middle of each third, so that sorted files are met everywhere."""
    slices = _SLICES if wanted > _ONE_SLICE else 1
    ends = [wanted * i // slices for i in range(slices + 1)]
    parts = []
    for i, (first, last) in enumerate(pairwise(ends)):
        start = rows * (2 * i + 1) // (2 * slices) - (last - first) // 2
        parts.append(f"file_row_number BETWEEN {start:d} AND {start + last - first - 1:d}")
    return " OR ".join(parts)


def _kept(one: Asked, column: str) -> str:
    """Return what is kept of a column: a few machine words, or the beginning of a text."""
    if one.family == "text":
        text = f"CAST({column} AS VARCHAR)"
        return f"left({text}, {LONGEST + 1}) AS {one.name}, length({text}) AS {one.length}"
    value = column
    if one.family == "time":
        value = _moment(one, column)
    elif one.family == "number" and not is_integer(one.type):
        value = f"CAST({column} AS DOUBLE)"
    elif one.family == "other":
        value = f"CASE WHEN {column} IS NOT NULL THEN true END"
    return f"{value} AS {one.name}"


def _moment(one: Asked, column: str) -> str:
    """Return a time in microseconds, UTC; one that they cannot hold is infinite."""
    moment = f"TRY_CAST({column} AS TIMESTAMP)"
    if one.type == "TIMESTAMP WITH TIME ZONE":
        moment = f"CASE WHEN isfinite({column}) THEN make_timestamp(epoch_us({column})) END"
    return f"CASE WHEN {column} IS NOT NULL THEN coalesce({moment}, TIMESTAMP 'infinity') END"


def _totals(con: duckdb.DuckDBPyConnection, asked: Sequence[Asked]) -> dict[int, Counted]:
    """Count values, and choose a grid that is finer than will be needed."""
    asks = ", ".join(ask for one in asked for ask in _asks(one))
    answers = iter(con.execute(f"SELECT {asks} FROM {_TABLE}").fetchone() or ())
    found, ends = {}, {}
    for one in asked:
        values, distinct, nan, low, high = (next(answers) for _ in range(5))
        counted = found[one.position] = Counted(values, min(distinct, values), nan or 0)
        if one.family == "text":
            counted.low, counted.high, counted.grid = low, high, width(0)
        elif low is not None:
            ends[one] = (low, high)
    for one, (low, high), middle in _middles(con, ends):
        choose = _period if one.family == "time" else _width
        found[one.position].grid = choose(one.type, low, high, middle or [low, high])
    return found


def _asks(one: Asked) -> list[str]:
    column = one.name
    counts = [f"count({column})", f"approx_count_distinct({column})"]
    if one.family == "text":
        return [*counts, "0", f"min({column})", f"max({column})"]
    if one.family in ("boolean", "other"):
        return [*counts, "0", "NULL", "NULL"]
    near, value = _near(one), _as_number(one)
    nan = f"count_if(isnan({column}))" if _is_double(one) else "0"
    return [*counts, nan, f"min({value}) FILTER ({near})", f"max({value}) FILTER ({near})"]


def _middles(
    con: duckdb.DuckDBPyConnection, ends: Mapping[Asked, tuple[Any, Any]]
) -> Iterable[tuple[Asked, tuple[Any, Any], Any]]:
    """Find where the middle nine tenths of each column lie, from a sixteenth of the rows."""
    asks = ", ".join(
        f"quantile_disc({_as_number(one)}, [0.05, 0.95]) FILTER ({_near(one)})" for one in ends
    )
    if not ends:
        return ()
    found = con.execute(f"SELECT {asks} FROM {_TABLE} WHERE rowid % 16 = 0").fetchone() or ()
    return zip(ends, ends.values(), found, strict=True)


def _as_number(one: Asked) -> str:
    return f"epoch({one.name})" if one.family == "time" else one.name


def _is_double(one: Asked) -> bool:
    return one.family == "number" and not is_integer(one.type)


def _near(one: Asked) -> str:
    """Return which values have a bin: numbers that doubles can count with, years of four digits."""
    column = one.name
    if one.family == "time":
        return f"{column} BETWEEN '0001-01-01' AND TIMESTAMP '9999-12-31 23:59:59.999999'"
    if _is_double(one):
        return f"isfinite({column}) AND abs({column}) < {literal(_TOO_LARGE)}"
    if one.type in ("HUGEINT", "UHUGEINT"):
        return f"{column} BETWEEN {1 - 10**COARSEST:d} AND {10**COARSEST - 1:d}"
    return "true"


def _width(kind: str, low: float, high: float, middle: Sequence[float]) -> str:
    """Return a power of ten that cuts the middle nine tenths into hundreds, and all exactly."""
    spread = float(middle[1] - middle[0]) or float(high - low)
    largest = max(abs(float(low)), abs(float(high)))
    exponent = _power(spread) - 2 if spread else _power(largest) - 1
    # Bins are counted in doubles, which hold 15 digits.
    exponent = max(exponent, _power(largest) - 14)
    return width(min(max(exponent, 0 if is_integer(kind) else FINEST), COARSEST - 1))


def _power(number: float) -> int:
    return math.floor(math.log10(number)) if number else 0


def _period(kind: str, low: float, high: float, middle: Sequence[float]) -> str:
    spread = (middle[1] - middle[0]) or (high - low)
    fine = [name for name, s in _SECONDS.items() if kind != "DATE" or s >= _SECONDS["day"]]
    return next(name for name in fine if spread <= _SECONDS[name] * _PER_FILE)


def _count_numbers(
    con: duckdb.DuckDBPyConnection, asked: Sequence[Asked], found: dict[int, Counted]
) -> None:
    """Count numbers by bin, and texts by length."""
    asks = [
        f"(SELECT {one.position}, bin, count(*) FROM ({_bins(one, found[one.position].grid)})"
        " GROUP BY bin)"
        for one in asked
        if one.family in ("number", "text")
    ]
    for position, at, n in _union(con, asks):
        found[position].bins.append((at, n))


def _bins(one: Asked, grid: str) -> str:
    """Return the bin of each value; see `profile_grid` for what a bin is."""
    if one.family == "text":
        return f"SELECT {one.length} AS bin FROM {_TABLE} WHERE {one.name} IS NOT NULL"
    where = f"FROM {_TABLE} WHERE {one.name} IS NOT NULL AND {_near(one)}"
    exponent = int(grid.removeprefix("1e"))
    by = 10 ** abs(exponent)
    if is_integer(one.type):
        # DuckDB's // cuts towards zero.
        below = f"CASE WHEN {one.name} % {by:d} < 0 THEN 1 ELSE 0 END"
        return f"SELECT ({one.name} // {by:d}) - {below} AS bin {where}"
    times, over = ("*", "/") if exponent <= 0 else ("/", "*")
    by_text = literal(float(by))
    near = f"SELECT {one.name} AS x, floor({one.name} {times} {by_text}) AS b {where}"
    # A product may be rounded over an edge, which is what `edge` says and nothing else.
    right = f"CASE WHEN (b + 1) {over} {by_text} <= x THEN 1 WHEN b {over} {by_text} > x THEN -1"
    return f"SELECT CAST(b + {right} ELSE 0 END AS BIGINT) AS bin FROM ({near})"


def _count_texts(
    con: duckdb.DuckDBPyConnection, asked: Sequence[Asked], found: dict[int, Counted]
) -> None:
    """Count what has a text for its bin: times, booleans, and the most frequent texts."""
    asks = []
    for one in asked:
        if one.family == "time" and found[one.position].grid:
            asks.append(_periods(one, found[one.position].grid))
        elif one.family == "boolean":
            asks.append(_frequent(one, "true", 2))
        elif one.family == "text":
            asks.append(_frequent(one, f"{one.length} <= {LONGEST}", TOP))
    families = {one.position: one.family for one in asked}
    for position, at, n in _union(con, asks):
        counted = found[position]
        (counted.top if families[position] == "text" else counted.bins).append((at, n))


def _told_apart(one: Asked, counted: Counted) -> Counted:
    """Say exactly how many values differ where all of them were counted."""
    is_whole = one.family == "boolean" or (is_integer(one.type) and counted.grid == width(0))
    if is_whole and sum(n for _, n in counted.bins) == counted.values:
        counted.distinct = len(counted.bins)
    elif one.family == "text" and sum(n for _, n in counted.top) == counted.values:
        counted.distinct = len(counted.top)
    return counted


def _periods(one: Asked, grid: str) -> str:
    bins = (
        f"SELECT date_trunc({literal(grid)}, {one.name}) AS bin, count(*) AS n FROM {_TABLE}"
        f" WHERE {_near(one)} GROUP BY bin"
    )
    text = f"replace(left(CAST(bin AS VARCHAR), {PERIODS[grid]}), ' ', 'T')"
    return f"(SELECT {one.position}, {text}, n FROM ({bins}))"


def _frequent(one: Asked, which: str, at_most: int) -> str:
    return (
        f"(SELECT {one.position}, CAST({one.name} AS VARCHAR) AS bin, count(*) AS n FROM {_TABLE}"
        f" WHERE {one.name} IS NOT NULL AND {which} GROUP BY bin ORDER BY n DESC, bin"
        f" LIMIT {at_most})"
    )


def _union(con: duckdb.DuckDBPyConnection, asks: Sequence[str]) -> Iterable[tuple[int, Any, int]]:
    return con.execute(" UNION ALL ".join(asks)).fetchall() if asks else ()
