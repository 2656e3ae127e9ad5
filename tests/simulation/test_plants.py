"""Each rule of the log, taken out or turned around, is missed: the search finds the schedule."""

import pytest

from tests.simulation.plants import PLANTS, Plant
from tests.simulation.search import explore
from tests.simulation.worlds import WORLDS


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_a_planted_bug_is_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant.plant(monkeypatch)
    found = explore(WORLDS[plant.world], seconds=60)
    assert plant.breaks in found.bad, found
