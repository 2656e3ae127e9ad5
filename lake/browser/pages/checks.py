"""What is checked of a dataset: its model's checks and what they found; a source's contract."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from lake.browser.ask import Ask
from lake.browser.known import known, source_of
from lake.browser.pages.head import Head, head
from lake.browser.snapshot import Snapshot
from lake.config.duration import duration_text
from lake.config.types import DeclaredColumn
from lake.errors import ModelInvalid
from lake.models.checks import Check
from lake.models.header import parse_header
from lake.query.sql import literal
from lake.schema.admit import crowd

HISTORY = 20
REJECTING = 10
COLUMNS = 200
_LONGEST = 500
_RESULTS = """
SELECT "check", partition, failed, severity, commit, checked_at AS at FROM meta.checks
WHERE dataset = {dataset} ORDER BY commit, partition
"""
_REJECTED = """
SELECT partition, version, rows, rejected, commit, landed_at AS at FROM every_version
WHERE dataset = {dataset} AND rejected > 0 ORDER BY commit DESC, partition DESC LIMIT {limit}
"""


@dataclass(frozen=True, slots=True)
class Result:
    """What a check found in one commit, over all partitions that it looked at there."""

    commit: int
    at: datetime
    failed: int


@dataclass(frozen=True, slots=True)
class FailingPartition:
    """A partition in which rows failed a check when it was run there last."""

    partition: str
    failed: int
    commit: int


@dataclass(frozen=True, slots=True)
class CheckLine:
    """A check, and its last results, oldest first.

    Attributes:
        says: what it demands.
        severity: `error` withholds a build; `warn` only tells.
        scope: `dataset` or `partition`; `""`: it is no longer declared.
        runs: how many results there are altogether.
        failing: rows that fail now, in the partitions that are named.
    """

    name: str
    kind: str
    says: str
    severity: str
    scope: Literal["dataset", "partition", ""]
    runs: int
    history: Sequence[Result]
    failed: int
    failing: Sequence[FailingPartition]


@dataclass(frozen=True, slots=True)
class Contract:
    """What a source declares of one column: rows that break it are rejected."""

    column: str
    says: str


@dataclass(frozen=True, slots=True)
class RejectedLine:
    """A version of which rows were rejected."""

    partition: str
    version: int
    rows: int
    rejected: int
    commit: int
    at: datetime


@dataclass(frozen=True, slots=True)
class ChecksPage:
    """The checks of a curated dataset, or the contract of a raw one.

    Attributes:
        error: why its model's checks cannot be told.
        terms: what the contract says of files as a whole.
    """

    head: Head
    checks: Sequence[CheckLine]
    error: str
    contract: Sequence[Contract]
    terms: Sequence[str]
    rejected: Sequence[RejectedLine]


def make(shot: Snapshot, ask: Ask) -> ChecksPage:
    """Return what is checked of a dataset.

    Raises:
        NoSuchDataset: there is none.
    """
    of = known(shot, ask.places["dataset"])
    checks, error = _declared(shot, of.name)
    select = _RESULTS.format(dataset=literal(of.name))
    results = shot.memo(("results", of.name), lambda: shot.rows(select))
    is_raw = of.name.startswith("raw.")
    rejected = shot.rows(_REJECTED.format(dataset=literal(of.name), limit=REJECTING))
    return ChecksPage(
        head(shot, ask, of),
        list(_lines(checks, results)),
        error,
        _contract(shot, of.name) if is_raw else (),
        _terms(shot, of.name) if is_raw else (),
        [RejectedLine(**row) for row in rejected],
    )


def _declared(shot: Snapshot, name: str) -> tuple[Sequence[Check], str]:
    zone, _, bare = name.partition(".")
    text = shot.lake.state.declared("model").get(bare, "") if zone == "curated" else ""
    try:
        return (parse_header(text, path=f"models/{bare}.sql").checks if text else ()), ""
    except ModelInvalid as error:
        return (), error.public


def _lines(checks: Sequence[Check], results: Sequence[Mapping[str, Any]]) -> Iterator[CheckLine]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in results:
        found.setdefault(row["check"], []).append(row)
    for check in checks:
        rows = found.pop(check.name, [])
        says = f"{check_words(check)}"[:_LONGEST]
        yield _line(check.name, check.kind, says, check.severity, check.scope, rows)
    for name, rows in sorted(found.items()):
        yield _line(name, "", "no longer declared", rows[-1]["severity"], "", rows)


def _line(
    name: str,
    kind: str,
    says: str,
    severity: str,
    scope: Literal["dataset", "partition", ""],
    rows: Sequence[Mapping[str, Any]],
) -> CheckLine:
    commits: dict[int, Result] = {}
    newest: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        before = commits.get(row["commit"])
        failed = row["failed"] + (before.failed if before else 0)
        commits[row["commit"]] = Result(row["commit"], row["at"], failed)
        newest[row["partition"] or ""] = row
    failing = [
        FailingPartition(text, row["failed"], row["commit"])
        for text, row in sorted(newest.items())
        if row["failed"]
    ]
    history = list(commits.values())
    return CheckLine(
        name,
        kind,
        says,
        severity,
        scope,
        len(history),
        history[-HISTORY:],
        sum(one.failed for one in failing),
        failing[:REJECTING],
    )


def check_words(check: Check) -> str:
    """Say what a check demands of rows."""
    columns = ", ".join(check.columns)
    return {
        "not_null": lambda: f"no NULL in {columns}",
        "unique": lambda: f"no two rows with the same {columns}",
        "accepted_values": lambda: f"{columns} is one of {', '.join(map(str, check.values))}",
        "between": lambda: f"{columns} {_limits(check.min, check.max)}",
        "row_count": lambda: f"the number of rows {_limits(check.min, check.max)}",
        "references": lambda: f"every {columns} is in {'.'.join(check.to)}",
        "fresh": lambda: f"the newest {columns} is at most {duration_text(check.within)} old",
        "sql": lambda: check.sql,
    }[check.kind]()


def _limits(low: object, high: object) -> str:
    if low is None:
        return f"is at most {high}"
    return f"is at least {low}" if high is None else f"lies between {low} and {high}"


def _contract(shot: Snapshot, name: str) -> list[Contract]:
    declared = crowd(shot.lake.state, name).declared
    found = [Contract(column, column_words(one)) for column, one in declared.items()]
    return [one for one in found if one.says][:COLUMNS]


def column_words(column: DeclaredColumn) -> str:
    """Say what is declared of a column: its names and type, and what its values keep to."""
    low, high = column.between
    said = [
        f"{column.type}" if column.type else "",
        "never NULL" if column.required else "",
        _limits(low, high) if low is not None or high is not None else "",
        f"one of {', '.join(map(str, column.allowed))}" if column.allowed else "",
        f"read as {column.format}" if column.format else "",
        f"decimals behind {column.decimal!r}" if column.decimal else "",
        f"NULL is {', '.join(map(repr, column.null))}" if column.null else "",
        f"once called {', '.join(column.former)}" if column.former else "",
        "personal: its values are never shown" if column.personal else "",
    ]
    return "; ".join(filter(None, said))[:_LONGEST]


def _terms(shot: Snapshot, name: str) -> list[str]:
    source = source_of(shot, name)
    if source is None:
        return []
    reading, said = source.reading, []
    if reading.unknown_columns == "reject":
        said.append("A file with a column that is not declared is held.")
    if reading.max_rejects:
        said.append(f"A version with more than {reading.max_rejects} rejected rows is held.")
    if reading.key:
        said.append(f"Rows are told apart by {', '.join(reading.key)}.")
    return said
