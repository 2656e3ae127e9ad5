from collections.abc import Iterator
from pathlib import Path

import pytest

from lake.lake import Lake
from tests.lakes import copy_of, shared_lake
from tests.models.months import trips


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """Two months of trips; one of February was picked up in January."""
    with shared_lake(tmp_path_factory) as lk:
        trips(lk, "2024-01", (1, "2024-01-05", 10), (2, "2024-01-06", 20))
        trips(lk, "2024-02", (3, "2024-01-31", 30), (4, "2024-02-01", 40))
        yield lk


@pytest.fixture
def lk(template: Lake, tmp_path: Path) -> Lake:
    return copy_of(template, tmp_path)
