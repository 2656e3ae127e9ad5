"""Charts as SVG, drawn at the width that they are shown at: without a script, and for printers."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup, escape

from lake.browser.pictures import axes
from lake.browser.pictures.choose import Chart, moments, numbers
from lake.browser.words import number, plural, seen

WIDE, NARROW = 960, 340
MOST_POINTS = 2_000
MOST_BARS = 30
_HITS = 120
_LONGEST = 18
_SLANTED, _DEPTH, _LINE = 11, 50, 14
"""Of labels that do not fit beside each other: characters, and how many pixels they take."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A chart at both widths, and what must be said beside it; `""`: nothing."""

    wide: Markup
    narrow: Markup
    said: str


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where a chart is drawn: its edges, and its scales."""

    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float

    @property
    def is_wide(self) -> bool:
        return self.width == WIDE

    def across(self, value: float, low: float, high: float) -> float:
        share = (value - low) / (high - low) if high > low else 0.5
        return self.left + share * (self.right - self.left)

    def up(self, value: float, low: float, high: float) -> float:
        share = (value - low) / (high - low) if high > low else 0.5
        return self.bottom - share * (self.bottom - self.top)


def draw(
    columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]], chart: Chart
) -> Drawing | None:
    """Draw a chart of a table; None where its columns hold nothing that can be drawn.

    Args:
        columns: name and type of each.
        rows: of the table; numbers may be texts.
        chart: which.
    """
    made = _MAKERS[chart.kind](columns, rows, chart)
    if made is None:
        return None
    paint, said = made
    names = " and ".join(seen(columns[y][0]) for y in chart.ys)
    by = "" if chart.kind == "histogram" else f" by {seen(columns[chart.x][0])}"
    title = f"{chart.kind.capitalize()} chart of {names}{by}; the table below holds the numbers"
    if chart.kind == "histogram":
        title = f"Histogram of {names}; the table below holds the numbers"
    longest = min(max(len(columns[y][0]) for y in chart.ys), _LONGEST)
    right = 18 + 6.8 * longest if chart.kind == "line" else 12
    wide = _svg("wide", _Frame(WIDE, 264, 52, WIDE - right, 10, 240), paint, title)
    narrow = _svg("narrow", _Frame(NARROW, 210, 48, NARROW - 8, 16, 188), paint, title)
    return Drawing(wide, narrow, said)


_Paint = Callable[[_Frame], list[str]]
_Made = tuple[_Paint, str] | None


def _svg(name: str, frame: _Frame, paint: _Paint, title: str) -> Markup:
    head = Markup('<svg class="{}" role="img" aria-label="{}" viewBox="0 0 {} {}">').format(
        name, title, frame.width, frame.height
    )
    return head + Markup("".join(paint(frame))) + Markup("</svg>")


def _slanted(x: float, y: float, text: str) -> str:
    turn = f' transform="rotate(-55 {x:.1f} {y:.1f})">'
    return _text(x, y, text, anchor="end").replace(">", turn, 1)


def _text(x: float, y: float, text: str, *, anchor: str = "", mono: bool = False) -> str:
    said = f' text-anchor="{anchor}"' if anchor else ""
    kind = ' class="m"' if mono else ""
    return f'<text{kind} x="{x:.1f}" y="{y:.1f}"{said}>{escape(seen(text))}</text>'


def _cut(text: str, longest: int = _LONGEST) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _scale(frame: _Frame, ticks: Sequence[float]) -> list[str]:
    """Paint the numbers at the side, and a line for each."""
    step, most = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0, max(map(abs, ticks))
    found = []
    for tick in ticks:
        y = frame.up(tick, ticks[0], ticks[-1])
        ends = f'x1="{frame.left:.0f}" x2="{frame.right:.0f}"'
        found.append(f'<line class="grid" {ends} y1="{y:.1f}" y2="{y:.1f}"/>')
        found.append(_text(frame.left - 8, y + 4, axes.label(tick, step, most), anchor="end"))
    return found


def _levels(values: Sequence[float], *, zero: bool) -> list[float]:
    low, high = min(values), max(values)
    if low >= 0 and (zero or low < 0.75 * high):
        low = 0.0
    elif high <= 0 and zero:
        high = 0.0
    return axes.nice(min(low, 0.0) if zero else low, high, 5)


def _ticks(frame: _Frame, low: float, high: float, *, is_time: bool) -> list[str]:
    most = 9 if frame.is_wide else 4
    if is_time:
        found = axes.times(low, high, most)
    else:
        ticks = axes.nice(low, high, most)
        step = ticks[1] - ticks[0]
        found = [(tick, axes.label(tick, step)) for tick in ticks if low <= tick <= high]
    painted, last = [], -math.inf
    for value, text in found:
        x = frame.across(value, low, high)
        if x - last >= 7 * len(text):
            is_over = x + 3.5 * len(text) > frame.width
            at = (frame.width, "end") if is_over else (x, "middle")
            painted.append(_text(at[0], frame.bottom + 18, text, anchor=at[1]))
            last = x
    return painted


def _line(columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]], chart: Chart) -> _Made:
    at = moments(rows, chart.x)
    given = at or [one if one is not None else math.nan for one in numbers(rows, chart.x)]
    series = [
        sorted((x, y) for x, y in zip(given, numbers(rows, column), strict=True) if y is not None)
        for column in chart.ys
    ]
    values = [y for points in series for _, y in points]
    if not values or any(math.isnan(x) for x in given):
        return None
    low, high, levels = min(given), max(given), _levels(values, zero=False)
    names = [columns[column][0] for column in chart.ys]
    hits = _hits(columns, rows, chart, given)
    said = f"{plural(len(rows), 'point')}, as means of 480 steps" if _is_many(rows) else ""

    def paint(frame: _Frame) -> list[str]:
        painted = _scale(frame, levels) + _ticks(frame, low, high, is_time=bool(at))
        if frame.is_wide:
            painted += _hit_boxes(frame, hits, low, high)
        ends = []
        for place, points in enumerate(series, 1):
            some = _means(points, low, high, 480 if frame.is_wide else 160)
            spots = [
                (frame.across(x, low, high), frame.up(y, levels[0], levels[-1])) for x, y in some
            ]
            ends.append(spots[-1] if spots else (frame.right, frame.bottom))
            path = "L".join(f"{x:.1f} {y:.1f}" for x, y in spots)
            painted.append(f'<path class="l{place}" pointer-events="none" d="M{path}"/>')
            x, y = ends[-1]
            painted.append(f'<circle class="dot{place}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>')
        return painted + _names(frame, names, ends)

    return paint, said


def _is_many(rows: Sequence[Any]) -> bool:
    return len(rows) > MOST_POINTS


def _means(
    points: Sequence[tuple[float, float]], low: float, high: float, steps: int
) -> list[tuple[float, float]]:
    """Return the points, or the mean of each step where they are more than can be seen."""
    if len(points) <= steps * 2 or high <= low:
        return list(points)
    found: dict[int, list[float]] = {}
    for x, y in points:
        found.setdefault(min(int((x - low) / (high - low) * steps), steps - 1), []).append(y)
    width = (high - low) / steps
    return [(low + (one + 0.5) * width, sum(ys) / len(ys)) for one, ys in sorted(found.items())]


def _names(frame: _Frame, names: Sequence[str], ends: Sequence[tuple[float, float]]) -> list[str]:
    """Paint each line's name at its end: beside it, or above where there is no room."""
    if frame.is_wide:
        places = axes.apart([y + 4 for _, y in ends], 14, frame.top + 4, frame.bottom)
        return [
            _text(frame.right + 8, y, _cut(name), mono=True)
            for name, y in zip(names, places, strict=True)
        ]
    places = axes.apart([y - 8 for _, y in ends], 14, frame.top - 6, frame.bottom - 8)
    return [
        _text(frame.right, y, _cut(name, 30), anchor="end", mono=True)
        for name, y in zip(names, places, strict=True)
    ]


def _hits(
    columns: Sequence[tuple[str, str]],
    rows: Sequence[Sequence[Any]],
    chart: Chart,
    given: Sequence[float],
) -> list[tuple[float, str]]:
    """Return what is said at each point, from left to right; nothing where there are many."""
    if len(rows) > _HITS:
        return []
    found = []
    for at, row in sorted(zip(given, rows, strict=True), key=lambda pair: pair[0]):
        said = ", ".join(f"{_cut(columns[y][0], 40)} {_shown(row[y])}" for y in chart.ys)
        found.append((at, f"{_shown(row[chart.x])}: {said}"))
    return found


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        value = value["start"]
    return "null" if value is None else _cut(value if isinstance(value, str) else number(value), 60)


def _hit_boxes(
    frame: _Frame, hits: Sequence[tuple[float, str]], low: float, high: float
) -> list[str]:
    places = [frame.across(at, low, high) for at, _ in hits]
    found = []
    for one, (_, text) in enumerate(hits):
        left = (places[one - 1] + places[one]) / 2 if one else places[one] - 8
        right = (places[one] + places[one + 1]) / 2 if one + 1 < len(hits) else places[one] + 8
        box = f'x="{left:.1f}" width="{max(right - left, 1):.1f}" y="{frame.top:.0f}"'
        found.append(
            _titled(f'<rect class="hit" {box} height="{frame.bottom - frame.top:.0f}"', text)
        )
    return found


def _titled(shape: str, text: str) -> str:
    name = shape[1:].split(" ", 1)[0]
    return f"{shape}><title>{escape(seen(text))}</title></{name}>"


def _bar(columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]], chart: Chart) -> _Made:
    found = [
        (_shown(row[chart.x]), value)
        for row, value in zip(rows, numbers(rows, chart.ys[0]), strict=True)
        if value is not None
    ]
    if not found:
        return None
    shown = found[:MOST_BARS]
    said = f"the first {MOST_BARS} of {plural(len(found), 'bar')}" if found[MOST_BARS:] else ""
    levels = _levels([value for _, value in shown], zero=True)

    def paint(frame: _Frame) -> list[str]:
        step = (frame.right - frame.left) / len(shown)
        is_slanted = any(7 * min(len(text), _SLANTED) > step for text, _ in shown)
        if is_slanted:
            frame = replace(frame, bottom=frame.bottom - _DEPTH)
        painted = _scale(frame, levels)
        for one, (text, value) in enumerate(shown):
            x = frame.left + one * step
            painted.append(_pillar(frame, x + step * 0.12, step * 0.76, value, levels, text))
            middle = x + step / 2
            if not is_slanted:
                painted.append(_text(middle, frame.bottom + 18, text, anchor="middle"))
            elif one % math.ceil(_LINE / step) == 0:
                painted.append(_slanted(middle + 4, frame.bottom + 12, _cut(text, _SLANTED)))
        return painted

    return paint, said


def _pillar(
    frame: _Frame, x: float, width: float, value: float, levels: Sequence[float], text: str
) -> str:
    zero = frame.up(min(max(0.0, levels[0]), levels[-1]), levels[0], levels[-1])
    top = frame.up(value, levels[0], levels[-1])
    y, height = min(top, zero), max(abs(zero - top), 1.0 if value else 0.0)
    box = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return _titled(f'<rect class="bar" {box}', f"{text}: {number(value)}")


def _histogram(
    columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]], chart: Chart
) -> _Made:
    given = [one for one in numbers(rows, chart.x) if one is not None]
    if not given:
        return None
    edges = axes.nice(min(given), max(given), 29)
    if "INT" in columns[chart.x][1] and edges[1] - edges[0] < 1:
        edges = [float(one) for one in range(math.floor(min(given)), math.floor(max(given)) + 2)]
    step = edges[1] - edges[0]
    counts = [0] * (len(edges) - 1)
    for one in given:
        counts[min(int((one - edges[0]) / step + 1e-9), len(counts) - 1)] += 1
    levels = _levels([float(one) for one in counts], zero=True)
    nulls = len(rows) - len(given)
    said = f"without {plural(nulls, 'null')}" if nulls else ""

    def paint(frame: _Frame) -> list[str]:
        width = (frame.right - frame.left) / len(counts)
        painted = _scale(frame, levels)
        for one, value in enumerate(counts):
            text = f"{axes.label(edges[one], step)} to {axes.label(edges[one + 1], step)}"
            left = frame.left + one * width
            painted.append(_pillar(frame, left + 0.5, width - 1, float(value), levels, text))
        return painted + _ticks(frame, edges[0], edges[-1], is_time=False)

    return paint, said


def _scatter(
    columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]], chart: Chart
) -> _Made:
    pairs = zip(numbers(rows, chart.x), numbers(rows, chart.ys[0]), strict=True)
    points = [(x, y) for x, y in pairs if x is not None and y is not None]
    if not points:
        return None
    xs = axes.nice(min(x for x, _ in points), max(x for x, _ in points), 9)
    ys = axes.nice(min(y for _, y in points), max(y for _, y in points), 5)
    said = f"{plural(len(points), 'point')}, counted in squares" if _is_many(points) else ""
    name = columns[chart.ys[0]][0]

    def paint(frame: _Frame) -> list[str]:
        spots = [(frame.across(x, xs[0], xs[-1]), frame.up(y, ys[0], ys[-1])) for x, y in points]
        painted = _scale(frame, ys) + _ticks(frame, xs[0], xs[-1], is_time=False)
        if frame.is_wide:
            at = (frame.right, frame.top + 14)
            painted.append(_text(*at, _cut(name, 60), anchor="end", mono=True))
        if _is_many(points):
            return painted + _squares(spots, 8 if frame.is_wide else 6)
        path = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in dict.fromkeys(spots))
        return [*painted, f'<path class="points" d="{path}"/>']

    return paint, said


def _squares(spots: Sequence[tuple[float, float]], side: int) -> list[str]:
    counts: dict[tuple[int, int], int] = {}
    for x, y in spots:
        place = (int(x // side), int(y // side))
        counts[place] = counts.get(place, 0) + 1
    most = max(counts.values())
    paths: dict[int, list[str]] = {}
    for (x, y), many in counts.items():
        tint = min(3, int(4 * math.log1p(many) / math.log1p(most)))
        paths.setdefault(tint, []).append(f"M{x * side} {y * side}h{side}v{side}h-{side}z")
    return [f'<path class="kq{tint + 1}" d="{"".join(some)}"/>' for tint, some in paths.items()]


_MAKERS: dict[str, Callable[..., _Made]] = {
    "line": _line,
    "bar": _bar,
    "histogram": _histogram,
    "scatter": _scatter,
}
