from itertools import pairwise
from pathlib import Path

import duckdb
import pytest

from lake.catalog.entries import Drop, Rename
from lake.catalog.publish import Draft, publish
from lake.errors import FileDamaged, InvalidAddress, InvalidName, NoSuchVersion
from lake.lake import Lake
from lake.operations.diff import diff
from lake.operations.diff_lake import LakeDiff, PartitionDiff
from lake.operations.diff_match import Cell, RowDiff
from lake.operations.diff_rows import TableDiff
from tests.lakes import land, new_lake

TYPED = "SELECT id, s, x::DOUBLE AS x FROM (VALUES {}) t(id, s, x)"
V1 = TYPED.format("(1, 'a', '1.5'), (2, 'b', NULL), (3, 'c', 'nan'), (4, 'd', '0.0')")
V2 = TYPED.format(
    "(1, 'a', '2.5'), (2, NULL, '7'), (3, 'c', 'nan'), (5, 'e', '1'), (4, 'd', '-0.0')"
)


@pytest.fixture
def lk(tmp_path: Path) -> Lake:
    lk = new_lake(tmp_path)
    land(lk, "raw.x", V1, month="2024-01")
    land(lk, "raw.x", V2, month="2024-01")
    return lk


def tables(lk: Lake, *addresses: str, key: tuple[str, ...] = (), limit: int = 20) -> TableDiff:
    found = diff(lk, *addresses, key=key, limit=limit)
    assert isinstance(found, TableDiff)
    return found


def lakes(lk: Lake, *addresses: str | int) -> LakeDiff:
    found = diff(lk, *addresses)
    assert isinstance(found, LakeDiff)
    return found


def counts(found: TableDiff) -> tuple[int, int, int, int, int]:
    return found.added, found.removed, found.changed, found.cells, found.unchanged


def two(lk: Lake, before: str, after: str, *, key: tuple[str, ...] = ()) -> TableDiff:
    """Land two SELECTs one after the other as one partition, and compare them."""
    land(lk, "raw.two", before)
    land(lk, "raw.two", after)
    return tables(lk, "raw.two", key=key)


def test_rows_are_matched_by_key_and_cells_are_named(lk: Lake) -> None:
    found = tables(lk, "raw.x/month=2024-01", key=("ID",))
    assert (found.before, found.after) == ("raw.x/month=2024-01@v1", "raw.x/month=2024-01@v2")
    assert (counts(found), found.key, found.shared) == ((1, 0, 2, 3, 2), ("id",), 0)
    assert found.columns == {"x": 2, "s": 1}
    assert [(row.kind, row.values["id"], row.cells) for row in found.rows] == [
        ("changed", 1, (Cell("x", 1.5, 2.5),)),
        ("changed", 2, (Cell("s", "b", None), Cell("x", None, 7.0))),
        ("added", 5, ()),
    ]


def test_without_a_key_rows_are_multisets(lk: Lake) -> None:
    found = tables(lk, "raw.x/month=2024-01@v1", "raw.x/month=2024-01@v2")
    assert (counts(found), found.key) == ((3, 2, 0, 0, 2), ())
    assert [(row.kind, row.values["id"]) for row in found.rows] == [
        ("removed", 1),
        ("added", 1),
        ("removed", 2),
        ("added", 2),
        ("added", 5),
    ]


def test_the_other_way_round_added_is_removed(lk: Lake) -> None:
    found = tables(lk, "raw.x/month=2024-01@v2", "raw.x/month=2024-01@v1", key=("id",))
    assert counts(found) == (0, 1, 2, 3, 2)
    assert found.rows[0].cells == (Cell("x", 2.5, 1.5),)


def test_a_changed_key_is_removed_and_added(lk: Lake) -> None:
    found = two(lk, "SELECT 1 AS id, 'a' AS s", "SELECT 2 AS id, 'a' AS s", key=("id",))
    assert found.rows == (
        RowDiff("removed", {"id": 1, "s": "a"}),
        RowDiff("added", {"id": 2, "s": "a"}),
    )


def test_copies_of_a_row_are_counted(lk: Lake) -> None:
    found = two(lk, "SELECT 1 AS n FROM range(5)", "SELECT 1 AS n FROM range(3)")
    assert counts(found) == (0, 2, 0, 0, 3)
    assert found.rows == (RowDiff("removed", {"n": 1}),) * 2


def test_rows_that_share_a_key_are_compared_as_multisets(lk: Lake) -> None:
    before = "FROM (VALUES (1, 'a'), (1, 'b'), (2, 'x')) t(id, s)"
    after = "FROM (VALUES (1, 'a'), (1, 'c'), (2, 'y')) t(id, s)"
    found = two(lk, before, after, key=("id",))
    assert (counts(found), found.shared) == ((1, 1, 1, 1, 1), 2)


def test_a_null_in_a_key_is_a_value_like_others(lk: Lake) -> None:
    before = "FROM (VALUES (NULL, 'a'), (1, 'b')) t(id, s)"
    after = "FROM (VALUES (NULL, 'z'), (1, 'b')) t(id, s)"
    assert counts(two(lk, before, after, key=("id",))) == (0, 0, 1, 1, 1)


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("1::BIGINT", "1::DOUBLE", True),
        ("9007199254740993::BIGINT", "9007199254740992::DOUBLE", False),
        ("9007199254740992::BIGINT", "9007199254740992::DOUBLE", True),
        ("1.50::DECIMAL(5,2)", "1.5::DOUBLE", True),
        ("1.51::DECIMAL(5,2)", "1.5::DOUBLE", False),
        ("1::INTEGER", "'1'", True),
        ("1::INTEGER", "'01'", False),
        ("DATE '2024-01-31'", "TIMESTAMP '2024-01-31 00:00:00'", True),
        ("[1, 2]", "'[1, 2]'", True),
        ("{'a': 1}", "{'a': 1, 'b': NULL::INTEGER}", True),
    ],
)
def test_values_of_two_types_are_compared_exactly(
    lk: Lake, before: str, after: str, same: bool
) -> None:
    land(lk, "raw.a", f"SELECT 1 AS id, {before} AS v")
    land(lk, "raw.b", f"SELECT 1 AS id, {after} AS v")
    found = tables(lk, "raw.a", "raw.b", key=("id",))
    assert (found.changed == 0, len(found.schema)) == (same, 1)


def test_columns_that_differ_are_told_and_not_compared(lk: Lake) -> None:
    found = two(lk, "SELECT 1 AS id, 2 AS gone", "SELECT 1::BIGINT AS id, 3 AS come")
    assert [(c.column, c.kind, c.before, c.after) for c in found.schema] == [
        ("gone", "removed", "INTEGER", ""),
        ("id", "type", "INTEGER", "BIGINT"),
        ("come", "added", "", "INTEGER"),
    ]
    assert counts(found) == (0, 0, 0, 0, 1)


def test_names_of_columns_may_be_anything(lk: Lake) -> None:
    names = 'AS "h", 2 AS "is_old", 3 AS "a""b", 4 AS "c1", 5 AS "kind"'
    found = two(lk, f"SELECT 1 {names}", f"SELECT 9 {names}", key=("kind",))
    assert found.rows[0].cells == (Cell("h", 1, 9),)


def test_files_that_both_hold_are_not_read(lk: Lake) -> None:
    land(lk, "raw.x", "SELECT 9 AS id, 'z' AS s, 1::DOUBLE AS x", month="2024-02")
    (path,) = (
        Path(lk.log.store.data_url(file.key))
        for file in lk.state.data_files("raw.x")
        if file.partition == "month=2024-02"
    )
    path.write_bytes(b"")
    before = f"raw.x@{lk.commit}"
    land(lk, "raw.x", V1, month="2024-01")
    assert counts(tables(lk, before, "raw.x", key=("id",))) == (0, 1, 2, 3, 3)
    with pytest.raises(FileDamaged, match=r"has 0 bytes, the log says"):
        tables(lk, "raw.x@1", "raw.x")


def test_tags_and_commits_are_compared_too(lk: Lake) -> None:
    lk.tag("closed", when=1)
    assert counts(tables(lk, "raw.x@closed", "raw.x@2", key=("id",))) == (1, 0, 2, 3, 2)
    assert counts(tables(lk, "raw.x", key=("id",))) == (1, 0, 2, 3, 2)


def test_a_partition_beside_another_one_differs_in_its_rows_only(lk: Lake) -> None:
    land(lk, "raw.x", V1.replace("'a'", "'A'"), month="2024-02")
    found = tables(lk, "raw.x/month=2024-01@v1", "raw.x/month=2024-02", key=("id",))
    assert (counts(found), found.columns) == ((0, 0, 1, 1, 3), {"s": 1})


def test_equal_content_is_no_difference(lk: Lake) -> None:
    land(lk, "raw.y", "SELECT 1 AS n")
    land(lk, "raw.z", "SELECT 1 AS n")
    assert counts(tables(lk, "raw.y", "raw.z")) == (0, 0, 0, 0, 1)


def test_many_rows_are_counted_and_some_are_given(lk: Lake) -> None:
    before = "SELECT range AS id, range % 7 AS v FROM range(50000)"
    after = "SELECT range AS id, CASE WHEN range % 100 = 0 THEN -1 ELSE range % 7 END AS v"
    found = two(lk, before, f"{after} FROM range(10, 50020)", key=("id",))
    assert (counts(found), len(found.rows)) == ((20, 10, 499, 499, 49491), 20)


@pytest.mark.parametrize("limit", [0, 3, 1000])
def test_gaps_count_what_lies_between_by_key(lk: Lake, limit: int) -> None:
    keys = "i // 10 AS a, CASE WHEN i % 10 = 3 THEN NULL ELSE i % 10 END AS b"
    rows = f"SELECT {keys}, i AS n FROM range(400) t(i)"
    land(lk, "raw.two", rows)
    land(lk, "raw.two", f"SELECT a, b, n + (n % 50 = 0)::INT AS n FROM ({rows}) WHERE n % 60 <> 7")
    found = diff(lk, "raw.two", key=("a", "b"), limit=limit, gaps=True)
    assert isinstance(found, TableDiff)
    order = duckdb.sql(f"SELECT a, b, n FROM ({rows}) ORDER BY a, b").fetchall()
    differ = [(n % 50 == 0 and "changed") or (n % 60 == 7 and "removed") for *_, n in order]
    shown = [place for place, kind in enumerate(differ) if kind][: limit or None]
    if limit == 0:
        assert found.gaps == (found.unchanged + found.changed,)
        return
    assert [row.kind for row in found.rows] == [differ[place] for place in shown]
    between = [b - a - 1 for a, b in pairwise([-1, *shown])]
    assert found.gaps[:-1] == tuple(between)
    if limit > len(shown):
        assert sum(found.gaps) == found.unchanged


def test_there_are_no_gaps_without_a_key_or_where_files_are_not_read(lk: Lake) -> None:
    for key in ((), ("id",)):
        assert tables(lk, "raw.x/month=2024-01", key=key).gaps == ()
    land(lk, "raw.x", V1, month="2024-02")
    land(lk, "raw.x", V2, month="2024-02")  # what both have of 2024-01 is not read
    for address, key in (("raw.x/month=2024-01", ()), ("raw.x", ("id",))):
        found = diff(lk, address, key=key, gaps=True)
        assert isinstance(found, TableDiff)
        assert (found.changed > 0, found.gaps) == (bool(key), ())


def test_what_cannot_be_compared_is_refused(lk: Lake) -> None:
    land(lk, "raw.one", "SELECT 1 AS n")
    message = r"^raw\.x and @1 cannot be compared: one is the whole lake; give two datasets, or two"
    with pytest.raises(InvalidAddress, match=message):
        diff(lk, "raw.x", "@1")
    message = r"^rows cannot be matched by 'nope': it is no column of both; both have id, s, x$"
    with pytest.raises(InvalidName, match=message):
        diff(lk, "raw.x/month=2024-01", key=("nope",))
    message = r"^raw\.one held nothing before commit 3: there is nothing to compare it with$"
    with pytest.raises(NoSuchVersion, match=message):
        diff(lk, "raw.one")


def test_the_whole_lake_is_compared_from_the_log_alone(lk: Lake) -> None:
    land(lk, "raw.old", "SELECT 1 AS n")
    land(lk, "raw.gone", "SELECT 1 AS n")
    for change in (Rename("raw.old", "raw.new"), Drop("raw.gone")):
        publish(lk.log, lk.state, lambda s, c=change: Draft((c,)), commit_id=lk.new_id())  # type: ignore[misc]
    for path in Path(lk.log.store.data_url("raw")).rglob("*.parquet"):
        path.unlink()
    found = lakes(lk, "@1", "@4")
    assert (found.before, found.after) == (1, 4)
    assert [(d.dataset, d.kind, d.rows_before, d.rows_after) for d in found.datasets] == [
        ("raw.gone", "added", 0, 1),
        ("raw.old", "added", 0, 1),
        ("raw.x", "changed", 4, 5),
    ]
    assert found.datasets[2].partitions == (PartitionDiff("month=2024-01", "changed", 1, 2, 4, 5),)
    assert [(d.dataset, d.kind, d.renamed_from) for d in lakes(lk, 4, 6).datasets] == [
        ("raw.gone", "removed", ""),
        ("raw.new", "renamed", "raw.old"),
    ]
    assert lakes(lk) == lakes(lk, "@6") == lakes(lk, "5", "6")
    assert lakes(lk, 6, 6).datasets == ()
    assert [d.kind for d in lakes(lk, 6, 1).datasets] == ["removed", "changed"]
