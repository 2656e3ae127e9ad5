"""The calendar of a dataset's partitions: periods in rows of years, a cell each."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from re import fullmatch
from typing import Literal

from markupsafe import Markup, escape

from lake import layout
from lake.browser import words
from lake.browser.known import PartitionLine
from lake.config.period import Unit, after, label, pattern, start
from lake.errors import InvalidConfig

UNITS: tuple[Unit, ...] = ("month", "day", "year", "week", "quarter")
MANY = 400
"""Periods of which not all are shown: three years, and an index of all."""
_ROWS = 3
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAY, _WEEK = 13, 18
_LEFT = 46

Kind = Literal["ok", "again", "held", "missing", "late", "soon"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One period.

    Attributes:
        period: such as `2024-01`.
        partition: its text; `""` where there is none.
        kind: `again`: published more than once; `held`: the newest version is kept and not
            current; `soon`: outside of what was landed.
        version: the current one; of a held one, the one that is held.
        tint: the quartile of its rows, from 1; 0: it has none.
        text: what is said instead of rows.
    """

    period: str
    partition: str
    kind: Kind
    rows: int = 0
    version: int = 0
    tint: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class Year:
    """A row: a year, or ten of them; `is_whole`: its cells are shown with their links."""

    name: str
    cells: Sequence[Cell]
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Calendar:
    """Periods in rows.

    Attributes:
        columns: what stands over the cells of a table; empty for days and weeks, which are drawn.
        least, most: rows of a period.
        missing: how many periods lie between the first and the last one and hold nothing.
        late: for how long the next one has been expected.
        index: every row's name, where not all are shown.
    """

    unit: str
    columns: Sequence[str]
    years: Sequence[Year]
    least: int
    most: int
    missing: int
    late: str
    index: Sequence[str]


@dataclass(frozen=True, slots=True)
class Periods:
    """The partitions of a dataset as periods; `rows` name the years from the first to the last.

    Attributes:
        held: rows of those that hold something, in order.
        missing: how many between the first and the last one hold nothing.
    """

    key: str
    unit: Unit
    lines: Mapping[datetime, PartitionLine]
    first: datetime
    last: datetime
    rows: Sequence[str]
    held: Sequence[int]
    missing: int


def periods(lines: Sequence[PartitionLine]) -> Periods | None:
    """Return every partition that ever was as a period; None where they are none."""
    if not lines or not lines[0].partition or "/" in lines[0].partition:
        return None
    key, _, text = lines[0].partition.partition("=")
    unit = next((one for one in UNITS if fullmatch(pattern(one), text)), None)
    if unit is None:
        return None
    try:
        found = {start(_text(line, key), unit): line for line in lines}
    except InvalidConfig:
        return None
    first, last = min(found), max(found)
    every = list(_steps(first, last, unit))
    held = sorted(line.rows for line in found.values() if line.version is not None)
    rows = list(dict.fromkeys(_row(at, unit) for at in every))
    return Periods(key, unit, found, first, last, rows, held, len(every) - len(held))


def calendar(of: Periods, late: str, year: str) -> Calendar:
    """Return the calendar of periods.

    Args:
        of: what partitions there are.
        late: for how long something new has been expected, `2 days`; `""`: nothing is late.
        year: the last row to show, where not all are shown; `""`: the newest.
    """
    names = list(of.rows)
    if late:
        names = list(dict.fromkeys([*names, _row(after(of.last, of.unit), of.unit)]))
    shown, chosen = _shown(names, year, len(of.lines))
    tint = _tints(of.held)
    cells: dict[str, list[Cell]] = {name: [] for name in shown}
    for at in _all(shown, of.unit):
        cells[_row(at, of.unit)].append(_cell(at, of, tint, late))
    return Calendar(
        of.unit,
        _columns(of.unit),
        [Year(name, cells[name], name == chosen or len(of.lines) <= MANY) for name in shown],
        of.held[0] if of.held else 0,
        of.held[-1] if of.held else 0,
        of.missing,
        late,
        names if len(shown) < len(names) else (),
    )


def _text(line: PartitionLine, key: str) -> str:
    found = layout.partition_values(line.partition)
    if list(found) != [key]:
        raise InvalidConfig(f"{line.partition!r} is no period of {key!r}")
    return found[key]


def _shown(names: Sequence[str], year: str, count: int) -> tuple[Sequence[str], str]:
    if count <= MANY:
        return names, names[-1]
    chosen = year if year in names else names[-1]
    end = max(names.index(chosen) + 1, _ROWS)
    return names[end - _ROWS if end >= _ROWS else 0 : end], chosen


def _steps(first: datetime, last: datetime, unit: Unit) -> Iterator[datetime]:
    at = first
    while at <= last:
        yield at
        at = after(at, unit)


def _row(at: datetime, unit: Unit) -> str:
    if unit == "year":
        return f"{at.year // 10 * 10}s"
    return f"{at.isocalendar().year if unit == 'week' else at.year:04}"


def _all(rows: Sequence[str], unit: Unit) -> Iterator[datetime]:
    """Give every period of some neighbouring rows."""
    begin, wanted = rows[0].removesuffix("s"), set(rows)
    year = max(int(begin), 2)
    at = datetime.fromisocalendar(year, 1, 1) if unit == "week" else datetime(year, 1, 1)
    while _row(at, unit) in wanted:
        yield at
        at = after(at, unit)


def _cell(at: datetime, of: Periods, tint: Callable[[int], int], late: str) -> Cell:
    text, line = label(at, of.unit), of.lines.get(at)
    if late and at == after(of.last, of.unit):
        return Cell(text, "", "late", text=f"{_short(late)} late")
    if at < of.first or at > of.last:
        return Cell(text, "", "soon")
    if line is None:
        return Cell(text, "", "missing", text="never landed")
    if line.held:
        return Cell(text, line.partition, "held", line.rows, line.newest, 0, "held")
    if line.version is None:
        return Cell(text, line.partition, "missing", text=f"taken away ({line.action})")
    kind: Kind = "again" if line.versions > 1 else "ok"
    return Cell(text, line.partition, kind, line.rows, line.version, tint(line.rows))


def _short(late: str) -> str:
    number, _, unit = late.partition(" ")
    return f"{number} {'min' if unit.startswith('min') else unit[:1]}" if unit else late


def _tints(ordered: Sequence[int]) -> Callable[[int], int]:
    if not ordered:
        return lambda rows: 1
    edges = [ordered[len(ordered) * part // 4] for part in (1, 2, 3)]
    return lambda rows: 1 + bisect_left(edges, rows + 1) if ordered[0] < ordered[-1] else 2


def _columns(unit: Unit) -> Sequence[str]:
    return {
        "month": _MONTHS,
        "quarter": ("Q1", "Q2", "Q3", "Q4"),
        "year": tuple("0123456789"),
    }.get(unit, ())


def scale(most: int) -> tuple[int, str]:
    """Return the unit that the rows of all cells are told in: what to divide by, and its name."""
    power = 0
    while most >= (10_000 if power else 1_000) * 1000**power and power < 4:
        power += 1
    return 1000**power, ("", "K", "M", "G", "T")[power]


def told(rows: int, most: int) -> Markup:
    """Return the rows of a cell: a number in the unit of all, which phones leave out."""
    by, unit = scale(most)
    value = rows / by
    if rows and value < 0.05:
        return Markup("{}").format(words.humane(rows))
    text = f"{value:.1f}" if by > 1 and value < 9.95 else words.exact(round(value))
    return Markup('{}<span class="u">{}</span>').format(text, f" {unit}" if unit else "")


def drawn(
    year: Year, unit: str, link: Callable[[str], str], year_link: str, *, alone: bool = False
) -> Markup:
    """Return a year of days or weeks as SVG: each a link, or all of them one to the year.

    Of one that stands `alone`, only the months are shown that hold something.
    """
    height = 7 * _DAY if unit == "day" else _WEEK
    top = 14 if unit == "day" else 0
    left, right = _ends(year, unit) if alone else (0, _LEFT + 54 * _size(unit))
    body = _linked(year, unit, link) if year.is_whole else _plain(year, unit, year_link)
    months = _month_names(year, left) if unit == "day" else Markup("")
    return Markup(
        '<svg class="days" role="group" aria-label="{}" width="{w}" height="{h}"'
        ' viewBox="{x} 0 {w} {h}">'
        '<text x="{x}" y="{}">{}</text>{}{}</svg>'
    ).format(
        year.name,
        top + 11,
        year.name,
        months,
        body,
        x=left,
        w=right - left,
        h=height + top,
    )


def _size(unit: str) -> int:
    return _DAY if unit == "day" else _WEEK


def _ends(year: Year, unit: str) -> tuple[int, int]:
    """Return from where to where a year must be seen: whole months, and room for a name."""
    held = [cell.period[:7] for cell in year.cells if cell.kind != "soon"] or [""]
    first_day = datetime(int(year.name), 1, 1).weekday()
    places = [
        _place(cell.period, number, unit, first_day)[0]
        for number, cell in enumerate(year.cells)
        if unit == "week" or held[0] <= cell.period[:7] <= held[-1]
    ]
    left = places[0] - _LEFT
    return left, max(places[-1] + _size(unit), left + 3 * _LEFT)


def _place(period: str, number: int, unit: str, first_day: int) -> tuple[int, int]:
    if unit == "week":
        return _LEFT + number * _WEEK, 0
    column, row = divmod(number + first_day, 7)
    return _LEFT + column * _DAY, 14 + row * _DAY


def _month_names(year: Year, left: int) -> Markup:
    first_day = datetime(int(year.name), 1, 1).weekday()
    names = Markup("")
    for number, cell in enumerate(year.cells):
        x, _ = _place(cell.period, number, "day", first_day)
        if cell.period.endswith("-01") and x >= left + _LEFT:
            month = _MONTHS[int(cell.period[5:7]) - 1]
            names += Markup('<text x="{}" y="9">{}</text>').format(x, month)
    return names


def _squares(year: Year, unit: str) -> Iterator[tuple[Cell, str, str]]:
    """Give every cell that is not `soon`, with its class and its path."""
    side = (_DAY if unit == "day" else _WEEK) - 2
    first_day = datetime(int(year.name), 1, 1).weekday()
    for number, cell in enumerate(year.cells):
        if cell.kind == "soon":
            continue
        x, y = _place(cell.period, number, unit, first_day)
        name = f"kq{cell.tint}" if cell.tint else f"k-{cell.kind}"
        yield cell, name, f"M{x} {y}h{side}v{side}h-{side}z"


def _linked(year: Year, unit: str, link: Callable[[str], str]) -> Markup:
    found = []
    for cell, name, path in _squares(year, unit):
        said = escape(f"{cell.period}: {cell.text or words.plural(cell.rows, 'row')}")
        inner = f'<path class="{name}" d="{path}"><title>{said}</title></path>'
        if cell.kind == "again":
            x, y = path[1:].partition("h")[0].split(" ")
            inner += f'<circle class="k-dot" cx="{int(x) + 8}" cy="{int(y) + 3}" r="1.7"/>'
        if cell.partition:
            inner = f'<a href="{escape(link(cell.partition))}">{inner}</a>'
        found.append(inner)
    return Markup("".join(found))


def _plain(year: Year, unit: str, year_link: str) -> Markup:
    paths: dict[str, list[str]] = {}
    for _, name, path in _squares(year, unit):
        paths.setdefault(name, []).append(path)
    drawn = Markup("").join(
        Markup('<path class="{}" d="{}"/>').format(name, "".join(of)) for name, of in paths.items()
    )
    return Markup('<a href="{}"><title>{} day by day</title>{}</a>').format(
        year_link, year.name, drawn
    )
