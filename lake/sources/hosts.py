"""Which hosts a URL may lead to, and a connection to the very address that was checked.

A name is resolved once, every answer is checked, and one of these addresses is dialled, so that a
name which means something else a moment later (DNS rebinding) leads nowhere. However an address is
spelt (`2130706433`, `0x7f.1`, `localhost.`, `::ffff:7f00:1`), what it resolves to counts.
"""

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Ip: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_LOOPBACK = "of this machine"
# Whoever asks them from inside a cloud is given its keys. One of them is a public address.
_METADATA = frozenset(
    map(
        ipaddress.ip_address,
        (
            "169.254.169.254",
            "fd00:ec2::254",
            "fd20:ce::254",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
        ),
    )
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_LOCAL_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")
_NO_HOST = ipaddress.ip_network("0.0.0.0/8")


class Refused(Exception):
    """A URL that is not asked; the message is the end of a sentence that begins with the URL."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a connection goes: `where` is what `socket.connect` takes."""

    family: int
    where: tuple[Any, ...]

    @property
    def ip(self) -> str:
        """The address as text."""
        return str(self.where[0])


def _dial(address: Address, timeout_s: float) -> socket.socket:
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout_s)
        sock.connect(address.where)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        sock.close()
        raise
    return sock


@dataclass(frozen=True, slots=True)
class Network:
    """How names become addresses, and addresses connections."""

    resolve: Callable[..., Sequence[tuple[Any, ...]]] = socket.getaddrinfo
    dial: Callable[[Address, float], socket.socket] = _dial


NETWORK = Network()


def find(host: str, port: int, network: Network) -> list[Address]:
    """Return every address of `host`, in the order in which they are to be tried.

    Raises:
        OSError: it has none, or nobody answered who knows.
        UnicodeError, ValueError: it is no name of a host.
    """
    found = network.resolve(host, port, type=socket.SOCK_STREAM)
    return [Address(one[0], tuple(one[4])) for one in found]


def connect(
    addresses: Sequence[Address], network: Network, wait_s: Callable[[], float]
) -> socket.socket:
    """Connect to the first of `addresses` that answers."""
    failed: OSError = ConnectionError("no address")
    for address in addresses:
        try:
            return network.dial(address, wait_s())
        except OSError as error:
            failed = error
    raise failed


def check(addresses: Sequence[str], *, private: bool) -> None:
    """Refuse a host if one of its addresses must not be asked.

    Args:
        addresses: all that it has, as text.
        private: addresses of this machine and of a private network are meant.

    Raises:
        Refused: the message goes on behind `whose`.
    """
    for text in addresses:
        never, what = _standing(ipaddress.ip_address(text.partition("%")[0]))
        if never:
            raise Refused(f"address {text} is {what}, and never asked")
        if what and not private:
            raise Refused(f"address {text} is {what}")


def is_near(addresses: Sequence[str]) -> bool:
    """Tell whether a host is of this machine or of a private network."""
    return any(_standing(ipaddress.ip_address(text.partition("%")[0]))[1] for text in addresses)


def literal_address(host: str) -> str:
    """Return the address that `host` spells, however it does, or `""` for a name.

    For who does not resolve it: behind a proxy, `0x7f.1` would be read by somebody else.
    """
    bare = host.rstrip(".").lower()
    if bare == "localhost" or bare.endswith(".localhost"):
        return "127.0.0.1"
    try:
        ip = ipaddress.ip_address(bare.partition("%")[0])
        return str(getattr(ip, "ipv4_mapped", None) or ip)
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(bare))
    except (OSError, UnicodeError):
        return ""


def _standing(ip: Ip) -> tuple[bool, str]:
    """Return whether an address is never asked, and what it is; `""`: anybody's, out there."""
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return _standing(ip.ipv4_mapped)
        if ip in _NAT64:
            return _standing(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
        if ip.sixtofour or ip.teredo:
            return True, "of a tunnel that hides another"
        if ip.is_site_local or ip in _LOCAL_NAT64:
            return False, "private"
    if ip in _METADATA:
        return True, "of a cloud's metadata"
    if ip.is_loopback:
        return False, _LOOPBACK
    if ip.is_link_local:
        return True, "link-local"
    if ip.is_multicast or ip.is_unspecified or ip.is_reserved or ip in _NO_HOST:
        return True, "no host's"
    return False, "" if ip.is_global else "private"
