import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.project import Project
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


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[str]:
    from prefect.settings import get_current_settings
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield str(get_current_settings().api.url)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Server() as server:
        yield Project(tmp_path, server)
