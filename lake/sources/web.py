"""One GET of a URL: redirects, proxies and passwords as they should be.

What is guaranteed of where it leads, at every hop: the scheme is http or https; no address that is
asked is link-local, a cloud's metadata or no host's; one of this machine or of a private network is
asked only where the first URL is such a one itself, and was not found in data.

Through a proxy of the environment only what stands in the URL is checked, address or `localhost`:
what a name means is resolved by the proxy, and its own rules decide whom it lets through.
"""

import base64
import re
import socket
import ssl
import string
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from importlib.metadata import version
from urllib.parse import quote, unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from lake.config.secrets import recorded
from lake.sources.hosts import (
    NETWORK,
    Network,
    Refused,
    check,
    connect,
    find,
    is_near,
    literal_address,
)
from lake.sources.patience import Clock
from lake.sources.wire import Answer, Wire

HOPS = 10
_PORTS = {"http": 80, "https": 443}
_REDIRECTS = (301, 302, 303, 307, 308)
# What may stand in a URL as it is; `%` because it may be quoted already.
_SAFE = "%/:=&?~+!$,;'@()*[]"
_NO_HOST = re.compile(r"[\s\\/@<>^|\x00-\x20\x7f]")
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class _Hop:
    """One URL on the way, taken apart. `basic` is who asks, for its own host only."""

    url: str
    scheme: str
    host: str
    port: int
    target: str
    basic: str = ""

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def netloc(self) -> str:
        return self.authority.removesuffix(f":{_PORTS[self.scheme]}")


@dataclass(frozen=True, slots=True)
class _Line:
    """A socket that leads to a hop, with the URL to ask for on it, and the proxy's password."""

    sock: socket.socket
    target: str
    proxy_basic: str = ""


def open_url(
    url: str,
    headers: Mapping[str, str],
    *,
    clock: Clock,
    untrusted: bool = False,
    network: Network = NETWORK,
) -> Answer:
    """Send a GET and return the answer once its headers are there, redirects followed; close it.

    The password in `url` goes to its own host only, wherever that redirects to. A proxy of the
    environment is used, but not for this machine itself.

    Args:
        url: `http(s)://…`.
        headers: to be sent to every hop.
        clock: ends every wait, but the one for the system to resolve a name.
        untrusted: `url` was found in data: no address but a public one is asked at all.
        network: how names become addresses, and addresses connections.

    Raises:
        ValueError: `url` is none.
        Refused: it leads to where nothing is asked.
        OSError, http.client.HTTPException: no answer, or none that is HTTP.
    """
    hop, private = _first(url), not untrusted
    for number in range(HOPS + 1):
        line, private = _line(hop, private, number, clock, network)
        answer = _get(line, hop, headers, clock)
        to = answer.headers.get("Location", "")
        if answer.status not in _REDIRECTS or not to:
            return answer
        answer.close()
        hop = _next(hop, to, number + 1)
    raise Refused(f"it redirects more than {HOPS} times, at last to {_shown(hop.url)}")


def _first(url: str) -> _Hop:
    parts = urlsplit(url)
    if not parts.username and not parts.password:
        return _hop(url)
    pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return replace(_hop(url), basic=_basic(pair))


def _next(hop: _Hop, location: str, number: int) -> _Hop:
    # `http.client` read the header as Latin-1: these are the server's own bytes again.
    text = quote(location.strip(), encoding="iso-8859-1", safe=string.punctuation)
    url = urljoin(hop.url, text)
    leads = f"it redirects to {_shown(url)} (hop {number})"
    if url.partition(":")[0].lower() not in _PORTS:
        raise Refused(f"{leads}, and only http(s) is followed")
    try:
        new = _hop(url)
    except ValueError:
        raise Refused(f"{leads}, which is no URL") from None
    return replace(new, basic=hop.basic) if new.origin == hop.origin else new


def _hop(url: str) -> _Hop:
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    if not parts.hostname or scheme not in _PORTS:
        raise ValueError("no host, or another scheme")
    host = parts.hostname
    if ":" not in host:
        host = host.encode("idna").decode()
    if not host or _NO_HOST.search(host):
        raise ValueError("no host's name")
    port = _PORTS[scheme] if parts.port is None else parts.port
    query = f"?{quote(parts.query, safe=_SAFE)}" if parts.query else ""
    target = quote(parts.path or "/", safe=_SAFE) + query
    return _Hop(url, scheme, host, port, target)


def _line(
    hop: _Hop, private: bool, number: int, clock: Clock, network: Network
) -> tuple[_Line, bool]:
    """Connect to a hop; also tell whether a private one may follow."""
    literal = literal_address(hop.host)
    proxy = _proxy(hop, literal)
    known = [literal] * bool(literal)
    _check(hop, known, private, number)
    addresses = [] if proxy else find(hop.host, hop.port, network)
    known += [one.ip for one in addresses]
    _check(hop, known, private, number)
    if number == 0:
        private = private and is_near(known)
    if proxy:
        return _proxied(hop, proxy, clock, network), private
    sock = connect(addresses, network, clock.wait_s)
    return _Line(_secured(sock, hop, clock), hop.target), private


def _check(hop: _Hop, known: list[str], private: bool, number: int) -> None:
    try:
        check(known, private=private)
    except Refused as refused:
        raise Refused(_told(hop, str(refused), number)) from None


def _told(hop: _Hop, refused: str, number: int) -> str:
    if number == 0:
        outside = "" if refused.endswith("asked") else ": a URL out of data leads to public hosts"
        return f"its {refused}{outside}"
    outside = "" if refused.endswith("asked") else ", where a redirect from outside is not followed"
    return f"it redirects to {_shown(hop.url)} (hop {number}), whose {refused}{outside}"


def _proxy(hop: _Hop, literal: str) -> str:
    """Return the proxy of the environment that stands before a hop; none before this machine."""
    proxy = getproxies().get(hop.scheme, "")
    if not proxy or literal.startswith("127.") or literal == "::1":
        return ""
    return "" if proxy_bypass(hop.netloc) else proxy


def _proxied(hop: _Hop, proxy: str, clock: Clock, network: Network) -> _Line:
    parts = urlsplit(proxy if "://" in proxy else f"//{proxy}")
    if not parts.hostname or parts.scheme not in ("", *_PORTS):
        raise Refused(f"the proxy {recorded(proxy)} of the environment is no http proxy")
    pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    basic = _basic(pair) if parts.username else ""
    sock = connect(find(parts.hostname, parts.port or 80, network), network, clock.wait_s)
    if hop.scheme == "http":
        return _Line(sock, f"http://{hop.netloc}{hop.target}", basic)
    try:
        _tunnel(sock, hop, basic, clock)
    except BaseException:
        sock.close()
        raise
    return _Line(_secured(sock, hop, clock), hop.target)


def _tunnel(sock: socket.socket, hop: _Hop, basic: str, clock: Clock) -> None:
    """Have the proxy pass everything on to a hop from now on."""
    connection = HTTPConnection(hop.host, hop.port)
    connection.sock = Wire(sock, clock)
    connection.putrequest("CONNECT", hop.authority, skip_accept_encoding=True)
    if basic:
        connection.putheader("Proxy-Authorization", basic)
    connection.endheaders()
    status = connection.getresponse().status
    if status != 200:
        raise ConnectionError(status, f"the proxy answered HTTP {status}")


def _secured(sock: socket.socket, hop: _Hop, clock: Clock) -> socket.socket:
    if hop.scheme == "http":
        return sock
    try:
        sock.settimeout(clock.wait_s())
        # An end that nobody announced must not be taken for the end of the file.
        return ssl.create_default_context().wrap_socket(
            sock, server_hostname=hop.host, suppress_ragged_eofs=False
        )
    except BaseException:
        sock.close()
        raise


def _get(line: _Line, hop: _Hop, headers: Mapping[str, str], clock: Clock) -> Answer:
    wire = Wire(line.sock, clock)
    connection = HTTPConnection(hop.host, hop.port)
    connection.sock = wire
    try:
        connection.putrequest("GET", line.target, skip_host=True, skip_accept_encoding=True)
        for name, value in _all(headers, hop, line):
            connection.putheader(name, value)
        connection.endheaders()
        return Answer(connection.getresponse(), line.sock, wire)
    except BaseException:
        line.sock.close()
        raise


def _all(headers: Mapping[str, str], hop: _Hop, line: _Line) -> list[tuple[str, str]]:
    own = {
        "Host": hop.netloc,
        "Connection": "close",
        # Asked for as it lies there. Who sends it packed nevertheless (a bucket, whose object says
        # `Content-Encoding: gzip`) sends what lies there: it is kept so, and unpacked on landing.
        "Accept-Encoding": "identity",
        "User-Agent": f"clearlake/{version('clearlake')}",
        "Authorization": hop.basic,
        "Proxy-Authorization": line.proxy_basic,
    }
    return [(name, value) for name, value in (own | dict(headers)).items() if value]


def _basic(pair: str) -> str:
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _shown(url: str) -> str:
    # What a server wrote: without secrets, in one line, not all of it.
    text = quote(recorded(url), safe=string.punctuation)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
