import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import duckdb
import pytest

from lake.catalog.state import DataFile, State
from lake.errors import BuildFailed, ModelInvalid
from lake.lake import Lake
from lake.models.bench import Bench, bench
from lake.models.build import Result, build
from lake.models.project import project
from lake.models.unit import units
from lake.query.sql import file_list
from tests.lakes import copy_of, land, model, shared_lake

BY_MONTH = 'partition_by = "month"'


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    with shared_lake(tmp_path_factory) as lk:
        land(lk, "raw.trips", "SELECT 1 AS id, 10::DOUBLE AS fare", month="2024-01")
        land(lk, "raw.trips", "SELECT 2 AS id, NULL::DOUBLE AS fare", month="2024-02")
        yield lk


@pytest.fixture
def lk(template: Lake, tmp_path: Path) -> Lake:
    return copy_of(template, tmp_path)


def benches(lk: Lake) -> Iterator[Bench]:
    with bench(lk.log, lk.state, project(lk), commit_id=lk.new_id(), run="run") as at:
        yield at


def built(lk: Lake, select: str, *header: str) -> list[Result]:
    """Build every unit of a model, and publish nothing."""
    model(lk, "m", select, *header)
    (at,) = benches_of(lk)
    return at


def benches_of(lk: Lake) -> Iterator[list[Result]]:
    for at in benches(lk):
        node = at.project.nodes["curated.m"]
        yield [build(at, node, unit) for unit in units(node, lk.state)]


def objects(lk: Lake) -> set[str]:
    return {item.key for item in lk.log.store.list("curated/")}


SELECT = "SELECT month, id, fare FROM raw.trips"


def test_what_is_built_lies_in_folders_that_nobody_sees(lk: Lake) -> None:
    before = lk.commit
    (result,) = built(lk, SELECT, BY_MONTH)
    assert result.fragments.keys() == {"month=2024-01", "month=2024-02"}
    for fragment in result.fragments.values():
        for file in fragment.files:
            data = lk.log.store.get(file.key)
            assert (len(data), hashlib.sha256(data).hexdigest()) == (file.bytes, file.sha256)
    assert lk.refresh() == before
    assert "curated.m" not in lk.state.datasets


def test_a_fragment_has_a_receipt_that_says_what_it_was_built_from(lk: Lake) -> None:
    for result in built(lk, SELECT, BY_MONTH, 'reads.trips = "each"'):
        (fragment,) = result.fragments.values()
        receipt = json.loads(lk.log.store.get(fragment.landed.receipt))
        assert receipt["built_from"] == {"raw.trips": [result.unit.scope]}
        assert receipt["build_key"] == result.unit.key
        assert receipt["partition"] == result.unit.scope
        assert [one["key"] for one in receipt["files"]] == [one.key for one in fragment.files]
        assert fragment.landed.receipt.startswith(fragment.files[0].key.rpartition("/")[0])


def test_schemas_come_with_what_their_columns_hold(lk: Lake) -> None:
    (result,) = built(lk, SELECT, BY_MONTH)
    facts = {
        text: {c.name: c.facts for c in result.schemas[fragment.files[0].schema]}
        for text, fragment in result.fragments.items()
    }
    assert facts["month=2024-01"]["fare"] == ()
    assert facts["month=2024-02"]["fare"] == ("null",)


def test_equal_fragments_of_two_inputs_lie_in_two_folders(lk: Lake) -> None:
    results = built(lk, "SELECT 'x' AS month FROM raw.trips", BY_MONTH, 'reads.trips = "each"')
    files = [one for result in results for f in result.fragments.values() for one in f.files]
    assert [file.each for file in files] == ["month=2024-01", "month=2024-02"]
    assert len({file.key.rpartition("/")[0] for file in files}) == 2


def test_what_the_lake_holds_already_is_not_uploaded_again(lk: Lake) -> None:
    built(lk, SELECT, BY_MONTH)
    lk.transform()
    before = objects(lk)
    (result,) = built(lk, SELECT.replace("fare FROM", "fare + 0 AS fare FROM"), BY_MONTH)
    assert objects(lk) == before
    current = lk.state.partition("curated.m", "month=2024-01").current
    assert current
    assert result.fragments["month=2024-01"].files == current.files


def test_columns_may_be_called_like_our_own_helpers(lk: Lake) -> None:
    select = "SELECT month, id AS partition_number, 1 AS k0, 2 AS number, 3 AS p FROM raw.trips"
    (result,) = built(lk, select, BY_MONTH)
    (file,) = result.fragments["month=2024-02"].files
    url = lk.log.store.data_url(file.key)
    found = duckdb.sql(f"SELECT * EXCLUDE (month) FROM read_parquet({file_list([url])},"
                       " hive_partitioning=false)")  # fmt: skip
    assert (found.columns, found.fetchall()) == (
        ["partition_number", "k0", "number", "p"],
        [(2, 1, 2, 3)],
    )


def test_no_rows_are_no_partitions_but_one_file_where_there_are_none(lk: Lake) -> None:
    (none,) = built(lk, f"{SELECT} WHERE false", BY_MONTH)
    assert none.fragments == {}
    (one,) = built(lk, f"{SELECT} WHERE false")
    (file,) = one.fragments[""].files
    assert (one.fragments[""].partition, file.rows) == ("", 0)


@pytest.mark.parametrize(
    ("select", "error", "message"),
    [
        ("SELECT nope AS month FROM raw.trips", ModelInvalid, "models/m.sql:4:8: .*nope"),
        ("SELECT id FROM raw.trips", ModelInvalid, "partition_by names no output column 'month'"),
        ("SELECT fare AS month FROM raw.trips", ModelInvalid, "'month' is DOUBLE: a partition's"),
        ("SELECT nullif(month, '2024-02') AS month FROM raw.trips", BuildFailed, "NULL in 1 of 2"),
        ("SELECT '' AS month FROM raw.trips", BuildFailed, "'month' is empty in 2 of 2 rows"),
        ("SELECT repeat('x', 300) AS month FROM raw.trips", BuildFailed, "too long: 300 bytes"),
        ("SELECT month, (1 / (id - 1))::INTEGER AS n FROM raw.trips", BuildFailed, "could not be"),
        ("SELECT month, INTERVAL 1 DAY AS i FROM raw.trips", ModelInvalid, "INTERVAL"),
    ],
)  # fmt: skip
def test_what_cannot_be_built_says_where_and_why(
    lk: Lake, select: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        built(lk, select, BY_MONTH)
    assert objects(lk) == set()


def test_nothing_is_left_on_this_disk(lk: Lake) -> None:
    model(lk, "m", SELECT, BY_MONTH)
    for at in benches(lk):
        build(at, at.project.nodes["curated.m"], units(at.project.nodes["curated.m"], lk.state)[0])
        scratch = at.scratch
        assert list(scratch.iterdir()) == []
    assert not scratch.exists()


class Counted(State):
    """A state that counts how often a dataset's files are listed."""

    __slots__ = ()
    listed: ClassVar[list[str]] = []

    def data_files(self, dataset: str) -> list[DataFile]:
        self.listed.append(dataset)
        return super().data_files(dataset)


def test_the_files_of_an_input_are_listed_once_however_many_units_read_it(lk: Lake) -> None:
    model(lk, "m", SELECT, BY_MONTH, 'reads.trips = "same"')
    lk.state.__class__ = Counted
    Counted.listed.clear()
    with bench(lk.log, lk.state, project(lk), commit_id=lk.new_id(), run="run") as at:
        node = at.project.nodes["curated.m"]
        assert [len(build(at, node, unit).fragments) for unit in units(node, at.state)] == [1, 1]
        assert Counted.listed == ["raw.trips"]
        at.state = at.state.fork()
        at.relation("raw.trips")
        assert len(Counted.listed) == 2
