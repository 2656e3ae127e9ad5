"""A picture of a column's values in 168 x 34: a histogram, or its most frequent texts."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import quote

from markupsafe import Markup, escape

from lake.browser import words
from lake.browser.pictures.bins import Bar, Bars, bars
from lake.operations.profiles import Profiles
from lake.parquet.limits import is_integer
from lake.profile.profile import ColumnProfile
from lake.profile.scan import family

WIDTH, HEIGHT, AXIS = 168, 34, 48
TOP = 3
_NULL_WIDTH, _BESIDE_NULLS = 7, 158
_WIDEST = 24
_LINKS_BYTES = 40_000
"""What the links of all pictures of a page may weigh; pictures behind that are one link each."""

Kind = Literal[
    "number",
    "time",
    "text",
    "different",
    "all_null",
    "personal",
    "none",
    "other",
    "mixed",
    "key",
    "empty",
]


@dataclass(frozen=True, slots=True)
class Value:
    """A text, and at least how many rows have it; what is longer than 100 characters is cut."""

    text: str
    rows: int


@dataclass(frozen=True, slots=True)
class Picture:
    """What a column's values look like.

    Attributes:
        kind: `number` and `time`: `bars`; `text`: `top` (truths, too); `different`: nearly all
            texts are, `bars` are their lengths; `key`: of the partition; `none`: not profiled;
            `other`: values that have no order (nested, binary); `mixed`: numbers in some files,
            say, and texts in others.
        nulls, rows: of the files that were profiled.
        other: rows whose value is not among `top`.
        left_out: values too far out for `bars`.
        is_estimate: of some rows only, so that the rows of `bars` are made from their shares.
        first, last: what stands under the first and the last bar.
    """

    kind: Kind
    nulls: int = 0
    rows: int = 0
    bars: Sequence[Bar] = ()
    top: Sequence[Value] = ()
    other: int = 0
    left_out: int = 0
    first: str = ""
    last: str = ""
    is_estimate: bool = False


def picture(column: ColumnProfile, of: Profiles) -> Picture:
    """Return the picture of a column, out of its profile; a personal one's says nothing."""
    found = _picture(column, of)
    return replace(found, is_estimate=bool(found.bars) and of.counted < of.rows)


def _picture(column: ColumnProfile, of: Profiles) -> Picture:
    if column.personal:
        return Picture("personal")
    if not of.files:
        return Picture("none")
    if not of.rows:
        return Picture("empty")
    values = of.rows - column.nulls
    if column.nulls == of.rows:
        return Picture("all_null", column.nulls, of.rows)
    if column.family in ("number", "time"):
        found = bars(column.grid, column.counts, whole=_is_whole(column))
        return _histogram(column.family, found, column, of.rows)
    if column.family == "text" and _is_different(column, of, values):
        lengths = bars(column.grid, column.counts, whole=True)
        return _histogram("different", lengths, column, of.rows)
    if column.family in ("text", "boolean"):
        pairs = column.top if column.family == "text" else sorted(column.counts, key=_most_first)
        top = [Value(str(text), rows) for text, rows in pairs[:TOP]]
        other = values - sum(value.rows for value in top)
        return Picture("text", column.nulls, of.rows, top=top, other=other)
    kind: Kind = "other" if family(column.type) == "other" else "mixed"
    return Picture(kind, column.nulls, of.rows)


def _is_whole(column: ColumnProfile) -> bool:
    """Tell whether all values are whole numbers: by the type, or because no bin has two."""
    is_one_each = column.grid == "1e0" and column.distinct == len(column.counts)
    ends = [str(column.min), str(column.max)]
    return is_integer(column.type) or (is_one_each and all(map(_is_round, ends)))


def _is_round(limit: str) -> bool:
    return not limit.partition(".")[2].strip("0")


def _histogram(kind: Kind, found: Bars, column: ColumnProfile, rows: int) -> Picture:
    out = found.left_out + column.nan + column.beyond
    if not found.bars:
        return Picture(kind, column.nulls, rows, left_out=out)
    first, last = found.bars[0].label, found.bars[-1].label
    first, last = first.partition(" to ")[0], last.rpartition(" to ")[2]
    if kind == "number" and not out:
        first, last = _end(column.min, first), _end(column.max, last)
    if kind == "time" and not out:
        first = str(column.min or first)[: len(first)]
        last = str(column.max or last)[: len(last)]
    return Picture(kind, column.nulls, rows, found.bars, left_out=out, first=first, last=last)


def _end(limit: str | int | float | None, edge: str) -> str:
    """Return a column's limit, if it is as short as the edge of a bar might be."""
    text = edge if limit is None else limit_text(limit)
    return text if len(text) <= 12 else edge


def limit_text(limit: str | int | float) -> str:
    """Return a limit of numbers as people read it; decimals are texts in the log."""
    return words.decimal(limit) if isinstance(limit, str) else words.number(limit)


def _most_first(pair: tuple[int | str, int]) -> tuple[int, str]:
    return -pair[1], str(pair[0])


def _is_different(column: ColumnProfile, of: Profiles, values: int) -> bool:
    """Tell whether at least 90 % of a text's values differ, as far as files were counted."""
    counted = of.counted * values / of.rows / of.files
    frequent = sum(rows for _, rows in column.top if rows > 1)
    return column.distinct >= 0.9 * counted and frequent < 0.1 * values


Link = Callable[..., str]
"""Gives the address of the rows that have some values: `column`, and `low`, `high` or `text`."""


def drawn(lines: Sequence[tuple[str, Picture]], rows: Link, column: Link) -> list[Markup]:
    """Return columns' pictures, as SVG or words.

    Args:
        lines: names and pictures.
        rows: gives the address of the rows with a value, which a bar leads to.
        column: gives the address of one column, which a picture leads to where the bars of so
            many columns would weigh too much.
    """
    found, room = [], _LINKS_BYTES
    for name, one in lines:
        weight = len(one.bars) * (160 + len(quote(name)))
        linked = room >= weight and len(name) <= 200
        room -= weight if linked else 0
        found.append(_drawn(name, one, rows, "" if linked else column(name)))
    return found


def _drawn(name: str, one: Picture, rows: Link, whole: str) -> Markup:
    if one.kind == "text":
        return _tops(name, one, rows, whole)
    if one.bars:
        lead = Markup("")
        if one.kind == "different":
            lead = Markup('<span class="said">nearly all different; lengths:</span>')
        return lead + _svg(name, one, rows, whole)
    return Markup('<span class="null">{}</span>').format(_sentence(one))


def _sentence(one: Picture) -> str:
    if one.kind == "all_null":
        return f"all {words.exact(one.nulls)} values are null" if one.nulls > 1 else "null"
    return {
        "personal": "personal: not shown",
        "none": "not profiled yet",
        "empty": "no rows",
        "key": "of the partition's address",
        "other": "nested or binary",
        "mixed": "of other kinds in other files",
    }.get(one.kind, "no value that can be drawn")


def _svg(name: str, one: Picture, rows: Link, whole: str) -> Markup:
    wide = _BESIDE_NULLS if one.nulls else WIDTH
    pitch = min((wide + 1) / len(one.bars), _WIDEST)
    inner = _path(one, pitch) if whole else _rects(name, one, pitch, rows)
    if whole:
        inner = Markup('<a href="{}">{}</a>').format(whole, inner)
    end = round(pitch * len(one.bars) - 1)
    return Markup(
        '<svg role="group" aria-label="{}" width="{w}" height="{h}" viewBox="0 0 {w} {h}">'
        '{}{}<line class="base" x1="0" x2="{w}" y1="34.5" y2="34.5"/>{}</svg>'
    ).format(_aria(name, one), inner, _nulls(one), _labels(one, end), w=WIDTH, h=AXIS)


def _aria(name: str, one: Picture) -> str:
    what = "lengths" if one.kind == "different" else "values"
    out = f"; {words.plural(one.left_out, 'row')} far beyond" if one.left_out else ""
    return f"{words.seen(name[:80])}: {what} from {one.first} to {one.last}{out}"


def _heights(one: Picture) -> Iterator[tuple[int, Bar, float]]:
    most = max(bar.rows for bar in one.bars) or 1
    for number, bar in enumerate(one.bars):
        if bar.rows:
            yield number, bar, max(round(32 * bar.rows / most, 1), 1)


def _rects(name: str, one: Picture, pitch: float, rows: Link) -> Markup:
    found, wide = [], round(max(pitch - 1, 1), 1)
    for number, bar, tall in _heights(one):
        about = "≈ " if one.is_estimate else ""
        said = escape(f"{bar.label}: {about}{words.plural(bar.rows, 'row')}")
        rect = (
            f'<rect class="bar" x="{round(number * pitch, 1)}" y="{round(HEIGHT - tall, 1)}"'
            f' width="{wide}" height="{tall}"><title>{said}</title></rect>'
        )
        if one.kind != "different":
            rect = f'<a href="{escape(rows(name, low=bar.low, high=bar.high))}">{rect}</a>'
        found.append(rect)
    return Markup("".join(found))


def _path(one: Picture, pitch: float) -> Markup:
    wide = round(max(pitch - 1, 1), 1)
    steps = (
        f"M{round(number * pitch, 1)} {HEIGHT}v-{tall}h{wide}v{tall}z"
        for number, _, tall in _heights(one)
    )
    return Markup('<path class="bar" d="{}"/>').format("".join(steps))


def _nulls(one: Picture) -> Markup:
    if not one.nulls:
        return Markup("")
    tall = max(round(32 * one.nulls / one.rows, 1), 2)
    return Markup(
        '<rect class="nul" x="{}" y="{}" width="{}" height="{}"><title>{} null</title></rect>'
    ).format(
        WIDTH - _NULL_WIDTH,
        round(HEIGHT - tall, 1),
        _NULL_WIDTH,
        tall,
        words.share(one.nulls, one.rows),
    )


def _labels(one: Picture, end: int) -> Markup:
    first, last = one.first, one.last
    text = Markup('<text x="0" y="46">{}</text>').format(first)
    if first == last or not last:
        return text
    if len(first + last) * 6 + 8 > end:
        end = min(len(first + last) * 6 + 20, WIDTH)
    return text + Markup('<text x="{}" y="46" text-anchor="end">{}</text>').format(end, last)


def _tops(name: str, one: Picture, rows: Link, whole: str) -> Markup:
    values = [(value.text, value.rows) for value in one.top]
    most = max((count for _, count in values), default=1) or 1
    total = one.rows - one.nulls
    found = []
    for text, count in values:
        shown = words.cell(text, longest=40)
        to = whole or (rows(name, text=text) if text else "")
        link = Markup('<a href="{}">{}</a>').format(to, shown) if to else shown
        named = Markup('<span title="{}">{}</span>').format(words.seen(text), link)
        found.append(named + _share(count, most, total, "bar"))
    if one.other:
        found.append(Markup("<span>other</span>") + _share(one.other, most, total, "barsoft"))
    return Markup('<div class="tops">{}</div>').format(Markup("").join(found))


def _share(count: int, most: int, total: int, kind: str) -> Markup:
    wide = max(round(84 * min(count / most, 1), 1), 1)
    return Markup(
        '<svg width="84" height="9" aria-hidden="true">'
        '<rect class="{}" width="{}" height="9" rx="1"/></svg><span>{}</span>'
    ).format(kind, wide, words.share(count, total))
