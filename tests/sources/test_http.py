import base64
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lake.errors import SourceIncomplete, SourceMissing, SourceUnreadable
from lake.sources.fetch import Fetched, Patience, fetch
from tests.http_server import (
    Become,
    Cut,
    Hang,
    Page,
    Server,
    Status,
    WrongLength,
    WrongRange,
    etag,
    redirect,
)

BODY = os.urandom(2_500_000)
SHA256 = hashlib.sha256(BODY).hexdigest()
MODIFIED = "Tue, 14 Nov 2023 22:13:20 GMT"
AGAIN = "; nothing of it was kept, run the same command again later"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server({"/trips.csv": Page(BODY, last_modified=MODIFIED)}) as running:
        yield running


class Waits:
    """Counts what would be slept; nobody waits for it."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def patience(self, *, deadline_s: float = 600.0, tries: int = 4) -> Patience:
        return Patience(deadline_s=deadline_s, timeout_s=20, tries=tries, sleep=self.slept.append)


@pytest.fixture
def waits() -> Waits:
    return Waits()


def _get(server: Server, to: Path, waits: Waits, path: str = "/trips.csv") -> Fetched:
    fetched = fetch(server.url(path), to / "to", patience=waits.patience())
    assert fetched is not None
    assert (to / "to").read_bytes() == BODY
    assert fetched.sha256 == SHA256
    return fetched


def _check_refused(
    url: str,
    folder: Path,
    waits: Waits,
    kind: type[Exception],
    said: str,
    *,
    deadline_s: float = 600,
) -> None:
    with pytest.raises(kind, match=f"^{re.escape(said)}$"):
        fetch(url, folder / "to", patience=waits.patience(deadline_s=deadline_s))
    assert not (folder / "to").exists()


def test_a_page_is_fetched_with_its_marks(server: Server, tmp_path: Path, waits: Waits) -> None:
    assert _get(server, tmp_path, waits) == Fetched(
        path=tmp_path / "to",
        name="trips.csv",
        bytes=len(BODY),
        sha256=SHA256,
        url=server.url("/trips.csv"),
        etag=etag(Page(BODY)),
        last_modified=MODIFIED,
    )
    headers = server.requests[0].headers
    assert headers["Accept-Encoding"] == "identity"
    assert re.fullmatch(r"clearlake/\d+\.\d+\.\d+", headers["User-Agent"])


def test_what_did_not_change_is_not_sent(server: Server, tmp_path: Path) -> None:
    known = etag(Page(BODY))
    assert fetch(server.url("/trips.csv"), tmp_path / "to", etag=known) is None
    assert [sorted(r.headers) for r in server.requests] == [
        ["Accept-Encoding", "Connection", "Host", "If-None-Match", "User-Agent"],
    ]
    assert not (tmp_path / "to").exists()


def test_what_changed_is_sent(server: Server, tmp_path: Path) -> None:
    fetched = fetch(server.url("/trips.csv"), tmp_path / "to", etag='"old"')
    assert fetched is not None
    assert fetched.sha256 == SHA256


def test_a_304_that_nobody_asked_for_is_refused(
    server: Server, tmp_path: Path, waits: Waits
) -> None:
    server.script("/trips.csv", Status(304))
    url = server.url("/trips.csv")
    said = f"{url} cannot be fetched: HTTP 304 Not Modified; look at the URL"
    _check_refused(url, tmp_path, waits, SourceUnreadable, said)


@pytest.mark.parametrize(
    "page", [Page(BODY, etag=None), Page(BODY, etag='W/"1"'), Page(BODY, chunked=True)]
)
def test_a_page_without_marks_or_length_is_fetched(
    server: Server, tmp_path: Path, waits: Waits, page: Page
) -> None:
    server.pages["/trips.csv"] = page
    assert _get(server, tmp_path, waits).etag == etag(page)


def test_an_empty_page_is_a_file(server: Server, tmp_path: Path) -> None:
    server.pages["/empty"] = b""
    fetched = fetch(server.url("/empty"), tmp_path / "to")
    assert fetched is not None
    assert fetched.bytes == 0


@pytest.mark.parametrize("fault", [Status(500), Status(503), Status(429), Cut(0), Cut(1_000_000)])
def test_a_passing_fault_is_asked_again(
    server: Server, tmp_path: Path, waits: Waits, fault: Status | Cut
) -> None:
    server.script("/trips.csv", fault, fault)
    _get(server, tmp_path, waits)
    assert len(waits.slept) == 2


def test_the_waits_grow_and_the_server_may_ask_for_more(
    server: Server, tmp_path: Path, waits: Waits
) -> None:
    faults = [Status(500), Status(500), Status(503, {"Retry-After": "7"})]
    server.script("/trips.csv", *faults)
    _get(server, tmp_path, waits)
    assert 0.25 <= waits.slept[0] <= 0.5 <= waits.slept[1] <= 1
    assert waits.slept[2] == 7


@pytest.mark.parametrize("asked", ["86400", "Fri, 31 Dec 2199 23:59:59 GMT"])
def test_a_server_that_asks_for_a_day_gets_a_minute(
    server: Server, tmp_path: Path, waits: Waits, asked: str
) -> None:
    server.script("/trips.csv", Status(503, {"Retry-After": asked}))
    _get(server, tmp_path, waits)
    assert waits.slept == [60]


@pytest.mark.parametrize("asked", ["soon", "Fri, 31 Dec 1999 23:59:59 GMT", "-1"])
def test_a_retry_after_that_says_nothing_is_passed_over(
    server: Server, tmp_path: Path, waits: Waits, asked: str
) -> None:
    server.script("/trips.csv", Status(503, {"Retry-After": asked}))
    _get(server, tmp_path, waits)
    assert waits.slept[0] <= 0.5


def test_what_broke_off_goes_on_where_it_was(server: Server, tmp_path: Path, waits: Waits) -> None:
    server.script("/trips.csv", *[Cut(400_000)] * 5)
    _get(server, tmp_path, waits)
    assert [r.headers.get("Range") for r in server.requests] == [
        None,
        *(f"bytes={n * 400_000}-" for n in range(1, 6)),
    ]
    assert {r.headers.get("If-Match") for r in server.requests[1:]} == {etag(Page(BODY))}


@pytest.mark.parametrize(
    "page", [Page(BODY, etag='W/"1"'), Page(BODY, etag=None), Page(BODY, ranges=False)]
)
def test_what_cannot_be_resumed_begins_anew(
    server: Server, tmp_path: Path, waits: Waits, page: Page
) -> None:
    server.pages["/trips.csv"] = page
    server.script("/trips.csv", Cut(400_000))
    _get(server, tmp_path, waits)
    assert len(server.requests) == 2


def test_a_chunked_page_that_was_cut_begins_where_it_was(
    server: Server, tmp_path: Path, waits: Waits
) -> None:
    server.pages["/trips.csv"] = Page(BODY, chunked=True)
    server.script("/trips.csv", Cut(400_000))
    _get(server, tmp_path, waits)


def test_what_changed_between_two_tries_is_never_mixed(
    server: Server, tmp_path: Path, waits: Waits
) -> None:
    server.pages["/trips.csv"] = Page(BODY[::-1])
    server.script("/trips.csv", Cut(400_000), Become(Page(BODY)))
    _get(server, tmp_path, waits)


def test_a_range_that_nobody_asked_for_is_never_mixed_in(
    server: Server, tmp_path: Path, waits: Waits
) -> None:
    server.script("/trips.csv", Cut(400_000), WrongRange(5))
    _get(server, tmp_path, waits)


def test_a_page_that_shrank_meanwhile_is_never_mixed(
    server: Server, tmp_path: Path, waits: Waits
) -> None:
    server.pages["/trips.csv"] = Page(BODY * 2, etag='"same"')
    server.script("/trips.csv", Cut(3_000_000), Become(Page(BODY, etag='"same"')))
    _get(server, tmp_path, waits)


def test_a_server_that_never_recovers_is_given_up(
    server: Server, tmp_path: Path, waits: Waits
) -> None:
    server.script("/trips.csv", *[Status(503)] * 9)
    url = server.url("/trips.csv")
    said = f"{url} failed 4 times in a row: HTTP 503 Service Unavailable{AGAIN}"
    _check_refused(url, tmp_path, waits, SourceIncomplete, said)
    assert (len(server.requests), len(waits.slept)) == (4, 3)


def test_fewer_bytes_than_announced_are_incomplete(
    server: Server, tmp_path: Path, waits: Waits
) -> None:
    server.pages["/trips.csv"] = Page(BODY, etag=None)
    server.script("/trips.csv", *[WrongLength(len(BODY) + 1)] * 4)
    url = server.url("/trips.csv")
    said = f"{url} failed 4 times in a row: broke off after 2500000 of 2500001 bytes{AGAIN}"
    _check_refused(url, tmp_path, waits, SourceIncomplete, said)


def test_a_chunked_page_that_is_always_cut_is_incomplete(
    server: Server, tmp_path: Path, waits: Waits
) -> None:
    server.pages["/trips.csv"] = Page(BODY, etag=None, chunked=True)
    server.script("/trips.csv", *[Cut(1000)] * 4)
    url = server.url("/trips.csv")
    said = f"{url} failed 4 times in a row: it broke off, after 1000 bytes{AGAIN}"
    _check_refused(url, tmp_path, waits, SourceIncomplete, said)


@pytest.mark.parametrize(
    ("after", "said"),
    [(0, "no more came in time, after 0 bytes"), (9, "no more came in time, after 9 bytes")],
)
def test_a_server_that_hangs_is_given_up_at_the_deadline(
    server: Server, tmp_path: Path, waits: Waits, after: int, said: str
) -> None:
    server.script("/trips.csv", Hang(after))
    url = server.url("/trips.csv")
    said = f"{url} failed once: {said}{AGAIN}"
    _check_refused(url, tmp_path, waits, SourceIncomplete, said, deadline_s=0.3)


def test_a_host_that_does_not_answer_is_incomplete(tmp_path: Path, waits: Waits) -> None:
    with Server() as gone:
        url = gone.url("/trips.csv")
    said = f"{url} failed 4 times in a row: Connection refused{AGAIN}"
    _check_refused(url, tmp_path, waits, SourceIncomplete, said)


@pytest.mark.parametrize(("code", "reason"), [(404, "Not Found"), (410, "Gone")])
def test_a_page_that_is_not_there_is_missing(
    server: Server, tmp_path: Path, waits: Waits, code: int, reason: str
) -> None:
    server.script("/x", Status(code))
    url = server.url("/x")
    said = f"{url} is not there: HTTP {code} {reason}; look at the URL"
    _check_refused(url, tmp_path, waits, SourceMissing, said)
    assert waits.slept == []


@pytest.mark.parametrize(("code", "reason"), [(401, "Unauthorized"), (403, "Forbidden")])
def test_a_page_that_is_forbidden_says_how_to_name_oneself(
    server: Server, tmp_path: Path, waits: Waits, code: int, reason: str
) -> None:
    server.script("/x", Status(code))
    url = server.url("/x")
    said = (
        f"{url} cannot be fetched: HTTP {code} {reason}; name who asks, as in"
        " https://${USER}:${PASSWORD}@HOST/PATH"
    )
    _check_refused(url, tmp_path, waits, SourceUnreadable, said)


def test_a_password_is_sent_and_not_recorded(server: Server, tmp_path: Path, waits: Waits) -> None:
    server.pages["/trips.csv?sig=s3cret&month=1"] = BODY
    url = f"http://ada:p%40ss@127.0.0.1:{server.port}/trips.csv?sig=s3cret&month=1"
    fetched = fetch(url, tmp_path / "to")
    assert fetched is not None
    assert fetched.url == server.url("/trips.csv?month=1")
    basic = base64.b64encode(b"ada:p@ss").decode()
    assert server.requests[0].headers["Authorization"] == f"Basic {basic}"


def test_an_error_shows_no_password(server: Server, tmp_path: Path, waits: Waits) -> None:
    url = f"http://ada:pass@127.0.0.1:{server.port}/gone?token=t0ken"
    said = f"{server.url('/gone')} is not there: HTTP 404 Not Found; look at the URL"
    _check_refused(url, tmp_path, waits, SourceMissing, said)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed_and_the_asked_url_recorded(
    server: Server, tmp_path: Path, waits: Waits, code: int
) -> None:
    server.script("/latest", redirect("/trips.csv", code))
    fetched = _get(server, tmp_path, waits, "/latest")
    assert (fetched.url, fetched.name) == (server.url("/latest"), "latest")


def test_a_password_goes_to_its_own_host_only(server: Server, tmp_path: Path) -> None:
    with Server({"/trips.csv": BODY}) as other:
        server.script("/a", redirect("/b"))
        server.script("/b", redirect(other.url("/trips.csv")))
        fetch(f"http://ada:pass@127.0.0.1:{server.port}/a", tmp_path / "to")
        assert ["Authorization" in r.headers for r in server.requests] == [True, True]
        assert ["Authorization" in r.headers for r in other.requests] == [False]


@pytest.mark.parametrize(
    "url", ["http://", "http:///x", "http://h:port/x", "http://[1/x", "http://a..b/x"]
)
def test_what_is_no_url_is_refused(tmp_path: Path, waits: Waits, url: str) -> None:
    with pytest.raises(SourceUnreadable, match=r" is no URL: write https://HOST/PATH$"):
        fetch(url, tmp_path / "to", patience=waits.patience())


def test_a_url_with_blanks_and_letters_of_the_world_is_quoted(
    server: Server, tmp_path: Path, waits: Waits
) -> None:
    server.pages["/d%C3%A9c%20%2F1.csv?a=%C3%A9"] = BODY
    fetched = _get(server, tmp_path, waits, "/déc %2F1.csv?a=é")
    assert fetched.name == "1.csv"


def test_a_proxy_of_the_environment_does_not_stand_before_this_machine(
    server: Server, tmp_path: Path, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    _get(server, tmp_path, waits)


def test_a_proxy_is_used_for_everything_else(
    server: Server, tmp_path: Path, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.pages["http://data.example.org/trips.csv"] = BODY
    monkeypatch.setenv("http_proxy", server.url())
    monkeypatch.delenv("no_proxy", raising=False)
    fetched = fetch("http://data.example.org/trips.csv", tmp_path / "to")
    assert fetched is not None
    assert fetched.url == "http://data.example.org/trips.csv"
