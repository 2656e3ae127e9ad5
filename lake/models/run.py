"""Transform: build what is stale, check the whole of it, publish what passed as one commit."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import duckdb

from lake.catalog import fold, snapshot
from lake.catalog.entries import Built, Change, Schema
from lake.catalog.publish import Draft, publish
from lake.catalog.state import State
from lake.config.period import ALL, Periods
from lake.errors import LakeError, VersionConflict
from lake.models.bench import bench
from lake.models.build import Result, build, failed
from lake.models.discard import discard
from lake.models.make import Made, Memo, ModelRun, make, memo_of
from lake.models.project import Node, project
from lake.models.unit import Unit, gone, stale, units
from lake.schema.admit import prepare
from lake.words import listed

if TYPE_CHECKING:
    from lake.lake import Lake

TRIES = 5


@dataclass(frozen=True, slots=True)
class Transformed:
    """What a transform did: a run per model in order, the commit, and what failed."""

    runs: tuple[ModelRun, ...] = ()
    commit: int | None = None
    errors: tuple[LakeError, ...] = ()


Told = Callable[[ModelRun], None]


def transform(
    lake: "Lake",
    names: Sequence[str] = (),
    *,
    publish: bool = True,
    told: Told = lambda run: None,
    memo: Memo | None = None,
    periods: Periods = ALL,
) -> Transformed:
    """Build the models of `names` (all without any) and what they wait for; publish what passed.

    Where a partition that it writes moves meanwhile, all is planned again, and equal builds are
    reused. A failed check or build withholds its model and what hangs on it.

    Args:
        lake: moved to the commit that was published.
        names: models, with or without `curated.`.
        publish: False builds and checks only.
        told: hears of each model as soon as it is settled.
        memo: builds that need not run again.
        periods: those to build.

    Raises:
        ModelInvalid: a model is none; nothing was built.
        VersionConflict: others kept publishing the same partitions. Safe to retry.
    """
    lake.refresh()
    given, memo = memo or {}, dict(memo or {})
    for left in reversed(range(TRIES)):
        try:
            made, number = _once(lake, names, memo, told, periods, publish=publish)
        except VersionConflict:
            if left:
                continue
            raise
        own = (memo[key] for key in memo.keys() - given.keys())
        discard(lake.log, own, _changes(made) if number else ())
        return _transformed(made, number)
    raise AssertionError("unreachable")


def _once(
    lake: "Lake",
    names: Sequence[str],
    memo: Memo,
    told: Told,
    periods: Periods,
    *,
    publish: bool,
) -> tuple[list[Made], int | None]:
    """Make and publish from where the lake is now; fail if that has moved."""
    pinned, commit_id = lake.state.fork(), lake.new_id()
    made = _make_all(lake, names, commit_id, memo, told, periods)
    return made, _publish(lake, made, pinned, commit_id) if publish else None


def _make_all(
    lake: "Lake", names: Sequence[str], commit_id: str, memo: Memo, told: Told, periods: Periods
) -> list[Made]:
    found = project(lake, periods)
    made: list[Made] = []
    trial = lake.state.fork()
    with bench(lake.log, trial, found, commit_id=commit_id, run=lake.run) as at:
        for node in found.chosen(names):
            made.append(make(at, node, made, memo))
            told(made[-1].run)
    return made


def _transformed(made: Sequence[Made], number: int | None) -> Transformed:
    errors = tuple(one.error for one in made if one.error)
    return Transformed(tuple(one.run for one in made), number, errors)


def due_parts(lake: "Lake", name: str, before: Sequence[Made], periods: Periods = ALL) -> list[str]:
    """Return the scopes of one model that are to be built; see `make_model`."""
    node = project(lake).chosen([name])[-1]
    state = _after(lake, before)
    return [unit.scope for unit in stale(node, state, units(node, state), periods)]


def build_part(
    lake: "Lake", name: str, scope: str, before: Sequence[Made], *, memory: int | None = None
) -> Result:
    """Build one scope of a model, wherever that is; `make_model` takes it as `built`.

    Args:
        lake: open at the commit that all of this transform see.
        name: the model.
        scope: such as `month=2024-01`.
        before: the models that it waits for.
        memory: the bytes that DuckDB may take, where something kills who takes more; what does
            not fit is spilled. Without it, DuckDB takes most of the machine's.

    Raises:
        ModelInvalid, BuildFailed, StoreUnavailable: see `build`.
    """
    found = project(lake)
    state = _after(lake, before)
    with bench(lake.log, state, found, commit_id=lake.new_id(), run=lake.run, memory=memory) as at:
        node = found.chosen([name])[-1]
        unit = next(one for one in units(node, at.state) if one.scope == scope)
        try:
            return build(at, node, unit)
        except duckdb.Error as exc:
            raise failed(at, node, exc, scope) from exc


def _after(lake: "Lake", before: Sequence[Made]) -> State:
    """Return the lake's state as it would be with what was made before."""
    trial = lake.state.fork()
    for one in before:
        fold.apply_changes(trial, one.changes, one.schemas)
    return trial


def make_model(
    lake: "Lake",
    name: str,
    before: Sequence[Made],
    periods: Periods = ALL,
    *,
    built: Sequence[Result] = (),
) -> Made:
    """Make one model of a transform that is done in steps, at the commit that the lake is open at.

    Args:
        lake: all steps of one transform see it at the same commit.
        name: the model.
        before: the models that it waits for, as this function made them, in order.
        periods: those of which partitions are built.
        built: what `build_part` built of it already.

    Raises:
        ModelInvalid, NoSuchModel: a model is none, or there is none of this name.
    """
    found = project(lake, periods)
    dataset = found.chosen([name])[-1].dataset
    memo: Memo = {(dataset, one.unit.scope, one.unit.key): one for one in built}
    with bench(lake.log, _after(lake, before), found, commit_id=lake.new_id(), run=lake.run) as at:
        made = make(at, found.chosen([name])[-1], before, memo)
    if not made.withheld:
        return made
    discard(lake.log, memo.values())
    return replace(made, results=())


def publish_made(
    lake: "Lake",
    names: Sequence[str],
    made: Sequence[Made],
    *,
    pinned: int,
    periods: Periods = ALL,
) -> Transformed:
    """Publish what the steps of a transform made at commit `pinned`, as one commit.

    Where a partition that it writes has moved meanwhile, all is planned again at the new head, and
    builds whose key is unchanged are reused.

    Raises:
        VersionConflict: others kept publishing the same partitions. Safe to retry.
    """
    lake.refresh()
    before = snapshot.state_at(lake.log, lake.state, pinned)
    try:
        return _transformed(made, _publish(lake, made, before, lake.new_id()))
    except VersionConflict:
        return transform(lake, names, memo=memo_of(made), periods=periods)


def plan(lake: "Lake", names: Sequence[str] = (), periods: Periods = ALL) -> list[ModelRun]:
    """Return what a transform would run now, and why; it builds nothing."""
    lake.refresh()
    found = project(lake, periods)
    runs: list[ModelRun] = []
    waiting: set[str] = set()
    for node in found.chosen(names):
        every = units(node, lake.state)
        todo = stale(node, lake.state, every, periods)
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
    new = [unit.scope for unit in todo if unit.scope and unit.scope not in last]
    if len(new) == len(todo):
        return f"{listed(new)} not built yet"
    since = min((last[unit.scope].commit for unit in todo if unit.scope in last), default=0)
    moved = [
        name
        for name in (*(item.dataset for item in node.inputs), *node.looks_at)
        if name in state.datasets and state.datasets[name].changed_in > since
    ]
    return f"{', '.join(moved)} changed" if moved else "its SQL, header or columns changed"


def _changes(made: Sequence[Made]) -> list[Change]:
    return [change for one in made for change in one.changes]


def _publish(lake: "Lake", made: Sequence[Made], pinned: State, commit_id: str) -> int | None:
    """Publish what passed, unless something that it writes has moved since."""
    changes = _changes(made)
    schemas: dict[str, Schema] = {}
    for one in made:
        schemas.update(one.schemas)

    def look(state: State) -> Draft:
        refuse_moved(changes, pinned, state)
        notes = prepare(lake.log, state, changes, schemas)
        return Draft([*changes, *notes], schemas)

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
