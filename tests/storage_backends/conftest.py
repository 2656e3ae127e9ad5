"""The stores that the contract suite runs over: a backend joins with a fixture and its name."""

from pathlib import Path

import pytest

from storage_backends import Store, open_store

BACKENDS = ["local"]


@pytest.fixture
def local(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "a lake"))


@pytest.fixture(params=BACKENDS)
def store(request: pytest.FixtureRequest) -> Store:
    """An empty store, which `open_store(store.url)` opens from any process."""
    found: Store = request.getfixturevalue(request.param)
    return found
