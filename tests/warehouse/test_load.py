import dataclasses
import re
from pathlib import Path

import duckdb
import pytest

from lake.errors import InvalidName, LoadRefused, StoreUnavailable
from lake.query.sql import identifier
from lake.warehouse.load import TableLoaded, describe, holds, load
from tests.warehouse.loads import Publish, Rows
from tests.warehouse.places import Place


def test_the_first_load_makes_schema_table_and_comment(
    tmp_path: Path, warehouse: Place, publish: Publish, rows: Rows
) -> None:
    done = load(warehouse.url, publish(1, {"2024-01": [3, 4], "2024-02": [5]}), root=tmp_path)
    assert done == TableLoaded("marts.daily", ("month=2024-01", "month=2024-02"), (), 3, 0)
    assert rows() == [("2024-01", 3), ("2024-01", 4), ("2024-02", 5)]
    assert warehouse.run(warehouse.comment) == [("Trips per day",)]


def test_only_partitions_whose_content_changed_are_loaded(
    tmp_path: Path, warehouse: Place, publish: Publish, rows: Rows
) -> None:
    load(warehouse.url, publish(1, {"2024-01": [3], "2024-02": [5]}), root=tmp_path)
    touched: list[str] = []
    second = publish(2, {"2024-01": [3], "2024-02": [6, 7]})
    done = load(warehouse.url, second, root=tmp_path, statement_hook=touched.append)
    assert done == TableLoaded("marts.daily", ("month=2024-02",), (), 3, 1)
    assert rows() == [("2024-01", 3), ("2024-02", 6), ("2024-02", 7)]
    assert not [text for text in touched if "2024-01" in text]


def test_the_same_commit_again_changes_nothing(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    first = publish(1, {"2024-01": [3]})
    load(warehouse.url, first, root=tmp_path)
    ledger = (
        describe(warehouse.url, root=tmp_path),
        holds(warehouse.url, "0b5e", "marts.daily", root=tmp_path),
    )
    assert load(warehouse.url, first, root=tmp_path) == TableLoaded("marts.daily", (), (), 1, 1)
    assert ledger == (
        describe(warehouse.url, root=tmp_path),
        holds(warehouse.url, "0b5e", "marts.daily", root=tmp_path),
    )


def test_a_partition_that_is_gone_is_deleted_and_leaves_a_tombstone(
    tmp_path: Path, warehouse: Place, publish: Publish, rows: Rows
) -> None:
    load(warehouse.url, publish(1, {"2024-01": [3], "2024-02": [5]}), root=tmp_path)
    done = load(warehouse.url, publish(2, {"2024-02": [5]}), root=tmp_path)
    assert done == TableLoaded("marts.daily", (), ("month=2024-01",), 1, 1)
    assert rows() == [("2024-02", 5)]
    held = holds(warehouse.url, "0b5e", "marts.daily", root=tmp_path)
    assert [(r.partition, r.commit, r.rows, r.removed) for r in held.values()] == [
        ("month=2024-01", 2, 0, True),
        ("month=2024-02", 1, 1, False),
    ]


def test_a_partition_that_comes_back_is_loaded_again(
    tmp_path: Path, warehouse: Place, publish: Publish, rows: Rows
) -> None:
    both = {"2024-01": [3], "2024-02": [5]}
    load(warehouse.url, publish(1, both), root=tmp_path)
    load(warehouse.url, publish(2, {"2024-02": [5]}), root=tmp_path)
    assert load(warehouse.url, publish(3, both), root=tmp_path).loaded == ("month=2024-01",)
    assert rows() == [("2024-01", 3), ("2024-02", 5)]


def test_a_slow_load_never_overwrites_a_newer_one(
    tmp_path: Path, warehouse: Place, publish: Publish, rows: Rows
) -> None:
    load(warehouse.url, publish(41, {"2024-01": [3]}), root=tmp_path)
    with pytest.raises(LoadRefused) as refused:
        load(warehouse.url, publish(38, {"2024-01": [1]}), root=tmp_path)
    assert str(refused.value) == (
        f"table marts.daily in {warehouse.shown} was already loaded at commit 41 of"
        " curated.daily, and this load has commit 38: open the lake anew, then load again"
    )
    assert rows() == [("2024-01", 3)]


def test_a_commit_that_changed_nothing_still_keeps_older_ones_out(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    load(warehouse.url, publish(41, {"2024-01": [3]}), root=tmp_path)
    done = load(warehouse.url, publish(50, {"2024-01": [3]}), root=tmp_path)
    assert (done.loaded, done.unchanged) == ((), 1)
    with pytest.raises(LoadRefused, match=r"already loaded at commit 50 of curated\.daily"):
        load(warehouse.url, publish(45, {"2024-01": [4]}), root=tmp_path)


def test_another_lakes_table_is_refused(tmp_path: Path, warehouse: Place, publish: Publish) -> None:
    load(warehouse.url, publish(41, {"2024-01": [3]}), root=tmp_path)
    with pytest.raises(LoadRefused) as refused:
        load(warehouse.url, publish(50, {"2024-01": [4]}, lake_id="77aa"), root=tmp_path)
    assert str(refused.value) == (
        f"table marts.daily in {warehouse.shown} belongs to lake 0b5e (curated.daily at commit"
        " 41), and this is lake 77aa: give curated.daily another table in [warehouse.tables], or"
        " drop that one"
    )


def test_a_dropped_table_is_free_for_any_lake_and_made_anew(
    tmp_path: Path, warehouse: Place, publish: Publish, rows: Rows
) -> None:
    load(warehouse.url, publish(41, {"2024-01": [3], "2024-02": [5]}), root=tmp_path)
    warehouse.run("DROP TABLE marts.daily")
    assert describe(warehouse.url, root=tmp_path) == ()
    assert holds(warehouse.url, "0b5e", "marts.daily", root=tmp_path) == {}
    done = load(warehouse.url, publish(2, {"2024-01": [3]}, lake_id="77aa"), root=tmp_path)
    assert done.loaded == ("month=2024-01",)
    assert rows() == [("2024-01", 3)]
    assert holds(warehouse.url, "0b5e", "marts.daily", root=tmp_path) == {}


def test_a_table_that_no_lake_has_loaded_is_refused(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    warehouse.run("CREATE SCHEMA marts", "CREATE TABLE marts.daily (n INTEGER)")
    with pytest.raises(LoadRefused) as refused:
        load(warehouse.url, publish(1, {"2024-01": [3]}), root=tmp_path)
    assert str(refused.value) == (
        f"table marts.daily in {warehouse.shown} is there, and no lake has loaded it: give"
        " curated.daily another table in [warehouse.tables], or drop that one"
    )


def test_two_datasets_cannot_share_a_table(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    load(warehouse.url, publish(4, {"2024-01": [3]}), root=tmp_path)
    with pytest.raises(LoadRefused) as refused:
        load(warehouse.url, publish(4, {"2024-01": [9]}, dataset="curated.other"), root=tmp_path)
    assert str(refused.value) == (
        f"table marts.daily in {warehouse.shown} holds curated.daily at commit 4, and"
        " curated.other is to be loaded into it too: give each its own table in [warehouse.tables]"
    )


def test_a_renamed_dataset_keeps_its_table(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    load(warehouse.url, publish(4, {"2024-01": [3]}), root=tmp_path)
    done = load(
        warehouse.url, publish(5, {"2024-01": [3]}, dataset="curated.per_day"), root=tmp_path
    )
    assert done.unchanged == 1
    assert [(held.dataset, held.commit) for held in describe(warehouse.url, root=tmp_path)] == [
        ("curated.per_day", 5)
    ]


def test_what_lets_files_be_read_and_fails_is_told_and_leaves_nothing_open(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    opened: list[duckdb.DuckDBPyConnection] = []

    def let_read(connection: duckdb.DuckDBPyConnection) -> None:
        opened.append(connection)
        connection.execute("LOAD '/nowhere/httpfs.duckdb_extension'")

    job = dataclasses.replace(publish(1, {"2024-01": [3]}), let_read=let_read)
    with pytest.raises(
        StoreUnavailable, match=r"^loading curated\.daily into .* broke off \(.*now"
    ):
        load(warehouse.url, job, root=tmp_path)
    with pytest.raises(duckdb.ConnectionException, match="closed"):
        opened[0].execute("SELECT 1")


def test_a_partition_with_other_rows_than_published_is_rolled_back(
    tmp_path: Path, warehouse: Place, publish: Publish, rows: Rows
) -> None:
    load(warehouse.url, publish(1, {"2024-01": [3]}), root=tmp_path)
    second = publish(2, {"2024-01": [4, 5]})
    short = dataclasses.replace(second.partitions[0], rows=3)
    with pytest.raises(LoadRefused) as refused:
        load(warehouse.url, dataclasses.replace(second, partitions=(short,)), root=tmp_path)
    assert str(refused.value) == (
        "curated.daily/month=2024-01 at commit 2 has 3 rows, and 2 arrived in marts.daily:"
        " nothing was changed; run lake verify curated.daily"
    )
    assert rows() == [("2024-01", 3)]
    assert [held.commit for held in describe(warehouse.url, root=tmp_path)] == [1]


@pytest.mark.parametrize("commit", [1, 2])
def test_rows_that_somebody_else_wrote_are_found(
    tmp_path: Path, warehouse: Place, publish: Publish, commit: int
) -> None:
    load(warehouse.url, publish(1, {"2024-01": [3]}), root=tmp_path)
    warehouse.run("INSERT INTO marts.daily SELECT * FROM marts.daily")
    with pytest.raises(LoadRefused) as refused:
        load(warehouse.url, publish(commit, {"2024-01": [3]}), root=tmp_path)
    assert str(refused.value) == (
        f"table marts.daily in {warehouse.shown} would have 2 rows, and curated.daily has 1 at"
        f" commit {commit}: nothing was changed; somebody else wrote into the table, so run lake"
        " load --reconcile daily, which shows what differs and mends it"
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"description": " "},
            "curated.daily has no description, which a table needs before it is loaded: add"
            " description to the header of its model, then transform and load again",
        ),
        (
            {"description": "", "owner": ""},
            "curated.daily has no description and no owner, which a table needs before it is"
            " loaded: add description and owner to the header of its model, then transform and"
            " load again",
        ),
    ],
)
def test_a_table_without_description_or_owner_is_refused(
    tmp_path: Path, warehouse: Place, publish: Publish, fields: dict[str, str], message: str
) -> None:
    with pytest.raises(LoadRefused, match=f"^{re.escape(message)}$"):
        load(warehouse.url, publish(1, {"2024-01": [3]}, **fields), root=tmp_path)
    assert describe(warehouse.url, root=tmp_path) == ()


@pytest.mark.parametrize("table", ["a.b.c", "", "Marts.x", 'x"; DROP', "_lake_loads", "marts."])
def test_a_name_that_cannot_be_a_table_is_refused(
    tmp_path: Path, warehouse: Place, publish: Publish, table: str
) -> None:
    message = (
        f"{table!r} is no table to load into: write NAME or SCHEMA.NAME in lower-case letters,"
        " digits and underscores, other than _lake_tables, _lake_loads and _lake_writers"
    )
    with pytest.raises(InvalidName, match=f"^{re.escape(message)}$"):
        load(warehouse.url, publish(1, {"2024-01": [3]}, table=table), root=tmp_path)


def test_a_dataset_without_partitions_is_replaced_whole(
    tmp_path: Path, warehouse: Place, publish: Publish, rows: Rows
) -> None:
    for commit, trips in ((1, [3, 4]), (2, [5])):
        whole = publish(commit, {"2024-01": trips}, table="daily")
        only = dataclasses.replace(whole.partitions[0], partition="")
        done = load(warehouse.url, dataclasses.replace(whole, partitions=(only,)), root=tmp_path)
        assert done.loaded == ("",)
    assert rows("daily") == [("2024-01", 5)]


def test_a_whole_that_is_cut_into_partitions_is_replaced(
    tmp_path: Path, warehouse: Place, publish: Publish, rows: Rows
) -> None:
    first = publish(1, {"2024-01": [3]})
    whole = dataclasses.replace(first.partitions[0], partition="")
    load(warehouse.url, dataclasses.replace(first, partitions=(whole,)), root=tmp_path)
    done = load(warehouse.url, publish(2, {"2024-01": [4], "2024-02": [5]}), root=tmp_path)
    assert (done.loaded, done.removed) == (("month=2024-01", "month=2024-02"), ("",))
    assert rows() == [("2024-01", 4), ("2024-02", 5)]


def test_a_dataset_that_gets_other_partitions_is_replaced_whole(
    tmp_path: Path, warehouse: Place, publish: Publish, rows: Rows
) -> None:
    load(warehouse.url, publish(1, {"2024-01": [3], "2024-02": [5]}), root=tmp_path)
    second = publish(2, {"2024-01": [3]})
    by_day = dataclasses.replace(second.partitions[0], partition="day=2024-01-01")
    done = load(warehouse.url, dataclasses.replace(second, partitions=(by_day,)), root=tmp_path)
    assert (done.loaded, done.removed) == (("day=2024-01-01",), ("month=2024-01", "month=2024-02"))
    assert rows() == [("2024-01", 3)]


def test_an_empty_dataset_makes_an_empty_table(
    tmp_path: Path, warehouse: Place, publish: Publish, rows: Rows
) -> None:
    assert load(warehouse.url, publish(1, {}), root=tmp_path) == TableLoaded(
        "marts.daily", (), (), 0, 0
    )
    assert rows() == []


def test_odd_values_and_names_are_quoted(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    name = 'a "b" c' if warehouse.takes_quotes else "a b c"
    load_ = publish(1, {"2024-01": [3]}, columns=(("we ird", "VARCHAR"), (name, "INTEGER")))
    text = "it's 50% =/💡"
    select = f"""SELECT 'it''s 50% =/💡' AS "we ird", 1 AS {identifier(name)} -- no end"""
    odd = dataclasses.replace(load_.partitions[0], partition="", select=select, rows=1, content="'")
    load(
        warehouse.url,
        dataclasses.replace(load_, partitions=(odd,), description="it's"),
        root=tmp_path,
    )
    assert warehouse.run('SELECT "we ird" FROM marts.daily') == [(text,)]


def test_a_typed_key_is_found_by_its_percent_encoded_text(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    for commit, n in ((1, 10), (2, 20)):
        base = publish(commit, {"2024-01": [n]}, columns=(("at", "TIMESTAMP"), ("n", "INTEGER")))
        select = f"SELECT TIMESTAMP '2024-01-01 10:00:00' AS at, {n} AS n"
        odd = dataclasses.replace(
            base.partitions[0], partition="at=2024-01-01%2010%3A00%3A00", select=select
        )
        load(warehouse.url, dataclasses.replace(base, partitions=(odd,)), root=tmp_path)
    assert warehouse.run("SELECT n FROM marts.daily") == [(20,)]


def test_a_file_that_the_lake_lost_changes_nothing(
    tmp_path: Path, warehouse: Place, publish: Publish, rows: Rows
) -> None:
    load(warehouse.url, publish(1, {"2024-01": [3]}), root=tmp_path)
    second = publish(2, {"2024-01": [4]})
    path = tmp_path / "2024-01=4.parquet"
    path.unlink()
    with pytest.raises(StoreUnavailable) as broken:
        load(warehouse.url, second, root=tmp_path)
    assert str(broken.value) == (
        f"loading curated.daily into marts.daily in {warehouse.shown} broke off (No files found"
        f' that match the pattern "{path}"): nothing was changed; put that right, then load again'
    )
    assert rows() == [("2024-01", 3)]


def test_what_the_warehouse_holds_is_told_without_making_it(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    assert holds(warehouse.url, "0b5e", "marts.daily", root=tmp_path) == {}
    assert describe(warehouse.url, root=tmp_path) == ()
    load(warehouse.url, publish(7, {"2024-01": [3, 4]}), root=tmp_path)
    row = holds(warehouse.url, "0b5e", "marts.daily", root=tmp_path)["month=2024-01"]
    assert (row.commit, row.content, row.rows, row.removed) == (7, "3-4", 2, False)
    assert row.loaded_at.tzinfo is not None
    (held,) = describe(warehouse.url, root=tmp_path)
    assert (held.table, held.lake_id, held.dataset, held.commit) == (
        "marts.daily",
        "0b5e",
        "curated.daily",
        7,
    )
