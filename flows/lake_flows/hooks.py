"""The hook that makes one event of all that somebody should hear of a run."""

from dataclasses import asdict
from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import FlowRun, State
from prefect.events import emit_event

from lake_flows.news import message, news
from lake_flows.report import Report, RunFailed

ALERT = "lake.alert"
MOST = 100
"""News in an event beside its text."""


def emit_news(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Emit `lake.alert` about a run that has ended, if there is anything to hear of it.

    Its payload: `subject`, `text`, the `kinds` of news, and the `news` themselves. It comes behind
    the run's state: a run that ended Failed and let nobody hear could not even start.
    """
    found = state.result(raise_on_failure=False)
    document = found.document if isinstance(found, RunFailed) else found
    if not isinstance(document, dict):
        return
    report = Report.of(document)
    told = news(report)
    if not told or not report.lake:
        return  # of a lake that could not be opened, Prefect tells what the run ended with
    emit_event(
        ALERT,
        resource={
            "prefect.resource.id": f"prefect.flow-run.{flow_run.id}",
            "prefect.resource.name": flow_run.name,
            "lake.id": report.lake,
        },
        related=_related(flow_run),
        payload={
            "subject": f"{flow.name}: {report.headline}",
            "text": message(told),
            "kinds": list(dict.fromkeys(one.kind for one in told)),
            "news": [asdict(one) for one in told[:MOST]],
            "flow_run": str(flow_run.id),
        },
    )


def _related(run: FlowRun) -> list[dict[str, str]]:
    """Name the deployment, by which an automation knows whose run it was."""
    if run.deployment_id is None:
        return []
    deployment = f"prefect.deployment.{run.deployment_id}"
    return [{"prefect.resource.id": deployment, "prefect.resource.role": "deployment"}]
