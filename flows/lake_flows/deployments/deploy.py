"""`deploy`: make the server keep what `lake.toml` names, with as few requests as that takes."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from uuid import UUID

from prefect.client.orchestration import PrefectClient

from lake.config import Config
from lake_flows import automations, zombies
from lake_flows.api import connected, unless_gone
from lake_flows.deployments import alarms, pools, sinks
from lake_flows.deployments.plan import LABEL, Kept, Step, kept, steps
from lake_flows.deployments.wanted import MAIL, Wanted

T = TypeVar("T")
_TOGETHER = 8
"""More writers at once only wait for each other, on SQLite above all."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """What was done, or would be; and the pools whose runs nobody fetches."""

    steps: tuple[Step, ...]
    ids: dict[UUID, str]
    unwatched: tuple[str, ...] = ()
    alarms: tuple[automations.Step, ...] = ()


async def deploy(
    lake_id: str,
    config: Config,
    wanted: Sequence[Wanted],
    *,
    resume: Sequence[str] = (),
    prune: bool = True,
    is_plan: bool = False,
    first: Callable[[], object] = lambda: None,
) -> Deployed:
    """Create, change and remove deployments of one lake; without a difference, write nothing.

    Safe to run twice and beside itself. What a person paused stays paused. The server gets the
    automation that ends silent runs, too, as one of `lake server` has it.

    Args:
        lake_id: the lake's id.
        config: what `lake.toml` says: of alerts, and of what is expected of sources.
        wanted: what `lake.toml` names.
        resume: names of paused deployments that are to run again.
        prune: remove those of this lake that are not wanted.
        is_plan: do nothing but look.
        first: called once nothing is known that would be refused, before anything is written.

    Raises:
        NoServer, ServerRefused, InvalidConfig, SeveralFailed: see there.
    """
    async with connected() as client:
        used, there = await asyncio.gather(pools.check(client, wanted), kept(client))
        found = [_resumed(one, resume) for one in steps(lake_id, wanted, there, prune=prune)]
        ids = {UUID(one.kept.id): one.path for one in found if one.kept and one.wanted}
        if not is_plan:
            first()
            ids |= await _carry_out(client, lake_id, found)
        mine = _left(lake_id, there, found, is_plan=is_plan) | ids
        told = await _alarms(client, lake_id, config, mine, is_plan=is_plan)
        idle = await _together(pools.unwatched(client, pool) for pool in used)
    nobody = tuple(pool for pool, is_idle in zip(used, idle, strict=True) if is_idle)
    return Deployed(tuple(found), ids, nobody, tuple(told))


async def _carry_out(client: PrefectClient, lake_id: str, found: Sequence[Step]) -> dict[UUID, str]:
    """Do the steps; return the deployments that were made."""
    await zombies.ensure(client)
    flow_ids = await _flow_ids(client, found)
    made = await _together(_do(client, lake_id, flow_ids, one) for one in found)
    return {one: step.path for one, step in zip(made, found, strict=True) if one}


def _left(
    lake_id: str, there: Sequence[Kept], done: Sequence[Step], *, is_plan: bool
) -> dict[UUID, str]:
    """Return the deployments that a lake had; in a plan, one without an id stands for new ones."""
    gone = {one.kept.id for one in done if one.kept and one.what == "remove"}
    mine = {UUID(one.id): one.path for one in there if one.lake == lake_id and one.id not in gone}
    made = {UUID(int=0): one.path for one in done if is_plan and one.what == "create"}
    return mine | made


async def _alarms(
    client: PrefectClient,
    lake_id: str,
    config: Config,
    ids: Mapping[UUID, str],
    *,
    is_plan: bool,
) -> list[automations.Step]:
    """Bring the automations up to date that tell of the lake's runs."""
    there, blocks = await sinks.webhooks(client, lake_id, config.alerts, is_plan=is_plan)
    mails = [one for one, path in ids.items() if path.startswith(f"{MAIL}/")]
    there += [sinks.mail(one) for one in mails if config.alerts.email]
    found = await alarms.alarms(client, lake_id, config, there, ids.keys() - set(mails))
    if not is_plan:
        await _together(automations.do(client, one) for one in found)
    return [*blocks, *found]


def _resumed(step: Step, names: Sequence[str]) -> Step:
    """Turn a step into one that starts the deployment again, if it is named and paused."""
    if not step.paused or not step.wanted or step.wanted.name not in names:
        return step
    return replace(step, what="resume", paused=False)


async def _flow_ids(client: PrefectClient, found: Sequence[Step]) -> dict[str, UUID]:
    flows = sorted({one.wanted.flow for one in found if one.wanted and one.what == "create"})
    ids = await _together(client.create_flow_from_name(flow) for flow in flows)
    return dict(zip(flows, ids, strict=True))


async def _together(asked: Iterable[Awaitable[T]]) -> list[T]:
    gate = asyncio.Semaphore(_TOGETHER)

    async def one(what: Awaitable[T]) -> T:
        async with gate:
            return await what

    return await asyncio.gather(*map(one, asked))


async def _do(
    client: PrefectClient, lake_id: str, flow_ids: dict[str, UUID], step: Step
) -> UUID | None:
    if step.what == "create" and step.wanted:
        return await _create(client, lake_id, flow_ids[step.wanted.flow], step.wanted)
    if step.kept and step.what == "remove":
        with unless_gone():
            await client.delete_deployment(UUID(step.kept.id))
    elif step.kept and step.what in ("change", "resume"):
        await _change(client, step.kept, step)
    return None


async def _create(client: PrefectClient, lake_id: str, flow_id: UUID, wanted: Wanted) -> UUID:
    fields = dict(wanted.fields)
    fields["schedules"] = _schedules(fields["schedules"], is_active=True)
    labels = {LABEL: lake_id, "clearlake.deployment": wanted.name}
    whole = fields | {"flow_id": str(flow_id), "name": wanted.name, "labels": labels}
    answer = await client.request("POST", "/deployments/", json=whole)
    return UUID(answer.json()["id"])


async def _change(client: PrefectClient, there: Kept, step: Step) -> None:
    fields = {change.field: change.after for change in step.changes}
    is_resumed = step.what == "resume"
    if "schedules" in fields or is_resumed:
        after = fields.get("schedules", there.fields["schedules"])
        fields["schedules"] = _schedules(after, is_active=is_resumed or not there.paused)
        for one in there.slugged:
            with unless_gone():
                await client.delete_deployment_schedule(UUID(there.id), one)
    if is_resumed:
        fields["paused"] = False
    where = {"id": there.id}
    await client.request("PATCH", "/deployments/{id}", path_params=where, json=fields)


def _schedules(schedules: Sequence[Any], *, is_active: bool) -> list[dict[str, Any]]:
    return [{"schedule": one, "active": is_active} for one in schedules]
