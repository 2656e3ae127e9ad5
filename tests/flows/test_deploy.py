import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from prefect import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectAlreadyExists
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings
from prefect.workers.process import ProcessWorker

import lake
from lake.cli import main
from lake.config import load
from lake_flows import elt
from lake_flows.deployments.plan import LABEL
from lake_flows.deployments.wanted import PARAMETERS_BYTES
from lake_flows.where import Where
from tests.faults.proxy import Proxy
from tests.flows.prefect_server import LAKE, PrefectServer
from tests.flows.project import ZONES, Deploy, Project

pytestmark = [pytest.mark.usefixtures("prefect_server"), pytest.mark.xdist_group("prefect")]

POOL = "lake-tests"
NIGHTLY = f"""
[deployments.NAME]
flow = "elt"
schedule = {{ cron = "0 6 * * *", timezone = "Europe/Paris" }}
work_pool = "{POOL}"
"""
HOURLY = '[deployments.NAME-hourly]\nflow = "land"\nschedule = { interval = "1 hour" }\n'


@pytest.fixture(scope="module")
def pool(prefect_server: PrefectServer) -> str:
    with get_client(sync_client=True) as client, suppress(ObjectAlreadyExists):
        template = ProcessWorker.get_default_base_job_template()
        made = WorkPoolCreate(name=POOL, type="process", base_job_template=template)
        client.create_work_pool(made)
    return POOL


@pytest.fixture
def name(project: Project) -> str:
    """A name for deployments that no other test uses."""
    return f"x{project.root.name.rpartition('_')[2]}{abs(hash(project.folder)) % 10**6}"


@pytest.fixture
def says(project: Project, name: str) -> Callable[[str], None]:
    """Let `lake.toml` say some deployments, NAME being this test's own."""
    path = project.root / "lake.toml"
    before = path.read_text()
    return lambda text: (path.write_text(before + text.replace("NAME", name)), None)[1]


def there(path: str) -> DeploymentResponse:
    with get_client(sync_client=True) as client:
        return client.read_deployment_by_name(path)


def patched(path: str, **fields: Any) -> None:
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


WRONG = [
    (
        '[deployments.x]\nflow = "etl"\n',
        "[deployments.x] flow = 'etl' is no flow: did you mean 'elt'?",
    ),
    (
        HOURLY + 'parameters = { sorces = ["zones"] }\n',
        "[deployments.NAME-hourly] the flow land has no parameter 'sorces'; did you mean sources?",
    ),
    (
        '[deployments.x]\nflow = "elt"\nschedule = { cron = "0 0 30 2 *" }\n',
        "[deployments.x] schedule.cron = '0 0 30 2 *' never fires: no day is like that; write"
        " another",
    ),
    (
        '[deployments.x]\nflow = "elt"\nschedule = { cron = "6 o\'clock" }\n',
        '[deployments.x] schedule.cron = "6 o\'clock" is no cron: write minute, hour, day, month'
        " and weekday, such as '0 6 * * *'",
    ),
    (
        '[deployments.x]\nflow = "elt"\nschedule = { cron = "R R * * *" }\n',
        "[deployments.x] schedule.cron = 'R R * * *' is no cron: write minute, hour, day, month",
    ),
    (
        '[deployments."a/b"]\nflow = "elt"\n',
        "[deployments.a/b] has '/' in its name, which Prefect has in none: take it out",
    ),
    (
        '[deployments.x]\nflow = "elt"\nparameters = { at_once = 0 }\n',
        "[deployments.x] at_once = 0: write 1 to 64",
    ),
    (
        '[deployments.x]\nflow = "elt"\nparameters = { timezone = "Mars" }\n',
        "[deployments.x] timezone = 'Mars' is no time zone",
    ),
    (
        '[deployments.x]\nflow = "elt"\n'
        'schedule = { rrule = "FREQ=DAILY;UNTIL=20200101T000000Z", timezone = "UTC" }\n',
        "[deployments.x] schedule.rrule = 'FREQ=DAILY;UNTIL=20200101T000000Z' never fires again:"
        " write another",
    ),
    (
        '[deployments.x]\nflow = "elt"\nschedule = { cron = "0 6 * * *", timezone = "Mars" }\n',
        "[deployments.x.schedule] timezone = 'Mars' is no time zone: write one such as"
        " 'Europe/Paris'",
    ),
    (
        '[deployments.x]\nflow = "elt"\nparameters = { warehouse = "postgresql://me:hush@db/d" }\n',
        "deployments.x.parameters.warehouse holds a secret: write ${NAME} in its place, and set"
        " NAME in the environment",
    ),
    (
        f'[deployments.x]\nflow = "elt"\nparameters = {{ since = "{"9" * PARAMETERS_BYTES}" }}\n',
        "[deployments.x] the parameters have",
    ),
    (
        '[deployments.x]\nflow = "elt"\nparameters = { since = 2024 }\n',
        "[deployments.x] parameters do not fit the flow:",
    ),
    (
        '[deployments.x]\nflow = "elt"\nimage = "us/lake:1"\n',
        "[deployments.x] image is for the workers of a pool: name work_pool, too",
    ),
    (
        '[deployments.x]\nflow = "elt"\n[deployments.x]\nflow = "land"\n',
        "Cannot declare ('deployments', 'x') twice",
    ),
]


@pytest.mark.parametrize(("text", "error"), WRONG)
def test_what_cannot_be_deployed_is_one_line_that_names_its_place(
    deploy: Deploy, says: Callable[[str], None], name: str, text: str, error: str
) -> None:
    says(text)
    code, out, err = deploy()
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert error.replace("NAME-hourly", f"{name}-hourly") in err
    assert "hush" not in err


def test_a_pool_that_is_not_there_or_does_not_know_a_variable_is_refused(
    deploy: Deploy, says: Callable[[str], None], name: str, pool: str
) -> None:
    says(NIGHTLY.replace(POOL, "lake-test"))
    assert deploy()[::2] == (
        1,
        "error: there is no work pool 'lake-test'; did you mean lake-tests?: `prefect work-pool"
        " create lake-test --type process` makes one (or docker, kubernetes, ecs …)\n",
    )
    says(NIGHTLY + 'job_variables = { comand = "x" }\n')
    assert deploy()[2] == (
        f"error: [deployments.{name}] the pool '{pool}' (process) knows no job variable 'comand':"
        " did you mean 'command'?\n"
    )
    says(NIGHTLY + "job_variables = { stream_output = 5 }\n")
    assert deploy()[2] == (
        f"error: [deployments.{name}] job_variables: stream_output: 5 is not of type 'boolean'\n"
    )


class _Stranger(BaseHTTPRequestHandler):
    """A web server that says what `version` says."""

    version = '"2.20.3"'

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.version.encode())

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def stranger() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Stranger)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/api"
    server.shutdown()
    server.server_close()


def test_a_server_that_cannot_be_asked_is_one_line_and_elt_works_without_it(
    project: Project,
    deploy: Deploy,
    says: Callable[[str], None],
    stranger: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    says(HOURLY)
    wrong: list[tuple[dict[Any, Any], str]] = [
        ({PREFECT_API_URL: None}, "no Prefect server is named: start one with `lake server`"),
        ({PREFECT_API_URL: "http://127.0.0.1:9/api"}, "does not answer"),
        ({PREFECT_API_AUTH_STRING: "lake:guess"}, "does not let us in: set PREFECT_API_AUTH_STR"),
        ({PREFECT_API_URL: stranger}, "is Prefect 2.20.3 and this is 3."),
    ]
    for settings, said in wrong:
        with temporary_settings(settings):
            code, _, err = deploy()
        assert (code, err.count("\n")) == (1, 1), err
        assert said in err
        assert "guess" not in err
        if settings != {PREFECT_API_URL: None}:
            with temporary_settings(settings):
                assert elt.main([]) == 1
            assert capsys.readouterr().err == err
    monkeypatch.setattr(_Stranger, "version", "<html>hello</html>")
    with temporary_settings({PREFECT_API_URL: stranger}):
        assert "is no Prefect server" in deploy()[2]
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        assert main(["elt"]) == 0
    assert project.loaded() == [("2024-01", 2, 30), ("2024-02", 1, 5)]


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
