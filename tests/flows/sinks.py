"""Where alerts arrive in tests: an HTTP server and a mail server that keep what they get."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller

from tests.servers import free_port


class Sink:
    """A web server; `got` are the JSON documents that were posted to each path.

    What is posted to `/hangs` is never answered.
    """

    def __init__(self) -> None:
        self.got: dict[str, list[Any]] = {}
        self.closing = threading.Event()
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                sink.got.setdefault(self.path, []).append(json.loads(body))
                if self.path == "/hangs":
                    sink.closing.wait()
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.http.server_port}{path}"


@contextmanager
def sink() -> Iterator[Sink]:
    found = Sink()
    threading.Thread(target=found.http.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield found
    finally:
        found.closing.set()
        found.http.shutdown()
        found.http.server_close()


class _Kept:
    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if address.startswith("gone@"):
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_QUIT(self, server: Any, session: Any, envelope: Any) -> str:
        return "421 a server that is rude at the end"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        found = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(found, EmailMessage)
        self.messages.append(found)
        return "250 OK"


@contextmanager
def mailbox() -> Iterator[tuple[int, list[EmailMessage]]]:
    """Run a mail server; give its port, and the messages that come."""
    kept = _Kept()
    port = free_port()
    controller = Controller(kept, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield port, kept.messages
    finally:
        controller.stop()
