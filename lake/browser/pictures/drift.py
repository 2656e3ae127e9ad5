"""Drift: which types a column had in the files, partition by partition, as cells of a table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from lake import layout
from lake.operations.columns import Run, ShownColumn
from lake.schema.types import INTEGERS

UNITS = 240
"""Columns that the table has at most: with more partitions, several share one."""
_SEGMENTS, _TICKS = 16, 12
_NUMBERS = ("FLOAT", "DOUBLE", "DECIMAL", "HUGEINT", "UHUGEINT")
_TIMES = ("DATE", "TIME", "INTERVAL")


@dataclass(frozen=True, slots=True)
class Segment:
    """Neighbouring partitions in which a column has one type.

    Attributes:
        type: `""` where it is not there.
        family: `int`, `num`, `text`, `time`, `bool`, `nest` or `none`: the tint.
        span: how many columns of the table it covers.
        called: its names there, if they are not the view's.
    """

    type: str
    family: str
    span: int
    first: str
    last: str
    called: str


@dataclass(frozen=True, slots=True)
class DriftLine:
    """A column that drifts, and what the view makes of it.

    Attributes:
        rule: by which the view's type was found.
        since: the commit that gave it that type; 0: it always had it.
        was: its type before that.
    """

    column: str
    type: str
    rule: str
    since: int
    was: str
    segments: Sequence[Segment]


@dataclass(frozen=True, slots=True)
class Tick:
    """What stands over some columns of the table: a year, or the first and the last partition."""

    text: str
    span: int


@dataclass(frozen=True, slots=True)
class Drifting:
    """The columns that have more than one run, and where the partitions of these begin and end.

    Attributes:
        place: of the first and last partitions of runs, in the columns of the table.
        units: how many columns the table has.
    """

    columns: Sequence[ShownColumn]
    place: Mapping[str, int]
    units: int


def drifting(columns: Iterable[ShownColumn], partitions: Sequence[str]) -> Drifting:
    """Return the columns that drift.

    Args:
        columns: of the view.
        partitions: those that have files, in order.
    """
    found = [column for column in columns if len(column.runs) > 1]
    units = min(len(partitions), UNITS)
    ends = {text for column in found for run in column.runs for text in (run.first, run.last)}
    place = {
        text: number * units // len(partitions)
        for number, text in enumerate(partitions)
        if text in ends
    }
    return Drifting(found, place, units)


def drift_lines(of: Drifting, first: int, last: int) -> list[DriftLine]:
    """Return some of the columns that drift."""
    return [_line(column, of.place, of.units) for column in of.columns[first:last]]


def _line(column: ShownColumn, place: Mapping[str, int], units: int) -> DriftLine:
    change = column.changes[-1] if column.changes else None
    return DriftLine(
        column.column,
        column.type,
        column.rule,
        change.commit if change else 0,
        change.was if change else "",
        _segments(column, place, units),
    )


def _segments(column: ShownColumn, place: Mapping[str, int], units: int) -> list[Segment]:
    if len(column.runs) > units // 2 > _SEGMENTS:
        return _coarse(column, place, units)
    ends = [place[run.first] for run in column.runs[1:]] + [units]
    begins = [0, *ends[:-1]]
    spans = zip(column.runs, begins, ends, strict=True)
    found = [_segment(column, [run], end - begin) for run, begin, end in spans if end > begin]
    if len(found) <= _SEGMENTS:
        return found
    return _coarse(column, place, units)


def _coarse(column: ShownColumn, place: Mapping[str, int], units: int) -> list[Segment]:
    """Return as many stretches of the same length as there may be; of several types, or of one."""
    parts = min(_SEGMENTS, units)
    edges = [number * units // parts for number in range(parts + 1)]
    runs: list[list[Run]] = [[] for _ in range(parts)]
    for run in column.runs:
        first, last = (
            min(place[text] * parts // units, parts - 1) for text in (run.first, run.last)
        )
        for part in range(first, last + 1):
            runs[part].append(run)
    found: list[Segment] = []
    for part, here in enumerate(runs):
        one = _segment(column, here, edges[part + 1] - edges[part])
        if found and (found[-1].type, found[-1].called) == (one.type, one.called):
            before = found.pop()
            one = replace(one, span=before.span + one.span, first=before.first)
        found.append(one)
    return found


def _segment(column: ShownColumn, runs: Sequence[Run], span: int) -> Segment:
    kinds = sorted({run.type for run in runs})
    kind = kinds[0] if len(kinds) == 1 else f"by turns {', '.join(kinds)}"
    names = dict.fromkeys(run.column for run in runs if run.column)
    called = ", ".join(name for name in names if name != column.column)
    is_there = kind != "not there"
    return Segment(
        kind if is_there else "", family(kind), span, runs[0].first, runs[-1].last, called
    )


def family(kind: str) -> str:
    """Return the tint of a type, or of several types in one partition."""
    if kind == "not there":
        return "none"
    name = kind.partition("(")[0].partition(" ")[0]
    if kind.endswith("]") or name in ("STRUCT", "MAP") or ", " in kind:
        return "nest"
    if name in INTEGERS:
        return "int"
    if name in _NUMBERS:
        return "num"
    if name.startswith(("TIMESTAMP", *_TIMES)):
        return "time"
    return "bool" if name == "BOOLEAN" else "text"


def ticks(partitions: Sequence[str]) -> list[Tick]:
    """Return what stands over the table: years where the partitions are periods."""
    if not partitions:
        return []
    units = min(len(partitions), UNITS)
    names = [_value(partitions[number * len(partitions) // units]) for number in range(units)]
    if all(name[:4].isdigit() and (len(name) == 4 or name[4:5] == "-") for name in names):
        years = [
            Tick(year, len(list(of))) for year, of in groupby(names, key=lambda name: name[:4])
        ]
        step = -(-len(years) // _TICKS)
        return [
            Tick(years[at].text, sum(year.span for year in years[at : at + step]))
            for at in range(0, len(years), step)
        ]
    last = _value(partitions[-1])
    if units < 4 or last == names[0]:
        return [Tick(names[0], units)]
    return [Tick(names[0], units - units // 2), Tick(f"… {last}", units // 2)]


def _value(partition: str) -> str:
    return " / ".join(layout.partition_values(partition).values())
