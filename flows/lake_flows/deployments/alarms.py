"""The automations that tell people of a run's news, of runs that died, of late sources."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.events.actions import ActionTypes
from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

from lake.config import Config, duration_text
from lake_flows.automations import Step, steps
from lake_flows.deployments.sinks import Sink, Words
from lake_flows.events import LANDED
from lake_flows.hooks import ALERT

_ENDED = {"prefect.flow-run.Crashed", "prefect.flow-run.Failed"}
_PATIENCE = timedelta(seconds=15)
"""How long a run that ended badly may take to say why, before it is told of without."""
_LEAST = timedelta(seconds=10)
"""Prefect's shortest wait for what does not come."""
_PAGE = 200


async def alarms(
    client: PrefectClient,
    lake_id: str,
    config: Config,
    sinks: Sequence[Sink],
    deployments: Iterable[UUID],
) -> list[Step]:
    """Compare the automations of a lake with those that its `[alerts]` ask for.

    Args:
        client: asks the server.
        lake_id: the lake's id, which the names of its automations end with.
        config: its sources, with what is expected of them.
        sinks: where news goes; without any, there are no automations.
        deployments: whose runs must not die in silence.
    """
    wanted = _wanted(lake_id, config, sinks, sorted(deployments, key=str))
    return steps(wanted, await _kept(client, lake_id))


async def _kept(client: PrefectClient, lake_id: str) -> list[Automation]:
    """Return the lake's automations; Prefect's own listing ends after one page."""
    found: list[dict[str, Any]] = []
    while True:
        asked = {"limit": _PAGE, "offset": len(found)}
        page = (await client.request("POST", "/automations/filter", json=asked)).json()
        found += page
        if len(page) < _PAGE:
            break
    mine = [one for one in found if one["name"].endswith(f" ({lake_id})")]
    return [Automation.model_validate(one) for one in mine]


def _wanted(
    lake_id: str, config: Config, sinks: Sequence[Sink], deployments: Sequence[UUID]
) -> Iterable[AutomationCore]:
    if not sinks:
        return
    yield _automation(f"lake: news of a run ({lake_id})", _news(lake_id), _NEWS, sinks)
    if deployments:
        yield _automation(f"lake: a run died ({lake_id})", _died(deployments), _DIED, sinks)
    for one in config.sources.values():
        if one.expect_every is not None:
            name = f"lake: {one.name} is late ({lake_id})"
            trigger = _late(lake_id, one.dataset, one.expect_every)
            yield _automation(name, trigger, _is_late(one.name, one.expect_every), sinks)


_NEWS = Words(
    "{{ event.payload.subject }}",
    "{{ event.payload.text }}",
    kinds="event.payload.kinds",
    news="event.payload.news",
)
_DIED = Words(
    "{{ flow_run.name }}: {{ flow_run.state.name }}",
    "{{ flow_run.state.message }}",
    kinds="['failed']",
)


def _is_late(source: str, expected: timedelta) -> Words:
    every = duration_text(expected)
    text = f"{source} has landed nothing new for {every}: look at the source, and at `lake status`"
    return Words(f"{source} is late", text, kinds="['late']")


def _news(lake_id: str) -> EventTrigger:
    return EventTrigger(
        expect={ALERT},
        match=ResourceSpecification({"lake.id": [lake_id]}),
        posture=Posture.Reactive,
        threshold=1,
        within=timedelta(),
    )


def _died(deployments: Sequence[UUID]) -> EventTrigger:
    """Wait for runs that end badly and say nothing: those that speak are told of by their news."""
    watched = [f"prefect.deployment.{one}" for one in deployments]
    return EventTrigger(
        after=_ENDED,
        expect={ALERT},
        match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
        match_related=ResourceSpecification({"prefect.resource.id": watched}),
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=_PATIENCE,
    )


def _late(lake_id: str, dataset: str, expected: timedelta) -> EventTrigger:
    """Wait for the next landing behind each one."""
    return EventTrigger(
        after={LANDED},
        expect={LANDED},
        match=ResourceSpecification({"lake.id": [lake_id], "lake.dataset": [dataset]}),
        posture=Posture.Proactive,
        threshold=1,
        within=max(expected, _LEAST),
    )


def _automation(
    name: str, trigger: EventTrigger, words: Words, sinks: Sequence[Sink]
) -> AutomationCore:
    actions: list[ActionTypes] = [sink(words) for sink in sinks]
    return AutomationCore(
        name=name,
        description="Made by `lake deploy` from [alerts] of lake.toml.",
        trigger=trigger,
        actions=actions,
    )
