"""What every test relies on: nothing of the developer's own settings reaches it; and the stores.

A backend joins the suites that run over every store with a fixture and its name in `BACKENDS`.
"""

import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import duckdb
import pytest
from hypothesis import settings

from lake.query.sql import literal
from storage_backends import Store, open_store
from tests import databases, servers

BACKENDS = ["local", "s3", "gcs", "azure"]
_FOREIGN = ("LAKE_", "AWS_", "AZURE_", "GOOGLE_", "STORAGE_EMULATOR_HOST", "CLEARLAKE_")

# The same examples in every run: `make fuzz` looks for others.
settings.register_profile("suite", derandomize=True, database=None, deadline=None)
settings.load_profile("suite")


@pytest.fixture(autouse=True)
def _own_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith(_FOREIGN)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def local(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "a lake"))


@pytest.fixture
def parquet(tmp_path: Path) -> Callable[[str, str], Path]:
    """Return what writes the answer to a SELECT into a file of this name."""

    def write(name: str, select: str) -> Path:
        path = tmp_path / name
        duckdb.sql(f"COPY ({select}) TO {literal(str(path))} (FORMAT parquet)")
        return path

    return write


@pytest.fixture(scope="session")
def minio() -> Iterator[Mapping[str, str]]:
    with servers.running("minio") as told:
        yield told


@pytest.fixture
def s3(minio: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Store:
    return _inside(f"s3://{servers.BUCKET}", minio, monkeypatch)


@pytest.fixture(scope="session")
def fake_gcs() -> Iterator[Mapping[str, str]]:
    with servers.running("gcs") as told:
        yield told


@pytest.fixture
def gcs(fake_gcs: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Store:
    return _inside(f"gs://{servers.BUCKET}", fake_gcs, monkeypatch)


@pytest.fixture(scope="session")
def azurite() -> Iterator[Mapping[str, str]]:
    with servers.running("azurite") as told:
        yield told


@pytest.fixture
def azure(azurite: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Store:
    return _inside(f"az://{servers.BUCKET}", azurite, monkeypatch)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL that all tests share; `shop` has a database of its own there."""
    with servers.running("postgres") as told:
        yield told["WAREHOUSE_URL"]


@pytest.fixture
def shop(
    postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[databases.Shop]:
    """An empty database, named by SHOP_URL, and an empty lake."""
    with databases.shop(postgres, tmp_path) as made:
        monkeypatch.setenv("SHOP_URL", made.url)
        yield made


def _inside(bucket: str, told: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Store:
    """Give a store of its own below a bucket, as a client finds it by the environment."""
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    return open_store(f"{bucket}/{uuid.uuid4().hex}/a lake")


@pytest.fixture(params=BACKENDS)
def store(request: pytest.FixtureRequest) -> Store:
    """An empty store, which `open_store(store.url)` opens from any process."""
    found: Store = request.getfixturevalue(request.param)
    return found


def pytest_xdist_auto_num_workers() -> int:
    """Run two workers per core: tests wait for servers at least as long as they compute."""
    return 2 * (os.cpu_count() or 1)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their argument: archives hold the time, and workers compare names."""
    return argname if isinstance(val, bytes) else None
