"""Who may look: hosts, origins, a token or a proxy that vouches; and what every answer says."""

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from lake.errors import InvalidConfig

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self'; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
SHORTEST_TOKEN = 16
_NAME = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?")


@dataclass(frozen=True, slots=True)
class Guard:
    """What is asked of those who ask.

    Attributes:
        hosts: names, in small letters, by which browsers may call this server beside `localhost`;
            an address of numbers may always be used: it cannot be another site's name.
        token: what one has to know; `""`: nobody is asked for one.
        header: of a proxy that vouches for a person, such as `X-Forwarded-User`; `""`: none does.
        proxies: the peers whose `header` counts.
    """

    hosts: frozenset[str] = frozenset()
    token: str = ""
    header: str = ""
    proxies: frozenset[str] = frozenset()

    def refusal(self, method: str, headers: Mapping[str, str]) -> str:
        """Say why a request is not even looked at; `""`: it is."""
        host = headers.get("host", "")
        if not self._is_ours(host):
            return "This server is not called so: start it with --hostname for each of its names."
        if method in ("GET", "HEAD"):
            return ""
        origin = headers.get("origin", "")
        # Of our own forms, too, browsers do not tell the origin: no page of ours has a referrer.
        is_ours = origin == "null" and headers.get("sec-fetch-site") == "same-origin"
        if origin.partition("://")[2] != host and not is_ours:
            return "Only this server's own pages may send this."
        return ""

    def _is_ours(self, host: str) -> bool:
        name = host.rpartition(":")[0] if _has_port(host) else host
        name = name.lower().rstrip(".")
        return name == "localhost" or name in self.hosts or _is_address(name)

    @property
    def is_open(self) -> bool:
        """Whether nobody has to say who they are."""
        return not self.token and not self.header

    def lets_in(self, headers: Mapping[str, str], peer: str) -> bool:
        """Tell whether a request comes from somebody who may look."""
        if self.is_open:
            return True
        if (
            self.header
            and _peer(peer) in self.proxies
            and headers.get(self.header.lower(), "").strip()
        ):
            return True
        if not self.token:
            return False
        scheme, _, said = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.knows(said.strip()):
            return True
        return _same(_cookie(headers), self.pass_)

    def knows(self, token: str) -> bool:
        """Compare a token with the right one; that takes as long for any."""
        return bool(self.token) and _same(token, self.token)

    @property
    def pass_(self) -> str:
        """What the cookie of somebody who knew the token holds; the token is not in it."""
        return hmac.new(self.token.encode(), b"clearlake browser", hashlib.sha256).hexdigest()

    def is_secure(self, headers: Mapping[str, str], peer: str, scheme: str) -> bool:
        """Tell whether the browser's connection is encrypted, here or at a trusted proxy."""
        vouched = _peer(peer) in self.proxies and headers.get("x-forwarded-proto", "") == "https"
        return scheme == "https" or vouched


def cookie_name(*, secure: bool) -> str:
    """Return the cookie's name; one that begins so is bound to this host, by TLS."""
    return "__Host-lake" if secure else "lake"


def _cookie(headers: Mapping[str, str]) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    for secure in (True, False):
        if cookie_name(secure=secure) in found:
            return found[cookie_name(secure=secure)].value
    return ""


def _same(one: str, other: str) -> bool:
    digests = [hashlib.sha256(text.encode(errors="replace")).digest() for text in (one, other)]
    return hmac.compare_digest(*digests)


def _has_port(host: str) -> bool:
    return host.rpartition(":")[2].isdigit() and (host.count(":") == 1 or "]:" in host)


def _peer(address: str) -> str:
    """Return an address in its one form: of IPv4, also where it came by a socket of IPv6."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def guarded(
    bind: str,
    *,
    token: str,
    header: str,
    proxies: Sequence[str],
    hostnames: Sequence[str],
) -> Guard:
    """Return the guard of a server that listens at `bind`.

    Raises:
        InvalidConfig: others could look without being asked who they are; the token is one that
            can be guessed; a proxy's header without the proxy.
    """
    if token and len(token) < SHORTEST_TOKEN:
        raise InvalidConfig(
            f"the token has {len(token)} characters, which can be guessed: take at least"
            f" {SHORTEST_TOKEN}, such as `openssl rand -hex 16` gives"
        )
    if header and not proxies:
        raise InvalidConfig(
            "--proxy-header goes with --proxy-from: the header counts only from those peers"
        )
    for name in hostnames:
        if not _NAME.fullmatch(name):
            raise InvalidConfig(
                f"--hostname {name!r} is no name: write it without scheme and port, such as"
                " lake.example.org"
            )
    for proxy in proxies:
        if not _is_address(proxy):
            raise InvalidConfig(f"--proxy-from {proxy!r} is no address: write one such as 10.0.0.5")
    if not is_loopback(bind) and not token and not header:
        raise InvalidConfig(
            f"--host {bind} lets others look, and nothing asks who they are: set"
            " LAKE_BROWSER_TOKEN, or name a proxy that does with --proxy-header and --proxy-from"
        )
    names = frozenset(name.lower().rstrip(".") for name in hostnames)
    return Guard(names, token, header, frozenset(map(_peer, proxies)))


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches an address."""
    if host == "localhost":
        return True
    return _is_address(host) and ipaddress.ip_address(host.strip("[]")).is_loopback
