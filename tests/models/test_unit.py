from collections.abc import Iterator
from pathlib import Path

import pytest

from lake.lake import Lake
from lake.models.project import project
from lake.models.unit import kind_of, units
from tests.lakes import again, copy_of, land, model, shared_lake

JANUARY, FEBRUARY = "month=2024-01", "month=2024-02"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    with shared_lake(tmp_path_factory) as lk:
        land(lk, "raw.trips", "SELECT 1 AS id, 10 AS fare", month="2024-01")
        land(lk, "raw.trips", "SELECT 2 AS id, 20 AS fare", month="2024-02")
        land(lk, "raw.zones", "SELECT 1 AS id, 'a' AS name")
        yield lk


@pytest.fixture
def lk(template: Lake, tmp_path: Path) -> Lake:
    return copy_of(template, tmp_path)


SELECT = "SELECT t.month, t.id FROM raw.trips t JOIN raw.zones z ON z.id = t.id"


def keys(lk: Lake, select: str = SELECT, *header: str, kind: str = "same") -> dict[str, str]:
    """Return the build key of each unit of a model, by its scope."""
    model(lk, "m", select, 'partition_by = "month"', f'reads.trips = "{kind}"', *header)
    return {unit.scope: unit.key for unit in units(project(lk).nodes["curated.m"], lk.state)}


def moved(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {scope for scope in before if before[scope] != after[scope]}


BOTH = {JANUARY, FEBRUARY}


def test_a_key_is_the_same_for_another_process(lk: Lake) -> None:
    assert keys(lk) == keys(again(lk))
    assert len(set(keys(lk).values())) == 2


def test_a_partition_that_moves_changes_its_own_key_only(lk: Lake) -> None:
    before = keys(lk)
    land(lk, "raw.trips", "SELECT 2 AS id, 21 AS fare", month="2024-02")
    assert moved(before, keys(lk)) == {FEBRUARY}


def test_an_input_that_is_read_whole_changes_every_key(lk: Lake) -> None:
    before = keys(lk)
    land(lk, "raw.zones", "SELECT 1 AS id, 'b' AS name")
    assert moved(before, keys(lk)) == BOTH


def test_comments_blanks_and_descriptions_do_not_count(lk: Lake) -> None:
    before = keys(lk)
    spread = SELECT.replace(" FROM", " -- the months\n  from").replace("SELECT", "select")
    assert moved(before, keys(lk, spread, 'description = "d"', 'owner = "o"')) == set()


@pytest.mark.parametrize(
    ("select", "header", "kind"),
    [
        (SELECT.replace("t.id FROM", "t.id + 1 AS id FROM"), (), "same"),
        (SELECT, ('checks = [{ not_null = "id" }]',), "same"),
        (SELECT, (), "each"),
    ],
)
def test_sql_checks_and_reads_count(
    lk: Lake, select: str, header: tuple[str, ...], kind: str
) -> None:
    assert moved(keys(lk), keys(lk, select, *header, kind=kind)) == BOTH


def test_the_type_of_a_column_that_is_read_counts_and_of_another_does_not(lk: Lake) -> None:
    before, with_fare = keys(lk), keys(lk, SELECT.replace("t.id FROM", "t.fare FROM"))
    land(lk, "raw.trips", "SELECT 3 AS id, 0.5::DOUBLE AS fare, 1 AS more", month="2024-03")
    assert moved(before, keys(lk)) == set()
    assert moved(with_fare, keys(lk, SELECT.replace("t.id FROM", "t.fare FROM"))) == BOTH


def test_a_narrowed_model_has_a_unit_per_partition_and_a_whole_one_has_one(lk: Lake) -> None:
    model(lk, "m", SELECT, 'partition_by = "month"')
    node = project(lk).nodes["curated.m"]
    (only,) = units(node, lk.state)
    assert (kind_of(node), only.scope) == ("whole", "")
    assert dict(only.bound) == {"raw.trips": None, "raw.zones": None}
    keys(lk, kind="each")
    node = project(lk).nodes["curated.m"]
    first, _ = units(node, lk.state)
    assert (kind_of(node), first.scope) == ("each", JANUARY)
    assert dict(first.bound) == {"raw.trips": (JANUARY,), "raw.zones": None}


def test_a_range_is_bound_to_the_neighbours_that_there_are(lk: Lake) -> None:
    keys(lk)
    lk.transform()
    model(
        lk, "r", "SELECT month, id FROM curated.m", 'partition_by = "month"', 'reads.m = "-1..+1"'
    )
    found = units(project(lk).nodes["curated.r"], lk.state)
    assert [unit.bound["curated.m"] for unit in found] == [(JANUARY,)]


def test_two_inputs_of_one_partition_each_may_lack_it(lk: Lake) -> None:
    land(lk, "raw.more", "SELECT 3 AS id", month="2024-03")
    model(lk, "m", "SELECT month, id FROM raw.trips UNION ALL SELECT month, id FROM raw.more",
          'partition_by = "month"', 'reads.trips = "same"', 'reads.more = "same"')  # fmt: skip
    last = units(project(lk).nodes["curated.m"], lk.state)[-1]
    assert dict(last.bound) == {"raw.trips": (), "raw.more": ("month=2024-03",)}
    assert lk.transform().runs[0].rows == 3
