from collections.abc import Iterator
from pathlib import Path

import pytest

from lake.catalog import checkpoint
from lake.catalog.entries import Built, CheckResult, Note
from lake.catalog.publish import Draft, publish
from lake.errors import VersionHeld
from lake.lake import Lake
from tests.lakes import again, land, new_lake, rows, shared_lake

# The tables of the design, by their columns.
COLUMNS = {
    "commits": "commit id committed_at author message changes",
    "datasets": "dataset description owner partitions versions files rows bytes changed_at"
    " changed_in",
    "versions": "dataset partition version commit landed_at action rows rejected bytes files"
    " sha256 source run current held",
    "files": "dataset partition version key bytes rows sha256 schema_id added_in removed_in",
    "columns": "dataset column type file_column file_type first_version last_version rule",
    "checks": "dataset partition check failed severity passed commit checked_at",
    "loads": "dataset table warehouse partitions removed rows loaded_commit commit loaded_at",
}


@pytest.fixture(scope="module", params=[False, True], ids=["tail", "checkpoint"])
def lk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """Two versions of January and one held; February with another type; an unpartitioned one."""
    with shared_lake(tmp_path_factory) as lk:
        yield fill(lk, checkpointed=request.param)


def fill(lk: Lake, *, checkpointed: bool) -> Lake:
    land(lk, "raw.x", "SELECT 1::INTEGER AS n", month="2024-01")
    land(lk, "raw.x", "SELECT 0.5::DOUBLE AS N, 'b' AS more", month="2024-02")
    land(lk, "raw.x", "SELECT 2::INTEGER AS n UNION ALL SELECT 3", month="2024-01")
    if checkpointed:
        assert checkpoint.write(lk.log, lk.state)
    with pytest.raises(VersionHeld, match="held"):
        land(lk, "raw.x", "SELECT [1] AS n", month="2024-01")
    land(lk, "raw.zones", "SELECT 1 AS id")
    return lk


def test_the_tables_have_the_columns_that_people_are_told(lk: Lake) -> None:
    for table, columns in COLUMNS.items():
        assert lk.sql(f"FROM meta.{table}").columns == columns.split(), table


def test_versions_say_what_is_current_and_what_is_held(lk: Lake) -> None:
    query = """SELECT dataset, partition, version, commit, action, rows, files, current, held
               FROM meta.versions"""
    assert rows(lk, query) == [
        ("raw.x", "month=2024-01", 1, 1, "landing", 1, 1, False, False),
        ("raw.x", "month=2024-02", 1, 2, "landing", 1, 1, True, False),
        ("raw.x", "month=2024-01", 2, 3, "landing", 2, 1, True, False),
        ("raw.x", "month=2024-01", 3, 4, "hold", 1, 1, False, True),
        ("raw.zones", "", 1, 5, "landing", 1, 1, True, False),
    ]


def test_files_say_from_which_commit_to_which_they_were_current(lk: Lake) -> None:
    query = "SELECT partition, version, rows, added_in, removed_in FROM meta.files"
    assert rows(lk, query) == [
        ("month=2024-01", 1, 1, 1, 3),
        ("month=2024-02", 1, 1, 2, None),
        ("month=2024-01", 2, 2, 3, None),
        ("month=2024-01", 3, 1, 4, 4),
        ("", 1, 1, 5, None),
    ]
    urls = {lk.log.store.data_url(key) for (key,) in rows(lk, _AT.format(2))}
    assert urls == set(lk.at(2).files("raw.x"))


_AT = (
    "SELECT key FROM meta.files WHERE added_in <= {0} AND (removed_in IS NULL OR removed_in > {0})"
)


def test_datasets_are_counted(lk: Lake) -> None:
    query = "SELECT dataset, partitions, versions, files, rows, changed_in FROM meta.datasets"
    assert rows(lk, query) == [("raw.x", 2, 4, 2, 3, 3), ("raw.zones", 1, 1, 1, 1, 5)]


def test_columns_say_what_they_are_made_of(lk: Lake) -> None:
    query = """SELECT "column", type, file_column, file_type, rule FROM meta.columns
               WHERE dataset = 'raw.x' ORDER BY ALL"""
    assert [row[:4] for row in rows(lk, query)] == [
        ("month", "VARCHAR", None, None),
        ("more", "VARCHAR", "more", "VARCHAR"),
        ("n", "DOUBLE", "N", "DOUBLE"),
        ("n", "DOUBLE", "n", "INTEGER"),
    ]


def test_columns_name_the_versions_that_they_join(lk: Lake) -> None:
    query = """SELECT file_type, first_version, last_version FROM meta.columns
               WHERE dataset = 'raw.x' AND "column" = 'n' ORDER BY ALL"""
    assert rows(lk, query) == [
        ("DOUBLE", "month=2024-02@v1", "month=2024-02@v1"),
        ("INTEGER", "month=2024-01@v2", "month=2024-01@v2"),
    ]


def test_commits_are_counted_by_change(lk: Lake) -> None:
    found = rows(lk, "SELECT commit, message, changes FROM meta.commits")
    assert [row[0] for row in found] == [1, 2, 3, 4, 5]
    assert found[0][1:] == ("land raw.x/month=2024-01", "1 replace")
    assert found[3][2] == "1 hold"


def test_checks_and_loads_are_kept(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    changes = (
        Built("curated.m", "key", checks=(CheckResult("unique_id"), CheckResult("w", 3, "warn"))),
        Note("check", "curated.b", data={"name": "not_null_n", "failed": "2", "severity": "error"}),
        Note("load", "curated.m", data={"table": "m", "loaded": "2", "rows": "9", "of": "5"}),
    )  # fmt: skip
    publish(lk.log, lk.state, lambda state: Draft(changes), commit_id=lk.new_id())
    for one in (lk, again(lk)):
        query = 'SELECT dataset, "check", failed, severity, passed, commit FROM meta.checks'
        assert rows(one, query) == [
            ("curated.b", "not_null_n", 2, "error", False, 1),
            ("curated.m", "unique_id", 0, "error", True, 1),
            ("curated.m", "w", 3, "warn", False, 1),
        ]
        query = 'SELECT dataset, "table", partitions, rows, loaded_commit FROM meta.loads'
        assert rows(one, query) == [("curated.m", "m", 2, 9, 5)]


def test_an_empty_lake_has_empty_tables(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    for table in COLUMNS:
        assert rows(lk, f"FROM meta.{table}") == []
