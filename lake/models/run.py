"""Transform: build what is stale, check the whole of it, publish what passed as one commit."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from lake.catalog import fold
from lake.catalog.entries import Built, Change, CheckResult, Declare, Note, Schema
from lake.catalog.publish import Draft, publish
from lake.catalog.state import State
from lake.errors import CheckFailed, LakeError, SchemaConflict, VersionConflict
from lake.models.assemble import Outcome, assemble
from lake.models.build import Bench, Result, bench, build
from lake.models.check import CheckOutcome, Sight, run_check
from lake.models.project import Node, Project, project
from lake.models.unit import Unit, gone, stale, units
from lake.schema.admit import prepare

if TYPE_CHECKING:
    from lake.lake import Lake

Status = Literal["built", "unchanged", "failed", "withheld"]
TRIES = 5


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
class Transformed:
    """What a transform did: a run per model in order, the commit, and what failed."""

    runs: tuple[ModelRun, ...]
    commit: int | None = None
    errors: tuple[LakeError, ...] = ()


Told = Callable[[ModelRun], None]
Memo = dict[tuple[str, str, str], Result]


@dataclass(slots=True)
class _Attempt:
    """All models once, at one state."""

    at: Bench
    project: Project
    memo: Memo
    told: Told
    runs: list[ModelRun] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    schemas: dict[str, Schema] = field(default_factory=dict)
    errors: list[LakeError] = field(default_factory=list)
    withheld: dict[str, str] = field(default_factory=dict)


def transform(
    lake: "Lake", names: Sequence[str] = (), *, publish: bool = True, told: Told = lambda run: None
) -> Transformed:
    """Build the models of `names` (all without any) and what they wait for; publish what passed.

    It is pinned to the head as it is now. Where a partition that it writes moves meanwhile, it is
    planned again, whole, at the new head; builds whose key is unchanged are reused. A failed check
    or build withholds its model and everything that hangs on it; the rest is published.

    Args:
        lake: moved to the commit that was published.
        names: models, with or without `curated.`.
        publish: False builds and checks only.
        told: hears of each model as soon as it is settled.

    Raises:
        ModelInvalid: a model is none; nothing was built.
        VersionConflict: others kept publishing the same partitions. Safe to retry.
    """
    lake.refresh()
    memo: Memo = {}
    for left in reversed(range(TRIES)):
        found = project(lake)
        pinned = lake.state.fork()
        commit_id = lake.new_id()
        trial = lake.state.fork()
        with bench(lake.log, trial, found, commit_id=commit_id, run=lake.run) as at:
            attempt = _Attempt(at, found, memo, told)
            for node in found.chosen(names):
                _one(attempt, node)
        try:
            number = _publish(lake, attempt, pinned, commit_id) if publish else None
        except VersionConflict:
            if left == 0:
                raise
            continue
        return Transformed(tuple(attempt.runs), number, tuple(attempt.errors))
    raise AssertionError("unreachable")


def plan(lake: "Lake", names: Sequence[str] = ()) -> list[ModelRun]:
    """Return what a transform would run now, and why; it builds nothing."""
    lake.refresh()
    found = project(lake)
    runs: list[ModelRun] = []
    waiting: set[str] = set()
    for node in found.chosen(names):
        every = units(node, lake.state)
        todo = stale(node, lake.state, every)
        lost = gone(node, lake.state, every)
        behind = sorted(waiting & set(found.reads()[node.dataset]))
        if todo or lost or behind:
            waiting.add(node.dataset)
            runs.append(
                ModelRun(
                    node.dataset, "built", len(todo), note=_why(node, lake.state, todo, behind)
                )
            )
    return runs


def _why(node: Node, state: State, todo: Sequence[Unit], behind: Sequence[str]) -> str:
    """Say why a model would run."""
    last = state.built.get(node.dataset, {})
    if not last:
        return "never built"
    if behind:
        return f"{', '.join(behind)} runs before it"
    if not todo:
        return "an input partition is gone"
    since = min((last[unit.scope].commit for unit in todo if unit.scope in last), default=0)
    moved = [
        name
        for name in (*(item.dataset for item in node.inputs), *node.looks_at)
        if name in state.datasets and state.datasets[name].changed_in > since
    ]
    return f"{', '.join(moved)} changed" if moved else "its SQL, header or columns changed"


def _one(attempt: _Attempt, node: Node) -> None:
    """Build and check one model, and keep its changes if it passed."""
    blocked = [name for name in attempt.project.reads()[node.dataset] if name in attempt.withheld]
    started = time.monotonic()
    if blocked:
        note = f"{sorted(blocked)[0]} was withheld"
        _settle(attempt, ModelRun(node.dataset, "withheld", note=note))
        return
    before = attempt.at.state
    try:
        run = _build(attempt, node, started)
    except (LakeError, SchemaConflict) as error:
        attempt.at.state = before
        attempt.errors.append(error)
        run = ModelRun(node.dataset, "failed", note=str(error))
    _settle(attempt, replace(run, seconds=time.monotonic() - started))


def _settle(attempt: _Attempt, run: ModelRun) -> None:
    if run.status in ("failed", "withheld"):
        attempt.withheld[run.dataset] = run.note
    attempt.runs.append(run)
    attempt.told(run)


def _build(attempt: _Attempt, node: Node, started: float) -> ModelRun:
    at = attempt.at
    every = units(node, at.state)
    todo, lost = stale(node, at.state, every), gone(node, at.state, every)
    if not todo and not lost:
        return ModelRun(node.dataset, "unchanged")
    results = [_built(attempt, node, unit) for unit in todo]
    outcome = assemble(at, node, every, results, lost)
    before = at.state
    at.state = before.fork()
    prepare(at.log, before, outcome.changes, outcome.schemas)
    fold.apply_changes(at.state, [*outcome.changes, *outcome.builds], outcome.schemas)
    checks = _check(at, node, outcome)
    failed = [check for check in checks if check.failed and check.severity == "error"]
    if failed:
        at.state = before
        attempt.changes += [_failure(node, check) for check in failed]
        error = CheckFailed(f"{node.dataset} was withheld: {'; '.join(map(_told_of, failed))}")
        attempt.errors.append(error)
        return ModelRun(node.dataset, "failed", len(results), checks=checks, note=str(error))
    _keep(attempt, node, outcome, checks)
    rows = at.state.datasets[node.dataset].rows if node.dataset in at.state.datasets else 0
    return ModelRun(
        node.dataset, "built", len(results), outcome.changed, outcome.removed, rows, checks=checks
    )


def _built(attempt: _Attempt, node: Node, unit: Unit) -> Result:
    """Build a unit, or take what an earlier attempt of this run built with the same key."""
    key = (node.dataset, unit.scope, unit.key)
    if key not in attempt.memo:
        attempt.memo[key] = build(attempt.at, node, unit)
    return attempt.memo[key]


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


def _keep(
    attempt: _Attempt, node: Node, outcome: Outcome, checks: tuple[CheckOutcome, ...]
) -> None:
    """Keep what a model changes; the checks' results go with its first build."""
    results = tuple(CheckResult(check.name, check.failed, check.severity) for check in checks)
    builds: list[Built] = list(outcome.builds)
    builds[0] = replace(builds[0], checks=results)
    text = node.model.text
    declared = attempt.at.state.declared("model").get(node.model.name) == text
    attempt.changes += [*outcome.changes, *builds]
    attempt.changes += [] if declared else [Declare("model", node.model.name, text)]
    attempt.schemas.update(outcome.schemas)


def _publish(lake: "Lake", attempt: _Attempt, pinned: State, commit_id: str) -> int | None:
    """Publish what passed, unless something that it writes has moved since."""

    def look(state: State) -> Draft:
        refuse_moved(attempt.changes, pinned, state)
        prepare(lake.log, state, attempt.changes, attempt.schemas)
        return Draft(attempt.changes, attempt.schemas)

    return publish(
        lake.log,
        lake.state,
        look,
        commit_id=commit_id,
        message="transform",
        run=lake.run,
    )


def refuse_moved(changes: Sequence[Change], pinned: State, state: State) -> None:
    """Refuse a publication of which any part was overtaken: it never drops out one by one.

    Raises:
        VersionConflict: a partition or a build that it writes has moved.
    """
    if state.commit == pinned.commit:
        return
    for dataset, text in fold.touched(changes):
        if state.partition(dataset, text).versions != pinned.partition(dataset, text).versions:
            raise VersionConflict(f"{dataset}/{text} was published by somebody else meanwhile")
    for change in changes:
        if isinstance(change, Built) and _builds(state, change) != _builds(pinned, change):
            raise VersionConflict(f"{change.dataset} was built by somebody else meanwhile")


def _builds(state: State, change: Built) -> Mapping[str, Built]:
    return state.built.get(change.dataset, {})
