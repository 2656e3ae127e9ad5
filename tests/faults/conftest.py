"""An empty lake, a file to land into it, and a project that was walked once."""

import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import duckdb
import pytest

import lake
from lake.lake import Lake
from lake.query.sql import literal
from storage_backends import Store, open_store
from tests.faults import example
from tests.faults.example import Project
from tests.faults.proxy import ANSWER_S, Proxy
from tests.servers import BUCKET, addresses

_SCHEMES = {"minio": "s3", "fake_gcs": "gs", "azurite": "az"}


@pytest.fixture
def lk(tmp_path: Path) -> Lake:
    return lake.init(str(tmp_path / "lake"))


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.parquet"
    with duckdb.connect() as con:
        con.execute(
            "COPY (SELECT range AS id, md5(range::VARCHAR) AS h FROM range(100))"
            f" TO {literal(str(path))} (FORMAT parquet)"
        )
    return path


@pytest.fixture(scope="session")
def walked_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Project(example.make(tmp_path_factory.mktemp("walked") / "project"))
    made.init()
    assert made.walk().commit == 4
    return made.root


@pytest.fixture
def walked(walked_once: Path, tmp_path: Path) -> Project:
    """A project with four commits, of which the cache knows nothing."""
    return Project(Path(shutil.copytree(walked_once, tmp_path / "project")))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(example.make(tmp_path / "project"))
    made.init()
    return made


class Proxies:
    """One proxy before each server."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._running: dict[str, Proxy] = {}

    def before(self, told: Mapping[str, str]) -> tuple[Proxy, dict[str, str]]:
        """Return the proxy of a server, and what that server's clients are told, by way of it."""
        (found,) = addresses(told)
        if found not in self._running:
            self._running[found] = self._stack.enter_context(Proxy.before(found))
        proxy = self._running[found]
        return proxy, {name: value.replace(found, proxy.url) for name, value in told.items()}


@pytest.fixture(scope="session")
def proxies() -> Iterator[Proxies]:
    with ExitStack() as stack:
        yield Proxies(stack)


@pytest.fixture(params=list(_SCHEMES))
def proxied(
    request: pytest.FixtureRequest, proxies: Proxies, monkeypatch: pytest.MonkeyPatch
) -> tuple[Proxy, Store]:
    """A proxy in front of a real server, and an empty store behind it."""
    told: Mapping[str, str] = request.getfixturevalue(request.param)
    proxy, told = proxies.before(told)
    proxy.fail()
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CLEARLAKE_ANSWER_S", ANSWER_S)
    url = f"{_SCHEMES[request.param]}://{BUCKET}/{uuid.uuid4().hex}/a lake"
    return proxy, open_store(url)
