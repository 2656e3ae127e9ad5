"""One model made: its stale units built, put together with the rest, and checked."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from lake.catalog import fold
from lake.catalog.entries import Built, Change, CheckResult, Declare, Note, Schema
from lake.errors import CheckFailed, LakeError
from lake.models.assemble import Outcome, assemble
from lake.models.build import Bench, Result, build
from lake.models.check import CheckOutcome, Sight, run_check
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
        note: why it failed, was withheld, or (a plan) would run.
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
    except LakeError as error:
        at.state = state
        made = Made(ModelRun(node.dataset, "failed", note=str(error)), error=error)
    return replace(made, run=replace(made.run, seconds=time.monotonic() - started))


def _make(at: Bench, node: Node, memo: Memo) -> Made:
    every = units(node, at.state)
    todo, lost = stale(node, at.state, every), gone(node, at.state, every)
    if not todo and not lost:
        return Made(ModelRun(node.dataset, "unchanged"))
    results = tuple(_built(at, node, unit, memo) for unit in todo)
    outcome = assemble(at, node, every, results, lost)
    before = at.state
    at.state = before.fork()
    prepare(at.log, before, outcome.changes, outcome.schemas)
    fold.apply_changes(at.state, [*outcome.changes, *outcome.builds], outcome.schemas)
    checks = _check(at, node, outcome)
    if any(check.failed and check.severity == "error" for check in checks):
        at.state = before
        return _refused(node, results, checks)
    return _passed(at, node, outcome, results, checks)


def _built(at: Bench, node: Node, unit: Unit, memo: Memo) -> Result:
    """Build a unit, or take what another attempt built with the same key."""
    key = (node.dataset, unit.scope, unit.key)
    if key not in memo:
        memo[key] = build(at, node, unit)
    return memo[key]


def _refused(node: Node, results: tuple[Result, ...], checks: tuple[CheckOutcome, ...]) -> Made:
    failed = [check for check in checks if check.failed and check.severity == "error"]
    error = CheckFailed(f"{node.dataset} was withheld: {'; '.join(map(_told_of, failed))}")
    run = ModelRun(node.dataset, "failed", len(results), checks=checks, note=str(error))
    return Made(run, tuple(_failure(node, check) for check in failed), {}, results, error)


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
    text = node.model.text
    declared = at.state.declared("model").get(node.model.name) == text
    declare = () if declared else (Declare("model", node.model.name, text),)
    rows = at.state.datasets[node.dataset].rows if node.dataset in at.state.datasets else 0
    run = ModelRun(
        node.dataset, "built", len(results), outcome.changed, outcome.removed, rows, checks=checks
    )
    return Made(run, (*outcome.changes, *builds, *declare), outcome.schemas, results)


def _check(at: Bench, node: Node, outcome: Outcome) -> tuple[CheckOutcome, ...]:
    """Run every check over the dataset as it would be published."""
    others = {name: at.relation(name) for name in node.looks_at}
    found = []
    for check in node.model.checks:
        scopes = [[text] for text in outcome.changed] if check.scope == "partition" else [None]
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


def _told_of(check: CheckOutcome) -> str:
    rows = "row" if check.failed == 1 else "rows"
    first = "; ".join(
        ", ".join(f"{name}={value}" for name, value in zip(check.columns, row, strict=True))
        for row in check.rows
    )
    return f"check {check.name} found {check.failed:,} {rows}: {first}"


def _failure(node: Node, check: CheckOutcome) -> Note:
    data = {"name": check.name, "failed": str(check.failed), "severity": check.severity}
    return Note("check", node.dataset, data=data)
