import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect import get_client
from prefect.client.schemas.responses import DeploymentResponse
from prefect.settings import PREFECT_API_URL, temporary_settings

import lake
from lake.config import load
from lake_flows.deployments import deploy as deploy_module
from lake_flows.deployments.plan import LABEL, Step, steps
from lake_flows.where import Where
from tests.faults.proxy import Proxy
from tests.flows.prefect_server import LAKE, PrefectServer
from tests.flows.project import HOURLY, NIGHTLY, ZONES, Deploy, Project

pytestmark = [pytest.mark.usefixtures("prefect_server"), pytest.mark.xdist_group("prefect")]


def there(path: str) -> DeploymentResponse:
    with get_client(sync_client=True) as client:
        return client.read_deployment_by_name(path)


def patched(path: str, /, **fields: Any) -> None:
    """Change a deployment as the UI does."""
    with get_client(sync_client=True) as client:
        where = {"id": there(path).id}
        client.request("PATCH", "/deployments/{id}", path_params=where, json=fields)


def test_deployments_are_made_once_and_without_a_change_nothing_is_written(
    project: Project,
    deploy: Deploy,
    says: Callable[[str], None],
    name: str,
    pool: str,
    prefect_server: PrefectServer,
) -> None:
    says(NIGHTLY + 'tags = ["b", "a"]\nconcurrency_limit = 1\n' + HOURLY)
    assert deploy() == (
        0,
        "source trips  declared in the log\nsource zones  declared in the log\n"
        "model places  declared in the log\nmodel revenue  declared in the log\n"
        "table revenue  declared in the log\ntable places  declared in the log\n"
        f"elt/{name}  created: schedule cron 0 6 * * * Europe/Paris, pool {pool}\n"
        f"land/{name}-hourly  created: schedule every 1:00:00 UTC\n",
        f"land/{name}-hourly names no work_pool: `lake deploy --serve` runs it\n"
        f"no worker polls the work pool {pool}: `prefect worker start --pool {pool}` starts one\n",
    )
    found = there(f"elt/{name}")
    assert found.entrypoint == "lake_flows.elt.elt"
    assert not found.pull_steps
    assert found.parameters == {"lake": project.lake().url, "timezone": "Europe/Paris"}
    assert sorted(found.tags) == ["a", "b"]
    assert (found.labels or {})[LABEL] == project.lake().log.identity.id
    with Proxy.before(prefect_server.api_url.removesuffix("/api")) as proxy:
        proxy.fail()
        with temporary_settings({PREFECT_API_URL: f"{proxy.url}/api"}):
            code, out, _ = deploy()
        asked = {(one.method, one.path) for one in proxy.journal()}
    assert (code, out) == (0, f"elt/{name}  unchanged\nland/{name}-hourly  unchanged\n")
    writes = {one for one in asked if one[0] != "GET" and not one[1].endswith("/filter")}
    assert (bool(asked), writes) == (True, set())


def test_a_deployment_keeps_the_environment_that_it_was_made_with(
    project: Project,
    deploy: Deploy,
    says: Callable[[str], None],
    name: str,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    says(f'{HOURLY}\n[env.prod]\nsources.zones.url = "{project.server.url("/prod.csv")}"\n')
    monkeypatch.setenv("LAKE_ENV", "prod")
    assert deploy()[0] == 0
    monkeypatch.delenv("LAKE_ENV")
    told = there(f"land/{name}-hourly").parameters
    assert told["env"] == "prod"
    served = Where(told["lake"], told["env"], project.folder, "run").open()
    assert served.config.sources["zones"].url.endswith("/prod.csv")
    elsewhere = str(tmp_path_factory.mktemp("worker"))
    assert Where(told["lake"], told["env"], elsewhere, "run").open().commit == served.commit


def test_two_that_remove_the_same_are_both_content(
    deploy: Deploy, says: Callable[[str], None], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(HOURLY)
    deploy()
    says(HOURLY.replace("-hourly", "-other"))

    def outrun(*words: Any, **options: Any) -> list[Step]:
        found = steps(*words, **options)
        with get_client(sync_client=True) as client:  # as another one that is a moment ahead
            client.delete_deployment(there(f"land/{name}-hourly").id)
        return found

    monkeypatch.setattr(deploy_module, "steps", outrun)
    code, out, err = deploy()
    assert (code, err.count("\n")) == (0, 1)
    assert f"land/{name}-hourly  removed\n" in out


def test_what_a_run_does_at_its_limit_is_shown_where_a_person_changed_it(
    deploy: Deploy, says: Callable[[str], None], name: str
) -> None:
    says(HOURLY + "concurrency_limit = 1\n")
    deploy()
    path = f"land/{name}-hourly"
    patched(path, concurrency_options={"collision_strategy": "CANCEL_NEW"})
    change = "concurrency_options.collision_strategy CANCEL_NEW → ENQUEUE"
    assert deploy("--plan")[1] == f"{path}  change: {change}\n"
    assert deploy()[1] == f"{path}  changed: {change}\n"
    assert deploy()[1] == f"{path}  unchanged\n"
    says(HOURLY)
    assert "concurrency_limit 1 → none; concurrency_options " in deploy()[1]
    assert deploy()[1] == f"{path}  unchanged\n"


def test_what_would_run_before_our_flow_or_elsewhere_is_shown_and_taken_out(
    deploy: Deploy, says: Callable[[str], None], name: str, pool: str
) -> None:
    says(NIGHTLY)
    deploy()
    path = f"elt/{name}"
    step = {"prefect.deployments.steps.run_shell_script": {"script": "echo hi"}}
    patched(path, pull_steps=[step], path="/tmp", work_queue_name="q2")
    plan = deploy("--plan")[1]
    assert "pull_steps [{'prefect.deployments.steps.run_shell_script'" in plan
    assert "path /tmp → none" in plan
    assert "work_queue_name q2 → default" in plan
    assert deploy()[0] == 0
    found = there(path)
    assert (found.pull_steps, found.path, found.work_queue_name) == (None, None, "default")
    assert deploy("--plan")[1] == f"{path}  unchanged\n"


def test_another_address_of_a_webhook_is_shown_without_being_said(
    project: Project,
    deploy: Deploy,
    says: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    says(HOURLY + '[alerts]\nwebhook = "${ALERT_WEBHOOK}"\n')
    block = f"block webhook/lake-webhook-{project.lake().log.identity.id}"
    for address, what, done in (("one", "create", "created"), ("two", "change", "changed")):
        monkeypatch.setenv("ALERT_WEBHOOK", f"https://example.com/{address}")
        assert f"{block}  {what}\n" in deploy("--plan")[1]
        code, out, _ = deploy()
        assert (code, f"{block}  {done}\n" in out, "example.com" in out) == (0, True, False)
        assert block not in deploy("--plan")[1]


def test_a_schedule_that_somebody_named_is_put_back(
    deploy: Deploy, says: Callable[[str], None], name: str
) -> None:
    says(HOURLY)
    deploy()
    path = f"land/{name}-hourly"
    own = there(path).schedules[0].schedule.model_dump(mode="json")
    with get_client(sync_client=True) as client:
        client.delete_deployment_schedule(there(path).id, there(path).schedules[0].id)
    patched(path, schedules=[{"schedule": own, "slug": "me", "parameters": {"until": "2019-01"}}])
    assert there(path).schedules[0].slug == "me"
    assert "with {'until': '2019-01'} → every 1:00:00 UTC" in deploy("--plan")[1]
    assert deploy()[0] == 0
    assert deploy("--plan")[1] == f"{path}  unchanged\n"


def test_a_plan_shows_field_by_field_what_was_changed_here_or_by_hand(
    deploy: Deploy, says: Callable[[str], None], name: str, pool: str
) -> None:
    says(NIGHTLY + HOURLY)
    deploy()
    by_hand = {"cron": "5 5 * * *", "timezone": "UTC"}
    own = {"schedule": by_hand, "parameters": {"until": "2020-01"}}
    patched(f"elt/{name}", schedules=[own], parameters={"since": "2020-01"})
    says(NIGHTLY + 'tags = ["money"]\n' + HOURLY.replace("-hourly", "-fresh"))
    code, out, _ = deploy("--plan")
    lines = out.splitlines()
    assert code == 0
    changes = lines[0].removeprefix(f"elt/{name}  change: ").split("; ")
    assert changes[0].startswith("parameters.lake none → file://")
    assert ", parameters.since 2020-01 → none, parameters.timezone none → " in changes[0]
    assert changes[1:] == [
        "tags none → ['money']",
        "schedule cron 5 5 * * * UTC with {'until': '2020-01'} → cron 0 6 * * * Europe/Paris",
    ]
    assert lines[1:] == [
        f"land/{name}-fresh  create: schedule every 1:00:00 UTC",
        f"land/{name}-hourly  remove",
    ]
    assert there(f"elt/{name}").parameters == {"since": "2020-01"}
    assert deploy()[0] == 0
    assert deploy("--plan")[1] == f"elt/{name}  unchanged\nland/{name}-fresh  unchanged\n"


def test_what_a_person_paused_stays_paused_until_it_is_resumed(
    deploy: Deploy, says: Callable[[str], None], name: str
) -> None:
    says(HOURLY)
    deploy()
    path = f"land/{name}-hourly"
    stays = f"{path} was paused in Prefect, and stays so: `lake deploy --resume {name}-hourly`"
    stopped = there(path).schedules[0].schedule.model_dump(mode="json")
    patched(path, paused=True, schedules=[{"schedule": stopped, "active": False}])
    says(HOURLY.replace("1 hour", "2 hours"))
    code, out, err = deploy()
    assert (code, "changed: schedule every 1:00:00 UTC → every 2:00:00 UTC" in out) == (0, True)
    assert f"{stays} starts it\n" in err
    found = there(path)
    assert (found.paused, [one.active for one in found.schedules]) == (True, [False])
    assert deploy("--resume", f"{name}-hourly") == (0, f"{path}  started again\n", "")
    found = there(path)
    assert (found.paused, [one.active for one in found.schedules]) == (False, [True])


def test_only_own_deployments_are_removed_and_a_name_that_is_taken_is_refused(
    project: Project, deploy: Deploy, says: Callable[[str], None], name: str
) -> None:
    says(HOURLY)
    deploy()
    other = lake.init(str(project.root / "other"))
    # Another lake of the same project has other deployments, and none of the same name.
    error = f"error: the server has a deployment land/{name}-hourly already, which was made for"
    code, out, err = deploy("--lake", other.url)
    assert (code, out) == (1, "")
    assert err.startswith(error)
    says(HOURLY.replace("-hourly", "-other"))
    assert deploy("--lake", other.url)[0] == 0
    assert there(f"land/{name}-hourly").parameters == {"lake": project.lake().url}
    assert deploy()[0] == 1
    assert there(f"land/{name}-other").parameters == {"lake": other.url}


def test_a_worker_needs_the_url_and_runs_by_hand_with_other_parameters(
    project: Project,
    deploy: Deploy,
    says: Callable[[str], None],
    name: str,
    pool: str,
    prefect_server: PrefectServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    says(NIGHTLY)
    assert deploy()[0] == 0
    nowhere = tmp_path_factory.mktemp("nowhere")

    def prefect(*words: str) -> str:
        command = [sys.executable, "-m", "prefect", *words]
        done = subprocess.run(
            command,
            cwd=nowhere,
            env=prefect_server.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    prefect("deployment", "run", f"elt/{name}", "--param", "until=2024-12")
    prefect("worker", "start", "--pool", pool, "--run-once")
    with get_client(sync_client=True) as client:
        runs = [
            run
            for run in client.read_flow_runs(limit=200)
            if run.deployment_id == there(f"elt/{name}").id and run.state_name == "Completed"
        ]
    assert [run.parameters["until"] for run in runs] == ["2024-12"]
    assert project.loaded() == [("2024-01", 2, 30), ("2024-02", 1, 5)]
    assert project.asked(ZONES) == 1


def test_served_deployments_run_on_schedule_and_sigint_waits_for_what_runs(
    project: Project, says: Callable[[str], None], name: str, prefect_server: PrefectServer
) -> None:
    says(
        HOURLY.replace("1 hour", "5 seconds")
        + "concurrency_limit = 1\n"
        + f'[deployments.{name}-unused]\nflow = "maintain"\nwork_pool = "not there"\n'
    )
    with subprocess.Popen(
        [*LAKE, "deploy", "--serve"],
        cwd=project.root,
        env=prefect_server.environ,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        seen = []
        for line in process.stderr:
            seen.append(line)
            if "Beginning flow run" in line:
                process.send_signal(signal.SIGINT)
    assert process.returncode == 0, "".join(seen)
    assert seen[-1] == "drained\n"
    assert "land raw.trips" in project.messages()
    with get_client(sync_client=True) as client:
        where = there(f"land/{name}-hourly")
        runs = [run for run in client.read_flow_runs(limit=200) if run.deployment_id == where.id]
    begun = [run for run in runs if run.start_time]
    assert begun
    assert {run.state_name for run in begun} == {"Completed"}
    assert all(run.auto_scheduled for run in begun)
    assert not where.paused


def test_the_configuration_knows_all_that_a_deployment_may_say(tmp_path: Path) -> None:
    (tmp_path / "lake.toml").write_text(
        '[lake]\nurl = { block = "prod" }\n[warehouse]\nurl = "postgresql://${WHO}@db/d"\n'
        '[deployments.n]\nflow = "elt"\nwork_pool = "p"\nimage = "i"\ntags = ["t"]\n'
        "concurrency_limit = 2\n"
        'job_variables = { env = { AWS_SECRET_ACCESS_KEY = "{{ prefect.blocks.secret.aws }}" } }\n'
    )
    config = load(None, env=None, environ={}, cwd=tmp_path, as_written=True)
    assert config.url == "block:prod"
    assert config.warehouse.url == "postgresql://${WHO}@db/d"
    found = config.deployments["n"]
    assert (found.work_pool, found.image, found.tags, found.concurrency_limit) == (
        "p",
        "i",
        ("t",),
        2,
    )
    assert json.loads(json.dumps(found.job_variables))["env"]
    assert os.environ.get("WHO") is None
