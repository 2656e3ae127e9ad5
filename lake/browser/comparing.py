"""Two versions compared, one comparison at a time, and what of it is kept for pages to show."""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import duckdb

from lake.browser.parquet import row_bytes
from lake.browser.previews import cut
from lake.browser.receipts import Place, row_of
from lake.browser.snapshot import Snapshot
from lake.errors import StoreUnavailable
from lake.lake import Lake
from lake.operations.diff import diff
from lake.operations.diff_columns import ColumnDiff
from lake.operations.diff_lake import LakeDiff
from lake.operations.diff_rows import TableDiff

ROWS, COLUMNS = 1000, 100
MOST_ROWS = 50_000_000
_WAIT_S = 2.0
_KEPT_BYTES = 64 << 20
_LONGEST = 1024
_ONE = threading.Lock()

Kind = Literal["added", "removed", "changed"]


class Busy(Exception):
    """Another comparison is under way, for longer than one waits."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row that differs: the values of the shown columns, and what some of them were."""

    kind: Kind
    values: Sequence[Any]
    was: Mapping[int, Any]


@dataclass(frozen=True, slots=True)
class Compared:
    """What two versions differ in.

    Attributes:
        problem: why they could not be compared here; the rest is empty then.
        names: of the columns that are kept: the key, those that changed, and others that fit.
        hidden: how many columns are not, of which `hidden_changed` changed.
        mostly: per changed column, what happened to it in most of the rows that are kept.
        rows: the first of the rows that differ.
        gaps: how many unchanged rows lie before each of them, and behind the last; empty: unknown.
    """

    problem: str = ""
    added: int = 0
    removed: int = 0
    changed: int = 0
    cells: int = 0
    shared: int = 0
    unchanged: int = 0
    key: Sequence[str] = ()
    schema: Sequence[ColumnDiff] = ()
    columns: Mapping[str, int] | None = None
    names: Sequence[str] = ()
    hidden: int = 0
    hidden_changed: int = 0
    mostly: Mapping[str, str] | None = None
    rows: Sequence[Row] = ()
    gaps: Sequence[int] = ()


def compare(shot: Snapshot, before: Place, after: Place, key: Sequence[str]) -> Compared:
    """Return what changed from one version to another; worked out once.

    Raises:
        Busy: another comparison takes too long.
        InvalidName: `key` names a column that one of them has not.
        NoSuchVersion, VersionExpired: one of them holds nothing, or was collected.
        FileDamaged, StoreUnavailable: their bytes are others, or cannot be read now.
    """
    sides = [row_of(shot, before), row_of(shot, after)]
    if any((side["rows"] or 0) > MOST_ROWS for side in sides):
        return Compared("One of them has more than 50 million rows, too many to compare here.")
    return shot.memo(("diff", before, after, tuple(key)), lambda: _alone(shot, before, after, key))


def _limit(shot: Snapshot, at: Place) -> int:
    """Return of how many rows there is room for what they were and are: some hold documents."""
    found = shot.rows(
        f"SELECT key, bytes FROM every_file WHERE {at.where} AND version = {at.number}"
        " AND role = 'data' LIMIT 1"
    )
    if not found:
        return ROWS
    key, store = found[0]["key"], shot.lake.log.store
    each = row_bytes(
        found[0]["bytes"], lambda start, length: store.get(key, start=start, length=length)
    )
    return max(5, min(ROWS, _KEPT_BYTES // max(1, each)))


def _alone(shot: Snapshot, before: Place, after: Place, key: Sequence[str]) -> Compared:
    if not _ONE.acquire(timeout=_WAIT_S):
        raise Busy
    try:
        limit = min(_limit(shot, one) for one in (before, after))
        own = Lake(shot.lake.log, shot.state(), shot.lake.config, shot.lake.run, fixed=True)
        sides = (before.address, after.address)
        return _kept(diff(own, *sides, key=key, limit=limit, gaps=True))
    except duckdb.OutOfMemoryException:
        return Compared("Comparing them needed more than 1 GB of memory, which is the limit here.")
    except duckdb.IOException as exc:
        raise StoreUnavailable(f"{before.address} and {after.address} cannot be read now") from exc
    finally:
        _ONE.release()


def _kept(found: TableDiff | LakeDiff) -> Compared:
    assert isinstance(found, TableDiff)
    every = list(found.rows[0].values) if found.rows else []
    names = _shown(every, found)
    at = {name: index for index, name in enumerate(names)}
    rows = [
        Row(
            one.kind,
            [_small(one.values[name]) for name in names],
            {at[cell.column]: _small(cell.old) for cell in one.cells if cell.column in at},
        )
        for one in found.rows
    ]
    return Compared(
        "",
        found.added,
        found.removed,
        found.changed,
        found.cells,
        found.shared,
        found.unchanged,
        found.key,
        found.schema,
        dict(found.columns),
        names,
        len(every) - len(names),
        len(found.columns.keys() - set(names)),
        {name: _mostly(rows, at[name]) for name in found.columns if name in at},
        rows,
        found.gaps,
    )


def _shown(every: Sequence[str], found: TableDiff) -> list[str]:
    """Return the columns that have room: in their order, but not the first ones at any price."""
    wanted = list(dict.fromkeys([*found.key, *found.columns, *every]))[:COLUMNS]
    chosen = set(wanted)
    return [name for name in every if name in chosen]


def _small(value: Any) -> Any:
    """Return a value as it is, or a text of it that fits on a page."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return value[:_LONGEST]
    if isinstance(value, (bytes, bytearray, list, dict, tuple)):
        return cut(value, _LONGEST)
    return value


def _mostly(rows: Sequence[Row], column: int) -> str:
    """Say what most of a column's changes have in common; `""` if nothing."""
    pairs = [(one.was[column], one.values[column]) for one in rows if column in one.was]
    if not pairs:
        return ""
    (was, now), count = Counter((_text(a), _text(b)) for a, b in pairs).most_common(1)[0]
    if count > 1 and 2 * count >= len(pairs):
        return f"{was} → {now} in {count}"
    (one, times) = Counter(_text(a) for a, _ in pairs).most_common(1)[0]
    if times > 1 and 2 * times >= len(pairs):
        return f"{one} → {_above(was=pairs, text=one)} in {times}"
    steps = [(abs(b - a), a, b) for a, b in pairs if _is_number(a) and _is_number(b)]
    if not steps:
        return ""
    _, was_, now_ = max(steps, key=lambda step: step[0])
    return f"largest: {_text(was_)} → {_text(now_)}"


def _above(*, was: Sequence[tuple[Any, Any]], text: str) -> str:
    """Say where the values went that all came from one."""
    pairs = [(a, b) for a, b in was if _text(a) == text]
    numbers = [(a, b) for a, b in pairs if _is_number(a) and _is_number(b)]
    if len(numbers) == len(pairs) and all(b > a for a, b in numbers):
        return "more"
    if len(numbers) == len(pairs) and all(b < a for a, b in numbers):
        return "less"
    return "others"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value


def _text(value: Any) -> str:
    return "null" if value is None else cut(value, 24) or '""'
