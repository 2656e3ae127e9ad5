"""Which chart suits a table: by the types of its columns, and what stands in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any, Literal

from lake.browser.pictures.axes import moment

Kind = Literal["line", "bar", "histogram", "scatter"]
KINDS: tuple[Kind, ...] = ("line", "bar", "histogram", "scatter")
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL")
MOST_SERIES = 3
LEAST_POINTS = 3
_SCALE = 10
MOST_COLUMNS = 40


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart of a table: its kind, the number of the column across (from 0), and those up.

    A histogram has nothing across.
    """

    kind: Kind
    x: int
    ys: tuple[int, ...]


def is_number(kind: str) -> bool:
    """Tell whether a DuckDB type is of numbers."""
    return kind.removeprefix("U").startswith(_NUMBERS) and not kind.endswith("]")


def numbers(rows: Sequence[Sequence[Any]], column: int) -> list[float | None]:
    """Return a column as numbers; what is none is None."""
    return [_number(row[column]) for row in rows]


def _number(value: Any) -> float | None:
    if value is None or isinstance(value, (bool, dict)):
        return None
    try:
        found = float(value)
    except ValueError:
        return None
    return found if abs(found) < 1e300 else None  # no NaN, either


def moments(rows: Sequence[Sequence[Any]], column: int) -> list[float] | None:
    """Return a column as moments, in seconds; None: not all are times."""
    found = []
    for row in rows:
        value = row[column]
        at = moment(value) if isinstance(value, str) else None
        if at is None:
            return None
        found.append(at)
    return found


def suits(
    columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]], kind: Kind
) -> list[Chart]:
    """Return the charts of one kind that a table can have, the best one first."""
    return [chart for x in range(len(columns)) for chart in _of(columns, rows, kind, x) if chart.ys]


def _of(
    columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]], kind: Kind, x: int
) -> list[Chart]:
    ys = tuple(one for one, (_, type_) in enumerate(columns) if one != x and is_number(type_))
    x_is_number = is_number(columns[x][1])
    if kind == "line" and (moments(rows, x) or _is_ordered(rows, x, is_number=x_is_number)):
        return [Chart(kind, x, _alike(rows, ys))]
    if kind == "bar" and not x_is_number:
        return [Chart(kind, x, ys[:1])]
    if kind == "histogram" and x_is_number:
        return [Chart(kind, x, (x,))]
    if kind == "scatter" and x_is_number:
        return [Chart(kind, x, ys[:1])]
    return []


def _alike(rows: Sequence[Sequence[Any]], columns: Sequence[int]) -> tuple[int, ...]:
    """Return the most columns that one scale shows: no line lies flat beside another."""
    usual = {
        one: median([abs(value) for value in numbers(rows, one) if value is not None] or [0.0])
        for one in columns
    }
    best: list[int] = []
    for high in usual.values():
        some = [one for one in columns if high / _SCALE <= usual[one] <= high]
        best = some if len(some) > len(best) else best
    return tuple(best[:MOST_SERIES])


def _is_ordered(rows: Sequence[Sequence[Any]], x: int, *, is_number: bool) -> bool:
    found = [one for one in numbers(rows, x) if one is not None] if is_number else []
    if len(found) < len(rows):
        return False
    steps = list(pairwise(found))
    return all(a < b for a, b in steps) or all(a > b for a, b in steps)


def suggested(columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]]) -> Chart | None:
    """Return the chart that suits a table best; None: none does."""
    if len(rows) < LEAST_POINTS or len(columns) > MOST_COLUMNS:
        return None
    for chart in suits(columns, rows, "line"):
        across = [str(row[chart.x]) for row in rows]
        if len(set(across)) == len(across):
            return chart
        return None
    texts = [one for one, (_, kind) in enumerate(columns) if not is_number(kind)]
    found = [one for one, (_, kind) in enumerate(columns) if is_number(kind)]
    if len(texts) == 1 and found and len({str(row[texts[0]]) for row in rows}) == len(rows):
        return Chart("bar", texts[0], (found[0],))
    if texts or not found:
        return None
    if len(found) == 1:
        return Chart("histogram", found[0], (found[0],))
    return Chart("scatter", found[0], (found[1],)) if len(found) == 2 else None


def asked(
    columns: Sequence[tuple[str, str]],
    rows: Sequence[Sequence[Any]],
    kind: str,
    x: str,
    y: str,
) -> Chart | None:
    """Return the chart that a person chose, as far as the table can have it.

    Args:
        columns: name and type of each.
        rows: of the table.
        kind: one of `KINDS`, `""` for the suggested one, or anything else for none.
        x: the number of the column across, from 1; `""`: as suggested.
        y: that of the column up.
    """
    best = suggested(columns, rows)
    if not kind and not x and not y:
        return best
    chosen = next((one for one in KINDS if one == kind), None)
    if chosen is None and not kind and best:
        chosen = best.kind
    across = _place(x, len(columns))
    charts = suits(columns, rows, chosen) if chosen else []
    found = [one for one in charts if across in (None, one.x)]
    if not found or len(rows) < 2:
        return None
    chart = found[0]
    up = _place(y, len(columns))
    if up is None or chart.kind == "histogram" or not is_number(columns[up][1]):
        return chart
    return Chart(chart.kind, chart.x, (up,))


def _place(text: str, columns: int) -> int | None:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
    return number - 1 if 1 <= number <= columns else None
