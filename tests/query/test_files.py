from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lake.catalog.entries import Remove
from lake.catalog.publish import Draft, publish
from lake.errors import NoSuchDataset, NoSuchVersion, VersionHeld
from lake.lake import Lake
from lake.query.sql import file_list
from tests.lakes import land, new_lake


@pytest.fixture
def lk(tmp_path: Path) -> Lake:
    lk = new_lake(tmp_path)
    land(lk, "raw.x", "SELECT 2 AS n", month="2024-02")
    land(lk, "raw.x", "SELECT 1 AS n", month="2024-01")
    land(lk, "raw.x", "SELECT 1.5::DOUBLE AS n, 'b' AS more", month="2024-01")
    return lk


def values(urls: list[str]) -> list[float]:
    found = duckdb.sql(f"SELECT n FROM read_parquet({file_list(urls)}, union_by_name=true)")
    return [float(row[0]) for row in found.fetchall()]


def test_files_come_in_the_order_of_partitions(lk: Lake) -> None:
    assert [values([url]) for url in lk.files("raw.x")] == [[1.5], [2]]
    assert values(lk.files("raw.x/month=2024-02")) == [2]


def test_files_of_a_former_commit_and_of_a_version(lk: Lake) -> None:
    assert values(lk.files("raw.x@2")) == [1, 2]
    assert values(lk.files("raw.x/month=2024-01@v1")) == [1]
    assert values(lk.at(1).files("raw.x")) == [2]


def test_a_table_is_what_the_view_gives_of_an_address(lk: Lake) -> None:
    assert lk.table("raw.x").order("month").fetchall() == [
        (1.5, "b", "2024-01"),
        (2.0, None, "2024-02"),
    ]
    assert lk.table("raw.x/month=2024-02").fetchall() == [(2.0, None, "2024-02")]
    assert lk.table("raw.x/month=2024-01@v1").fetchall() == [(1, "2024-01")]
    assert lk.table("raw.x@2").columns == ["n", "month"]


def test_a_held_version_is_no_table(lk: Lake) -> None:
    with pytest.raises(VersionHeld, match="held"):
        land(lk, "raw.x", "SELECT [1] AS n", month="2024-01")
    assert lk.table("raw.x/month=2024-01").fetchall() == [(1.5, "b", "2024-01")]
    with pytest.raises(NoSuchVersion, match=r"v3 is held .*`lake get` gives its bytes"):
        lk.table("raw.x/month=2024-01@v3")


def test_a_removed_partition_has_no_files(lk: Lake) -> None:
    publish(
        lk.log,
        lk.state,
        lambda state: Draft([Remove("raw.x", "month=2024-01")]),
        commit_id=lk.new_id(),
    )
    assert lk.files("raw.x/month=2024-01") == []
    assert lk.table("raw.x/month=2024-01").fetchall() == []
    with pytest.raises(NoSuchVersion, match=r"raw.x/month=2024-01 held nothing at commit 4"):
        lk.files("raw.x/month=2024-01@v3")


def test_a_dataset_of_which_all_is_held_is_no_table(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    path = tmp_path / "twice.parquet"
    pq.write_table(pa.table({"a": [1], "A": [2]}), path)
    with pytest.raises(VersionHeld, match="held"):
        lk.land(path, dataset="raw.x")
    for ask in (lk.table, lambda name: lk.sql(f"FROM {name}")):
        with pytest.raises(NoSuchVersion, match=r"raw.x has no columns yet: all that was"):
            ask("raw.x")
    assert lk.sql("SELECT dataset, partitions FROM meta.datasets").fetchall() == [("raw.x", 0)]
    assert lk.sql("SELECT * FROM meta.columns").fetchall() == []
    lk.connect()
    with pytest.raises(NoSuchDataset, match=r"raw.y"):
        lk.table("raw.y")
