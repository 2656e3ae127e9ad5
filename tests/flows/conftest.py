import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lake.cli import main
from tests.flows.prefect_server import PrefectServer, started
from tests.flows.project import POOL, Deploy, Project
from tests.http_server import Server

# Prefect reads these when it is imported.
_HOME = tempfile.TemporaryDirectory(prefix="clearlake-prefect-", ignore_cleanup_errors=True)
os.environ |= {
    "DO_NOT_TRACK": "1",
    "PREFECT_HOME": _HOME.name,
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_UI_ENABLED": "false",
}
os.environ.pop("PREFECT_API_URL", None)
# So does Ray: it starts no cluster by itself, listens on loopback, tells nobody of it, and a busy
# machine has time.
os.environ |= {
    "RAY_AUTH_MODE": "disabled",
    "RAY_ENABLE_AUTO_CONNECT": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_CLIENT_INITIAL_CONNECTION_TIMEOUT_S": "60",
    "RAY_CLIENT_MAX_CONNECTION_TIMEOUT_S": "60",
}


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[PrefectServer]:
    """`lake server`, on a PostgreSQL of its own; what this process runs is told of it."""
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

    # What is said of somebody else's PostgreSQL is not meant for its own.
    away = {"PGPORT": "1", "PGHOST": "nowhere.example", "PGDATABASE": "other"}
    with (
        tempfile.TemporaryDirectory(prefix="clearlake-") as folder,
        started(folder, **away) as server,
    ):
        told = {PREFECT_API_URL: server.api_url, PREFECT_API_AUTH_STRING: server.auth}
        with temporary_settings(told):
            yield server


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Server() as server:
        yield Project(tmp_path, server)


@pytest.fixture
def deploy(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Deploy:
    """Run `lake deploy` in the project."""
    monkeypatch.chdir(project.root)

    def deploy(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["deploy", *words])
        return (code, *capsys.readouterr())

    return deploy


@pytest.fixture(scope="module")
def pool(prefect_server: PrefectServer) -> str:
    """A work pool that nobody polls, but for a worker of a test's own."""
    from prefect import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists
    from prefect.workers.process import ProcessWorker

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
