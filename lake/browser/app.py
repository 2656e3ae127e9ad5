"""The application: from a request to a page, its JSON, or one line that says why not."""

import logging
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lake.browser import failures, login, pages
from lake.browser.ask import Ask
from lake.browser.checking import changes
from lake.browser.document import encoded
from lake.browser.former import NOTHING, former
from lake.browser.guard import HEADERS, Guard
from lake.browser.render import ASSETS, LONGEST_S, asset, asset_path, rendered
from lake.browser.routes import Route, resolve
from lake.browser.snapshot import Snapshot
from lake.browser.sql.limits import Limits
from lake.browser.sql.runner import Runner
from lake.browser.window import Window
from lake.errors import InvalidAddress, LakeError, NoSuchDataset, NoSuchVersion
from lake.landing.sources import sources
from lake.version import VERSION

log = logging.getLogger("lake.browser")
_KEPT_BYTES = 24 << 20
_FOREVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "private, no-cache"
_LIVE = ("bucket", "object")
"""Pages of what the store has now, whatever the commit is."""
LIVE_S = 15
"""For how long such a page is given again, where it is not reloaded: listings cost."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer that may be given again, until its times would be wrong."""

    packed: bytes
    media_type: str
    tag: str
    until: datetime

    @property
    def body(self) -> bytes:
        """Its bytes."""
        return zlib.decompress(self.packed)


class _Kept:
    """The answers given last, as far as they have room."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: OrderedDict[tuple[str, ...], _Answer] = OrderedDict()
        self._bytes = 0

    def get(self, key: tuple[str, ...]) -> _Answer | None:
        with self._lock:
            found = self._found.get(key)
            if found:
                self._found.move_to_end(key)
            return found

    def put(self, key: tuple[str, ...], answer: _Answer) -> None:
        with self._lock:
            former = self._found.pop(key, None)
            self._found[key] = answer
            self._bytes += len(answer.packed) - (len(former.packed) if former else 0)
            while self._bytes > _KEPT_BYTES:
                _, gone = self._found.popitem(last=False)
                self._bytes -= len(gone.packed)


class App:
    """The ASGI application of one lake."""

    def __init__(self, window: Window, guard: Guard, limits: Limits | None = None) -> None:
        self.window = window
        self.guard = guard
        self.runner = Runner(limits)
        self._kept = _Kept()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; nothing is kept between two of them but what was worked out."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send, self.close)
            return
        if scope["type"] != "http":
            return
        scope["lake.runner"], scope["lake.window"] = self.runner, self.window
        request = Request(scope, receive)
        response = await self._answered(request)
        for name, text in HEADERS.items():
            response.headers.setdefault(name, text)
        await response(scope, receive, send)

    def close(self) -> None:
        """End the queries that run; new ones are refused."""
        self.runner.close()

    async def _answered(self, request: Request) -> Response:
        headers, peer = request.headers, request.client.host if request.client else ""
        path = _path(request)
        refused = self.guard.refusal(request.method, headers)
        if refused:
            return failures.page(403, "Not from there", refused, _ask(request, path, {}))
        if path.startswith("/assets/"):
            return _asset(request, path)
        if path == "/login":
            return await login.answer(request, self.guard)
        if not self.guard.lets_in(headers, peer):
            return login.asked(request, path)
        if request.method not in ("GET", "HEAD"):
            text = "Nothing can be written here."
            return failures.page(405, "Only to look at", text, _ask(request, path, {}))
        try:
            return await self._page(request, path)
        except LakeError as error:
            log.info("%s: %s", path, error)
            ask = _ask(request, path, {})
            return await run_in_threadpool(self._failure, path, ask, error)

    def _failure(self, path: str, ask: Ask, error: LakeError) -> Response:
        """Return the page about an error; it leads to what there is at the commit, if that is."""
        if not isinstance(error, NoSuchDataset | NoSuchVersion | InvalidAddress):
            return failures.of(error, ask)
        route, found = resolve(path), NOTHING
        try:
            shot = self.window.at(ask.at)
            if isinstance(error, NoSuchDataset) and route and "dataset" in route.places:
                found = former(shot, self.window.head(), ask, route.places["dataset"])
        except (NoSuchVersion, InvalidAddress):
            ask = replace(ask, at="")  # its links would all fail there
        except LakeError:
            pass
        return failures.of(error, ask, found)

    async def _page(self, request: Request, path: str) -> Response:
        route = resolve(path)
        if route is None:
            return failures.unknown(_ask(request, path, {}))
        ask = _ask(request, path, route.places)
        ask = replace(ask, path=path.removesuffix(".json")) if route.is_json else ask
        special = pages.SPECIAL.get(route.name)
        if special:
            shot = await run_in_threadpool(self.window.at, ask.at)
            found = await special(request, shot, ask, route)
            if isinstance(found, Response):
                return found
        return await run_in_threadpool(self._plain, route, ask, request.headers)

    def _plain(self, route: Route, ask: Ask, headers: Mapping[str, str]) -> Response:
        shot, away = self.window.at(ask.at), self.window.away
        query = tuple(f"{name}={text}" for name, text in sorted(ask.query.items()))
        now = f"{shot.commit}{' away' if away else ''} {changes()}"
        key = (now, ask.path, str(route.is_json), *query)
        answer = None if _asked_anew(route, ask, headers) else self._kept.get(key)
        if answer is None or answer.until <= ask.now:
            answer = self._made(route, ask, shot)
            self._kept.put(key, answer)
        if headers.get("if-none-match") == answer.tag:
            return Response(status_code=304, headers=_caching(answer.tag))
        return Response(answer.body, media_type=answer.media_type, headers=_caching(answer.tag))

    def _made(self, route: Route, ask: Ask, shot: Snapshot) -> _Answer:
        page = pages.PAGES[route.name]
        document = page.make(shot, ask)
        if route.is_json:
            body, kind, lasting = encoded(document), "application/json", float(LONGEST_S)
        else:
            values = {"page": document, "shot": shot, "nav": page.nav, "away": self.window.away}
            text, lasting = rendered(page.template, ask, **values)
            body, kind = text.encode(errors="replace"), "text/html; charset=utf-8"
        # How late a source is changes by the minute.
        lasting = min(lasting, 60) if shot.memo("expecting", lambda: _expects(shot)) else lasting
        lasting = min(lasting, LIVE_S) if route.name in _LIVE else lasting
        tag = f'"{shot.commit}-{VERSION}-{changes()}-{ask.now:%Y%m%d%H%M%S}"'
        until = ask.now + timedelta(seconds=lasting)
        return _Answer(zlib.compress(body, 1), kind, tag, until)


def _asked_anew(route: Route, ask: Ask, headers: Mapping[str, str]) -> bool:
    """Tell whether a page of the store is reloaded, or bytes are to be looked at."""
    reloaded = headers.get("cache-control", "") in ("no-cache", "max-age=0")
    return bool(ask.get("verify")) or (reloaded and route.name in _LIVE)


def _expects(shot: Snapshot) -> bool:
    return any(one.expect_every for one in sources(shot.lake).values())


def _ask(request: Request, path: str, places: Mapping[str, str]) -> Ask:
    text = request.scope.get("query_string", b"").decode("latin-1")
    try:
        said = parse_qs(text, keep_blank_values=True, max_num_fields=50)
    except ValueError:
        said = {}
    query = {name: found[-1] for name, found in said.items()}
    at, is_json = query.get("at", "").strip(), path.endswith(".json")
    return Ask(path, query, datetime.now(UTC), at, places, is_json)


def _path(request: Request) -> str:
    raw: bytes = request.scope.get("raw_path", b"")
    return raw.partition(b"?")[0].decode("latin-1") or "/"


def _caching(tag: str) -> dict[str, str]:
    return {"ETag": tag, "Cache-Control": _ASK_AGAIN, "Vary": "Cookie"}


def _asset(request: Request, path: str) -> Response:
    name = path.rpartition("/")[2]
    if name not in ASSETS or path != asset_path(name):
        return failures.unknown(_ask(request, path, {}))
    return Response(asset(name), media_type=ASSETS[name], headers={"Cache-Control": _FOREVER})


async def _lifespan(receive: Receive, send: Send, end: Callable[[], None]) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.shutdown":
            await run_in_threadpool(end)
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def application(app: App) -> ASGIApp:
    """Return the application of one lake; what fails within it is a page, and is logged."""
    return ServerErrorMiddleware(app, handler=_failed)


def _failed(request: Request, error: Exception) -> Response:
    text = "The server's own output says what happened."
    response = failures.page(500, "That went wrong", text, _ask(request, _path(request), {}))
    # The server closes the connection then: who asks next is to know.
    response.headers.update({**HEADERS, "Connection": "close"})
    return response
