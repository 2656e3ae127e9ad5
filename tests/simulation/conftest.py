"""Checkpoints are written and read through what is remembered, in every search."""

from collections.abc import Iterator

import pytest

from tests.simulation.tables import quick


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    with quick():
        yield
