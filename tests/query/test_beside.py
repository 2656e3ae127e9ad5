"""The views beside a raw dataset's own."""

from pathlib import Path

import duckdb
import pytest

import lake
from lake.errors import NoSuchDataset, QueryFailed, VersionHeld
from tests.lakes import again, land, new_lake, rows

KEYED = """
[sources.x]
url = "x.csv"
key = ["ID"]
"""


def test_every_row_says_where_it_lies(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    land(lk, "raw.x", "FROM (VALUES ('a'), ('b')) t(name)", month="2024-01")
    land(lk, "raw.x", "FROM (VALUES ('c', 1)) t(name, n)", month="2024-02")
    found = rows(lk, "SELECT name, n, month, _row, _commit, _file FROM raw.x__rows ORDER BY name")
    assert [row[:5] for row in found] == [
        ("a", None, "2024-01", 1, 1),
        ("b", None, "2024-01", 2, 1),
        ("c", 1, "2024-02", 1, 2),
    ]
    assert {row[5] for row in found} == {file.key for file in lk.state.data_files("raw.x")}
    at = {one.current.landed.at for one in lk.state.current("raw.x") if one.current}
    landed = rows(lk, "SELECT DISTINCT _landed_at FROM raw.x__rows")
    assert {row[0].isoformat() for row in landed} <= at


def test_an_older_snapshot_says_where_its_rows_were(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    land(lk, "raw.x", "SELECT 1 AS a")
    land(lk, "raw.x", "SELECT 2 AS a")
    assert lk.at(1).sql("SELECT a, _commit FROM raw.x__rows").fetchall() == [(1, 1)]
    assert rows(lk, "SELECT a, _commit FROM raw.x__rows") == [(2, 2)]


def test_rejected_rows_are_a_table(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n3\n")
    lk.land(path, dataset="raw.x", partition={"day": "1"}, read={"max_rejects": 1})
    path.write_text("a,b\n1\n2,3,4\n5,6\n7,8\n")
    with pytest.raises(VersionHeld, match=r"^raw.x/day=2 is held: 2 rows were rejected"):
        lk.land(path, dataset="raw.x", partition={"day": "2"})
    shown = "SELECT partition, version, held, line, reason, raw FROM raw.x__rejected ORDER BY ALL"
    assert rows(lk, shown) == [
        ("day=1", 1, False, 3, "1 field where the header has 2", "3"),
        ("day=2", 1, True, 2, "1 field where the header has 2", "1"),
        ("day=2", 1, True, 3, "3 fields where the header has 2", "2,3,4"),
    ]
    assert rows(lk, "SELECT count(*) FROM raw.x") == [(1,)]


def test_rejected_rows_that_a_person_deleted_are_no_fault(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n3\n")
    lk.land(path, dataset="raw.x", read={"max_rejects": 1})
    next((tmp_path / ".lake").rglob("_rejected.jsonl.gz")).unlink()
    assert rows(again(lk), "FROM raw.x__rejected") == []


def test_a_dataset_without_rejected_rows_has_an_empty_table(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    land(lk, "raw.x", "SELECT 1 AS a")
    assert rows(lk, "FROM raw.x__rejected") == []


def test_the_newest_row_of_each_key_is_current(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lake.toml").write_text(KEYED)
    monkeypatch.chdir(tmp_path)
    new_lake(tmp_path)
    lk = lake.open(str(tmp_path / ".lake"))
    (tmp_path / "x.csv").write_text("id,name\n1,old\n2,only\n,a\n,b\n")
    lk.land_sources()
    land(lk, "raw.x", "SELECT 1 AS id, 'new' AS name")
    found = rows(lk, "SELECT id, name FROM raw.x__current ORDER BY ALL")
    assert found == [(1, "new")]
    (tmp_path / "x.csv").write_text("id,name\n1,first\n1,second\n2,only\n,a\n,b\n")
    lk.land_sources()
    found = rows(lk, "SELECT id, name FROM raw.x__current ORDER BY ALL")
    assert found == [(1, "second"), (2, "only"), (None, "a"), (None, "b")]


def test_without_a_key_nothing_says_which_row_is_current(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    land(lk, "raw.x", "SELECT 1 AS a")
    message = (
        r'^raw.x__current needs a key, and none is declared: write key = \["…"\] into'
        r" \[sources.x\] of lake.toml and run `lake apply`$"
    )
    with pytest.raises(NoSuchDataset, match=message):
        lk.sql("FROM raw.x__current")


def test_a_key_that_is_no_column_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lake.toml").write_text(KEYED)
    monkeypatch.chdir(tmp_path)
    new_lake(tmp_path)
    lk = lake.open(str(tmp_path / ".lake"))
    (tmp_path / "x.csv").write_text("name\na\n")
    lk.land_sources()
    message = (
        "^raw.x__current: the declared key 'ID' is no column of raw.x: correct key in lake.toml"
        " and run `lake apply`$"
    )
    with pytest.raises(QueryFailed, match=message):
        lk.sql("FROM raw.x__current")


def test_files_with_a_column_that_duckdb_numbers_rows_in_keep_no_view_from_being_made(
    tmp_path: Path,
) -> None:
    lk = new_lake(tmp_path)
    land(lk, "raw.x", "SELECT 7 AS File_Row_Number")
    land(lk, "raw.y", "SELECT 1 AS a")
    assert rows(lk, "SELECT * FROM raw.x") == [(7,)]
    with pytest.raises(QueryFailed, match=r"^there is no raw\.x__rows: a column of its files is"):
        lk.sql("FROM raw.x__rows")
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{tmp_path}/.lake/catalog.duckdb' AS made (READ_ONLY)")
        assert connection.execute("SELECT a FROM made.raw.y__rows").fetchall() == [(1,)]
        assert connection.execute("SELECT * FROM made.raw.x").fetchall() == [(7,)]
