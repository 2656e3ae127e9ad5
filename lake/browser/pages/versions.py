"""Every version of a dataset's partitions, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from lake.browser.ask import Ask
from lake.browser.known import known
from lake.browser.pages.head import Head, head
from lake.browser.snapshot import Snapshot
from lake.query.sql import literal

PER_PAGE = 100
_LONGEST = 300
_VERSIONS = """
SELECT partition, version, action, rows, rejected, bytes, files, run, commit, landed_at AS at,
  current, held, lag(version) OVER earlier AS before, lag(action) OVER earlier AS action_before
FROM every_version WHERE dataset = {dataset}{partition}
WINDOW earlier AS (PARTITION BY partition ORDER BY version)
ORDER BY commit DESC, partition DESC, version DESC LIMIT {limit} OFFSET {first}
"""
_REASONS = """
SELECT partition, version, any_value(held) AS reason FROM meta._history
WHERE dataset = {dataset} AND held <> '' AND commit IN ({commits}) GROUP BY ALL
"""
_EMPTY = ("remove", "drop")


@dataclass(frozen=True, slots=True)
class VersionLine:
    """A version.

    Attributes:
        action: what made it: `landing`, `append`, `rewrite`, `remove`, `drop`, `hold`, `release`.
        reason: why it is held; `""`: it is not.
        before: the version that it can be compared with; 0: there is none.
        is_gone: it holds nothing: there is no page of it.
    """

    partition: str
    version: int
    action: str
    rows: int
    rejected: int
    bytes: int
    files: int
    run: str
    commit: int
    at: datetime
    current: bool
    held: bool
    reason: str
    before: int
    is_gone: bool


@dataclass(frozen=True, slots=True)
class VersionsPage:
    """Some versions, newest first; `partition` is the only one that is shown, if any."""

    head: Head
    partition: str
    total: int
    versions: Sequence[VersionLine]
    said: str
    newer: str
    older: str


def make(shot: Snapshot, ask: Ask) -> VersionsPage:
    """Return a page of versions; `?partition=` shows those of one partition.

    Raises:
        NoSuchDataset: there is none.
    """
    of, partition = known(shot, ask.places["dataset"]), ask.get("partition")
    where = f" AND partition = {literal(partition)}" if partition else ""
    (counts,) = shot.rows(
        f"SELECT count(*) AS total FROM every_version WHERE dataset = {literal(of.name)}{where}"
    )
    total = counts["total"]
    first = min(ask.number("from", 0), max(total - 1, 0)) // PER_PAGE * PER_PAGE
    lines = version_lines(shot, of.name, where=where, limit=PER_PAGE, first=first)
    return VersionsPage(
        head(shot, ask, of),
        partition,
        total,
        lines,
        f"{first + 1} to {first + len(lines)} of {total}" if total > PER_PAGE else "",
        ask.same(**{"from": first - PER_PAGE or None}) if first else "",
        ask.same(**{"from": first + PER_PAGE}) if first + PER_PAGE < total else "",
    )


def version_lines(
    shot: Snapshot, name: str, *, limit: int, first: int = 0, where: str = ""
) -> list[VersionLine]:
    """Return versions of a dataset, newest first; `where` is a condition of ours that goes on."""
    rows = shot.rows(
        _VERSIONS.format(dataset=literal(name), partition=where, limit=limit, first=first)
    )
    held = sorted({row["commit"] for row in rows if row["held"]})
    reasons = _reasons(shot, name, held) if held else {}
    found = []
    for row in rows:
        before, action = row.pop("before"), row.pop("action_before")
        is_gone = row["action"] in _EMPTY
        row["before"] = 0 if is_gone or action in _EMPTY else before or 0
        row["reason"] = reasons.get((row["partition"], row["version"]), "") if row["held"] else ""
        counted = {key: row[key] or 0 for key in ("rows", "rejected", "bytes", "files")}
        found.append(VersionLine(**{**row, **counted, "run": row["run"] or "", "is_gone": is_gone}))
    return found


def _reasons(shot: Snapshot, name: str, commits: Sequence[int]) -> dict[tuple[str, int], str]:
    rows = shot.rows(
        _REASONS.format(dataset=literal(name), commits=", ".join(str(one) for one in commits))
    )
    return {(row["partition"], row["version"]): row["reason"][:_LONGEST] for row in rows}
