"""The three verbs in sequence: land, transform, load; what fails stops only what hangs on it."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from lake.config.period import AT_ONCE, Periods
from lake.errors import LakeError, SeveralFailed
from lake.landing import plan as landing
from lake.landing.order import Landing, Order
from lake.landing.plan import Planned
from lake.landing.sources import chosen, land_sources, orders, sources
from lake.models import run as models
from lake.models.make import ModelRun
from lake.models.run import Transformed
from lake.warehouse import run as warehouse
from lake.warehouse.declared import tables
from lake.warehouse.ledger import TableLoaded

if TYPE_CHECKING:
    from lake.lake import Lake

Done: TypeAlias = Landing | ModelRun | TableLoaded
Told: TypeAlias = Callable[[Done], None]
_T = TypeVar("_T", bound=Done)


@dataclass(frozen=True, slots=True)
class Elt:
    """What a sequence did, stage by stage, and what failed."""

    landings: tuple[Landing, ...]
    transformed: Transformed
    loaded: tuple[TableLoaded, ...]
    errors: tuple[LakeError, ...] = ()


@dataclass(frozen=True, slots=True)
class EltPlan:
    """What a sequence would ask for, run and load, as things are before it.

    Attributes:
        landings: the partitions that sources are asked for, and what each would come to.
        runs: the models that are stale already.
        loads: per table the partitions that the warehouse lacks already.
        errors: what cannot be planned.
    """

    landings: tuple[Planned, ...]
    runs: tuple[ModelRun, ...]
    loads: Mapping[str, Sequence[str]]
    errors: tuple[LakeError, ...] = ()


def elt(
    lake: "Lake",
    *,
    since: str | None = None,
    until: str | None = None,
    at_once: int = AT_ONCE,
    told: Told = lambda done: None,
) -> Elt:
    """Land every source, build every stale model, load every table.

    A stage with nothing declared is left out. What fails stops only what hangs on it: the other
    sources land, models are built from what was published, and tables are loaded from it. Safe to
    run twice, beside itself, and after a kill.

    Args:
        lake: moved to the last commit.
        since: the first period that is landed, built and loaded, such as `2024-01`.
        until: the last one.
        at_once: how many partitions of a source are fetched beside each other.
        told: hears of each partition, model and table as soon as it is settled.

    Returns:
        What was done, with every error; none is raised, but for what is no period.
    """
    errors: list[LakeError] = []
    landings: list[Landing] = []
    periods = Periods(since or "", until or "")
    with collected(errors):
        if sources(lake):
            told_landing = _both(landings, told)
            land_sources(lake, (), since=since, until=until, at_once=at_once, told=told_landing)
    done = Transformed()
    with collected(errors):
        done = models.transform(lake, told=told, periods=periods)
        errors += done.errors
    loaded = _load(lake, done, errors, told, periods)
    return Elt(tuple(landings), done, tuple(loaded), tuple(errors))


def plan(lake: "Lake", *, since: str | None = None, until: str | None = None) -> EltPlan:
    """Return what a sequence would do now: sources are asked, nothing is fetched or changed."""
    errors: list[LakeError] = []
    asked: list[Order] = []
    runs: list[ModelRun] = []
    loads: dict[str, list[str]] = {}
    periods = Periods(since or "", until or "")
    for source in chosen(lake, ()) if sources(lake) else ():
        with collected(errors):
            asked += orders(lake, source, since=since, until=until)
    with collected(errors):
        runs += models.plan(lake, periods=periods)
    published = [name for name in tables(lake) if f"curated.{name}" in lake.state.datasets]
    for name in published:
        with collected(errors):
            loads |= warehouse.plan(lake, [name], periods=periods)
    planned = landing.plan(lake.state, asked)
    errors += [one.error for one in planned if one.error]
    return EltPlan(tuple(planned), tuple(runs), loads, tuple(errors))


def _load(
    lake: "Lake", done: Transformed, errors: list[LakeError], told: Told, periods: Periods
) -> list[TableLoaded]:
    loaded: list[TableLoaded] = []
    with collected(errors):
        failed = {run.dataset for run in done.runs if run.status in ("failed", "withheld")}
        names = loadable(lake, failed)
        if names:
            warehouse.load_tables(lake, names, told=_both(loaded, told), periods=periods)
    return loaded


def loadable(lake: "Lake", failed: Collection[str]) -> list[str]:
    """Return the tables to load; not those that were never published because a model failed."""
    return [
        name
        for name in tables(lake)
        if f"curated.{name}" in lake.state.datasets or f"curated.{name}" not in failed
    ]


def _both(kept: list[_T], told: Told) -> Callable[[_T], None]:
    def hear(one: _T) -> None:
        kept.append(one)
        told(one)

    return hear


@contextmanager
def collected(errors: list[LakeError]) -> Iterator[None]:
    """Keep what fails inside, each error on its own, and go on behind it."""
    try:
        yield
    except SeveralFailed as several:
        errors += several.errors
    except LakeError as error:
        errors.append(error)
