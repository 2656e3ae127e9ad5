"""The log: its commits, newest first, and what one of them changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lake.browser import words
from lake.browser.ask import Ask
from lake.browser.pages.receipt import place_of
from lake.browser.snapshot import Snapshot
from lake.errors import NoSuchVersion
from lake.operations.history import Span, bounds
from lake.query.sql import literal

PER_PAGE = 50
_VERSIONS = 300
"""And notes of one commit on its page."""
_COMMITS = """
SELECT c.commit, c.committed_at, c.author, c.message, c.changes, m.run,
  coalesce(v.datasets, []) AS datasets, coalesce(v.rows, 0) AS rows
FROM meta.commits c JOIN (SELECT commit, run FROM meta._commits) m USING (commit) LEFT JOIN (
  SELECT commit, list(DISTINCT dataset ORDER BY dataset) AS datasets, sum(rows)::BIGINT AS rows
  FROM every_version GROUP BY commit) v USING (commit)
"""


_DONE = {
    "append": "appended",
    "rewrite": "rewritten",
    "remove": "removed",
    "drop": "dropped",
    "rename": "renamed",
    "hold": "held",
    "release": "released",
    "note": "noted",
    "declare": "declared",
    "tag": "tagged",
    "doom": "marked as garbage",
}


@dataclass(frozen=True, slots=True)
class CommitLine:
    """A commit in a line.

    Attributes:
        changes: what it holds, counted: `2 new versions, 1 noted`.
        datasets: whose versions it made.
        rows: of these versions.
    """

    commit: int
    at: datetime
    message: str
    changes: str
    author: str
    run: str
    datasets: Sequence[str]
    rows: int
    tags: Sequence[str]

    @property
    def title(self) -> str:
        """What it says of itself, or else what it holds."""
        return self.message or self.changes or "nothing"


@dataclass(frozen=True, slots=True)
class CommitsPage:
    """Some commits, newest first; `newer` and `older` are the addresses of the next ones."""

    commits: Sequence[CommitLine]
    dataset: str
    author: str
    since: str
    until: str
    datasets: Sequence[str]
    said: str
    newer: str
    older: str


@dataclass(frozen=True, slots=True)
class ChangedVersion:
    """A version that a commit made; `action` says how."""

    dataset: str
    partition: str
    version: int
    action: str
    rows: int
    rejected: int
    bytes: int
    source: str
    held: bool


@dataclass(frozen=True, slots=True)
class Said:
    """What a commit says beside data: a check, a load, a column's new type."""

    kind: str
    dataset: str
    partition: str
    text: str


@dataclass(frozen=True, slots=True)
class CommitPage:
    """One commit; `total` counts its versions, of which `versions` are the first."""

    line: CommitLine
    id: str
    total: int
    versions: Sequence[ChangedVersion]
    notes: Sequence[Said]
    before: int
    after: int


def lines(shot: Snapshot, where: str = "true", *, limit: int = PER_PAGE) -> list[CommitLine]:
    """Return commits, newest first; `where` is a condition of ours over their columns."""
    names: dict[int, list[str]] = {}
    for name, number in shot.lake.state.tags.items():
        names.setdefault(number, []).append(name)
    found = shot.rows(f"{_COMMITS} WHERE {where} ORDER BY commit DESC LIMIT {limit}")
    return [_line(row, names.get(row["commit"], [])) for row in found]


def _line(row: dict[str, Any], tags: Sequence[str]) -> CommitLine:
    return CommitLine(
        row["commit"],
        row["committed_at"],
        row["message"],
        _told(row["changes"]),
        row["author"],
        row["run"] or "",
        row["datasets"],
        row["rows"],
        sorted(tags),
    )


def _told(changes: str) -> str:
    """Return what the log counts, `2 replace, 1 note`, as people say it."""
    counted = (part.partition(" ") for part in changes.split(", ") if part)
    return ", ".join(
        words.plural(int(count), "new version")
        if action == "replace"
        else f"{count} {_DONE.get(action, action)}"
        for count, _, action in counted
    )


def make(shot: Snapshot, ask: Ask) -> CommitsPage:
    """Return a page of the log, filtered by dataset, author and time.

    Raises:
        NoSuchVersion, InvalidAddress: `since` or `until` names no commit, tag or time.
    """
    dataset, author = (ask.get(name).replace("\0", "") for name in ("dataset", "author"))
    since, until = ask.get("since"), ask.get("until")
    where = bounds(shot.lake, Span(since or None, until or None), "commit")
    if dataset:
        where += f" AND list_contains(datasets, {literal(dataset)})"
    if author:
        text = literal(author)
        where += f" AND (contains(c.author, {text}) OR contains(m.run, {text}))"
    before = ask.number("before", 0)
    behind = f" AND commit < {before}" if before else ""
    found = lines(shot, where + behind, limit=PER_PAGE + 1)
    older = ask.same(before=found[PER_PAGE - 1].commit) if len(found) > PER_PAGE else ""
    shown = found[:PER_PAGE]
    return CommitsPage(
        shown,
        dataset,
        author,
        since,
        until,
        sorted(shot.lake.state.datasets),
        f"Commits {shown[-1].commit} to {shown[0].commit}" if shown else "",
        ask.same(before=None) if before else "",
        older,
    )


def make_one(shot: Snapshot, ask: Ask) -> CommitPage:
    """Return one commit.

    Raises:
        NoSuchVersion: the lake has none of this number.
    """
    number = int(ask.places["commit"])
    if not number:
        raise NoSuchVersion("commit 0 is the lake before its first commit, which is 1")
    found = lines(shot, f"commit = {number}", limit=1)
    if not found:
        raise NoSuchVersion(f"commit {number} does not exist; the newest is {shot.commit}")
    (said,) = shot.rows(f"SELECT id FROM meta.commits WHERE commit = {number}")
    versions = shot.rows(
        "SELECT dataset, partition, version, action, rows, rejected, bytes, source, held,"
        f" count(*) OVER () AS total FROM every_version WHERE commit = {number}"
        f" ORDER BY dataset, partition LIMIT {_VERSIONS}"
    )
    total = versions[0].pop("total") if versions else 0
    for row in versions[1:]:
        row.pop("total")
    return CommitPage(
        found[0],
        said["id"],
        total,
        [ChangedVersion(**{name: _or_nothing(row, name) for name in row}) for row in versions],
        [_said(row) for row in _notes(shot, number)],
        number - 1,
        number + 1 if number < shot.commit else 0,
    )


def _or_nothing(row: dict[str, Any], name: str) -> Any:
    value = row[name]
    if name == "source":
        return place_of(value or "")
    return 0 if value is None else value


def _notes(shot: Snapshot, number: int) -> list[dict[str, Any]]:
    return shot.rows(
        "SELECT note->>'note' AS kind, note->>'dataset' AS dataset,"
        " coalesce(note->>'partition', note->>'scope', '') AS partition, note->>'name' AS check,"
        " note->>'failed' AS failed, note->>'column' AS column, note->>'was' AS was,"
        " note->>'is' AS became, note->>'table' AS table, note->>'loaded' AS loaded"
        f" FROM meta._notes WHERE commit = {number} LIMIT {_VERSIONS}"
    )


def _said(row: dict[str, Any]) -> Said:
    kind = row["kind"]
    if kind == "check":
        failed = int(row["failed"] or 0)
        text = f"check {row['check']} found {failed:,} rows" if failed else f"{row['check']} passed"
    elif kind == "drift":
        text = f"column {row['column']} was {row['was']}, the view is {row['became']}"
    elif kind == "load":
        text = f"{row['loaded']} partitions into table {row['table']}"
    else:
        text = "the source has it no longer"
    return Said(kind, row["dataset"], row["partition"] or "", text)
