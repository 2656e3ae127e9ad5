"""What changed from one version of a partition to another: columns, cells and rows."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Literal

from lake.browser.ask import Ask, dataset_path
from lake.browser.comparing import ROWS, Compared, Kind, Row, compare
from lake.browser.pages.receipt import Fact, origin
from lake.browser.pages.snippet import snippet
from lake.browser.pages.version import Download, downloads
from lake.browser.previews import cut
from lake.browser.receipts import Place, place, row_of
from lake.browser.snapshot import Snapshot
from lake.browser.words import number
from lake.operations.diff_columns import ColumnDiff

PER_PAGE = 100
_KINDS: tuple[Kind, ...] = ("added", "removed", "changed")
_OTHERS = 12
_WIDE = 120
_PLACES = 4
_UNSAFE = ("=", "+", "-", "@", "\t", "\r")

Looks = Literal["n", "mono", ""]


@dataclass(frozen=True, slots=True)
class Box:
    """One of the two versions."""

    version: int
    link: str
    at: datetime | None
    commit: int
    content: str
    rows: int


@dataclass(frozen=True, slots=True)
class ChangedColumn:
    """A column with changed cells; `width` is its share of the bar, in pixels."""

    name: str
    cells: int
    width: int
    mostly: str
    link: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A value of a row; `was` is told where it changed."""

    text: str | None
    changed: bool = False
    was: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A row that differs."""

    kind: Kind
    cells: Sequence[Cell]


@dataclass(frozen=True, slots=True)
class Filter:
    """A choice of rows."""

    name: str
    count: int
    link: str
    current: bool


@dataclass(frozen=True, slots=True)
class Other:
    """Another version to compare with."""

    text: str
    link: str


@dataclass(frozen=True, slots=True)
class DiffPage:
    """What changed.

    Attributes:
        problem: why they could not be compared here; `command` does it elsewhere.
        matched: `declared`, `asked` for in the address, or `none`: then no row is changed.
        names, looks: of the columns that are shown; `hidden` more are not.
        kept: how many of the rows that differ can be looked at here.
        column: the one whose changes alone are shown.
    """

    dataset: str
    partition: str
    before: Box
    after: Box
    swap: str
    others: Sequence[Other]
    problem: str
    command: str
    added: int
    removed: int
    changed: int
    cells: int
    unchanged: int
    shared: int
    matched: Literal["declared", "asked", "none"]
    key: Sequence[str]
    schema: Sequence[ColumnDiff]
    columns: Sequence[ChangedColumn]
    filters: Sequence[Filter]
    column: str
    names: Sequence[str]
    looks: Sequence[Looks]
    hidden: int
    rows: Sequence[Line]
    said: str
    kept: int
    newer: str
    older: str
    csv: str
    sql: str
    origin: Sequence[Fact]
    downloads: Sequence[Download]


def sides(ask: Ask) -> tuple[Place, Place]:
    """Return the former and the later version that an address names.

    Raises:
        InvalidName: it is no dataset's or partition's name.
    """
    return place(ask.places, "other"), place(ask.places)


def key_of(ask: Ask) -> list[str]:
    """Return the columns to match rows by, as the address says: `key=a,b`."""
    return [name.strip() for name in ask.get("key").split(",") if name.strip()]


def make(shot: Snapshot, ask: Ask) -> DiffPage:
    """Return what changed; for what it raises, see `lake.browser.comparing.compare`."""
    before, after = sides(ask)
    found = compare(shot, before, after, key_of(ask))
    boxes = [_box(shot, ask, one) for one in (before, after)]
    chosen = _chosen(found, ask)
    first = min(ask.number("from", 0), ROWS)
    shown = chosen[first : first + PER_PAGE]
    older = ask.same(**{"from": first + PER_PAGE}) if first + PER_PAGE < len(chosen) else ""
    newer = ask.same(**{"from": max(0, first - PER_PAGE) or None}) if first else ""
    longest = max(24, min(160, 40_000 // max(1, len(shown) * len(found.names))))
    return DiffPage(
        after.dataset,
        after.partition,
        boxes[0],
        boxes[1],
        _link(ask, before, after.number),
        _others(shot, ask, before, after),
        found.problem,
        f"lake diff {before.address} {after.address}"
        + (f" --key {','.join(found.key)}" if ask.get("key") else ""),
        found.added,
        found.removed,
        found.changed,
        found.cells,
        found.unchanged,
        found.shared,
        "asked" if found.key and ask.get("key") else "declared" if found.key else "none",
        found.key,
        found.schema[:PER_PAGE],
        _columns(found, ask),
        _filters(found, ask),
        ask.get("column"),
        [cut(name, 60) or "" for name in found.names],
        looks(found),
        found.hidden,
        _lines(shown, longest),
        f"Rows {first + 1} to {first + len(shown)} of {len(chosen)}" if shown else "",
        len(found.rows),
        newer,
        older,
        ask.same(csv=1) if shown else "",
        snippet(shot, before, after, found),
        origin(shot, ask, after),
        downloads(shot, ask, after, row_of(shot, after))[:1],
    )


def _box(shot: Snapshot, ask: Ask, at: Place) -> Box:
    row = row_of(shot, at)
    link = ask.link(dataset_path(at.dataset, at.partition, at.number))
    content = (row["sha256"] or "").rpartition(":")[2][:8]
    return Box(at.number, link, row["landed_at"], row["commit"], content, row["rows"] or 0)


def _link(ask: Ask, at: Place, other: int) -> str:
    path = f"{dataset_path(at.dataset, at.partition, at.number)}/diff/v{other}"
    return ask.link(path, key=ask.get("key"))


def _others(shot: Snapshot, ask: Ask, before: Place, after: Place) -> list[Other]:
    found = shot.rows(
        f"SELECT version FROM every_version WHERE {after.where} AND files > 0"
        f" AND version NOT IN ({before.number}, {after.number})"
        f" ORDER BY version DESC LIMIT {_OTHERS}"
    )
    return [
        Other(f"v{min(n, after.number)} → v{max(n, after.number)}",
              _link(ask, Place(after.dataset, after.partition, max(n, after.number)),
                    min(n, after.number)))
        for n in (row["version"] for row in found)
    ]  # fmt: skip


def _columns(found: Compared, ask: Ask) -> list[ChangedColumn]:
    counts, mostly = found.columns or {}, found.mostly or {}
    most = max(counts.values(), default=1)
    return [
        ChangedColumn(
            cut(name, 80) or "",
            count,
            max(2, _WIDE * count // most),
            mostly.get(name, ""),
            ask.same(column=name, only=None, **{"from": None}),
        )
        for name, count in list(counts.items())[:40]
    ]


def _filters(found: Compared, ask: Ask) -> list[Filter]:
    total = found.added + found.removed + found.changed
    counts: Mapping[str, int] = {name: getattr(found, name) for name in _KINDS}
    column, only = ask.get("column"), ask.get("only")
    plain = {"column": None, "from": None}
    return [
        Filter("All", total, ask.same(only=None, **plain), not only and not column),
        *(
            Filter(name.capitalize(), count, ask.same(only=name, **plain), only == name)
            for name, count in counts.items()
        ),
    ]


def _chosen(found: Compared, ask: Ask) -> Sequence[Row]:
    """Return the kept rows that the address asks for."""
    column, only = ask.get("column"), ask.get("only")
    if column:
        at = found.names.index(column) if column in found.names else -1
        return [row for row in found.rows if at in row.was]
    return [row for row in found.rows if row.kind == only] if only in _KINDS else found.rows


def looks(found: Compared) -> list[Looks]:
    """Return how each column is written: numbers to the right, times in one width."""
    return [_looks([row.values[at] for row in found.rows]) for at in range(len(found.names))]


def _looks(values: Sequence[Any]) -> Looks:
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, (int, float, Decimal)) for value in known):
        return "" if any(isinstance(value, bool) for value in known) else "n"
    return "mono" if known and all(isinstance(v, (date, datetime, time)) for v in known) else ""


def _lines(rows: Sequence[Row], longest: int) -> list[Line]:
    width = len(rows[0].values) if rows else 0
    places = [_places(rows, at) for at in range(width)]
    return [_line(row, places, longest) for row in rows]


def _line(row: Row, places: Sequence[int], longest: int) -> Line:
    def text(value: Any, at: int) -> str | None:
        said = cut(value, longest)
        return _padded(said, places[at]) if said and isinstance(value, float) else said

    cells = [
        Cell(text(value, at), at in row.was, text(row.was[at], at) if at in row.was else "")
        for at, value in enumerate(row.values)
    ]
    return Line(row.kind, cells)


def _places(rows: Sequence[Row], at: int) -> int:
    """Return how many decimal places align a column of fractions; 0 where that is too many."""
    values = [value for row in rows for value in (row.values[at], row.was.get(at))]
    found = [len(number(one).partition(".")[2]) for one in values if isinstance(one, float)]
    most = max(found, default=0)
    return most if most <= _PLACES else 0


def _padded(text: str, places: int) -> str:
    whole, dot, rest = text.partition(".")
    if not places or not whole[-1:].isdigit() or not (rest.isdigit() or not dot):
        return text
    return f"{whole}.{rest.ljust(places, '0')}"


def as_csv(shot: Snapshot, ask: Ask) -> bytes:
    """Return the rows that a page is about as CSV, which no spreadsheet takes for formulas.

    A changed row is two lines: what it was, and what it is.
    """
    before, after = sides(ask)
    found = compare(shot, before, after, key_of(ask))
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["change", *map(_safe, found.names)])
    for row in _chosen(found, ask):
        if row.kind == "changed":
            old = [row.was.get(at, value) for at, value in enumerate(row.values)]
            writer.writerow(["was", *map(_safe, old)])
        writer.writerow(["is" if row.kind == "changed" else row.kind, *map(_safe, row.values)])
    return out.getvalue().encode(errors="replace")


def _safe(value: Any) -> Any:
    """Return a value of which no spreadsheet makes a formula; numbers stay what they are."""
    text = "" if value is None else value
    if isinstance(text, str) and text.startswith(_UNSAFE):
        return f"'{text}"
    return text
