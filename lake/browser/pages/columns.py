"""The columns of a dataset: what they hold, and how their types changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lake import layout
from lake.browser.ask import Ask
from lake.browser.known import Known, known
from lake.browser.pages.head import Head, head
from lake.browser.pictures.columns import Picture, picture
from lake.browser.pictures.drift import DriftLine, Tick, drift_lines
from lake.browser.profiled import profiles
from lake.browser.snapshot import Snapshot
from lake.operations.profiles import Profiles
from lake.profile.merge import has_every_text
from lake.profile.profile import ColumnProfile
from lake.query.describe import described
from lake.schema.admit import crowd
from lake.schema.reconcile import PARTITION

PER_PAGE = 80
DRIFT_PER_PAGE = 12
_EXACT = 20
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class ColumnLine:
    """A column of the view.

    Attributes:
        least, most: of all profiled values; None where that is not known.
        distinct: how many different values there are, of which `is_estimate` says whether they
            were only guessed; None: not known.
    """

    name: str
    type: str
    description: str
    drifts: bool
    picture: Picture
    distinct: int | None
    is_estimate: bool
    least: str | int | float | None
    most: str | int | float | None


@dataclass(frozen=True, slots=True)
class Profiled:
    """How much of a dataset its profiles speak of: of `rows`, `counted` were looked at."""

    rows: int
    counted: int
    files: int
    missing: int
    left_out: int


@dataclass(frozen=True, slots=True)
class Drift:
    """Columns that drift; `same` others had one type throughout."""

    ticks: Sequence[Tick]
    total: int
    same: int
    partitions: int
    lines: Sequence[DriftLine]
    said: str
    newer: str
    older: str


@dataclass(frozen=True, slots=True)
class ColumnsPage:
    """Some of a dataset's columns, in the view's order."""

    head: Head
    column: str
    profiled: Profiled
    total: int
    columns: Sequence[ColumnLine]
    said: str
    newer: str
    older: str
    drift: Drift


def make(shot: Snapshot, ask: Ask) -> ColumnsPage:
    """Return a page of columns; `?column=` shows the page on which it is.

    Raises:
        NoSuchDataset: there is none.
    """
    of = known(shot, ask.places["dataset"])
    found, profiled = column_lines(shot, ask, of)
    column, total = ask.get("column"), len(found)
    names = [line.name for line in found]
    first = names.index(column) if column in names else ask.number("from", 0)
    first = min(first, max(total - 1, 0)) // PER_PAGE * PER_PAGE
    shown = found[first : first + PER_PAGE]
    more = total > PER_PAGE
    return ColumnsPage(
        head(shot, ask, of),
        column if column in names else "",
        profiled,
        total,
        shown,
        f"{first + 1} to {first + len(shown)} of {total}" if more else "",
        ask.same(column=None, **{"from": first - PER_PAGE or None}) if first else "",
        ask.same(column=None, **{"from": first + PER_PAGE}) if first + PER_PAGE < total else "",
        drift(of, ask, most=DRIFT_PER_PAGE),
    )


def drift(of: Known, ask: Ask, *, most: int) -> Drift:
    """Return some of the columns that drift: those from `?drift=` on."""
    total = len(of.drift.columns)
    first = min(ask.number("drift", 0), max(total - 1, 0)) // most * most
    lines = drift_lines(of.drift, first, first + most)
    files = [column for column in of.columns if column.runs]
    return Drift(
        of.ticks,
        total,
        len(files) - total,
        of.files_in,
        lines,
        f"{first + 1} to {first + len(lines)} of {total}" if total > most else "",
        ask.same(drift=first - most or None) if first else "",
        ask.same(drift=first + most) if first + most < total else "",
    )


def column_lines(shot: Snapshot, ask: Ask, of: Known) -> tuple[Sequence[ColumnLine], Profiled]:
    """Return every column of a dataset, with what its newest files' profiles say."""
    found = profiles(shot, of.name, ask.now)
    key = ("columns", of.name, found.files)
    return shot.memo(key, lambda: _lines(shot, of, found))


def _lines(shot: Snapshot, of: Known, found: Profiles) -> tuple[Sequence[ColumnLine], Profiled]:
    said = described(shot.lake.state, of.name).columns
    declared = _declared(shot, of.name)
    by_name = {column.name: column for column in found.columns}
    lines = []
    for column in of.columns:
        text = said.get(column.column) or declared.get(column.column, "")
        drifts = len(column.runs) > 1
        if column.rule == PARTITION:
            lines.append(_key(of, column.column, column.type, text))
            continue
        profile = by_name.get(column.column) or ColumnProfile(column.column, column.type)
        lines.append(_line(profile, found, text, drifts=drifts))
    profiled = Profiled(found.rows, found.counted, found.files, found.missing, found.left_out)
    return lines, profiled


def _declared(shot: Snapshot, name: str) -> Mapping[str, str]:
    return {key: one.description for key, one in crowd(shot.lake.state, name).declared.items()}


def _key(of: Known, name: str, kind: str, text: str) -> ColumnLine:
    values = [layout.partition_values(partition).get(name, "") for partition in of.partitions]
    ends = (min(values), max(values)) if values else (None, None)
    return ColumnLine(
        name, kind, text, False, Picture("key"), len(set(values)) or None, False, *ends
    )


def _line(column: ColumnProfile, of: Profiles, text: str, *, drifts: bool) -> ColumnLine:
    shown = picture(column, of)
    has_values = shown.kind not in ("personal", "none", "empty", "all_null")
    is_known = has_values and column.family != "other"
    is_all = of.counted == of.rows and not of.left_out and not of.missing
    is_counted = has_every_text(column) or (of.files == 1 and column.distinct <= _EXACT)
    whole = is_all and is_counted
    is_truth = column.family == "boolean"
    return ColumnLine(
        column.name,
        column.type,
        text,
        drifts,
        shown,
        0 if shown.kind == "all_null" else column.distinct if is_known else None,
        is_known and not whole and not is_truth,
        _cut(column.min) if has_values else None,
        _cut(column.max) if has_values else None,
    )


def _cut(limit: str | int | float | None) -> str | int | float | None:
    return limit[:_LONGEST] if isinstance(limit, str) else limit
