"""What a server keeps of a lake's deployments, and what is to be done about it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowFilter, FlowFilterName
from prefect.client.schemas.responses import DeploymentResponse

from lake.errors import InvalidConfig
from lake.words import short
from lake_flows.deployments import schedule
from lake_flows.deployments.wanted import MADE, NOTHING_ELSE, WAITS, Wanted

LABEL = "clearlake.lake"
"""The label that tells whose a deployment is, by the lake's id; nobody edits it by hand."""

What = Literal["create", "change", "resume", "remove", "unchanged"]
_PAGE = 200


@dataclass(frozen=True, slots=True)
class Kept:
    """A deployment as the server keeps it, in the form that `Wanted` has.

    Attributes:
        slugged: the schedules that somebody gave a name, which the server replaces by it only.
    """

    id: str
    flow: str
    name: str
    lake: str
    paused: bool
    fields: Mapping[str, Any]
    slugged: tuple[UUID, ...] = ()

    @property
    def path(self) -> str:
        """The name that Prefect's own commands take."""
        return f"{self.flow}/{self.name}"


@dataclass(frozen=True, slots=True)
class Change:
    """One field: as it is there, and as `lake.toml` wants it."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done about one deployment; `paused`: a person stopped it, and it stays so."""

    what: What
    path: str
    changes: tuple[Change, ...] = ()
    paused: bool = False
    wanted: Wanted | None = None
    kept: Kept | None = None


async def kept(client: PrefectClient) -> list[Kept]:
    """Return all deployments of our flows' names, whoever made them."""
    flows = await client.read_flows(
        flow_filter=FlowFilter(name=FlowFilterName(any_=list(MADE))), limit=_PAGE
    )
    names = {flow.id: flow.name for flow in flows}
    found: list[Kept] = []
    while names:
        page = await client.read_deployments(
            flow_filter=FlowFilter(name=FlowFilterName(any_=list(MADE))),
            limit=_PAGE,
            offset=len(found),
        )
        found += [_kept(one, names[one.flow_id]) for one in page]
        if len(page) < _PAGE:
            break
    return found


def _kept(one: DeploymentResponse, flow: str) -> Kept:
    limit = one.global_concurrency_limit
    # A schedule's own parameters, which go before the deployment's, are made by hand.
    schedules = [
        each.schedule.model_dump(mode="json")
        | ({"parameters": each.parameters} if each.parameters else {})
        for each in one.schedules
    ]
    is_stopped = bool(one.schedules) and not any(each.active for each in one.schedules)
    fields = {
        "entrypoint": one.entrypoint,
        "description": one.description or "",
        "version": one.version,
        "parameters": one.parameters,
        "parameter_openapi_schema": one.parameter_openapi_schema,
        "enforce_parameter_schema": one.enforce_parameter_schema,
        "tags": sorted(one.tags),
        "concurrency_limit": limit.limit if limit else None,
        "concurrency_options": _options(one) if limit else None,
        "work_pool_name": one.work_pool_name,
        "work_queue_name": one.work_queue_name if one.work_pool_name else None,
        "job_variables": one.job_variables,
        "schedules": [schedule.found(each) for each in schedules],
        **{key: getattr(one, key) or None for key in NOTHING_ELSE},
    }
    lake = str((one.labels or {}).get(LABEL, ""))
    slugged = tuple(each.id for each in one.schedules if each.slug)
    return Kept(str(one.id), flow, one.name, lake, one.paused or is_stopped, fields, slugged)


def _options(one: DeploymentResponse) -> dict[str, Any]:
    said = one.concurrency_options
    # A server that is told nothing of it lets runs wait, and keeps nothing.
    return said.model_dump(mode="json", exclude_none=True) if said else WAITS


def steps(
    lake_id: str, wanted: Sequence[Wanted], there: Iterable[Kept], *, prune: bool
) -> list[Step]:
    """Compare what is wanted with what is there.

    Args:
        lake_id: whose deployments may be changed and removed.
        wanted: the deployments of `lake.toml`.
        there: all of the server's.
        prune: remove those of this lake that are not wanted.

    Raises:
        InvalidConfig: a name is taken by somebody else.
    """
    by_path = {one.path: one for one in there}
    found = [_step(lake_id, one, by_path.get(one.path)) for one in wanted]
    paths = {one.path for one in wanted}
    gone = [one for one in by_path.values() if one.lake == lake_id and one.path not in paths]
    return found + [Step("remove", one.path, kept=one) for one in gone if prune]


def _step(lake_id: str, one: Wanted, there: Kept | None) -> Step:
    if there is None:
        return Step("create", one.path, wanted=one)
    if there.lake != lake_id:
        whose = f"was made for another lake ({there.lake})" if there.lake else "was made by hand"
        raise InvalidConfig(
            f"the server has a deployment {one.path} already, which {whose}: give [deployments."
            f"{one.name}] another name, or `prefect deployment delete {one.path}`"
        )
    changes = tuple(
        Change(field, there.fields[field], after)
        for field, after in one.fields.items()
        if there.fields[field] != after
    )
    what: What = "change" if changes else "unchanged"
    return Step(what, one.path, changes, there.paused, one, there)


def told(change: Change) -> str:
    """Return a change as people read it."""
    if change.field == "schedules":
        before, after = schedule.shown(change.before), schedule.shown(change.after)
        return f"schedule {before} → {after}"
    if change.field == "parameter_openapi_schema":
        return "the flow's parameters are described anew"
    if isinstance(change.before, dict) and isinstance(change.after, dict):
        keys = sorted(change.before.keys() | change.after.keys())
        pairs = [(key, change.before.get(key), change.after.get(key)) for key in keys]
        return ", ".join(
            f"{change.field}.{key} {_shown(before)} → {_shown(after)}"
            for key, before, after in pairs
            if before != after
        )
    return f"{change.field} {_shown(change.before)} → {_shown(change.after)}"


def _shown(value: Any) -> str:
    return "none" if value is None or value == [] else short(str(value), 80)
