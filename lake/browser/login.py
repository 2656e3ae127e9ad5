"""The page that asks for the token, and the cookie of those who knew it."""

from datetime import UTC, datetime
from urllib.parse import parse_qs, quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from lake.browser import failures
from lake.browser.ask import Ask
from lake.browser.guard import Guard, cookie_name
from lake.browser.render import render

_LONGEST_FORM = 4096


def asked(request: Request, path: str) -> Response:
    """Return the page that asks for the token; a program gets one line."""
    if path.endswith(".json") or request.method not in ("GET", "HEAD"):
        headers = {"WWW-Authenticate": "Bearer"}
        text = "send the token as Authorization: Bearer TOKEN\n"
        return Response(text, 401, media_type="text/plain; charset=utf-8", headers=headers)
    query = request.scope.get("query_string", b"").decode("latin-1")
    return _page(401, f"{path}?{query}" if query else path, "")


async def answer(request: Request, guard: Guard) -> Response:
    """Take a token from the form, and let its browser in; the token is in no address."""
    if request.method != "POST":
        return _page(200, "/", "")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _LONGEST_FORM:
            return failures.page(413, "Too much", "A token is a short text.", _ask())
    try:
        form = parse_qs(body.decode("latin-1"), max_num_fields=20)
    except ValueError:
        form = {}
    to = _inside(form.get("to", ["/"])[0])
    if not guard.knows(form.get("token", [""])[0].strip()):
        return _page(403, to, "That is not the token.")
    peer = request.client.host if request.client else ""
    secure = guard.is_secure(request.headers, peer, request.url.scheme)
    response = RedirectResponse(to, 303)
    response.set_cookie(
        cookie_name(secure=secure),
        guard.pass_,
        max_age=30 * 86400,
        httponly=True,
        secure=secure,
        samesite="lax",
    )
    return response


def _inside(to: str) -> str:
    """Return a path of this server's, whatever was sent."""
    if not to.startswith("/") or to.startswith(("//", "/\\")):
        return "/"
    return quote(to, safe="/%?=&:@!$'()*+,;~-._")


def _page(status: int, to: str, wrong: str) -> Response:
    body = render("login", _ask(), to=to, wrong=wrong)
    headers = {"Cache-Control": "no-store"}
    return Response(body.encode(), status, media_type="text/html; charset=utf-8", headers=headers)


def _ask() -> Ask:
    return Ask("/", {}, datetime.now(UTC))
