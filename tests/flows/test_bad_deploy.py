"""What `lake deploy` refuses, and what it says of it."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import prefect
import pytest
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from lake.cli import main
from lake_flows.by_hand import run
from lake_flows.deployments.wanted import PARAMETERS_BYTES
from lake_flows.elt import elt
from tests.flows.project import HOURLY, NIGHTLY, POOL, Deploy, Project

pytestmark = [pytest.mark.usefixtures("prefect_server"), pytest.mark.xdist_group("prefect")]

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
        '[deployments.x]\nflow = "elt"\nparameters = { runner = "dask" }\n',
        "[deployments.x] runner = 'dask': write dask://HOST:PORT or ray://HOST:PORT",
    ),
    (
        '[deployments.x]\nflow = "elt"\nparameters = { warehouse = "mysql://db/d" }\n',
        "[deployments.x] a warehouse of the kind 'mysql' is unknown to this version",
    ),
    (
        '[deployments.x]\nflow = "elt"\nparameters = { warehouse = "postgresql://db" }\n',
        "[deployments.x] the warehouse: its postgresql:// URL names no database",
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
    project: Project, deploy: Deploy, says: Callable[[str], None], name: str, pool: str
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
    assert project.lake().commit == 0  # nothing was declared


class _Stranger(BaseHTTPRequestHandler):
    """A web server that says what `version` says."""

    version = '"2.20.3"'

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'[{"id": 7}]')

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
                assert run(elt, []) == 1
            assert capsys.readouterr().err == err
    monkeypatch.setattr(_Stranger, "version", f'"{prefect.__version__}"')
    with temporary_settings({PREFECT_API_URL: stranger}):
        code, _, err = deploy()
    assert (code, err.count("\n")) == (1, 1), err
    assert f"answers in words that Prefect {prefect.__version__} does not know" in err
    monkeypatch.setattr(_Stranger, "version", "<html>hello</html>")
    with temporary_settings({PREFECT_API_URL: stranger}):
        assert "is no Prefect server" in deploy()[2]
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        assert main(["elt"]) == 0
    assert project.loaded() == [("2024-01", 2, 30), ("2024-02", 1, 5)]


@pytest.mark.parametrize("address", ["ftp://x/y", "no address", "https:///hook", "http://[::1"])
def test_an_address_that_no_alert_can_go_to_is_refused_and_not_said(
    deploy: Deploy,
    says: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    address: str,
) -> None:
    says(HOURLY + '[alerts]\nwebhook = "${ALERT_WEBHOOK}"\n')
    monkeypatch.setenv("ALERT_WEBHOOK", address)
    code, _, err = deploy("--plan")
    assert (code, err.count("\n")) == (1, 1)
    assert "[alerts] webhook holds no http:// or https:// address: correct it" in err
    assert address not in err
