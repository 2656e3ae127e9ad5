"""The runs that published: their commits, what they made, and what they loaded."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lake.browser.ask import Ask
from lake.browser.snapshot import Snapshot
from lake.query.sql import literal

PER_PAGE = 50
_DATASETS, _MESSAGES = 6, 4
_RUNS = """
SELECT coalesce(nullif(run, ''), id) AS run, count(*) AS commits, min(commit) AS first,
  max(commit) AS last, min(committed_at)::TIMESTAMPTZ AS began,
  max(committed_at)::TIMESTAMPTZ AS ended, any_value(author) AS author,
  list(message ORDER BY commit)[:{messages}] AS messages
FROM meta._commits {where} GROUP BY ALL HAVING {having} ORDER BY last DESC LIMIT {limit}
"""
_MADE = """
SELECT coalesce(nullif(c.run, ''), c.id) AS run,
  list(DISTINCT v.dataset ORDER BY v.dataset) AS datasets, count(*) AS versions,
  sum(v.rows)::BIGINT AS rows, coalesce(sum(v.rejected), 0)::BIGINT AS rejected
FROM every_version v JOIN meta._commits c USING (commit)
WHERE v.commit BETWEEN {first} AND {last} AND coalesce(nullif(c.run, ''), c.id) IN ({runs})
GROUP BY ALL
"""
_LOADS = """
SELECT l.*, coalesce(nullif(c.run, ''), c.id) AS run
FROM meta.loads l JOIN meta._commits c USING (commit) ORDER BY l.commit
"""


@dataclass(frozen=True, slots=True)
class Load:
    """Partitions of a dataset that were loaded into a table of a warehouse."""

    dataset: str
    table: str
    warehouse: str
    partitions: int
    removed: int
    rows: int | None
    of: int | None
    commit: int
    at: datetime
    run: str


@dataclass(frozen=True, slots=True)
class Run:
    """A run.

    Attributes:
        run: its id; of a commit without one, the commit's.
        first, last: its commits, which others may stand between.
        did: what its commits say, the first of them.
        datasets: the first of those whose versions it made, out of `dataset_count`.
    """

    run: str
    commits: int
    first: int
    last: int
    began: datetime
    ended: datetime
    host: str
    did: Sequence[str]
    datasets: Sequence[str]
    dataset_count: int
    versions: int
    rows: int
    rejected: int
    loads: Sequence[Load]

    @property
    def seconds(self) -> int:
        """From its first commit to its last."""
        return int((self.ended - self.began).total_seconds())


@dataclass(frozen=True, slots=True)
class RunsPage:
    """Some runs, newest first; `newer` and `older` are the addresses of the next ones."""

    runs: Sequence[Run]
    loads: Sequence[Load]
    run: str
    said: str
    newer: str
    older: str


def make(shot: Snapshot, ask: Ask) -> RunsPage:
    """Return a page of runs, as the log knows them.

    Raises:
        InvalidAddress: `before` is no number.
    """
    before, wanted = ask.number("before", 0), ask.get("run")
    found = shot.rows(
        _RUNS.format(
            messages=_MESSAGES,
            where=f"WHERE contains(run, {literal(wanted)})" if _is_text(wanted) else "",
            having=f"max(commit) < {before}" if before else "true",
            limit=PER_PAGE + 1,
        )
    )
    shown = found[:PER_PAGE]
    runs = _runs(shot, shown)
    older = ask.same(before=shown[-1]["last"]) if len(found) > PER_PAGE else ""
    return RunsPage(
        runs,
        list(_loads(shot))[-20:][::-1] if not before and not wanted else [],
        wanted,
        f"{len(shown)} runs, newest first" if shown else "",
        ask.same(before=None) if before else "",
        older,
    )


def _is_text(wanted: str) -> bool:
    return bool(wanted) and "\0" not in wanted


def _runs(shot: Snapshot, rows: Sequence[Mapping[str, Any]]) -> list[Run]:
    if not rows:
        return []
    names = ", ".join(literal(row["run"]) for row in rows)
    first, last = min(row["first"] for row in rows), max(row["last"] for row in rows)
    found = shot.rows(_MADE.format(first=first, last=last, runs=names))
    made = {one["run"]: one for one in found}
    loads = _by_run(_loads(shot))
    return [_run(row, made.get(row["run"], {}), loads) for row in rows]


def _run(
    row: Mapping[str, Any], made: Mapping[str, Any], loads: Mapping[str, Sequence[Load]]
) -> Run:
    datasets = made.get("datasets", [])
    return Run(
        row["run"],
        row["commits"],
        row["first"],
        row["last"],
        row["began"],
        row["ended"],
        row["author"],
        [text for text in dict.fromkeys(row["messages"]) if text],
        datasets[:_DATASETS],
        len(datasets),
        made.get("versions", 0),
        made.get("rows", 0) or 0,
        made.get("rejected", 0),
        loads.get(row["run"], ())[:10],
    )


def _loads(shot: Snapshot) -> Sequence[Load]:
    """Return every load, oldest first."""
    return shot.memo("loads", lambda: [_load(row) for row in shot.rows(_LOADS)])


def _load(row: Mapping[str, Any]) -> Load:
    # Of where it is only the kind: addresses of databases are for those who run them.
    kind = (row["warehouse"] or "").partition(":")[0]
    return Load(
        row["dataset"],
        row["table"] or "",
        kind,
        row["partitions"] or 0,
        row["removed"] or 0,
        row["rows"],
        row["loaded_commit"],
        row["commit"],
        row["loaded_at"],
        row["run"],
    )


def _by_run(loads: Iterable[Load]) -> Mapping[str, Sequence[Load]]:
    found: dict[str, list[Load]] = {}
    for one in loads:
        found.setdefault(one.run, []).append(one)
    return found
