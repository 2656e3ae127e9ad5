"""`status`: what is late, held or stale, what was loaded last, and whether all rows are there."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lake.catalog.state import State
from lake.config import Source, duration_text
from lake.errors import ModelInvalid
from lake.landing.sources import sources
from lake.operations.balance import RowsLanded, TableStatus, rows_landed, table_status
from lake.query.meta import rows
from lake.query.sql import literal

if TYPE_CHECKING:
    from lake.lake import Lake
    from lake.models.make import ModelRun

_LOADS = """
SELECT dataset, "table", max(loaded_at) AS loaded_at, max_by(rows, commit) AS rows,
  max_by(loaded_commit, commit) AS loaded_commit
FROM meta.loads GROUP BY dataset, "table" ORDER BY dataset, "table"
"""
_DRIFT = """
SELECT dataset, "column", former_type AS was, type AS became, commit, drifted_at AS at
FROM meta.drift
"""
RECENT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """A source and what it brought; `late` says for how long, `""` that it is not."""

    source: str
    newest: str
    landed_at: str
    late: str


@dataclass(frozen=True, slots=True)
class Held:
    """A version that is kept and newer than what is current."""

    dataset: str
    partition: str
    version: int
    commit: int
    reason: str


@dataclass(frozen=True, slots=True)
class Stale:
    """A model that a transform would run, and why."""

    model: str
    why: str


@dataclass(frozen=True, slots=True)
class Drifted:
    """A view's column that got another type not long ago."""

    dataset: str
    column: str
    was: str
    became: str
    commit: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Status:
    """A lake's health.

    `drifted` are the changes of the last 30 days; `landed` and `tables` count rows, stage by stage.

    `models_error` says why models could not be looked at; `loads` are rows of the last load of
    each table: dataset, table, loaded_at, rows, loaded_commit.
    """

    lake: str
    commit: int
    sources: tuple[SourceStatus, ...]
    held: tuple[Held, ...]
    stale: tuple[Stale, ...]
    loads: tuple[dict[str, Any], ...]
    drifted: tuple[Drifted, ...] = ()
    models_error: str = ""
    landed: tuple[RowsLanded, ...] = ()
    tables: tuple[TableStatus, ...] = ()


def status(lake: "Lake") -> Status:
    """Return how a lake is doing, as of its commit and now."""
    now = lake.log.clock()
    stale, error = _stale(lake)
    return Status(
        lake=lake.url,
        commit=lake.commit,
        sources=tuple(_source(lake.state, one, now) for one in sources(lake).values()),
        held=tuple(held(lake.state)),
        stale=tuple(Stale(run.dataset, run.note) for run in stale),
        loads=tuple(rows(lake.state, _LOADS)),
        drifted=tuple(_drifted(lake.state, now)),
        models_error=error,
        landed=tuple(rows_landed(lake.state)),
        tables=tuple(table_status(lake)),
    )


def _source(state: State, source: Source, now: datetime) -> SourceStatus:
    files = state.data_files(source.dataset)
    dataset = state.datasets.get(source.dataset)
    return SourceStatus(
        source.name,
        files[-1].partition if files else "",
        dataset.changed_at if dataset else "",
        late(source.expect_every, dataset.changed_at if dataset else "", now),
    )


def late(expected: timedelta | None, changed_at: str, now: datetime) -> str:
    """Say by how much a source is late: nothing new came for longer than was expected."""
    if not changed_at:
        return "nothing landed yet"
    if expected is None:
        return ""
    over = now - datetime.fromisoformat(changed_at) - expected
    if over <= timedelta():
        return ""
    whole = over - over % (timedelta(days=1) if over.days else timedelta(minutes=1))
    return duration_text(max(whole, timedelta(minutes=1)))


def held(state: State) -> list[Held]:
    """Return the versions that are kept and newer than what is current."""
    return [
        Held(name, partition.text, version.number, version.commit, version.reason)
        for name, dataset in sorted(state.datasets.items())
        if dataset.held
        for partition in state.partitions(name)
        for version in partition.held
        if version.number > (partition.current.number if partition.current else 0)
    ]


def _drifted(state: State, now: datetime) -> list[Drifted]:
    since = literal((now - RECENT).isoformat())
    found = rows(state, f"{_DRIFT} WHERE drifted_at >= {since}::TIMESTAMPTZ ORDER BY commit")
    return [Drifted(**row) for row in found]


def _stale(lake: "Lake") -> "tuple[list[ModelRun], str]":
    if not lake.config.models.is_dir() and not lake.state.declared("model"):
        return [], ""
    from lake.models.run import plan

    try:
        return plan(lake), ""
    except ModelInvalid as error:
        return [], str(error)
