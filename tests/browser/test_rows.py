"""The rows of a dataset: by the page, filtered, sorted, and each by itself."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lake import layout
from lake.lake import Lake
from tests.browser.site import Site, site
from tests.lakes import land, new_lake, shared_lake

PARTS = 30
EACH = 40


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """A lake with more partitions than a page of rows reads, whose schemas drift."""
    with shared_lake(tmp_path_factory) as lk:
        for part in range(PARTS):
            kind = "VARCHAR" if part % 3 == 0 else "BIGINT"
            start = part * EACH
            select = f"SELECT (range + {start})::{kind} AS id, 'p{part}' AS name"
            land(lk, "raw.many", f"{select} FROM range({EACH})", part=f"{part:02d}")
        land(
            lk,
            "raw.odd",
            "SELECT NULL AS a, 'null' AS b, '' AS c, '<script>' AS d, repeat('z', 9000) AS e,"
            " chr(8238) || 'x' AS f, [1, NULL] AS g",
        )
        long = ", ".join(f"repeat('{'<é&x'[n % 4]}', 500) AS {'c' * 50}{n}" for n in range(90))
        land(lk, "raw.long", f"SELECT {long} FROM range(60)")
        columns = ", ".join(f"{n} AS c{n}" for n in range(2000))
        land(lk, "raw.wide", f"SELECT {columns} FROM range(60)")
        yield lk


@pytest.fixture(scope="module")
def site_(many: Lake) -> Iterator[Site]:
    with site(many) as served:
        yield served


def ids(page: Any) -> list[int]:
    return [int(row[0]) for row in page["rows"]]


@pytest.mark.parametrize("page", [1, 2, 9, 24])
def test_a_page_holds_fifty_rows_in_the_order_of_files(site_: Site, page: int) -> None:
    said = site_.json(f"/raw/many/rows?page={page}")
    first = (page - 1) * 50
    assert ids(said) == list(range(first, min(first + 50, PARTS * EACH)))
    assert said["numbers"] == [one + 1 for one in ids(said)]
    assert (said["first"], said["total"]) == (first + 1, PARTS * EACH)
    assert said["has_more"] == (page < 24)


def test_pages_past_the_end_are_the_last_one(site_: Site) -> None:
    assert ids(site_.json("/raw/many/rows?page=999999"))[-1] == PARTS * EACH - 1


@pytest.mark.parametrize("row", [1, 40, 41, 777, PARTS * EACH])
def test_a_row_has_an_address_and_says_which_version_it_is_of(site_: Site, row: int) -> None:
    said = site_.json(f"/raw/many/rows?row={row}")
    part = f"{(row - 1) // EACH:02d}"
    assert ids(said) == [row - 1]
    assert said["origin"]["partition"] == f"part={part}"
    assert (said["origin"]["version"], said["origin"]["row_in_file"]) == (1, (row - 1) % EACH + 1)
    text = site_.get(f"/raw/many/rows?row={row}")
    assert f'href="/raw/many/part={part}/v1"' in text


def test_every_row_of_a_page_leads_to_itself(site_: Site) -> None:
    text = site_.get("/raw/many/rows?page=3&sort=-1")
    links = re.findall(r'href="(/raw/many/rows\?row=\d+)"', text)
    assert len(links) == 50
    shown = ids(site_.json("/raw/many/rows?page=3&sort=-1"))
    assert ids(site_.json(links[7])) == [shown[7]]


def test_rows_are_sorted_and_filtered(site_: Site) -> None:
    said = site_.json("/raw/many/rows?sort=-3&column=name&is=p7")
    assert len(said["rows"]) == EACH
    assert {row[1] for row in said["rows"]} == {"p7"}
    assert (said["total"], said["has_more"], said["column"]) == (None, False, "name")
    assert site_.json("/raw/many/rows?column=name&is=none")["rows"] == []
    assert "No row has a" in site_.get("/raw/many/rows?column=name&is=none")
    said = site_.json("/raw/many/rows?column=part&from=03&to=05")
    assert {row[2] for row in said["rows"]} == {"03", "04"}
    assert said["has_more"]
    assert len(site_.json("/raw/odd/rows?column=a&null=1")["rows"]) == 1


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("row=99999", 404),
        ("row=x", 400),
        ("sort=9", 400),
        ("sort=x", 400),
        ("column=nope&is=1", 400),
        ("column=name&is=%00", 400),
        ("sort=1&page=900", 400),
    ],
)
def test_what_is_not_there_is_told(site_: Site, query: str, status: int) -> None:
    site_.get(f"/raw/many/rows?{query}", status)


def test_values_in_an_address_are_only_values(site_: Site) -> None:
    evil = "x' OR 1=1 --"
    answer = site_.client.get("/raw/many/rows.json", params={"column": "name", "is": evil})
    assert answer.json()["rows"] == []


def test_what_is_null_or_empty_or_odd_is_shown_as_that(site_: Site) -> None:
    text = site_.get("/raw/odd/rows")
    for shown in (
        '<i class="null">null</i>',
        "<bdi>null</bdi>",
        '<span class="tag">&#34;&#34;</span>',
        "&lt;script&gt;",
        "more characters",
        "\\u202ex",
        "[1, NULL]",
    ):
        assert shown in text, shown
    assert "z" * 9000 not in text
    assert "z" * 9000 in site_.get("/raw/odd/rows?row=1")


def test_wide_datasets_leave_pages_small(site_: Site) -> None:
    text = site_.get("/raw/wide/rows?columns=80")
    assert "Columns 61 to 90 of 2\u202f000" in text
    assert len(text.encode()) < 150_000
    assert len(site_.get("/raw/long/rows?columns=30").encode()) < 150_000
    text = site_.get("/raw/wide/rows?row=3&columns=100")
    assert "Columns 101 to 200 of" in text
    assert len(text.encode()) < 150_000


def test_another_sites_page_reads_no_rows_but_a_link_from_there_does(site_: Site) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"}
    assert site_.client.get("/raw/many/rows", headers=headers).status_code == 403
    refused = site_.client.get("/raw/many/rows.json", headers=headers)
    assert (refused.status_code, refused.headers["content-type"]) == (403, "application/json")
    headers["Sec-Fetch-Dest"] = "document"
    assert site_.client.get("/raw/many/rows", headers=headers).status_code == 200


def test_a_dataset_that_is_not_there_has_no_rows(site_: Site) -> None:
    site_.get("/raw/nothing/rows", 404)


def test_columns_with_a_profile_have_a_picture_over_their_rows(pages: Site) -> None:
    text = pages.get("/raw/trips/rows?at=2")
    link = '<a href="/raw/trips/columns?at=2&amp;column=fare"><svg class="mini" role="img"'
    picture = text.partition(link)[2].partition("</a></th>")[0]
    assert 'aria-label="Values of fare"' in picture
    assert "<title>values from 2.50 to 7.25; 33.3\u202f% null</title>" in picture
    assert picture.endswith('<path class="nul" d="M91 24v-8h5v8z"/></svg>')
    assert "<title>A 66.7\u202f%, B 33.3\u202f%</title>" in text
    assert text.count('class="mini"') == 3


def test_pictures_of_a_part_of_the_files_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lk = new_lake(tmp_path)
    for month in ("2024-01", "2024-02"):
        path = tmp_path / f"{month}.csv"  # kept beside what is made of it: two files
        path.write_text("id\n1\n")
        lk.land(path, dataset="raw.trips", partition={"month": month})
    with site(lk) as pages:
        assert "go over the newest" not in pages.get("/raw/trips/rows")
    monkeypatch.setattr("lake.browser.profiled.NEWEST", 1)
    land(lk, "raw.trips", "SELECT 2 AS id", month="2024-03")
    with site(lk) as pages:
        assert "columns go over the newest 1 file." in pages.get("/raw/trips/rows")


def test_rows_and_a_row_have_the_head_of_their_dataset(pages: Site) -> None:
    for query in ("", "?row=1"):
        text = pages.get(f"/raw/trips/rows{query}")
        for part in ("<dt>Partitions</dt>", 'aria-current="page">Rows</a>', "drifted</span>"):
            assert part in text
    assert 'href="/raw/trips/rows?page=1">the rows around it</a>' in text


def test_rows_are_shown_where_their_pictures_cannot_be_had(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    land(lk, "raw.n", "SELECT range AS id FROM range(9)")
    (file,) = lk.state.data_files("raw.n")
    profile = Path(lk.log.store.data_url(layout.beside(file.key, layout.PROFILE)))
    profile.unlink()
    profile.symlink_to(profile.name)  # the system refuses to follow it
    with site(lk) as pages:
        assert "Rows 1 to 9 of 9" in pages.get("/raw/n/rows")
