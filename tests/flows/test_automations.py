"""Automations are compared by what they do, not by how a server happens to write them."""

from datetime import timedelta
from uuid import uuid4

from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger, Posture

from lake_flows.automations import steps


def watched(events: list[str], within: int = 15) -> AutomationCore:
    trigger = EventTrigger(
        after=set(events),
        expect={"said"},
        posture=Posture.Proactive,
        threshold=1,
        within=timedelta(seconds=within),
    )
    return AutomationCore(name="a run died", trigger=trigger, actions=[])


def kept(automation: AutomationCore) -> Automation:
    return Automation.model_validate({**automation.model_dump(mode="json"), "id": str(uuid4())})


def test_events_in_another_order_are_no_change() -> None:
    events = [f"event {number}" for number in range(64)]
    there = kept(watched(events[::-1]))
    (step,) = steps([watched(events)], [there])
    assert step.what == "unchanged"


def test_what_two_deploys_made_twice_is_there_once_afterwards() -> None:
    wanted = watched(["crashed"])
    first, second = kept(wanted), kept(wanted)
    found = steps([wanted], [first, second])
    assert [(one.what, one.id) for one in found] == [
        ("unchanged", first.id),
        ("remove", second.id),
    ]


def test_what_a_person_switched_off_stays_so_and_is_told() -> None:
    wanted = watched(["crashed"])
    there = kept(wanted).model_copy(update={"enabled": False})
    (step,) = steps([watched(["crashed", "failed"])], [there])
    assert (step.what, step.off) == ("change", True)
    assert step.wanted
    assert not step.wanted.enabled


def test_another_event_and_another_wait_are_changes() -> None:
    there = kept(watched(["crashed", "failed"]))
    for wanted in (watched(["crashed"]), watched(["crashed", "failed"], within=20)):
        (step,) = steps([wanted], [there])
        assert (step.what, step.id) == ("change", there.id)
