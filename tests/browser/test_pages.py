"""The lake's page, the search, the commits; what is said where there is nothing to show."""

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lake.browser import pages as known
from lake.browser.document import encoded, schema
from lake.browser.routes import Route, resolve
from lake.browser.serve import bound
from lake.lake import Lake
from tests.browser.site import Site, site
from tests.lakes import land, new_lake, shared_lake


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with shared_lake(tmp_path_factory) as lk, site(lk) as served:
        yield served


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/", Route("lake")),
        ("/index.json", Route("lake", {}, True)),
        ("/raw/trips", Route("dataset", {"dataset": "raw.trips"})),
        ("/raw/trips.json", Route("dataset", {"dataset": "raw.trips"}, True)),
        ("/raw/trips/rows", Route("rows", {"dataset": "raw.trips"})),
        (
            "/raw/trips/city=a%2Fb/day=1",
            Route("partition", {"dataset": "raw.trips", "partition": "city=a%2Fb/day=1"}),
        ),
        (
            "/raw/trips/of=x%2Ejson.json",
            Route("partition", {"dataset": "raw.trips", "partition": "of=x.json"}, True),
        ),
        (
            "/raw/trips/month=2024-01/v2.json",
            Route(
                "version",
                {"dataset": "raw.trips", "partition": "month=2024-01", "version": "2"},
                True,
            ),
        ),
        (
            "/raw/zones/v3",
            Route("version", {"dataset": "raw.zones", "partition": "", "version": "3"}),
        ),
        (
            "/raw/trips/month=2024-01/v3/diff/v2",
            Route(
                "diff",
                {
                    "dataset": "raw.trips",
                    "partition": "month=2024-01",
                    "version": "3",
                    "other": "2",
                },
            ),
        ),
        ("/commits/41", Route("commit", {"commit": "41"})),
        ("/bucket/object", Route("object")),
    ],
)
def test_addresses_are_read(path: str, route: Route) -> None:
    assert resolve(path) == route


@pytest.mark.parametrize(
    "path",
    ["/index", "/nowhere", "/raw", "/raw/", "/commits/x", "/commits/-1", "/commits/01", "//evil"],
)
def test_other_addresses_are_no_pages(pages: Site, path: str) -> None:
    assert resolve(path) is None
    assert "No such page" in pages.get(path.replace("//", "/x/"), 404)


def test_the_lake_s_page_counts_what_the_log_counts(pages: Site, looked_at: Lake) -> None:
    said = pages.json("/")
    state = looked_at.state
    assert said["datasets"] == len(state.datasets) == 3
    assert said["rows"] == sum(one.rows for one in state.datasets.values())
    lines = {line["name"]: line for zone in said["zones"] for line in zone["datasets"]}
    assert [cell["kind"] for cell in lines["raw.trips"]["strip"]] == ["again", "ok", "ok"]
    assert lines["curated.revenue"]["description"] == "Fares by zone"
    assert lines["raw.trips"]["state"] == {"kind": "warn", "text": "drifted"}
    text = pages.get("/")
    assert 'href="/raw/trips"' in text
    assert "since commit" in text


def test_a_former_commit_shows_the_lake_as_it_was_and_all_links_stay_there(pages: Site) -> None:
    said = pages.json("/?at=1")
    assert (said["commit"], said["datasets"], said["rows"]) == (1, 1, 3)
    text = pages.get("/?at=1")
    assert 'href="/raw/trips?at=1"' in text
    assert "back to now" in text


@pytest.mark.parametrize(
    ("at", "status", "said"),
    [
        ("99", 404, "no commit 99: the newest is 6"),
        ("-1", 404, "no commit -1: the newest is 6"),
        ("9" * 18, 404, f"no commit {'9' * 18}: the newest is 6"),
        ("9" * 5000, 404, f"no commit {'9' * 40}: the newest is 6"),
        ("1.5", 404, "no tag"),
        ("%D9%A3", 404, "no tag"),
        ("%00", 404, "no tag"),
        ("v1", 400, "needs a partition"),
        ("nope", 404, "no tag"),
        ("x" * 5000, 404, "no tag"),
        ("2024-99-99", 400, "is no time"),
        ("2024-01-01T00:00:00%2B99:00", 400, "is no time"),
        ("0001-01-01", 404, "first commit came later"),
    ],
    ids=lambda value: str(value)[:20],
)
@pytest.mark.parametrize("path", ["/", "/commits/1", "/raw/trips/rows", "/sql", "/bucket"])
def test_a_commit_that_is_not_there_is_told(
    pages: Site, path: str, at: str, status: int, said: str
) -> None:
    text = pages.get(f"{path}?at={at}", status)
    assert said in text
    assert len(text) < 2000
    assert 'href="/">Back to the lake' in text


@pytest.mark.parametrize("at", ["", "%20", "6", "%206", "06"])
def test_no_commit_and_the_newest_one_are_the_lake_as_it_is(pages: Site, at: str) -> None:
    assert pages.json(f"/?at={at}")["commit"] == 6


ANY = ["/", "/commits", "/runs", "/search?q=x", "/sql", "/bucket"]


@pytest.mark.parametrize("path", ANY)
def test_before_its_first_commit_the_lake_was_empty(pages: Site, empty: Site, path: str) -> None:
    zero = f"{path}{'&' if '?' in path else '?'}at=0"
    for served in (pages, empty):
        assert "Commit 0, before anything was published" in served.get(zero)
    assert pages.json("/?at=0")["datasets"] == 0
    assert "Commit 0" not in empty.get(path)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/commits/0", "Commit 0 is the lake before its first commit, which is 1."),
        ("/commits/1", "Commit 1 does not exist; the newest is 0."),
        (f"/commits/{'9' * 18}", "does not exist; the newest is 0."),
        ("/?at=1", "There is no commit 1: the newest is 0."),
        ("/?at=2024-01-01", "Nothing had been published by 2024-01-01"),
        ("/raw/trips", "There is no dataset raw.trips at commit 0."),
    ],
)
def test_an_empty_lake_says_what_is_not_there(empty: Site, path: str, said: str) -> None:
    assert said in empty.get(path, 404)


def test_a_commit_s_page_at_a_commit_before_it_is_not_there_yet(pages: Site) -> None:
    assert "Commit 3 does not exist; the newest is 2." in pages.get("/commits/3?at=2", 404)
    assert 'href="/?at=2">Back to the lake' in pages.get("/raw/none?at=2", 404)
    assert "Commit 0 is the lake before" in pages.get("/commits/0", 404)


@pytest.mark.parametrize(
    ("query", "hit"),
    [
        ("trips", ("raw.trips", "name", "raw.trips")),
        ("FARE", ("curated.revenue", "column", "fare")),
        ("began", ("curated.revenue", "description", "zone: Where it began")),
    ],
)
def test_search_says_where_it_found_what(pages: Site, query: str, hit: tuple[str, ...]) -> None:
    first = pages.json(f"/search?q={query}")["hits"][0]
    assert (first["dataset"], first["where"], first["what"]) == hit
    assert "<bdi>" in pages.get(f"/search?q={query}")


def test_search_finds_names_before_columns_and_says_when_nothing_is_called_so(pages: Site) -> None:
    assert [hit["where"] for hit in pages.json("/search?q=zone")["hits"]][:2] == ["name", "column"]
    assert [hit["dataset"] for hit in pages.json("/search?q=trips%20zone")["hits"]] == ["raw.trips"]
    assert "Nothing is called" in pages.get("/search?q=%3Cscript%3Ealert(1)%3C%2Fscript%3E")


def test_commits_are_filtered_and_each_says_what_it_changed(pages: Site, looked_at: Lake) -> None:
    assert [one["commit"] for one in pages.json("/commits")["commits"]] == [6, 5, 4, 3, 2, 1]
    said = pages.json("/commits?dataset=raw.trips")["commits"]
    assert [one["commit"] for one in said] == [4, 3, 2, 1]
    assert pages.json("/commits?author=nobody")["commits"] == []
    assert [one["commit"] for one in pages.json("/commits?since=5")["commits"]] == [6, 5]
    one = pages.json("/commits/3")
    assert one["line"]["changes"].startswith("1 new version")
    assert [(v["dataset"], v["partition"], v["version"]) for v in one["versions"]] == [
        ("raw.trips", "month=2024-01", 2)
    ]
    assert "does not exist; the newest is 6" in pages.get("/commits/99", 404)
    assert [note["kind"] for note in pages.json("/commits/4")["notes"]] == ["drift"]


def test_an_unchanged_page_is_not_sent_again(pages: Site) -> None:
    tag = pages.client.get("/commits").headers["etag"]
    answer = pages.client.get("/commits", headers={"If-None-Match": tag})
    assert (answer.status_code, answer.content) in ((304, b""), (200, answer.content))


def test_every_document_is_as_its_schema_says() -> None:
    for page in known.PAGES.values():
        assert schema(page.document)["required"], page


def test_an_empty_lake_says_what_to_do(empty: Site) -> None:
    assert "Nothing landed yet." in empty.get("/")
    assert "Nothing was published yet." in empty.get("/commits")


def test_a_lake_that_goes_away_is_shown_as_it_was_until_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lake.browser.window.FRESH_S", 0.0)
    lk = new_lake(tmp_path)
    land(lk, "raw.trips", "SELECT 1 AS id")
    place = Path(lk.url.removeprefix("file://"))
    with site(lk) as pages:
        pages.get("/")
        place.rename(tmp_path / "away")
        text = pages.get("/")
        assert "The lake is not at its place any more since" in text
        assert str(tmp_path) not in text
        assert "No lake here" in pages.get("/bucket", 503)
        (tmp_path / "away").rename(place)
        assert "any more since" not in pages.get("/")


def test_a_lake_that_was_never_there_is_a_page_too(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    Path(lk.url.removeprefix("file://")).rename(tmp_path / "away")
    with site(lk) as pages:
        text = pages.get("/", 503)
    assert "No lake here" in text
    assert str(tmp_path) not in text


def test_small_answers_are_not_held_back() -> None:
    with closing(bound("127.0.0.1", 0)) as taken:
        assert taken.proto == socket.IPPROTO_TCP  # asyncio asks for this before TCP_NODELAY


def test_json_has_no_nan_and_keeps_what_is_no_text() -> None:
    assert encoded({"a": float("nan"), "b": "\ud800", "c": None}) == (
        b'{"a":"nan","b":"\\ud800","c":null}'
    )
