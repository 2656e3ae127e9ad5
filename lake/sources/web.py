"""One GET of a URL: redirects, proxies and passwords as they should be."""

import base64
import ipaddress
from collections.abc import Mapping
from http.client import HTTPMessage, HTTPResponse
from importlib.metadata import version
from typing import IO
from urllib.parse import quote, unquote, urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

# What may stand in a URL as it is; `%` because it may be quoted already.
_SAFE = "%/:=&?~+!$,;'@()*[]"
_AUTHORIZATION = "Authorization"


def open_url(url: str, headers: Mapping[str, str], *, timeout_s: float) -> HTTPResponse:
    """Send a GET and return the answer once its headers are there; close it.

    The password in `url` goes to its own host only, wherever that redirects to. A proxy of the
    environment is used, but not for this machine itself.

    Raises:
        ValueError: `url` is none.
        urllib.error.HTTPError: the status is none of 2xx; redirects lead nowhere.
        OSError, http.client.HTTPException: no answer, or none that is HTTP.
    """
    request = _request(url, headers)
    response = build_opener(_Proxies(), _Redirects()).open(request, timeout=timeout_s)
    assert isinstance(response, HTTPResponse)
    return response


def _request(url: str, headers: Mapping[str, str]) -> Request:
    parts = urlsplit(url)
    if not parts.hostname:
        raise ValueError("no host")
    host = (
        parts.hostname.encode("idna").decode()
        if ":" not in parts.hostname
        else f"[{parts.hostname}]"
    )
    netloc = host if parts.port is None else f"{host}:{parts.port}"
    path, query = quote(parts.path or "/", safe=_SAFE), quote(parts.query, safe=_SAFE)
    request = Request(urlunsplit((parts.scheme, netloc, path, query, "")))
    for name, value in headers.items():
        request.add_header(name, value)
    # Asked for as it lies there: a packed transfer would hide how long it is.
    request.add_header("Accept-Encoding", "identity")
    request.add_header("User-Agent", f"clearlake/{version('clearlake')}")
    if parts.username or parts.password:
        pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        basic = base64.b64encode(pair.encode()).decode()
        request.add_unredirected_header(_AUTHORIZATION, f"Basic {basic}")
    return request


class _Redirects(HTTPRedirectHandler):
    """Follows to HTTP only, and gives the password to no other host."""

    max_redirections = 10

    def redirect_request(
        self,
        req: Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> Request | None:
        if urlsplit(newurl).scheme not in ("http", "https"):
            return None
        new = super().redirect_request(req, fp, code, msg, headers, newurl)
        basic = req.unredirected_hdrs.get(_AUTHORIZATION)
        if new and basic and _origin(new) == _origin(req):
            new.add_unredirected_header(_AUTHORIZATION, basic)
        return new


class _Proxies(ProxyHandler):
    """The proxies of the environment, but none between this machine and itself."""

    def proxy_open(self, req: Request, proxy: str, type: str) -> object | None:  # noqa: A002
        return None if _is_loopback(req.host) else super().proxy_open(req, proxy, type)


def _origin(request: Request) -> tuple[str, str]:
    return request.type, request.host


def _is_loopback(netloc: str) -> bool:
    host = urlsplit(f"//{netloc}").hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
