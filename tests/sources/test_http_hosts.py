"""Whom a URL may lead to: at the first hop, at every redirect, however it is spelt."""

import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lake.errors import SourceIncomplete, SourceUnreadable
from lake.sources.fetch import Fetched, Patience, fetch
from lake.sources.hosts import Address, Network, Refused, check, is_near, literal_address
from lake.sources.http import fetch_http
from tests.http_server import Raw, Server, redirect

PUBLIC = "93.184.216.34"
ONCE = Patience(tries=1, deadline_s=20)
OUTSIDE = ", where a redirect from outside is not followed; look at the URL"
OUT_OF_DATA = ": a URL out of data leads to public hosts; look at the URL"
NEVER = ", and never asked; look at the URL"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server({"/x": b"x", "/": b"root"}) as running:
        yield running


@dataclass
class Internet:
    """Names with their addresses, answer by answer; every public address is the test's server."""

    port: int
    names: dict[str, list[list[str]]]
    asked: list[str] = field(default_factory=list)
    dialled: list[str] = field(default_factory=list)

    @property
    def network(self) -> Network:
        return Network(self._resolve, self._dial)

    def _resolve(self, host: str, port: int, *, type: int) -> list[tuple[Any, ...]]:  # noqa: A002
        self.asked.append(host)
        if host not in self.names:
            return socket.getaddrinfo(host, port, type=type)
        answers = self.names[host]
        ips = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(socket.AF_INET, type, 0, "", (ip, port)) for ip in ips]

    def _dial(self, address: Address, timeout_s: float) -> socket.socket:
        self.dialled.append(address.ip)
        return socket.create_connection(("127.0.0.1", self.port), timeout_s)


def ask(url: str, to: Path, net: Internet, *, untrusted: bool = False) -> Fetched:
    fetched = fetch_http(
        url, to / "to", etag="", patience=ONCE, untrusted=untrusted, network=net.network
    )
    assert fetched is not None
    return fetched


def refuses(url: str, to: Path, net: Internet, said: str, *, untrusted: bool = False) -> None:
    with pytest.raises(SourceUnreadable, match=f"^{re.escape(said)}$"):
        ask(url, to, net, untrusted=untrusted)
    assert not (to / "to").exists()


def test_what_was_checked_is_what_is_asked(server: Server, tmp_path: Path) -> None:
    net = Internet(server.port, {"data.example.org": [[PUBLIC], ["127.0.0.1"]]})
    assert ask("http://data.example.org/x", tmp_path, net, untrusted=True).bytes == 1
    assert (net.asked, net.dialled) == (["data.example.org"], [PUBLIC])
    assert server.requests[0].headers["Host"] == "data.example.org"


def test_a_name_that_means_another_host_at_the_next_hop_is_checked_again(
    server: Server, tmp_path: Path
) -> None:
    server.script("/x", redirect("/y"))
    net = Internet(server.port, {"rebind.example.org": [[PUBLIC], ["10.0.0.1"]]})
    url = "http://rebind.example.org/x"
    said = (
        f"{url} cannot be fetched: it redirects to http://rebind.example.org/y (hop 1), whose"
        f" address 10.0.0.1 is private{OUTSIDE}"
    )
    refuses(url, tmp_path, net, said)
    assert net.dialled == [PUBLIC]


def test_one_private_address_among_public_ones_is_enough(server: Server, tmp_path: Path) -> None:
    net = Internet(server.port, {"mixed.example.org": [[PUBLIC, "192.168.1.1"]]})
    url = "http://mixed.example.org/x"
    said = f"{url} cannot be fetched: its address 192.168.1.1 is private{OUT_OF_DATA}"
    refuses(url, tmp_path, net, said, untrusted=True)
    assert net.dialled == []


@pytest.mark.parametrize(
    ("to", "address"),
    [
        ("http://127.0.0.1/", "127.0.0.1 is of this machine"),
        ("http://2130706433/", "127.0.0.1 is of this machine"),
        ("http://0x7f.1/", "127.0.0.1 is of this machine"),
        ("http://0177.0.0.01/", "127.0.0.1 is of this machine"),
        ("http://[::1]/", "::1 is of this machine"),
        ("http://[::ffff:10.1.2.3]/", "10.1.2.3 is private"),
        ("http://example.org@192.168.0.1/", "192.168.0.1 is private"),
        ("//10.0.0.7/", "10.0.0.7 is private"),
        ("HTTPS://172.16.0.9/", "172.16.0.9 is private"),
    ],
)
def test_a_redirect_from_outside_to_a_private_host_is_not_followed(
    server: Server, tmp_path: Path, to: str, address: str
) -> None:
    server.script("/x", redirect(to))
    net = Internet(server.port, {"data.example.org": [[PUBLIC]]})
    with pytest.raises(
        SourceUnreadable,
        match=r"^http://data\.example\.org/x cannot be fetched: it redirects to http.*/ \(hop 1\),"
        rf" whose address {re.escape(address)}{re.escape(OUTSIDE)}$",
    ):
        ask("http://data.example.org/x", tmp_path, net)
    assert net.dialled == [PUBLIC]


def test_a_private_host_may_redirect_to_private_hosts(server: Server, tmp_path: Path) -> None:
    with Server({"/x": b"y"}) as other:
        server.script("/x", redirect(other.url("/x")))
        fetched = fetch(server.url("/x"), tmp_path / "to", patience=ONCE)
    assert fetched is not None
    assert (fetched.bytes, fetched.url) == (1, server.url("/x"))


def test_a_private_host_that_was_left_is_not_come_back_to_by_a_public_one(
    server: Server, tmp_path: Path
) -> None:
    # It was the first that was named: all of the way is a way of this network.
    server.script("/x", redirect("http://out.example.org/y"))
    server.script("/y", redirect("http://10.0.0.1/x"))
    net = Internet(server.port, {"in.example.org": [["10.0.0.1"]], "out.example.org": [[PUBLIC]]})
    assert ask("http://in.example.org/x", tmp_path, net).bytes == 1
    assert net.dialled == ["10.0.0.1", PUBLIC, "10.0.0.1"]


@pytest.mark.parametrize("untrusted", [False, True])
@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("169.254.169.254", "169.254.169.254 is of a cloud's metadata"),
        ("2852039166", "169.254.169.254 is of a cloud's metadata"),
        ("[::ffff:a9fe:a9fe]", "169.254.169.254 is of a cloud's metadata"),
        ("[64:ff9b::a9fe:a9fe]", "64:ff9b::a9fe:a9fe is of a cloud's metadata"),
        ("[fd00:ec2::254]", "fd00:ec2::254 is of a cloud's metadata"),
        ("169.254.1.1", "169.254.1.1 is link-local"),
        ("[fe80::1]", "fe80::1 is link-local"),
        ("0.0.0.0", "0.0.0.0 is no host's"),
        ("0", "0.0.0.0 is no host's"),
        ("[::]", ":: is no host's"),
        ("224.0.0.1", "224.0.0.1 is no host's"),
        ("255.255.255.255", "255.255.255.255 is no host's"),
        ("[2002:7f00:1::]", "2002:7f00:1:: is of a tunnel that hides another"),
    ],
)
def test_some_addresses_are_never_asked(
    tmp_path: Path, host: str, address: str, untrusted: bool
) -> None:
    url = f"http://{host}/x"
    said = f"{url} cannot be fetched: its address {address}{NEVER}"
    with pytest.raises(SourceUnreadable, match=f"^{re.escape(said)}$"):
        fetch(url, tmp_path / "to", patience=ONCE, untrusted=untrusted)


@pytest.mark.parametrize(
    "ip", [PUBLIC, "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_addresses_are_asked(ip: str) -> None:
    check([ip], private=False)
    assert not is_near([ip])


@pytest.mark.parametrize(
    "ip", ["127.9.9.9", "10.0.0.1", "100.64.0.1", "fc00::1", "fec0::1", "198.18.0.1", "::1"]
)
def test_private_addresses_are_asked_where_they_are_meant(ip: str) -> None:
    check([ip], private=True)
    assert is_near([ip])
    with pytest.raises(Refused, match=f"^address {re.escape(ip)} is (private|of this machine)$"):
        check([ip], private=False)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("localhost", "127.0.0.1"),
        ("LocalHost.", "127.0.0.1"),
        ("a.localhost", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("10.0.0.1.", "10.0.0.1"),
        ("::1", "::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::FFFF:7f00:1", "127.0.0.1"),
        ("example.org", ""),
        ("1e100.net", ""),
    ],
)
def test_an_address_is_seen_however_it_is_spelt(host: str, address: str) -> None:
    assert literal_address(host) == address


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "localhost.", "[::1]", "127.1"])
def test_a_url_out_of_data_does_not_lead_to_this_machine(
    server: Server, tmp_path: Path, host: str
) -> None:
    url = f"http://{host}:{server.port}/x"
    with pytest.raises(SourceUnreadable, match=f" is of this machine{re.escape(OUT_OF_DATA)}$"):
        fetch(url, tmp_path / "to", patience=ONCE, untrusted=True)
    assert server.requests == []


def test_a_url_out_of_data_is_no_path(tmp_path: Path) -> None:
    for url in ("/etc/passwd", "file:///etc/passwd", "ftp://h/x"):
        said = (
            f"{url!r} cannot be fetched: a URL out of data starts with https:// or http://; look at"
            " it there"
        )
        with pytest.raises(SourceUnreadable, match=f"^{re.escape(said)}$"):
            fetch(url, tmp_path / "to", untrusted=True)


@pytest.mark.parametrize("to", ["http://10.0.0.1/x", "http://0x7f.1/x", "http://localhost./x"])
def test_behind_a_proxy_the_address_in_the_url_is_checked(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str
) -> None:
    monkeypatch.setenv("http_proxy", server.url())
    monkeypatch.delenv("no_proxy", raising=False)
    server.script("http://data.example.org/x", redirect(to))
    with pytest.raises(SourceUnreadable, match=f"{re.escape(to)} .*{re.escape(OUTSIDE)}$"):
        fetch("http://data.example.org/x", tmp_path / "to", patience=ONCE)
    with pytest.raises(SourceUnreadable, match=f"{re.escape(OUT_OF_DATA)}$"):
        fetch(to, tmp_path / "to", patience=ONCE, untrusted=True)
    assert len(server.requests) == 1


def test_a_proxy_is_told_its_password_and_the_host_is_not(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://me:pw@127.0.0.1:{server.port}")
    monkeypatch.delenv("no_proxy", raising=False)
    server.pages["http://data.example.org/x"] = b"x"
    fetch("http://data.example.org/x", tmp_path / "to", patience=ONCE)
    assert server.requests[0].headers["Proxy-Authorization"] == "Basic bWU6cHc="
    assert server.requests[0].headers["Host"] == "data.example.org"


@pytest.fixture
def secure(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The same server behind TLS, with a certificate for `localhost` only."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = [
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", str(key), "-out", str(cert)),
        *("-addext", "subjectAltName=DNS:localhost"),
    ]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no openssl to make a certificate with")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server.secure(context)
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    return server


def test_a_certificate_is_held_against_the_name_and_not_the_address(
    secure: Server, tmp_path: Path
) -> None:
    fetched = fetch(f"https://localhost:{secure.port}/x", tmp_path / "to", patience=ONCE)
    assert fetched is not None
    assert fetched.bytes == 1
    url = f"https://127.0.0.1:{secure.port}/x"
    said = (
        f"{url} is not to be trusted: IP address mismatch, certificate is not valid for"
        " '127.0.0.1'; look at the host's name, or at this machine's certificates"
    )
    with pytest.raises(SourceUnreadable, match=f"^{re.escape(said)}$"):
        fetch(url, tmp_path / "other", patience=ONCE)


def test_an_end_that_was_not_announced_is_not_taken_for_the_end_of_the_file(
    secure: Server, tmp_path: Path
) -> None:
    # Whoever sits on the line can cut it, but not say goodbye for the server.
    secure.script("/x", Raw(b"HTTP/1.1 200 OK\r\n\r\nid\n"))
    url = f"https://localhost:{secure.port}/x"
    said = (
        f"{url} failed once: it broke off, after 3 bytes; nothing of it was kept, run the same"
        " command again later"
    )
    with pytest.raises(SourceIncomplete, match=f"^{re.escape(said)}$"):
        fetch(url, tmp_path / "to", patience=ONCE)
