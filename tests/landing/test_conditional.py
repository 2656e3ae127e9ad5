"""When a web server is asked whether what it has is still the same."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lake.lake import Lake
from tests.http_server import Page, Server
from tests.lakes import new_lake

MODIFIED = "Tue, 14 Nov 2023 22:13:20 GMT"


@pytest.fixture
def lk(tmp_path: Path) -> Lake:
    return new_lake(tmp_path)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def land(lk: Lake, url: str) -> str:
    return lk.land(url, dataset="raw.x").outcome


def conditions(server: Server) -> list[str]:
    asked = ("If-None-Match", "If-Modified-Since")
    return [name for one in server.requests for name in asked if name in one.headers]


@pytest.mark.parametrize("etag", ["", 'W/"1"'])
def test_an_etag_is_asked_about(lk: Lake, server: Server, etag: str) -> None:
    server.pages["/x.csv"] = Page(b"id\n1\n", etag=etag, last_modified=MODIFIED)
    assert [land(lk, server.url("/x.csv")) for _ in range(2)] == ["landed", "unchanged"]
    assert conditions(server) == ["If-None-Match"]


def test_other_bytes_of_the_same_second_are_landed(lk: Lake, server: Server) -> None:
    for body in (b"id\n1\n", b"id\n2\n"):
        server.pages["/x.csv"] = Page(body, etag=None, last_modified=MODIFIED)
        assert land(lk, server.url("/x.csv")) == "landed"
    assert land(lk, server.url("/x.csv")) == "unchanged"
    assert conditions(server) == []
    current = lk.state.partition("raw.x", "").current
    assert current
    assert current.landed.origin["last_modified"] == MODIFIED


LATER = "Wed, 15 Nov 2023 22:13:20 GMT"


@pytest.mark.parametrize("etag", [None, "", 'W/"2"'])
def test_a_new_time_with_the_same_bytes_is_nothing(
    lk: Lake, server: Server, etag: str | None
) -> None:
    server.pages["/x.csv"] = Page(b"id\n1\n", etag='"1"', last_modified=MODIFIED)
    assert land(lk, server.url("/x.csv")) == "landed"
    server.pages["/x.csv"] = Page(b"id\n1\n", etag=etag, last_modified=LATER)
    assert land(lk, server.url("/x.csv")) == "unchanged"
    assert lk.commit == 1


def test_the_same_count_of_rows_with_one_other_value_is_a_version(lk: Lake, server: Server) -> None:
    for value in (3, 4):
        body = f"id,v\n1,1\n2,{value}\n".encode()
        server.pages["/x.csv"] = Page(body, last_modified=MODIFIED)
        assert land(lk, server.url("/x.csv")) == "landed"
    assert lk.sql("SELECT sum(v) FROM raw.x").fetchall() == [(5,)]
    versions = lk.sql("SELECT version, rows, current FROM meta.versions ORDER BY ALL")
    assert versions.fetchall() == [(1, 2, False), (2, 2, True)]


@pytest.mark.parametrize(
    ("first", "second"),
    [("/x?token=a", "/x?token=b"), ("/x?token=a", "/x"), ("/x", "/x?token=b")],
)
def test_urls_that_are_recorded_alike_are_not_taken_for_one(
    lk: Lake, server: Server, first: str, second: str
) -> None:
    server.pages[first] = Page(b"id\n1\n", etag='"same"')
    server.pages[second] = Page(b"id\n2\n", etag='"same"')
    assert [land(lk, server.url(path)) for path in (first, second)] == ["landed", "landed"]
    assert conditions(server) == []
