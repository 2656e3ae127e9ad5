"""One model made: its stale units built, put together with the rest, and checked.

A check runs where something is built: the same rows pass again. Only `fresh` looks at the clock, so
it runs every time. Where it fails and nothing is to build, the model fails and what hangs on it is
withheld, but what is published stays; no build takes the place of rows that do not come.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import duckdb

from lake.catalog import fold
from lake.catalog.entries import Built, Change, CheckResult, Declare, Note, Schema
from lake.errors import CheckFailed, LakeError
from lake.models.assemble import Outcome, assemble
from lake.models.bench import Bench
from lake.models.build import Result, build, failed
from lake.models.check import CheckOutcome, Sight, run_check
from lake.models.checks import Check
from lake.models.project import Node
from lake.models.unit import Unit, gone, stale, units
from lake.schema.admit import prepare

Status = Literal["built", "unchanged", "failed", "withheld"]


@dataclass(frozen=True, slots=True)
class ModelRun:
    """What became of one model.

    Attributes:
        built: how many builds ran; the others' keys were the last ones'.
        changed: partitions with another content.
        removed: partitions that it produces no longer.
        note: why it failed, was withheld, was never built or (a plan) would run; it quotes no data.
        checks: what they found; their rows are the only data that a run holds.
    """

    dataset: str
    status: Status
    built: int = 0
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    rows: int = 0
    seconds: float = 0.0
    checks: tuple[CheckOutcome, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """What making one model came to; nobody sees it before it is published.

    Attributes:
        changes: what publishing it changes; of a failed check, a note of that.
        results: the builds that ran.
        error: why it failed.
    """

    run: ModelRun
    changes: tuple[Change, ...] = ()
    schemas: Mapping[str, Schema] = field(default_factory=dict)
    results: tuple[Result, ...] = ()
    error: LakeError | None = None

    @property
    def withheld(self) -> bool:
        """Whether it failed, or hangs on one that did."""
        return self.run.status in ("failed", "withheld")


Memo = dict[tuple[str, str, str], Result]
"""Builds by dataset, scope and build key."""


def memo_of(made: Sequence[Made]) -> Memo:
    """Return what was built, for another attempt to reuse."""
    return {
        (one.run.dataset, result.unit.scope, result.unit.key): result
        for one in made
        for result in one.results
    }


def make(at: Bench, node: Node, before: Sequence[Made], memo: Memo) -> Made:
    """Build and check one model at a bench; if it passed, the bench's state holds it afterwards.

    Args:
        at: the bench, whose state holds what the models before it changed.
        node: the model.
        before: the models before it; where one of its inputs was withheld, so is it.
        memo: builds that another attempt ran.
    """
    withheld = {one.run.dataset for one in before if one.withheld}
    blocked = sorted(withheld & set(at.project.reads()[node.dataset]))
    if blocked:
        return Made(ModelRun(node.dataset, "withheld", note=f"{blocked[0]} was withheld"))
    started, state = time.monotonic(), at.state
    try:
        made = _make(at, node, memo)
    except (LakeError, duckdb.Error) as exc:
        at.state = state
        error = exc if isinstance(exc, LakeError) else failed(at, node, exc)
        made = Made(ModelRun(node.dataset, "failed", note=error.public), error=error)
    except RuntimeError as exc:
        # What a signal raises, DuckDB makes the cause of "Query interrupted".
        if exc.__cause__ is None or isinstance(exc.__cause__, Exception):
            raise
        raise exc.__cause__ from None
    return replace(made, run=replace(made.run, seconds=time.monotonic() - started))


def _make(at: Bench, node: Node, memo: Memo) -> Made:
    every = units(node, at.state)
    todo, lost = stale(node, at.state, every, at.project.periods), gone(node, at.state, every)
    if not todo and not lost:
        return _unchanged(at, node)
    results = tuple(_built(at, node, unit, memo) for unit in todo)
    outcome = assemble(at, node, every, results, lost)
    before, after = at.state, at.state.fork()
    prepare(at.log, before, outcome.changes, outcome.schemas)
    fold.apply_changes(after, [*outcome.changes, *outcome.builds], outcome.schemas)
    at.state = after
    checks = _check(at, node, node.model.checks, outcome.changed)
    if _wrong(checks):
        at.state = before
        return _refused(node, f"{node.dataset} was withheld", checks, results)
    return _passed(at, node, outcome, results, checks)


def _built(at: Bench, node: Node, unit: Unit, memo: Memo) -> Result:
    """Build a unit, or take what another attempt built with the same key."""
    key = (node.dataset, unit.scope, unit.key)
    if key not in memo:
        memo[key] = build(at, node, unit)
    return memo[key]


def _unchanged(at: Bench, node: Node) -> Made:
    """Leave a model as it is, unless what is published has gone stale meanwhile."""
    fresh = [one for one in node.model.checks if one.kind == "fresh"]
    known = node.dataset in at.state.datasets
    checks = _check(at, node, fresh, ()) if fresh and known else ()
    if _wrong(checks):
        return _refused(node, f"{node.dataset} stays as it was published", checks)
    empty = [one.dataset for one in node.inputs if one.dataset not in at.state.datasets]
    note = f"{empty[0]} has nothing yet" if empty and not known else ""
    run = ModelRun(node.dataset, "unchanged", checks=checks, note=note)
    return Made(run, _declaration(at, node))


def _wrong(checks: Sequence[CheckOutcome]) -> list[CheckOutcome]:
    return [check for check in checks if check.failed and check.severity == "error"]


def _refused(
    node: Node, what: str, checks: tuple[CheckOutcome, ...], results: tuple[Result, ...] = ()
) -> Made:
    wrong = _wrong(checks)
    error = CheckFailed(f"{what}: {'; '.join(f'{_counted(one)}: {_first(one)}' for one in wrong)}")
    error.told_as(f"{what}: {'; '.join(map(_counted, wrong))}")
    run = ModelRun(node.dataset, "failed", len(results), checks=checks, note=error.public)
    return Made(run, tuple(_failure(node, check) for check in wrong), {}, results, error)


def _passed(
    at: Bench,
    node: Node,
    outcome: Outcome,
    results: tuple[Result, ...],
    checks: tuple[CheckOutcome, ...],
) -> Made:
    """Return what a model changes; the checks' results go with its first build."""
    found = tuple(CheckResult(check.name, check.failed, check.severity) for check in checks)
    first, *others = outcome.builds
    builds: list[Built] = [replace(first, checks=found), *others]
    rows = at.state.datasets[node.dataset].rows if node.dataset in at.state.datasets else 0
    run = ModelRun(
        node.dataset, "built", len(results), outcome.changed, outcome.removed, rows, checks=checks
    )
    changes = (*outcome.changes, *builds, *_declaration(at, node))
    return Made(run, changes, outcome.schemas, results)


def _declaration(at: Bench, node: Node) -> tuple[Declare, ...]:
    """Return what the log is to keep of a model where it keeps another text: a new description."""
    text = node.model.text
    known = at.state.declared("model").get(node.model.name) == text
    return () if known else (Declare("model", node.model.name, text),)


def _check(
    at: Bench, node: Node, checks: Sequence[Check], changed: Sequence[str]
) -> tuple[CheckOutcome, ...]:
    """Run checks over the dataset as it would be published."""
    others = {name: at.relation(name) for name in node.looks_at}
    found = []
    for check in checks:
        scopes = [[text] for text in changed] if check.scope == "partition" else [None]
        parts = [
            run_check(
                at.connection,
                check,
                Sight(at.relation(node.dataset, scope), node.dataset, at.log.clock(), others),
            )
            for scope in scopes
        ]
        found += [_merged(parts)] if parts else []
    return tuple(found)


def _merged(parts: Sequence[CheckOutcome]) -> CheckOutcome:
    first = next((part for part in parts if part.failed), parts[0])
    return replace(first, failed=sum(part.failed for part in parts))


def _counted(check: CheckOutcome) -> str:
    rows = "row" if check.failed == 1 else "rows"
    return f"check {check.name} found {check.failed:,} {rows}"


def _first(check: CheckOutcome) -> str:
    return "; ".join(
        ", ".join(f"{name}={value}" for name, value in zip(check.columns, row, strict=True))
        for row in check.rows
    )


def _failure(node: Node, check: CheckOutcome) -> Note:
    data = {"name": check.name, "failed": str(check.failed), "severity": check.severity}
    return Note("check", node.dataset, data=data)
