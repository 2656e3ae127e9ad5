"""A small web server on this machine for tests: pages, conditions, ranges, faults by script."""

import contextlib
import hashlib
import re
import socket
import ssl
import threading
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Page:
    """What lies at a path. Without `etag` the server makes a strong one; `None` sends none."""

    body: bytes
    etag: str | None = ""
    last_modified: str = ""
    ranges: bool = True
    chunked: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """Answer with this status and no page."""

    code: int
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cut:
    """Send that many bytes of the body, then close the connection."""

    after: int


@dataclass(frozen=True, slots=True)
class Hang:
    """Send that many bytes of the body, then nothing more until the server stops."""

    after: int = 0


@dataclass(frozen=True, slots=True)
class WrongLength:
    """Announce that length instead of the body's own."""

    announced: int


@dataclass(frozen=True, slots=True)
class WrongRange:
    """Begin that many bytes behind where a range was asked to."""

    by: int


@dataclass(frozen=True, slots=True)
class Become:
    """Replace the page before answering."""

    page: Page


@dataclass(frozen=True, slots=True)
class Raw:
    """Send these very bytes instead of an answer, then `again` until nobody listens."""

    head: bytes
    again: bytes = b""
    every_s: float = 0.0


Fault: TypeAlias = Status | Cut | Hang | WrongLength | WrongRange | Become | Raw


@dataclass(frozen=True, slots=True)
class Logged:
    """One request that came."""

    path: str
    headers: Mapping[str, str]


def redirect(to: str, code: int = 302) -> Status:
    return Status(code, {"Location": to})


class Server:
    """Serves `pages` by path (with query) from a thread; use it in a `with`."""

    def __init__(self, pages: Mapping[str, bytes | Page] | None = None) -> None:
        self.pages: dict[str, bytes | Page] = dict(pages or {})
        self.requests: list[Logged] = []
        self.closing = threading.Event()
        self._faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.owner = self

    def __enter__(self) -> "Server":
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()

    @property
    def port(self) -> int:
        return self._http.server_address[1]

    def secure(self, context: ssl.SSLContext) -> None:
        """Speak TLS from now on."""
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True)

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def script(self, path: str, *faults: Fault) -> None:
        """Meet the next requests of `path` with `faults`, one each; then all is well again."""
        self._faults[path].extend(faults)

    def forget(self, path: str) -> None:
        """Meet the next requests of `path` with what is there."""
        self._faults[path].clear()

    def next_fault(self, path: str) -> Fault | None:
        return self._faults[path].popleft() if self._faults[path] else None

    def page(self, path: str) -> Page | None:
        page = self.pages.get(path)
        return Page(page) if isinstance(page, bytes) else page


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    owner: Server


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Http

    def do_GET(self) -> None:
        owner = self.server.owner
        owner.requests.append(Logged(self.path, dict(self.headers.items())))
        fault = owner.next_fault(self.path)
        if isinstance(fault, Become):
            owner.pages[self.path] = fault.page
        page = owner.page(self.path)
        if isinstance(fault, Status):
            self._empty(fault.code, fault.headers)
        elif isinstance(fault, Raw):
            with contextlib.suppress(ConnectionError):
                self._raw(fault)
        elif page is None:
            self._empty(404, {})
        else:
            # Who cut the connection gets no answer, and that is no failure of the server.
            with contextlib.suppress(ConnectionError):
                self._answer(page, fault)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep the tests' output clean; `Server.requests` is the log."""

    def _answer(self, page: Page, fault: Fault | None) -> None:
        tag = etag(page)
        if self._is_known(page, tag):
            return self._empty(304, {"ETag": tag} if tag else {})
        start = self._start() if page.ranges else 0
        if start and self.headers.get("If-Match", tag) != tag:
            return self._empty(412, {})
        if start >= max(len(page.body), 1):
            return self._empty(416, {"Content-Range": f"bytes */{len(page.body)}"})
        if start and isinstance(fault, WrongRange):
            start += fault.by
        self.send_response(206 if start else 200)
        if start:
            last = len(page.body) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(page.body)}")
        if tag:
            self.send_header("ETag", tag)
        if page.last_modified:
            self.send_header("Last-Modified", page.last_modified)
        return self._send(page.body[start:], fault, chunked=page.chunked)

    def _raw(self, fault: Raw) -> None:
        self.close_connection = True
        self.wfile.write(fault.head)
        while fault.again and not self.server.owner.closing.wait(fault.every_s):
            self.wfile.write(fault.again)

    def _is_known(self, page: Page, tag: str) -> bool:
        if "If-None-Match" in self.headers:
            return self.headers["If-None-Match"] == tag
        since = self.headers.get("If-Modified-Since")
        return bool(since) and since == page.last_modified

    def _start(self) -> int:
        asked = re.fullmatch(r"bytes=([0-9]+)-", self.headers.get("Range", ""))
        return int(asked[1]) if asked else 0

    def _send(self, body: bytes, fault: Fault | None, *, chunked: bool) -> None:
        announced = fault.announced if isinstance(fault, WrongLength) else len(body)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(announced))
        self.end_headers()
        sent = body[: fault.after] if isinstance(fault, Cut | Hang) else body
        if not chunked:
            self.wfile.write(sent)
        elif sent:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(sent), sent))
        if isinstance(fault, Hang):
            self.server.owner.closing.wait()
        if isinstance(fault, Cut | Hang | WrongLength):
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_WR)
        elif chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _empty(self, code: int, headers: Mapping[str, str]) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        if code != 304:
            self.send_header("Content-Length", "0")
        self.end_headers()


def etag(page: Page) -> str:
    """Return the ETag that the server sends with `page`, `""` for none."""
    if page.etag is None:
        return ""
    return page.etag or f'"{hashlib.sha256(page.body).hexdigest()[:16]}"'
