import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect import get_client
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.flow_engine import run_flow
from prefect.states import Crashed

from lake_flows.alert import alert
from lake_flows.elt import elt
from tests.flows.project import FEBRUARY, JANUARY, Deploy, Project
from tests.flows.sinks import Sink, mailbox, sink
from tests.flows.waiting import calm, until

pytestmark = [pytest.mark.usefixtures("prefect_server"), pytest.mark.xdist_group("prefect")]

ALERTS = """
[sources.later]
url = "{server}/later_{{month}}.csv"
partition.month = {{ every = "month", since = "2024-01", until = "2024-01", lag = "99999 days" }}
[alerts]
webhook = "${{ALERT_WEBHOOK}}"
slack = "${{ALERT_SLACK}}"
{mail}
[deployments.NAME]
flow = "elt"
"""


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sink]:
    with sink() as found:
        monkeypatch.setenv("ALERT_WEBHOOK", found.url("/webhook"))
        monkeypatch.setenv("ALERT_SLACK", found.url("/slack"))
        yield found


def says(project: Project, mail: str = "") -> str:
    """Let the project have alerts, and one deployment; return its name."""
    name = f"alerts-{project.root.name}-{time.time_ns()}"
    path = project.root / "lake.toml"
    text = ALERTS.replace("NAME", name).format(server=project.server.url().rstrip("/"), mail=mail)
    path.write_text(path.read_text() + text)
    return name


def run_of(deployment: str, **parameters: str) -> FlowRun:
    """Make a run of a deployment, as its schedule and the button do."""
    with get_client(sync_client=True) as client:
        found = client.read_deployment_by_name(deployment)
        return client.create_flow_run_from_deployment(found.id, parameters=parameters)


def test_all_news_of_a_run_come_in_one_message(
    project: Project, deploy: Deploy, inbox: Sink
) -> None:
    name = says(project)
    code, out, err = deploy()
    assert code == 0, err
    lake_id = project.lake().log.identity.id
    assert f"lake: news of a run ({lake_id})  created" in out.splitlines()
    assert f"lake: a run died ({lake_id})  created" in out.splitlines()
    assert elt(project=project.folder, return_state=True).is_completed()
    first = until(lambda: inbox.got.get("/webhook"))
    assert [(one["kind"], one["about"]) for one in first[0]["news"]] == [("silent", "later")]

    project.server.pages[JANUARY] = b"id,fare\n1,-1.5\n2,2.25\n"
    project.server.pages[FEBRUARY] = b"id,fare\n3,-500\n"
    run = run_of(f"elt/{name}", project=project.folder)
    said = {"project": project.folder}
    ended: Any = run_flow(elt, flow_run=run, parameters=said, return_type="state")
    assert ended.is_failed()
    until(lambda: len(inbox.got["/webhook"]) > 1 and len(inbox.got.get("/slack", ())) > 1)
    _, told = inbox.got["/webhook"]
    assert told["kinds"] == ["failed", "check", "again", "drift", "silent"]
    assert told["subject"] == "elt: 2 changed, 4 unchanged, 1 not yet, 1 failed"
    check = next(one for one in told["news"] if one["kind"] == "check")
    assert (check["about"], check["columns"]) == ("revenue", ["trips", "revenue", "month"])
    assert check["rows"] == [["1", "-500.0", "2024-02"]]
    assert "raw.trips/month=2024-01 is v2 now, of 2 rows" in told["text"]
    assert "raw.trips: column fare is DOUBLE now, and was BIGINT" in told["text"]
    assert inbox.got["/slack"][1]["text"].startswith("*elt: 2 changed")
    assert "trips=1, revenue=-500.0, month=2024-02" in inbox.got["/slack"][1]["text"]

    assert elt(project=project.folder, return_state=True).is_failed()
    until(lambda: len(inbox.got["/webhook"]) > 2)
    assert calm(lambda: len(inbox.got["/webhook"])) == 3, "one message a run"


def test_runs_that_cannot_speak_and_late_sources_are_told_of_too(
    project: Project, deploy: Deploy, inbox: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALERT_SLACK", inbox.url("/hangs"))
    path = project.root / "lake.toml"
    path.write_text(
        path.read_text().replace("[sources.zones]", '[sources.zones]\nexpect_every = "10 seconds"')
    )
    name = says(project)
    assert deploy()[0] == 0
    nowhere = str(project.root / "gone")
    lost = run_of(f"elt/{name}", lake=nowhere)
    state = run_flow(elt, flow_run=lost, parameters={"lake": nowhere}, return_type="state")
    assert isinstance(state, State)
    assert state.is_failed()
    killed = run_of(f"elt/{name}")
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(killed.id, Crashed(message="No heartbeat"), force=True)
    assert elt(project=project.folder, return_state=True).is_completed()
    until(lambda: len({one["subject"] for one in inbox.got.get("/webhook", ())}) >= 4)
    told = {one["subject"].partition(":")[0]: one for one in inbox.got["/webhook"]}
    late = told.pop("zones is late")
    assert (late["kinds"], "landed nothing new for 10 seconds" in late["text"]) == (["late"], True)
    died = {one["text"] for one in told.values() if one["kinds"] == ["failed"]}
    assert "No heartbeat" in died
    assert any("gone" in text for text in died), died
    until(lambda: inbox.got.get("/hangs"))


def test_mail_is_sent_by_a_deployment_that_any_worker_runs(
    project: Project, deploy: Deploy, inbox: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mailbox() as (port, messages):
        monkeypatch.setenv("MAIL_URL", f"smtp://127.0.0.1:{port}")
        says(project, 'email = { to = ["a@example.com", "b@example.com"], server = "${MAIL_URL}" }')
        assert deploy()[0] == 0
        assert elt(project=project.folder, return_state=True).is_completed()
        lake_id = project.lake().log.identity.id
        run = until(lambda: scheduled(f"alert/{lake_id}"))
        assert "later has brought nothing yet" in run.parameters["text"]
        parameters = {**run.parameters, "subject": "two\r\nlines: é"}
        ended: Any = run_flow(alert, flow_run=run, parameters=parameters, return_type="state")
        assert ended.is_completed()
    (message,) = messages
    assert (message["To"], message["From"]) == ("a@example.com, b@example.com", "a@example.com")
    assert message["Subject"] == "two"
    assert "later has brought nothing yet" in message.get_content()


def scheduled(deployment: str) -> FlowRun | None:
    from prefect.client.schemas.filters import DeploymentFilter, FlowRunFilter

    with get_client(sync_client=True) as client:
        found = client.read_deployment_by_name(deployment)
        runs = client.read_flow_runs(
            deployment_filter=DeploymentFilter.model_validate({"id": {"any_": [found.id]}}),
            flow_run_filter=FlowRunFilter.model_validate(
                {"state": {"type": {"any_": [StateType.SCHEDULED]}}}
            ),
        )
    return runs[0] if runs else None


def test_an_address_that_is_refused_is_told_and_nobody_gets_a_mail_twice() -> None:
    with mailbox() as (port, messages):
        server, to = f"smtp://127.0.0.1:{port}", ["a@example.com", "gone@example.com"]
        state = alert("s", "t", to, "lake@example.com", server, return_state=True)
        assert state.is_failed()
        assert f"the mail server {server} did not take the message (refused: gone@" in str(
            state.message
        )
        assert len(messages) == 1
        state = alert("s", "t", to[:1], "lake@example.com", server, return_state=True)
        assert (state.is_completed(), len(messages)) == (True, 2)


@pytest.mark.parametrize(
    ("server", "said"),
    [
        ("smtp://127.0.0.1:9", "the mail server smtp://127.0.0.1:9 did not take the message"),
        ("smtp://me:hunter2@127.0.0.1:9", "server holds a password, which Prefect now keeps"),
        ("smtp://mail.example:port", "cannot be asked (Port could not be cast"),
    ],
)
def test_what_cannot_be_mailed_says_so(
    server: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lake_flows.step.RETRIES", 0)
    state = alert("s", "t", ["a@example.com"], "a@example.com", server, return_state=True)
    assert said in str(state.message)


def test_automations_change_only_with_what_they_are_made_from(
    project: Project, deploy: Deploy, inbox: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(project)
    code, out, _ = deploy("--plan")
    assert (code, out.count("create\n") + out.count("create:")) == (0, 3 + 2)  # with two blocks
    assert deploy()[0] == 0
    before = automations(project)
    assert sorted(one["name"].partition(" (")[0] for one in before) == [
        "lake: a run died",
        "lake: news of a run",
    ]
    pause(before[0]["id"])
    _, out, _ = deploy()
    assert out.count("unchanged") == 3
    assert out.count("unchanged, switched off in Prefect\n") == 1
    path = project.root / "lake.toml"
    path.write_text(path.read_text().replace('slack = "${ALERT_SLACK}"', ""))
    _, out, _ = deploy()
    assert out.count("  changed") + out.count("unchanged\n") == 3, out
    assert out.count("  changed, switched off in Prefect\n") == 1
    assert [one["enabled"] for one in automations(project)].count(False) == 1
    path.write_text(path.read_text().partition("[alerts]")[0] + '[deployments.gone]\nflow = "elt"')
    _, out, _ = deploy()
    assert out.count("removed") == 3
    assert automations(project) == []


def automations(project: Project) -> list[dict[str, Any]]:
    with get_client(sync_client=True) as client:
        answer = client.request("POST", "/automations/filter", json={"limit": 200})
    lake_id = project.lake().log.identity.id
    return [one for one in answer.json() if lake_id in one["name"]]


def pause(automation: str) -> None:
    with get_client(sync_client=True) as client:
        client.pause_automation(UUID(automation))


def test_a_block_that_is_not_there_and_a_variable_that_is_not_set_are_refused(
    project: Project, deploy: Deploy, tmp_path: Path
) -> None:
    says(project)
    code, _, err = deploy()
    assert (code, "the environment variable ALERT_WEBHOOK is not set" in err) == (1, True)
    path = project.root / "lake.toml"
    path.write_text(path.read_text().replace('"${ALERT_WEBHOOK}"', '{ block = "nobody" }'))
    code, _, err = deploy()
    assert (code, "there is no Webhook block 'nobody': make it in the UI" in err) == (1, True)
