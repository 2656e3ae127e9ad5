"""The automation that ends runs whose process died without a word."""

from datetime import timedelta

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

from lake_flows.automations import do, steps

NAME = "lake: crash silent runs"
SILENCE_S = 540
"""Three heartbeats (`PREFECT_FLOWS_HEARTBEAT_FREQUENCY`, 180 s) that did not come."""
_BEAT = "prefect.flow-run.heartbeat"
_ENDS = ("Completed", "Failed", "Cancelled", "Crashed")


async def ensure(client: PrefectClient, *, silence_s: int = SILENCE_S) -> None:
    """Make the server mark a run Crashed after so many seconds without a heartbeat.

    Once made, it is changed only where it differs; whether it is on is for people to say.
    """
    there = await client.read_automations_by_name(NAME)
    # Two that started a server at once may have made one each: the first counts.
    for step in steps([_automation(silence_s)], there[:1]):
        await do(client, step)


def _automation(silence_s: int) -> AutomationCore:
    return AutomationCore(
        name=NAME,
        description=f"Made by `lake server`: a run that was silent for {silence_s} s is Crashed.",
        trigger=EventTrigger(
            after={_BEAT},
            expect={_BEAT, *(f"prefect.flow-run.{name}" for name in _ENDS)},
            match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=silence_s),
        ),
        actions=[
            ChangeFlowRunState(
                name=None,
                force=False,
                state=StateType.CRASHED,
                message=f"No heartbeat for {silence_s} s: the process of this run has died.",
            )
        ],
    )
