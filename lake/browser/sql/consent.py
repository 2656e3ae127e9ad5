"""Whether a request may make this machine work: another site's page must not."""

import secrets
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie

from starlette.requests import Request
from starlette.responses import Response

COOKIE = "lake-run"
_OURS = secrets.token_urlsafe(16)


def may_run(request: Request) -> bool:
    """Tell whether a query in an address is run, or only shown until a person says so.

    A browser says where a request comes from, or is too old for that, or sees no TLS: then our own
    page has been there before, or whoever asks has sent a token as no other site's page can.
    """
    if request.method != "GET":
        return False
    said = request.headers.get("sec-fetch-site", "")
    if said:
        return said in ("same-origin", "none")
    if request.headers.get("authorization", "").lower().startswith("bearer "):
        return True  # the guard knows it, or nobody needs one
    return secrets.compare_digest(_cookie(request.headers).encode(), _OURS.encode())


def may_read(request: Request) -> bool:
    """Tell whether rows are read for a request: also for a link that a person has followed."""
    headers = request.headers
    site, goal = headers.get("sec-fetch-site", ""), headers.get("sec-fetch-dest", "")
    return site in ("", "same-origin", "none") or goal == "document"


def mark(response: Response) -> Response:
    """Let the browser tell that it has seen our page."""
    response.set_cookie(COOKIE, _OURS, httponly=True, samesite="strict", path="/")
    return response


def _cookie(headers: Mapping[str, str]) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    return found[COOKIE].value if COOKIE in found else ""
