"""What changed between two versions: the page, its choices, its CSV."""

import csv
import io
import threading
from collections.abc import Iterator

import duckdb
import pytest

from lake.browser import comparing
from lake.browser.comparing import MOST_ROWS
from lake.lake import Lake
from tests.browser.site import Site, site
from tests.lakes import land, shared_lake

OLD = """
SELECT i AS id, 'z' || i % 3 AS zone, 0.5 AS tip, CASE i WHEN 1 THEN '=1+1' END AS note
FROM range(1, 301) t(i)
"""
NEW = """
SELECT i AS id, 'z' || i % 3 AS zone, CASE WHEN i <= 250 THEN 2.25 ELSE 0.5 END AS tip,
  CASE i WHEN 1 THEN '=1+1' WHEN 2 THEN '<script>' || chr(8238) END AS note, true AS is_new
FROM range(1, 311) t(i) WHERE i <> 300
"""
PATH = "/raw/tips/month=2024-01/v2/diff/v1"


@pytest.fixture(scope="module")
def tips(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    with shared_lake(tmp_path_factory) as lk:
        for select in (OLD, NEW, NEW + " AND i < 9"):
            land(lk, "raw.tips", select, month="2024-01")
        yield lk


@pytest.fixture(scope="module")
def served(tips: Lake) -> Iterator[Site]:
    with site(tips) as pages:
        yield pages


def test_without_a_key_rows_are_added_and_removed(served: Site) -> None:
    said = served.json(PATH)
    assert (said["matched"], said["changed"]) == ("none", 0)
    assert (said["added"], said["removed"]) == (260, 251)
    assert [(one["column"], one["kind"]) for one in said["schema"]] == [
        ("tip", "type"),
        ("is_new", "added"),
    ]
    assert "Nothing declares a key" in served.get(PATH)


def test_with_a_key_cells_change_and_each_column_says_how(served: Site) -> None:
    said = served.json(f"{PATH}?key=id")
    assert (said["added"], said["removed"], said["changed"]) == (10, 1, 250)
    assert (said["matched"], said["key"]) == ("asked", ["id"])
    tip, note = said["columns"]
    assert (tip["name"], tip["cells"], tip["mostly"]) == ("tip", 250, "0.50 → 2.25 in 250")
    assert (note["name"], note["cells"]) == ("note", 1)
    first = said["rows"]["shown"][0]
    at = said["rows"]["names"].index("tip")
    assert (first["kind"], first["cells"][at]) == (
        "changed",
        {"text": "2.25", "changed": True, "was": "0.50"},
    )
    assert [len(said["rows"]["shown"]), said["rows"]["said"]] == [100, "Rows 1 to 100 of 261"]
    assert len(served.json(said["rows"]["older"])["rows"]["shown"]) == 100


def test_rows_are_chosen_by_kind_and_by_column(served: Site) -> None:
    removed = served.json(f"{PATH}?key=id&only=removed")["rows"]["shown"]
    assert [row["cells"][0]["text"] for row in removed] == ["300"]
    (noted,) = served.json(f"{PATH}?key=id&column=note")["rows"]["shown"]
    assert noted["cells"][0]["text"] == "2"


def test_what_the_data_say_is_never_markup(served: Site) -> None:
    text = served.get(f"{PATH}?key=id&column=note")
    assert "&lt;script&gt;\\u202e" in text
    assert "<script>\\u202e" not in text


def test_both_ways_and_others_are_a_link_away(served: Site) -> None:
    said = served.json(f"{PATH}?key=id&at=3")
    assert said["swap"] == "/raw/tips/month=2024-01/v1/diff/v2?at=3&key=id"
    assert [one["text"] for one in said["others"]] == ["v2 → v3"]
    turned = served.json("/raw/tips/month=2024-01/v1/diff/v2?key=id")
    assert (turned["added"], turned["removed"]) == (1, 10)
    assert "Same rows" in served.get("/raw/tips/month=2024-01/v2/diff/v2")


def test_the_csv_holds_the_rows_and_no_formula(served: Site) -> None:
    answer = served.client.get(f"{PATH}?key=id&csv=1")
    assert answer.headers["content-disposition"].startswith("attachment; ")
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows[0] == ["change", "id", "zone", "tip", "note"]
    assert rows[1:3] == [
        ["was", "1", "z1", "0.50", "'=1+1"],
        ["is", "1", "z1", "2.25", "'=1+1"],
    ]
    assert sum(row[0] == "added" for row in rows) == 10


@pytest.mark.parametrize("query", ["", "?key=id"])
def test_the_sql_that_is_shown_finds_the_same(
    served: Site, tips: Lake, query: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    said = served.json(f"{PATH}{query}")
    to = tmp_path_factory.mktemp("got")
    for number in (1, 2):
        tips.get(f"raw.tips/month=2024-01@v{number}", to / f"v{number}")
    select = said["sql"].replace("FROM 'v", f"FROM '{to}/v").replace("JOIN 'v", f"JOIN '{to}/v")
    with duckdb.connect() as connection:
        found = connection.execute(select).fetchall()
    assert len(found) == said["added"] + said["removed"] + said["changed"]


def test_a_key_that_is_no_column_and_a_version_that_is_none_are_told(served: Site) -> None:
    assert "it is no column of both" in served.get(f"{PATH}?key=nothing", 404)
    assert "its newest is v3" in served.get("/raw/tips/month=2024-01/v9/diff/v1", 404)


def test_one_comparison_is_made_at_a_time(tips: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "_WAIT_S", 0.01)
    lock = threading.Lock()
    monkeypatch.setattr(comparing, "_ONE", lock)
    with site(tips) as pages:
        with lock:
            assert "Another comparison is running" in pages.get(f"{PATH}?key=id", 503)
        assert "What changed" in pages.get(f"{PATH}?key=id")


def test_what_is_too_large_is_refused_with_the_command(
    tips: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MOST_ROWS == 50_000_000
    monkeypatch.setattr(comparing, "MOST_ROWS", 100)
    with site(tips) as pages:
        said = pages.json(f"{PATH}?key=id")
        assert said["problem"].startswith("One of them has more than")
        assert (said["command"], said["rows"]["shown"]) == (
            "lake diff raw.tips/month=2024-01@v1 raw.tips/month=2024-01@v2 --key id",
            [],
        )
        assert "lake diff raw.tips" in pages.get(f"{PATH}?key=id")
        assert "One of them has more than" in pages.get(f"{PATH}?key=id&csv=1", 422)


def test_rows_of_a_wide_table_show_the_key_and_what_changed(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with shared_lake(tmp_path_factory) as lk:
        many = ", ".join(f"i + {n} AS c{n}" for n in range(400))
        land(lk, "raw.wide", f"SELECT i AS id, {many}, repeat('<', 5000) AS t FROM range(200) t(i)")
        land(lk, "raw.wide", f"SELECT i AS id, {many}, repeat('&', 5000) AS t FROM range(200) t(i)")
        with site(lk) as pages:
            text = pages.get("/raw/wide/v2/diff/v1?key=id")
            assert len(text) < 150_000
            assert "302 more columns without room, none of which changed" in text
            assert "The key and columns 1 to 19 of 99, those that changed first" in text
            said = pages.json("/raw/wide/v2/diff/v1?key=id")["rows"]
            assert [said["names"][0], said["names"][1], said["names"][-1]] == ["id", "c0", "t"]
            said = pages.json(said["right"])["rows"]
            assert [said["names"][0], said["names"][1], len(said["names"])] == ["id", "c18", 20]
            assert said["columns"] == "The key and columns 20 to 38 of 99, those that changed first"
            assert pages.json(said["left"])["rows"]["names"][-1] == "t"


def test_a_changed_column_is_shown_by_its_link_wherever_it_stands(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with shared_lake(tmp_path_factory) as lk:
        for more in (0, 1):
            many = ", ".join(f"i + {n + more} AS c{n}" for n in range(30))
            land(lk, "raw.wide", f"SELECT i AS id, {many} FROM range(9) t(i)")
        with site(lk) as pages:
            said = pages.json("/raw/wide/v2/diff/v1?key=id")
            shown = pages.json(said["columns"][-1]["link"])["rows"]
            assert said["columns"][-1]["name"] in shown["names"]
            assert len(shown["shown"]) == 9


@pytest.fixture(scope="module")
def sparse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    old = "SELECT i AS id, 'z' || i AS zone FROM range(5000) t(i)"
    new = "SELECT id, CASE WHEN id % 1000 = 500 THEN 'new' ELSE zone END AS zone FROM ({})"
    with shared_lake(tmp_path_factory) as lk:
        land(lk, "raw.sparse", old)
        land(lk, "raw.sparse", f"{new.format(old)} WHERE id <> 501")
        with site(lk) as pages:
            yield pages


def test_unchanged_rows_are_folded_and_counted(sparse: Site) -> None:
    path = "/raw/sparse/v2/diff/v1?key=id"
    said = sparse.json(path)
    assert [row["unchanged"] for row in said["rows"]["shown"]] == [500, 0, 998, 999, 999, 999]
    assert said["rows"]["unchanged"] == 499
    assert said["unchanged"] == 500 + 998 + 999 * 3 + 499
    text = sparse.get(path)
    assert text.count('<tr class="gap"><td colspan="3">… ') == 6
    assert "… 998 rows unchanged …" in text


@pytest.mark.parametrize("query", ["", "key=id&only=changed", "key=id&column=zone"])
def test_nothing_is_said_of_what_lies_between_rows_that_are_not_all(
    sparse: Site, query: str
) -> None:
    assert "unchanged …" not in sparse.get(f"/raw/sparse/v2/diff/v1?{query}")


def test_rows_of_whole_documents_are_kept_in_part(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with shared_lake(tmp_path_factory) as lk:
        for sign in "xy":
            select = f"SELECT i AS id, repeat('{sign}', 4000000) AS t FROM range(40) t(i)"
            land(lk, "raw.documents", select)
        with site(lk) as pages:
            said = pages.json("/raw/documents/v2/diff/v1?key=id")
            assert (said["changed"], said["rows"]["kept"]) == (40, 16)
            assert len(pages.get("/raw/documents/v2/diff/v1?key=id")) < 150_000
