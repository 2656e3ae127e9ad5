"""Web servers that send nonsense, too little, too much, too slowly, or somebody elsewhere."""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lake.errors import LakeError, SourceIncomplete, SourceUnreadable
from lake.sources.fetch import Patience, fetch
from tests.http_server import Become, Page, Raw, Server, Status, WrongLength, redirect

AGAIN = "; nothing of it was kept, run the same command again later"
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
# The deadline of what would go on for ever; everything else answers at once.
SOON_S = 0.4


@pytest.fixture
def server() -> Iterator[Server]:
    with Server({"/x": b"id\n1\n"}) as running:
        yield running


def refuses(
    server: Server,
    to: Path,
    said: str,
    *,
    kind: type[LakeError] = SourceIncomplete,
    deadline_s: float = 60,
    max_bytes: int = 10**12,
    untrusted: bool = False,
) -> None:
    """Make sure that the page is refused with just this message, and nothing is left of it."""
    patience = Patience(
        deadline_s=deadline_s, timeout_s=20, tries=2, max_bytes=max_bytes, sleep=lambda _: None
    )
    with pytest.raises(kind, match=f"^{re.escape(server.url('/x') + ' ' + said)}$"):
        fetch(server.url("/x"), to / "to", patience=patience, untrusted=untrusted)
    assert list(to.iterdir()) == []


def test_a_byte_now_and_then_does_not_put_off_the_deadline(server: Server, tmp_path: Path) -> None:
    server.script("/x", Raw(OK + b"Content-Length: 1000\r\n\r\n", again=b"x", every_s=0.15))
    with pytest.raises(SourceIncomplete, match=r"^http://\S+/x failed once: no more came in time,"):
        fetch(server.url("/x"), tmp_path / "to", patience=Patience(deadline_s=SOON_S))
    assert list(tmp_path.iterdir()) == []


def test_a_byte_of_a_header_now_and_then_does_not_either(server: Server, tmp_path: Path) -> None:
    server.script("/x", Raw(OK + b"X-Slow: ", again=b"x", every_s=0.1))
    refuses(server, tmp_path, f"failed once: no answer in time{AGAIN}", deadline_s=SOON_S)


def test_interim_answers_for_ever_do_not_either(server: Server, tmp_path: Path) -> None:
    server.script("/x", Raw(b"", again=b"HTTP/1.1 100 Continue\r\n\r\n", every_s=0.1))
    refuses(server, tmp_path, f"failed once: no answer in time{AGAIN}", deadline_s=SOON_S)


@pytest.mark.parametrize(
    ("head", "again"),
    [(OK + b"\r\n", b"x" * 65536), (CHUNKED, b"10000\r\n" + b"x" * 65536 + b"\r\n")],
)
def test_a_body_without_end_is_cut_off(
    server: Server, tmp_path: Path, head: bytes, again: bytes
) -> None:
    server.script("/x", Raw(head, again=again))
    said = "is too large: more than 1000000 bytes came, and no end; look at the URL"
    refuses(server, tmp_path, said, kind=SourceUnreadable, max_bytes=1_000_000)


def test_a_body_that_is_too_large_is_not_begun(server: Server, tmp_path: Path) -> None:
    server.script("/x", Raw(OK + b"Content-Length: 99999999999999\r\n\r\n"))
    said = (
        "is too large: 99999999999999 bytes are announced, and at most 1000000000000 are taken;"
        " look at the URL"
    )
    refuses(server, tmp_path, said, kind=SourceUnreadable)


def test_a_body_of_just_the_most_is_taken(server: Server, tmp_path: Path) -> None:
    fetched = fetch(server.url("/x"), tmp_path / "to", patience=Patience(max_bytes=5))
    assert fetched is not None
    assert fetched.bytes == 5


def test_a_body_shorter_than_announced_is_incomplete(server: Server, tmp_path: Path) -> None:
    server.pages["/x"] = Page(b"id\n1\n", etag=None)
    server.script("/x", *[WrongLength(9)] * 2)
    refuses(server, tmp_path, f"failed 2 times in a row: broke off after 5 of 9 bytes{AGAIN}")


def test_a_body_longer_than_announced_is_not_cut(server: Server, tmp_path: Path) -> None:
    server.script("/x", *[WrongLength(4)] * 2)
    said = f"failed 2 times in a row: more bytes came than the 4 that were announced{AGAIN}"
    refuses(server, tmp_path, said)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"hello\r\n\r\n", "BadStatusLine"),
        (b"HTTP/1.1 2xx OK\r\n\r\n", "BadStatusLine"),
        (OK + b"X: " + b"x" * (1 << 20) + b"\r\n\r\n", "LineTooLong"),
        (OK + b"X: y\r\n" * 1000 + b"\r\n", "HTTPException"),
        (b"", "RemoteDisconnected"),
    ],
)
def test_an_answer_that_is_no_http_is_no_answer(
    server: Server, tmp_path: Path, answer: bytes, why: str
) -> None:
    server.script("/x", *[Raw(answer)] * 2)
    said = f"failed 2 times in a row: no answer that is HTTP ({why}){AGAIN}"
    refuses(server, tmp_path, said)


@pytest.mark.parametrize("body", [b"5\r\nid\n1\n\r\n", b"5\r\nid\n", b"5\r\nid\n1\n\r\nzz\r\n"])
def test_a_chunked_body_that_breaks_off_is_incomplete(
    server: Server, tmp_path: Path, body: bytes
) -> None:
    server.script("/x", *[Raw(CHUNKED + body)] * 2)
    count = 3 if body.endswith(b"id\n") else 5
    said = f"failed 2 times in a row: it broke off, after {count} bytes{AGAIN}"
    refuses(server, tmp_path, said)


@pytest.mark.parametrize(
    ("to", "said"),
    [
        (
            "http://169.254.169.254/latest/meta-data/iam?token=s3cret",
            "it redirects to http://169.254.169.254/latest/meta-data/iam (hop 1), whose address"
            " 169.254.169.254 is of a cloud's metadata, and never asked",
        ),
        (
            "http://u:pw@[fe80::1]/",
            "it redirects to http://[fe80::1]/ (hop 1), whose address fe80::1 is link-local, and"
            " never asked",
        ),
        (
            "file:///etc/passwd",
            "it redirects to file:///etc/passwd (hop 1), and only http(s) is followed",
        ),
        (
            "ftp://127.0.0.1/x",
            "it redirects to ftp://127.0.0.1/x (hop 1), and only http(s) is followed",
        ),
        (
            "gopher://127.0.0.1/x",
            "it redirects to gopher://127.0.0.1/x (hop 1), and only http(s) is followed",
        ),
        ("http://h:port/", "it redirects to http://h:port/ (hop 1), which is no URL"),
    ],
)
def test_a_redirect_to_where_nothing_is_asked_is_refused(
    server: Server, tmp_path: Path, to: str, said: str
) -> None:
    server.script("/x", redirect(to))
    said = f"cannot be fetched: {said}; look at the URL"
    refuses(server, tmp_path, said, kind=SourceUnreadable)
    assert len(server.requests) == 1


def test_the_hop_that_is_refused_is_named(server: Server, tmp_path: Path) -> None:
    server.script("/x", redirect("/y"))
    server.script("/y", redirect("file:///etc/passwd"))
    said = (
        "cannot be fetched: it redirects to file:///etc/passwd (hop 2), and only http(s) is"
        " followed; look at the URL"
    )
    refuses(server, tmp_path, said, kind=SourceUnreadable)


def test_a_redirect_in_a_circle_comes_to_an_end(server: Server, tmp_path: Path) -> None:
    server.script("/x", *[redirect("/y")] * 20)
    server.script("/y", *[redirect("/x")] * 20)
    last = server.url("/y")
    said = f"cannot be fetched: it redirects more than 10 times, at last to {last}; look at the URL"
    refuses(server, tmp_path, said, kind=SourceUnreadable)
    assert len(server.requests) == 11


def test_a_redirect_without_a_place_says_so(server: Server, tmp_path: Path) -> None:
    server.script("/x", Status(302))
    said = "cannot be fetched: HTTP 302 Found, without saying where to; look at the URL"
    refuses(server, tmp_path, said, kind=SourceUnreadable)


def test_a_redirect_with_letters_of_the_world_is_followed(server: Server, tmp_path: Path) -> None:
    server.pages["/d%C3%A9c"] = b"here"
    location = "/déc".encode()
    server.script("/x", Raw(b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\n\r\n"))
    fetched = fetch(server.url("/x"), tmp_path / "to")
    assert fetched is not None
    assert fetched.bytes == 4


def test_a_url_out_of_data_leads_to_no_private_host(server: Server, tmp_path: Path) -> None:
    said = (
        "cannot be fetched: its address 127.0.0.1 is of this machine: a URL out of data leads to"
        " public hosts; look at the URL"
    )
    refuses(server, tmp_path, said, kind=SourceUnreadable, untrusted=True)
    assert server.requests == []


def test_an_answer_without_a_body_is_an_empty_file(server: Server, tmp_path: Path) -> None:
    server.script("/x", Raw(OK + b"Content-Length: 0\r\n\r\n"))
    fetched = fetch(server.url("/x"), tmp_path / "to")
    assert fetched is not None
    assert fetched.bytes == 0


def test_what_is_sent_packed_is_kept_as_it_was_sent(server: Server, tmp_path: Path) -> None:
    packed = gzip.compress(b"id\n1\n")
    head = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    server.script("/x", Raw(OK + head + packed))
    fetched = fetch(server.url("/x"), tmp_path / "to")
    assert fetched is not None
    assert (tmp_path / "to").read_bytes() == packed


def test_an_etag_of_several_lines_is_not_sent_back(server: Server, tmp_path: Path) -> None:
    head = OK + b'ETag: "a"\r\n Evil: 1\r\nContent-Length: 5\r\n\r\nid'
    server.script("/x", Raw(head), Become(Page(b"id\n2\n")))
    fetched = fetch(server.url("/x"), tmp_path / "to", patience=Patience(sleep=lambda _: None))
    assert fetched is not None
    assert (tmp_path / "to").read_bytes() == b"id\n2\n"
    assert [sorted(r.headers.keys() & {"If-Match", "Range", "Evil"}) for r in server.requests] == [
        [],
        [],
    ]
