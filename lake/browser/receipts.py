"""Where a version came from: what the log says of it, and the receipt beside its files."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lake import layout, objects
from lake.browser.owners import tables
from lake.browser.snapshot import Snapshot
from lake.catalog.entries import Change, Entry
from lake.catalog.log import fetch, load_entry
from lake.errors import LogDamaged, NoSuchDataset, NoSuchPartition, NoSuchVersion, StoreUnavailable
from lake.query.sql import literal

_RECEIPT_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Place:
    """A version: its dataset, its partition's text as the log has it, and its number."""

    dataset: str
    partition: str
    number: int

    @property
    def address(self) -> str:
        """How commands name it; an unpartitioned dataset's has no partition."""
        return f"{'/'.join(filter(None, [self.dataset, self.partition]))}@v{self.number}"

    @property
    def where(self) -> str:
        """The condition of its partition."""
        return f"dataset = {literal(self.dataset)} AND partition = {literal(self.partition)}"


@dataclass(frozen=True, slots=True)
class Said:
    """What a log entry says beside the files of a version; see `lake.catalog.entries.Landed`."""

    origin: Mapping[str, str] = field(default_factory=dict)
    start: str = ""
    end: str = ""
    batch: str = ""
    build: str = ""


@dataclass(frozen=True, slots=True)
class Beside:
    """The receipt that lies beside a version's files; `problem` says why there is none to show."""

    document: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""


def place(places: Mapping[str, str], version: str = "version") -> Place:
    """Return which version a route names.

    Raises:
        InvalidName: it is no dataset's or partition's name.
    """
    name = layout.dataset(places["dataset"])
    partition = layout.partition(layout.partition_values(places["partition"]))
    return Place(name, partition, int(places[version]))


def row_of(shot: Snapshot, at: Place) -> dict[str, Any]:
    """Return a version's row, with `receipt` and, if it is held, `reason`.

    Raises:
        NoSuchDataset, NoSuchPartition, NoSuchVersion: there is none.
    """
    return shot.memo(("row", at), lambda: _row_of(shot, at))


def _row_of(shot: Snapshot, at: Place) -> dict[str, Any]:
    tables(shot)
    found = shot.rows(
        f"SELECT * FROM every_receipt WHERE {at.where} AND version = {at.number}"
        " ORDER BY commit DESC LIMIT 1"
    )
    if found:
        return found[0]
    if at.dataset not in shot.lake.state.datasets:
        raise NoSuchDataset(f"there is no dataset {at.dataset} at commit {shot.commit}")
    (last,) = shot.rows(f"SELECT max(version) AS n FROM every_version WHERE {at.where}")
    what = f"partition {at.partition}" if at.partition else "single partition"
    if last["n"] is None:
        raise NoSuchPartition(f"{at.dataset} has no {what} at commit {shot.commit}")
    raise NoSuchVersion(f"there is no {at.address}: its newest is v{last['n']}")


def said(shot: Snapshot, at: Place, row: Mapping[str, Any]) -> Said:
    """Return what the log says of where a version came from; kept, as it never changes.

    Raises:
        StoreUnavailable: its entry could not be fetched.
    """
    receipt = row["receipt"] or ""
    return shot.memo(("said", at, receipt), lambda: _said(shot, at, receipt, row["commit"]))


def _said(shot: Snapshot, at: Place, receipt: str, commit: int) -> Said:
    if not receipt:
        return Said()
    (first,) = shot.rows(
        f"SELECT min(commit) AS n FROM every_receipt WHERE {at.where}"
        f" AND receipt = {literal(receipt)}"
    )
    for change in _changes(shot, first["n"] or commit):
        landed = getattr(change, "landed", None)
        if landed and landed.receipt == receipt:
            named = {name: getattr(change, name, "") for name in ("start", "end", "batch", "build")}
            return Said(landed.origin, **named)
    return Said()


def _changes(shot: Snapshot, number: int) -> Sequence[Change]:
    for entry in shot.lake.state.tail:
        if entry.commit == number:
            return entry.changes
    return shot.memo(("changes", number), lambda: _entry(shot, number).changes)


def _entry(shot: Snapshot, number: int) -> Entry:
    log = shot.lake.log
    data = log.cache.get(layout.commit(number)) or fetch(log, layout.commit(number))
    if data is None:
        raise LogDamaged(f"{layout.commit(number)} is missing: restore it from a copy")
    return load_entry(log, data, number)


def beside(shot: Snapshot, key: str) -> Beside:
    """Return the receipt at a key; what keeps it from being shown is told and no error."""
    if not key:
        return Beside(problem="no receipt was written")
    store = shot.lake.log.store
    try:
        data = objects.piece(store, key, 0, _RECEIPT_BYTES)
    except FileNotFoundError:
        return Beside(problem="its object is missing")
    except StoreUnavailable:
        return Beside(problem="its object cannot be fetched now")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        is_long = len(data) == _RECEIPT_BYTES
        return Beside(problem="it is too long to be shown" if is_long else "it is damaged")
    return Beside(found) if isinstance(found, dict) else Beside(problem="it is damaged")
