from collections.abc import Iterator
from pathlib import Path

import pytest

from lake.catalog.entries import Remove, Replace
from lake.catalog.publish import Draft, publish
from lake.lake import Lake
from lake.models.assemble import Outcome, assemble
from lake.models.bench import bench
from lake.models.build import build
from lake.models.project import project
from lake.models.unit import gone, stale, units
from tests.lakes import copy_of, land, model, shared_lake

JANUARY, FEBRUARY = "month=2024-01", "month=2024-02"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """January and February of trips; a row of February belongs to January."""
    with shared_lake(tmp_path_factory) as lk:
        land(lk, "raw.trips", "SELECT 1 AS id, '2024-01' AS picked", month="2024-01")
        land(
            lk,
            "raw.trips",
            "FROM (VALUES (2, '2024-01'), (3, '2024-02')) t(id, picked)",
            month="2024-02",
        )
        model(lk, "m", "SELECT picked AS month, id FROM raw.trips", 'partition_by = "month"',
              'reads.trips = "each"')  # fmt: skip
        yield lk


@pytest.fixture
def lk(template: Lake, tmp_path: Path) -> Lake:
    return copy_of(template, tmp_path)


def outcome(lk: Lake) -> Outcome:
    """Return what publishing the model would change now."""
    with bench(lk.log, lk.state, project(lk), commit_id=lk.new_id(), run="run") as at:
        node = at.project.nodes["curated.m"]
        every = units(node, lk.state)
        results = [build(at, node, unit) for unit in stale(node, lk.state, every)]
        return assemble(at, node, every, results, gone(node, lk.state, every))


def test_a_partition_is_the_union_of_its_fragments(lk: Lake) -> None:
    found = outcome(lk)
    january, february = found.changes
    assert isinstance(january, Replace)
    assert isinstance(february, Replace)
    assert [file.each for file in january.files] == [JANUARY, FEBRUARY]
    assert [file.each for file in february.files] == [FEBRUARY]
    assert {build.each: build.feeds for build in found.builds} == {
        JANUARY: (JANUARY,),
        FEBRUARY: (JANUARY, FEBRUARY),
    }
    assert {file.schema for c in (january, february) for file in c.files} <= found.schemas.keys()


def test_nothing_stale_changes_nothing(lk: Lake) -> None:
    lk.transform()
    assert outcome(lk) == Outcome((), (), {})


def test_a_fragment_that_is_gone_leaves_the_others_as_they_were(lk: Lake) -> None:
    lk.transform()
    before = lk.state.partition("curated.m", JANUARY).current
    assert before
    change = Remove("raw.trips", FEBRUARY)
    publish(lk.log, lk.state, lambda state: Draft([change]), commit_id=lk.new_id())
    found = outcome(lk)
    january, february = found.changes
    assert isinstance(january, Replace)
    assert january.files == before.files[:1]
    assert january.content != before.content
    assert february == Remove("curated.m", FEBRUARY)
    assert [(build.scope, build.gone) for build in found.builds] == [(FEBRUARY, True)]
    assert (found.changed, found.removed) == ((JANUARY,), (FEBRUARY,))
