"""The demo's web server: a folder on loopback, with ETags."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from lake.demo.source import etag


class _Handler(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        """Send a file, or 304 to whoever has its bytes already."""
        path = Path(self.translate_path(self.path))
        if path.is_file() and self.headers.get("If-None-Match") == etag(path):
            self.send_response(HTTPStatus.NOT_MODIFIED)
            self.end_headers()
            return
        with suppress(ConnectionError):  # whoever asked has gone
            super().do_GET()

    def end_headers(self) -> None:
        """Add the ETag."""
        path = Path(self.translate_path(self.path))
        if path.is_file():
            self.send_header("ETag", etag(path))
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Keep quiet."""


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve a folder on a free port of loopback; give its URL."""
    handler = partial(_Handler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
