"""The flow `land`: a task stages each new partition of a source, and one commits them."""

import sys
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias, cast

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from lake.catalog.codec import build, plain
from lake.catalog.state import State as LakeState
from lake.config import Source
from lake.config.period import AT_ONCE
from lake.errors import LakeError, SourceIncomplete, VersionConflict, VersionHeld, raise_all
from lake.lake import Lake
from lake.landing.land import Absent, Found, stage_all, stage_one
from lake.landing.newer import is_appended, land_newer
from lake.landing.order import Landing, Order, Staged
from lake.landing.plan import plan as planned
from lake.landing.sources import chosen, commit_source, declaration, orders, outside, ready
from lake.landing.stage import Attempt, Known
from lake.words import size
from lake_flows import assets
from lake_flows.by_hand import run
from lake_flows.hooks import emit_news
from lake_flows.progress import tracked
from lake_flows.report import Report, Row
from lake_flows.reported import reported
from lake_flows.step import outcome, step
from lake_flows.where import Asked, Where, here

KINDS: dict[str, type[Found]] = {"staged": Staged, "known": Known, "absent": Absent}
Document = dict[str, Any]
Runner: TypeAlias = TaskRunner["PrefectFuture[Document]"]


class _Staging(NamedTuple):
    """Of one source: what it says has not changed, and the tasks that stage the rest."""

    unchanged: list[Document]
    futures: Sequence["PrefectFuture[Document]"]


@flow(name="land", on_completion=[emit_news], on_failure=[emit_news])
def land(
    lake: str | None = None,
    env: str | None = None,
    project: str | None = None,
    sources: list[str] | None = None,
    since: str | None = None,
    until: str | None = None,
    timezone: str | None = None,
    at_once: int = AT_ONCE,
    plan: bool = False,
    now: datetime | None = None,
) -> State[Any]:
    """Land what the sources hold now; one commit per source, each independent of the others.

    All partitions are asked for changes, whatever the run's interval: one that was skipped or
    cancelled leaves no hole. Landing the same bytes again adds nothing.

    Args:
        lake: its URL; without it `LAKE_URL`, else what `lake.toml` says.
        env: the `[env.NAME]` of `lake.toml`.
        project: the folder of `lake.toml`; without one the lake's log says what its sources are.
        sources: names; all without any.
        since: the first period, such as `2024-01`.
        until: the last one.
        timezone: the zone in which periods are counted; the lake's if not said.
        at_once: how many partitions are fetched beside each other.
        plan: only say what is missing or changed; nothing is fetched or written.
        now: the time that periods are counted to; the scheduled one if not said.
    """
    where, asked = here(lake, env, project), Asked(since, until, timezone, at_once)

    def work(lake: Lake, report: Report) -> None:
        wanted = chosen(lake, sources or ())
        land_all(lake, report, where, wanted, asked, now or due(), plan=plan)

    return reported("land", where, work)


def land_all(
    lake: Lake,
    report: Report,
    where: Where,
    wanted: list[Source],
    asked: Asked,
    at: datetime,
    *,
    plan: bool,
) -> None:
    """Land sources, or plan to, in the flow run of this context."""
    for text in outside(wanted, asked.since, asked.until):
        get_run_logger().warning("%s", text)
    if plan:
        _plan(lake, report, wanted, asked, at.isoformat())
    else:
        _land(lake, report, where, wanted, asked, at.isoformat())


def _plan(lake: Lake, report: Report, wanted: list[Source], asked: Asked, at: str) -> None:
    """Say what would be fetched of each source, and how much that is."""
    for source in wanted:
        try:
            for one in planned(lake.state, _orders(lake, ready(source), asked, at)):
                note = size(one.bytes) if one.bytes is not None else ""
                report.add(Row("land", one.order.name, one.what, note=note, version=one.version))
                if one.error:
                    report.fail(one.error)
        except LakeError as error:
            report.fail(error)


def _land(
    lake: Lake, report: Report, where: Where, wanted: list[Source], asked: Asked, at: str
) -> None:
    """Let the tasks of all sources run beside each other; tell of each source when it is done."""
    runner: Runner = cast(Any, ThreadPoolTaskRunner(max_workers=asked.at_once))
    whole, appended = [], []
    with runner:
        for one in wanted:
            if is_appended(one):
                told = {"where": where, "source": one.name}
                appended.append((one, runner.submit(append_newer, told)))
            else:
                whole.append((one, _stage(runner, lake, report, where, one.name, asked, at)))
        for source, staging in whole:
            for landing in _commit(report, where, source.name, asked, at, staging):
                _tell(report, lake, source, landing)
        for source, future in appended:
            for landing in _appended(report, future):
                _tell(report, lake, source, landing)
    lake.refresh()
    there = lake.state.datasets
    report.silent += [one.name for one in wanted if one.dataset not in there]


def _appended(report: Report, future: "PrefectFuture[Document]") -> Iterator[Landing]:
    future.wait()
    found = outcome(future.state)
    if isinstance(found, Exception):
        report.fail(found)
    else:
        yield build(Landing, found)


def due() -> datetime:
    """Return the time that a run stands for: it may start a little before it, or much later."""
    scheduled = flow_run.scheduled_start_time
    assert isinstance(scheduled, datetime)
    return scheduled


def _stage(
    runner: Runner,
    lake: Lake,
    report: Report,
    where: Where,
    source: str,
    asked: Asked,
    at: str,
) -> _Staging:
    """Let a task stage each partition, but those that the source says have not changed."""
    try:
        _, wanted = orders_of(where, source, asked, at)
    except LakeError as error:
        report.fail(error)
        return _Staging([], [])
    unchanged: list[Document] = []
    if len(_landed(lake.state, wanted.values())) > 1:
        found = outcome(ask_source(where, source, asked, at, return_state=True))
        # What could not be asked is staged: that says why.
        unchanged = [] if isinstance(found, Exception) else found
    known = {one["name"] for one in unchanged}
    said = {"where": where, "source": source, "asked": asked, "at": at}
    futures = [
        runner.submit(stage_partition, {**said, "name": name})
        for name in wanted
        if name not in known
    ]
    return _Staging(unchanged, futures)


def _commit(
    report: Report, where: Where, source: str, asked: Asked, at: str, staging: _Staging
) -> list[Landing]:
    """Commit what could be staged, whatever failed beside it."""
    staged = staging.unchanged
    for future in tracked(staging.futures, "lake-land-progress"):
        future.wait()
        found = outcome(future.state)
        if isinstance(found, Exception):
            report.fail(found)
        else:
            staged.append(found)
    if not staged and not staging.futures:
        return []
    landed = outcome(commit_staged(where, source, staged, asked, at, return_state=True))
    if isinstance(landed, Exception):
        report.fail(landed)
        return []
    for text in landed["unread"]:
        report.fail(LakeError(text))
    return [build(Landing, document) for document in landed["landings"]]


def _tell(report: Report, lake: Lake, source: Source, landing: Landing) -> None:
    report.add(
        Row(
            "land",
            landing.name,
            landing.outcome,
            landing.rows,
            landing.note or (f"v{landing.version}" if landing.version else ""),
            version=landing.version,
            rejected=landing.rejected,
            asset=assets.of_dataset(lake, landing.dataset),
            inputs=(assets.of_source(source),),
            is_appended=is_appended(source),
        )
    )
    if landing.outcome == "held":
        report.fail(VersionHeld(f"{landing.name} is held: {landing.note}"))


@step("ask {source}")
def ask_source(where: Where, source: str, asked: Asked, at: str) -> list[Document]:
    """Ask for what the lake has whether it has changed; what has is fetched by tasks of its own.

    Returns:
        What has not changed, as `stage_partition` would tell it.
    """
    lake, wanted = orders_of(where, source, asked, at)
    there = _landed(lake.state, wanted.values())
    return [_found(one.order.name, one.known) for one in planned(lake.state, there) if one.known]


def _landed(state: LakeState, wanted: Collection[Order]) -> list[Order]:
    """Return the orders of partitions that the lake has something of."""
    state.prefetch((one.dataset, one.partition) for one in wanted)
    return [one for one in wanted if state.partition(one.dataset, one.partition).versions]


@step("stage {name}")
def stage_partition(where: Where, source: str, name: str, asked: Asked, at: str) -> Document:
    """Bring one partition's bytes into the bucket, unless the lake has them; nobody sees them.

    Returns:
        The order's name, what was found there (`staged`, `known`, `absent`) and what is known of
        it.

    Raises:
        SourceIncomplete: where a run goes on in another process, its source has it no longer.
    """
    lake, wanted = orders_of(where, source, asked, at)
    if name not in wanted:
        raise SourceIncomplete(
            f"{name} was there when this run began, and is not now: run the flow again"
        )
    return _found(name, stage_one(_attempt(lake), lake.state, wanted[name]))


def _found(name: str, found: Found) -> Document:
    kind = next(kind for kind, one in KINDS.items() if isinstance(found, one))
    return {"name": name, "kind": kind, "found": plain(found)}


@step("append {source}")
def append_newer(where: Where, source: str) -> Document:
    """Append what a source holds beyond its cursor; each attempt looks again where that is."""
    lake = where.open()
    declared = _source(lake, source)
    document: Document = plain(land_newer(lake, declared, declaration(declared)))
    return document


@step("commit {source}")
def commit_staged(
    where: Where, source: str, staged: list[Document], asked: Asked, at: str
) -> Document:
    """Publish what was staged of one source as one commit.

    What an earlier attempt staged is published too, after another look at where it goes. Where it
    can be published no longer, or the source shows other partitions now, they are landed anew.

    Returns:
        The `landings`, and what is held and could not be read again (`unread`).
    """
    lake, (_, known) = where.open(), orders_of(where, source, asked, at)
    wanted, declared = list(known.values()), _source(lake, source)
    told = {one["name"]: one for one in staged}
    found: list[tuple[Order, Found]] = [
        (order, build(KINDS[told[name]["kind"]], told[name]["found"]))
        for name, order in known.items()
        if name in told
    ]
    try:
        if len(found) < len(staged):
            raise VersionConflict(f"{source} shows other partitions than when this run began")
        landed = commit_source(lake, declared, _attempt(lake), found, wanted=wanted)
    except VersionConflict:
        landed = _anew(lake, declared, wanted)
    landings, unread = landed
    return {"landings": [plain(one) for one in landings], "unread": [one.public for one in unread]}


def _anew(lake: Lake, source: Source, wanted: list[Order]) -> tuple[list[Landing], list[LakeError]]:
    """Land what a source was asked for at the time of this run, from where the lake is now."""
    lake.refresh()
    attempt = _attempt(lake)
    found, errors = stage_all(attempt, lake.state, wanted, force=False)
    landed = commit_source(lake, source, attempt, found, wanted=wanted)
    raise_all(errors)
    return landed


def _attempt(lake: Lake) -> Attempt:
    return Attempt(lake.log, lake.new_id(), lake.run)


def _source(lake: Lake, name: str) -> Source:
    return ready(chosen(lake, [name])[0])


@lru_cache(maxsize=1024)
def orders_of(where: Where, source: str, asked: Asked, at: str) -> tuple[Lake, dict[str, Order]]:
    """Return what a source is asked for, by name, and the lake as it was found then.

    Kept in this process, for all sources of a run: URLs may hold secrets, so tasks are told names,
    and look them up here. That the lake has moved on meanwhile is for the commit to see, which
    opens it anew.
    """
    lake = _as_found(where, at)
    found = _orders(lake, _source(lake, source), asked, at)
    lake.state.prefetch((order.dataset, order.partition) for order in found)
    return lake, {order.name: order for order in found}


@lru_cache(maxsize=1)
def _as_found(where: Where, at: str) -> Lake:
    """Return the lake as the run of that time found it."""
    return where.open()


def _orders(lake: Lake, source: Source, asked: Asked, at: str) -> list[Order]:
    return orders(
        lake,
        source,
        since=asked.since,
        until=asked.until,
        now=datetime.fromisoformat(at),
        timezone=asked.timezone or "",
    )


if __name__ == "__main__":
    sys.exit(run(land))
