"""What becomes of runs whose process dies: what the server says, and what the next run does."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import psutil
import pytest
import yaml  # type: ignore[import-untyped]
from prefect import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectAlreadyExists
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_URL,
    PREFECT_CLIENT_MAX_RETRIES,
    temporary_settings,
)
from prefect.workers.process import ProcessWorker

from lake.cli import main
from lake.operations.verify import verify
from lake_flows import zombies
from lake_flows.by_hand import run
from lake_flows.elt import elt
from lake_flows.land import land
from lake_flows.server import ServerFailed, auth_string, database
from tests.databases import Shop
from tests.faults.proxy import Proxy, Rule
from tests.flows.feed import feed
from tests.flows.prefect_server import LAKE, PrefectServer, started
from tests.flows.project import FEBRUARY, Project
from tests.flows.waiting import until
from tests.http_server import Fault, Hang, Status

COMPOSE_FILE = Path(__file__).parents[2] / "localstack" / "docker-compose.yml"
COMPOSE = yaml.safe_load(COMPOSE_FILE.read_text(encoding="utf-8"))
pytestmark = pytest.mark.xdist_group("prefect")

POOL = "lake-kills"
LOADED = [("2024-01", 2, 30), ("2024-02", 1, 5)]


@contextmanager
def impatience(seconds: int) -> Iterator[None]:
    """Let the server take so much silence for death; a run that lives is heard every 30 s."""

    async def set_to(seconds: int) -> None:
        async with get_client() as client:
            await zombies.ensure(client, silence_s=seconds)
            await zombies.ensure(client, silence_s=seconds)
            (found,) = await client.read_automations_by_name(zombies.NAME)
            assert found.trigger.model_dump()["within"].total_seconds() == seconds

    asyncio.run(set_to(seconds))
    yield
    asyncio.run(set_to(zombies.SILENCE_S))


@pytest.fixture
def deployed(
    project: Project, prefect_server: PrefectServer, monkeypatch: pytest.MonkeyPatch
) -> UUID:
    """The deployment of `elt` in a pool of its own."""
    with get_client(sync_client=True) as client, suppress(ObjectAlreadyExists):
        template = ProcessWorker.get_default_base_job_template()
        client.create_work_pool(
            WorkPoolCreate(name=POOL, type="process", base_job_template=template)
        )
    path = project.root / "lake.toml"
    name = f"kill{abs(hash(project.folder)) % 10**8}"
    said = f'[deployments.{name}]\nflow = "elt"\nwork_pool = "{POOL}"\n'
    path.write_text(path.read_text() + said)
    monkeypatch.chdir(project.root)
    assert main(["deploy"]) == 0
    with get_client(sync_client=True) as client:
        return client.read_deployment_by_name(f"elt/{name}").id


@contextmanager
def worker(server: PrefectServer) -> Iterator["subprocess.Popen[bytes]"]:
    with tempfile.TemporaryDirectory() as nowhere:
        words = ["-m", "prefect", "worker", "start", "--pool", POOL]
        process = subprocess.Popen(
            [sys.executable, *words],
            cwd=nowhere,
            env=server.environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def begin(deployment: UUID, **parameters: object) -> FlowRun:
    with get_client(sync_client=True) as client:
        return client.create_flow_run_from_deployment(deployment, parameters=parameters)


def ended(run: FlowRun) -> str | None:
    """Return how a run ended; None if it did not yet."""
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(run.id).state
    return str(state.name) if state and state.is_final() else None


def heard_of(run: FlowRun) -> bool:
    """Tell whether the server has heard a heartbeat: of a run without one it misses none."""
    ids = [f"prefect.flow-run.{run.id}"]
    return bool(feed({"event": {"name": ["prefect.flow-run.heartbeat"]}, "resource": {"id": ids}}))


def runners(worker: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    """Return the processes that run flows: all that a worker started."""
    return list(psutil.Process(worker.pid).children(recursive=True))


@pytest.mark.parametrize(
    ("victims", "ends"),
    [("the run", {"Crashed"}), ("the worker", {"Completed", "Crashed"}), ("both", {"Crashed"})],
)
def test_after_a_kill_the_server_says_so_and_the_next_run_completes_the_work(
    project: Project, deployed: UUID, prefect_server: PrefectServer, victims: str, ends: set[str]
) -> None:
    """Where a process dies, the next run does the rest; a run without its worker ends by itself.

    It ends either way: it goes on, and is Crashed if it meets its output's closed end. Both die
    while the run waits to try something again.
    """
    # Time enough to kill: a run without a worker asks again, and each try of a task asks 4 times.
    faults: dict[str, list[Fault]] = {
        "the run": [Hang()],
        "the worker": [Status(503)] * 3,
        "both": [Status(503)] * 99,
    }
    asked = {"the run": [1], "the worker": [1, 2, 3, 4], "both": [8, 12]}
    project.server.script(FEBRUARY, *faults[victims])
    silence = impatience(35) if victims == "both" else nullcontext()
    with silence, worker(prefect_server) as first:
        run = begin(deployed, since="2024-01", until="2024-02", at_once=1)
        until(lambda: project.asked(FEBRUARY) in asked[victims] and heard_of(run))
        started_by_it = runners(first)
        if victims != "the run":
            first.kill()
        if victims != "the worker":
            for process in started_by_it:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        assert until(lambda: ended(run)) in ends
    project.server.forget(FEBRUARY)
    with worker(prefect_server):
        again = begin(deployed, since="2024-01", until="2024-02", at_once=1)
        assert until(lambda: ended(again)) == "Completed"
    _all_is_there_once(project)


def test_two_runs_of_one_deployment_at_once_do_everything_once(
    project: Project, deployed: UUID, prefect_server: PrefectServer
) -> None:
    with worker(prefect_server):
        one, other = begin(deployed), begin(deployed)
        ends = until(lambda: ended(one)), until(lambda: ended(other))
    assert ends == ("Completed", "Completed")
    _all_is_there_once(project)


def _all_is_there_once(project: Project) -> None:
    assert project.loaded() == LOADED
    lk = project.lake()
    for dataset in lk.state.datasets:
        assert {partition.versions for partition in lk.state.partitions(dataset)} == {1}
    assert verify(lk).damage == ()


def test_a_run_lives_through_an_api_that_is_lost_or_locked_for_a_moment(
    project: Project, prefect_server: PrefectServer
) -> None:
    """A server whose database is locked answers 503."""
    with Proxy.before(prefect_server.api_url.removesuffix("/api")) as proxy:
        asked = "/api/(flow_runs|task_runs|artifacts)"
        proxy.fail(
            Rule("reset-before", asked, first=4, times=3), Rule("503-before", asked, first=9)
        )
        with temporary_settings({PREFECT_API_URL: f"{proxy.url}/api"}):
            state = land(project=project.folder, return_state=True)
        assert (proxy.counts()["reset-before"], proxy.counts()["503-before"]) == (3, 1)
    assert state.is_completed(), state.message
    assert project.messages() == ["land raw.trips", "land raw.zones"]


def test_a_server_that_is_lost_for_good_is_one_line_and_the_next_run_completes_it(
    project: Project, prefect_server: PrefectServer, capsys: pytest.CaptureFixture[str]
) -> None:
    with Proxy.before(prefect_server.api_url.removesuffix("/api")) as proxy:
        proxy.fail(Rule("reset-before", "/api/(flow_runs|artifacts)", first=4, times=10_000))
        settings: dict[Any, Any] = {
            PREFECT_API_URL: f"{proxy.url}/api",
            PREFECT_CLIENT_MAX_RETRIES: 0,
        }
        with temporary_settings(settings):
            assert run(elt, ["--project", project.folder]) == 1
        assert proxy.counts()["reset-before"]
        said = [line for line in capsys.readouterr().err.split("\n") if line.startswith("error: ")]
        (line,) = said
        assert line.startswith(f"error: the Prefect server at {proxy.url}/api was lost during the")
        assert "what was committed stays; start it, then run the same again" in line
    assert run(elt, ["--project", project.folder]) == 0
    assert project.loaded() == LOADED
    assert len(project.messages()) == len(set(project.messages()))


def test_the_password_is_its_owner_s_and_a_port_that_is_taken_is_one_line(
    prefect_server: PrefectServer,
) -> None:
    path = prefect_server.folder / "auth"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    port = prefect_server.api_url.rpartition(":")[2].removesuffix("/api")
    told = {**os.environ, "XDG_DATA_HOME": str(prefect_server.folder.parent.parent)}
    done = subprocess.run(
        [*LAKE, "server", "--port", port], capture_output=True, text=True, env=told, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: 127.0.0.1:{port} cannot be listened on (")


def test_a_password_is_made_once_however_many_start(tmp_path: Path) -> None:
    for number in range(50):
        folder = tmp_path / str(number)
        folder.mkdir()
        with ThreadPoolExecutor(8) as pool:
            found = set(pool.map(auth_string, [folder] * 8))
        assert len(found) == 1
        assert {path.name for path in folder.iterdir()} == {"auth"}
    (tmp_path / "0" / "auth").write_text("")
    with pytest.raises(ServerFailed, match=r"auth holds no password: delete it, and the next"):
        auth_string(tmp_path / "0")


def test_a_postgresql_whose_user_was_killed_is_stopped_by_the_next() -> None:
    begin = """
import os, signal, sys
from pathlib import Path
from lake_flows.server import database
with database(None, Path(sys.argv[1])):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([sys.executable, "-c", begin, folder], check=False)
        assert done.returncode == -signal.SIGKILL
        told = Path(folder) / "postgres" / "postmaster.pid"
        assert psutil.pid_exists(int(told.read_text().split()[0]))
        with database(None, Path(folder)) as url:
            assert url.startswith("postgresql+asyncpg://")
        assert not told.exists()


def test_the_server_of_the_compose_file_is_equipped_alike(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DO_NOT_TRACK", "PREFECT_SERVER_ANALYTICS_ENABLED"):
        monkeypatch.delenv(name)
    service = COMPOSE["services"]["prefect"]
    (root,) = (COMPOSE_FILE.parent / service["build"]["context"]).resolve().glob("pyproject.toml")
    assert (root.parent / service["build"]["dockerfile"]).is_file()
    # In a container all of its addresses; which of them are seen from outside, the ports say.
    assert service["command"] == "lake server --host 0.0.0.0"
    assert service["ports"] == ["127.0.0.1:4200:4200"]
    told = dict(service["environment"])
    auth = told["PREFECT_SERVER_API_AUTH_STRING"]
    # Its database is one of the compose file's, and here one of the tests' own server.
    assert urlsplit(told["PREFECT_SERVER_DATABASE_CONNECTION_URL"]).hostname == "postgres"
    told["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = shop.url
    with tempfile.TemporaryDirectory() as folder, started(folder, **told) as server:
        settings = {PREFECT_API_URL: server.api_url, PREFECT_API_AUTH_STRING: auth}
        with temporary_settings(settings), get_client(sync_client=True) as client:
            assert [one.name for one in client.read_automations()] == [zombies.NAME]
            assert client.read_block_type_by_slug("lake").name == "Lake"
            kept = client.request("GET", "/admin/settings").json()["server"]
            assert kept["services"]["db_vacuum"]["retention_period"] == "P90D"
            assert kept["analytics_enabled"] is False
        assert httpx.get(f"{server.api_url}/flows/count", trust_env=False).status_code == 401
        assert not (server.folder / "auth").exists()
    tables = shop.connection.execute("SELECT count(*) FROM flow_run").fetchone()
    assert tables == (0,)


def test_a_server_on_sqlite_is_equipped_alike(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_UI_ENABLED", "true")
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")  # of another server
    with tempfile.TemporaryDirectory() as folder:
        database = f"sqlite+aiosqlite:///{folder}/prefect.db"
        with started(folder, "--database", database) as server:
            told = {PREFECT_API_URL: server.api_url, PREFECT_API_AUTH_STRING: server.auth}
            with temporary_settings(told), get_client(sync_client=True) as client:
                names = [one.name for one in client.read_automations()]
                assert names == [zombies.NAME]
                assert client.read_block_type_by_slug("lake").name == "Lake"
            pages = httpx.get(f"{server.api_url.removesuffix('/api')}/ui-settings", trust_env=False)
            assert pages.json()["api_url"] == server.api_url
        assert not (Path(folder) / "clearlake" / "prefect" / "postgres").exists()
