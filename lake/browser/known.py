"""What pages know of a dataset at a commit, worked out once: its partitions, columns and drift."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lake.browser.pictures.drift import Drifting, Tick, drifting, ticks
from lake.browser.snapshot import Snapshot
from lake.config import Source
from lake.landing.sources import sources
from lake.operations.columns import Change, ShownColumn, shown
from lake.query.address import find_dataset
from lake.query.sql import literal

MOST = 20_000
"""Partitions that are looked at one by one; more are only counted, and listed page by page."""
PARTITIONS = """
SELECT partition, max(version) FILTER (current) AS version,
  coalesce(max(rows) FILTER (current), 0) AS rows, arg_max(held, version) AS held,
  count(*) FILTER (NOT held AND action NOT IN ('remove', 'drop')) AS versions,
  arg_max(action, version) AS action, max(version) AS newest
FROM every_version WHERE dataset = {dataset} GROUP BY partition
"""
_COUNTS = """
SELECT count(*) AS every, count(*) FILTER (versions > 1) AS again FROM ({partitions})
"""


@dataclass(frozen=True, slots=True)
class PartitionLine:
    """A partition that was ever there; `version` is the current one, None: it holds nothing.

    Attributes:
        held: the newest version is kept and not current; its number is `newest`.
        versions: how many were published.
        action: of the newest.
    """

    partition: str
    version: int | None
    rows: int
    held: bool
    versions: int
    action: str
    newest: int


@dataclass(frozen=True, slots=True)
class Known:
    """A dataset; `lines` are empty where there are more than `MOST` partitions.

    Attributes:
        every: how many partitions there ever were.
        again: how many of them were published more than once.
        files_in: how many partitions hold files now; `partitions` are they, by text.
        drift: the columns that drift, in the view's order; `ticks` stand over them.
    """

    name: str
    every: int
    again: int
    lines: Sequence[PartitionLine]
    columns: Sequence[ShownColumn]
    files_in: int
    partitions: Sequence[str]
    drift: Drifting
    ticks: Sequence[Tick]


def known(shot: Snapshot, name: str) -> Known:
    """Return what is known of a dataset.

    Raises:
        NoSuchDataset, InvalidName: there is none.
    """
    find_dataset(shot.lake.state, name)
    return shot.memo(("dataset", name), lambda: _known(shot, name))


def _known(shot: Snapshot, name: str) -> Known:
    state = shot.state()
    files = state.data_files(name)
    found = shown(state, name, files, _changes(shot).get(name, {}))
    partitions = list(dict.fromkeys(file.partition for file in files))
    select = PARTITIONS.format(dataset=literal(name))
    (counts,) = shot.rows(_COUNTS.format(partitions=select))
    few = counts["every"] <= MOST
    return Known(
        name,
        counts["every"],
        counts["again"],
        partition_lines(shot, name) if few else (),
        found,
        len(partitions),
        partitions if few else (),
        drifting(found, partitions),
        ticks(partitions),
    )


def partition_lines(shot: Snapshot, name: str, then: str = "") -> list[PartitionLine]:
    """Return a dataset's partitions by text; `then` stands behind the query: a LIMIT of ours."""
    select = PARTITIONS.format(dataset=literal(name))
    return [PartitionLine(**row) for row in shot.rows(f"{select} ORDER BY partition {then}")]


def _changes(shot: Snapshot) -> dict[str, dict[str, list[Change]]]:
    return shot.memo("changes", lambda: _every_change(shot))


def _every_change(shot: Snapshot) -> dict[str, dict[str, list[Change]]]:
    found: dict[str, dict[str, list[Change]]] = {}
    for row in shot.rows("SELECT * FROM meta.drift ORDER BY commit"):
        found.setdefault(row["dataset"], {}).setdefault(row["column"], []).append(_change(row))
    return found


def _change(row: dict[str, Any]) -> Change:
    at = row["drifted_at"].isoformat()
    return Change(
        row["commit"], at, row["partition"] or "", row["former_type"], row["type"], row["rule"]
    )


def source_of(shot: Snapshot, name: str) -> Source | None:
    """Return the source that lands into a dataset; None: nothing declares one."""
    return every_source(shot).get(name)


def every_source(shot: Snapshot) -> dict[str, Source]:
    """Return the declared sources, by the dataset that each lands into."""
    return shot.memo("sources", lambda: {s.dataset: s for s in sources(shot.lake).values()})
