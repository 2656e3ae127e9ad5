"""Cells of ten megabytes and very many partitions: pages stay small, whole values can be had."""

from collections.abc import Iterator
from datetime import date, timedelta
from urllib.parse import quote

import pytest

from lake.browser.known import MOST as MOST_LINES
from tests.browser.site import Site, site
from tests.lakes import land, publish_partitions, shared_lake

MANY = 10_000_000
TEXT = f"repeat('x', {MANY})"
LARGE = f"SELECT range AS id, {TEXT} AS t, {TEXT}::BLOB AS b, [{TEXT}] AS l, {{'a': {TEXT}}} AS s"
HERE = {"Sec-Fetch-Site": "none"}
MOST = 150_000


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with shared_lake(tmp_path_factory) as lk:
        for start in (0, 1):
            land(lk, "raw.large", f"{LARGE} FROM range({start}, {start + 2})")
        land(lk, "raw.one", f"SELECT {TEXT} AS t")
        many = ", ".join(f"repeat('x', 1000) AS c{number}" for number in range(1200))
        land(lk, "raw.wide", f"SELECT {many} FROM range(60)")
        with site(lk) as served:
            yield served


@pytest.mark.parametrize(
    "path",
    [
        "/raw/large",
        "/raw/large/columns",
        "/raw/large/rows",
        "/raw/large/rows?sort=-2",
        "/raw/large/rows?row=1",
        "/raw/large/v2",
        "/raw/large/v2/diff/v1?key=id",
        "/raw/wide/rows",
        "/raw/wide/rows?row=60",
        "/sql?sql=FROM%20raw.large",
        "/sql?sql=SELECT%20t,%20id%20FROM%20raw.large&chart=bar&x=1&y=2",
        "/search?q=large",
    ],
)
def test_pages_of_large_cells_are_small(large: Site, path: str) -> None:
    text = large.client.get(path, headers=HERE)
    assert (text.status_code, len(text.content) < MOST) == (200, True)
    assert "Running for" not in text.text


def test_a_preview_of_large_cells_is_small(large: Site) -> None:
    (key,) = (one.key for one in large.lake.state.data_files("raw.large"))
    assert len(large.get(f"/bucket/object?key={quote(key)}")) < MOST


def test_a_large_cell_is_had_whole(large: Site) -> None:
    assert "more characters" in large.get("/raw/one/rows?row=1")
    assert large.json("/raw/one/rows?row=1")["rows"] == [["x" * MANY]]
    sql = quote("SELECT t FROM raw.large LIMIT 1")
    assert large.client.get(f"/sql.json?sql={sql}", headers=HERE).json()["rows"] == [["x" * MANY]]
    for kind in ("sql.csv", "sql.csv?safe=1"):
        sign = "&" if "?" in kind else "?"
        text = large.client.get(f"/{kind}{sign}sql={sql}", headers=HERE).text
        assert text == f"t\n{'x' * MANY}\n"


def test_what_has_no_room_in_an_answer_is_told_and_never_left_out(large: Site) -> None:
    for path in ("/raw/large/rows.json", "/raw/large/rows.json?row=1"):
        answer = large.client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/json")
        assert "These rows have more than 32 MiB" in answer.json()["text"]
    whole = large.client.get("/sql.json?sql=FROM%20raw.large", headers=HERE).json()
    assert (whole["cut"], whole["total"]) == ("bytes", 0)
    assert (
        "has more than 32" in large.client.get("/sql.csv?sql=FROM%20raw.large", headers=HERE).text
    )
    assert large.client.get("/sql.parquet?sql=FROM%20raw.large", headers=HERE).status_code == 200


def test_a_page_of_many_long_cells_has_all_of_its_rows(large: Site) -> None:
    assert "Rows 1 to 50 of 60" in large.get("/raw/wide/rows")
    assert "Rows 51 to 60 of 60" in large.get("/raw/wide/rows?page=2")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """As many partitions as are looked at one by one, and more: periods and plain names."""
    with shared_lake(tmp_path_factory) as lk:
        days = [f"day={date(1969, 7, 20) + timedelta(number)}" for number in range(MOST_LINES)]
        publish_partitions(lk, "raw.days", days)
        names = [f"{quote('place=日本語 ' + str(number), safe='=')}" for number in range(3000)]
        publish_partitions(lk, "raw.names", names)
        with site(lk) as served:
            yield served


@pytest.mark.parametrize("tab", ["", "/columns", "/versions", "/versions?page=7", "/checks"])
@pytest.mark.parametrize("name", ["days", "names"])
def test_a_dataset_of_very_many_partitions_has_small_pages(many: Site, name: str, tab: str) -> None:
    assert len(many.get(f"/raw/{name}{tab}").encode()) < MOST


@pytest.mark.parametrize("path", ["/", "/commits", "/commits/1", "/commits/2", "/runs", "/sql"])
def test_pages_that_name_very_many_partitions_are_small(many: Site, path: str) -> None:
    assert len(many.get(path).encode()) < MOST
    assert many.json("/commits/1")["total"] == MOST_LINES


def test_very_many_missing_files_are_one_line(many: Site) -> None:
    answer = many.client.get("/sql.json?sql=FROM%20raw.days", headers=HERE)
    assert (answer.status_code, len(answer.content) < 2000) == (502, True)
    assert "is missing" in answer.json()["error"]
