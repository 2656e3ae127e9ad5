"""What changed from one version of a partition to another: columns, cells and rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from lake.browser.ask import Ask, dataset_path
from lake.browser.checking import MOST_BYTES, State, checked, worst
from lake.browser.comparing import Compared, compare
from lake.browser.pages.diff_rows import Rows, rows_of
from lake.browser.pages.receipt import Fact, origin
from lake.browser.pages.snippet import snippet
from lake.browser.pages.version import Download, downloads, files_of
from lake.browser.previews import cut
from lake.browser.receipts import Place, place, row_of
from lake.browser.snapshot import Snapshot
from lake.operations.diff_columns import ColumnDiff

_COLUMNS, _OTHERS = 100, 12
_WIDE = 120


@dataclass(frozen=True, slots=True)
class Box:
    """One of the two versions; `state` is what is known of the bytes of its rows."""

    version: int
    link: str
    at: datetime | None
    commit: int
    content: str
    rows: int
    state: State


@dataclass(frozen=True, slots=True)
class ChangedColumn:
    """A column with changed cells; `width` is its share of the bar, in pixels."""

    name: str
    cells: int
    width: int
    mostly: str
    link: str


@dataclass(frozen=True, slots=True)
class Other:
    """Another version to compare with."""

    text: str
    link: str


@dataclass(frozen=True, slots=True)
class DiffPage:
    """What changed.

    Attributes:
        check: the address at which the bytes of both are hashed; `""` where they were, or are many.
        problem: why they could not be compared here; `command` does it elsewhere.
        matched: `declared`, `asked` for in the address, or `none`: then no row is changed.
    """

    dataset: str
    partition: str
    before: Box
    after: Box
    swap: str
    others: Sequence[Other]
    check: str
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
    rows: Rows
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
    states, check = _states(shot, ask, [before, after])
    boxes = [_box(shot, ask, *one) for one in zip((before, after), states, strict=True)]
    return DiffPage(
        after.dataset,
        after.partition,
        boxes[0],
        boxes[1],
        _link(ask, before, after.number),
        _others(shot, ask, before, after),
        check,
        found.problem,
        _command(before, after, key_of(ask)),
        found.added,
        found.removed,
        found.changed,
        found.cells,
        found.unchanged,
        found.shared,
        "asked" if found.key and ask.get("key") else "declared" if found.key else "none",
        found.key,
        found.schema[:_COLUMNS],
        _columns(found, ask),
        rows_of(found, ask),
        snippet(shot, before, after, found),
        origin(shot, ask, after),
        downloads(shot, ask, after, row_of(shot, after))[:1],
    )


def _command(before: Place, after: Place, key: Sequence[str]) -> str:
    by = f" --key {','.join(key)}" if key else ""
    return f"lake diff {before.address} {after.address}{by}"


def _states(shot: Snapshot, ask: Ask, sides: Sequence[Place]) -> tuple[list[State], str]:
    """Return what is known of the bytes of both, and the address that hashes them."""
    files = [_files(shot, one) for one in sides]
    every = {one["key"]: one for some in files for one in some}
    if sum(one["bytes"] for one in every.values()) > MOST_BYTES:
        return ["not checked" for _ in sides], ""
    if not ask.get("verify"):
        return ["not checked" for _ in sides], ask.same(verify=1)
    store = shot.lake.log.store
    known = checked(store, [(one["key"], one["sha256"]) for one in every.values()])
    return [worst(known[one["key"]] for one in some) for some in files], ""


def _files(shot: Snapshot, at: Place) -> list[dict[str, Any]]:
    where = files_of(at, row_of(shot, at))
    return shot.rows(f"SELECT key, sha256, bytes FROM every_file WHERE {where} AND role = 'data'")


def _box(shot: Snapshot, ask: Ask, at: Place, state: State) -> Box:
    row = row_of(shot, at)
    link = ask.link(dataset_path(at.dataset, at.partition, at.number))
    content = (row["sha256"] or "").rpartition(":")[2][:8]
    return Box(at.number, link, row["landed_at"], row["commit"], content, row["rows"] or 0, state)


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
            ask.same(column=name, only=None, columns=None, **{"from": None}),
        )
        for name, count in list(counts.items())[:40]
    ]
