"""Automations of a server: compared with what is wanted, and made so."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.events.schemas.automations import Automation, AutomationCore

from lake_flows.api import unless_gone

What = Literal["create", "change", "remove", "unchanged"]


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done about one automation; `off`: a person stopped it, and it stays so."""

    what: What
    name: str
    wanted: AutomationCore | None = None
    id: UUID | None = None
    off: bool = False


def steps(wanted: Iterable[AutomationCore], there: Iterable[Automation]) -> list[Step]:
    """Compare automations by name, trigger and actions; whether one is on is for people to say.

    Args:
        wanted: those that there shall be.
        there: those that the server has of ours; what is not wanted of them is removed.
    """
    kept: dict[str, Automation] = {}
    more: list[Automation] = []  # two deploys at once may have made one twice
    for one in there:
        if kept.setdefault(one.name, one) is not one:
            more.append(one)
    found = [_step(one, kept.pop(one.name, None)) for one in wanted]
    return found + [Step("remove", one.name, None, one.id) for one in (*kept.values(), *more)]


def _step(wanted: AutomationCore, kept: Automation | None) -> Step:
    if kept is None:
        return Step("create", wanted.name, wanted)
    if _told(kept) == _told(wanted):
        return Step("unchanged", wanted.name, wanted, kept.id, not kept.enabled)
    as_it_is = wanted.model_copy(update={"enabled": kept.enabled})
    return Step("change", wanted.name, as_it_is, kept.id, not kept.enabled)


def _told(automation: AutomationCore) -> dict[str, Any]:
    """Return what two automations are compared by; a trigger's events stay sets, without order."""
    return {
        "trigger": automation.trigger.model_dump(exclude={"id"}),
        "actions": [one.model_dump(mode="json") for one in automation.actions],
    }


async def do(client: PrefectClient, step: Step) -> None:
    """Make the server keep one automation as it is wanted."""
    if step.what == "create" and step.wanted:
        await client.create_automation(step.wanted)
    elif step.what == "change" and step.wanted and step.id:
        await client.update_automation(step.id, step.wanted)
    elif step.what == "remove" and step.id:
        with unless_gone():
            await client.delete_automation(step.id)
