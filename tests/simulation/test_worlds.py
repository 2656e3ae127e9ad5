"""Every schedule of small worlds, with one fault anywhere: the invariants hold in all of them."""

from dataclasses import replace

import pytest

from tests.simulation.search import explore, walk, walks
from tests.simulation.worlds import LONG, WORLDS

KILLED = (
    "two appends",
    "an append and a compaction",
    "two compactions",
    "two landings of new bytes",
    "a rollback and a collection",
)


@pytest.mark.parametrize("name", WORLDS)
def test_no_schedule_breaks_an_invariant(name: str) -> None:
    found = explore(WORLDS[name], seconds=300)
    assert not found.bad, found
    assert found.complete, found


@pytest.mark.parametrize("name", KILLED)
def test_no_schedule_with_a_kill_breaks_an_invariant(name: str) -> None:
    found = explore(replace(WORLDS[name], kills=1), seconds=300)
    assert not found.bad, found
    assert found.complete, found


@pytest.mark.parametrize("name", [*WORLDS, *LONG])
def test_no_random_walk_with_three_faults_and_two_kills_breaks_an_invariant(name: str) -> None:
    world = replace((WORLDS | LONG)[name], faults=3, kills=2)
    found = walks(world, seed=1, count=60, seconds=5)
    assert not found.bad, found


def test_a_seed_gives_the_same_walk_again() -> None:
    world = replace(WORLDS["two appends"], faults=2, kills=1)
    first, again = walk(world, 7)[0], walk(world, 7)[0]
    assert first.trace() == again.trace()


@pytest.mark.parametrize("name", ["two compactions", "an append, killed"])
def test_leaving_out_equal_schedules_leaves_out_no_outcome(name: str) -> None:
    world = replace(WORLDS[name], faults=0, kills=1)
    assert explore(world).ends == explore(replace(world, reduce=False)).ends
