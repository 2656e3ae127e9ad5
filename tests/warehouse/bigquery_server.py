"""A server that speaks the part of BigQuery's REST API that its client uses, over DuckDB.

Scripts are translated by sqlglot, so rows really move, and a transaction is really committed or
rolled back. What BigQuery refuses that DuckDB takes is refused as far as a load depends on it.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.warehouse.bigquery_engine import Engine, Refused

Answer = tuple[int, Any]
_LOAD = re.compile(rb"--(?P<boundary>[^\r\n]+)\r\n.*?\r\n\r\n(?P<said>.*?)\r\n--", re.DOTALL)


@dataclass(frozen=True)
class Request:
    """What was asked; `number` counts from 0."""

    number: int
    method: str
    path: str
    body: bytes

    @property
    def is_script(self) -> bool:
        return b"BEGIN TRANSACTION" in self.body

    @property
    def is_upload(self) -> bool:
        return self.path.startswith("/upload/")


Fault = Callable[[Request], str]
"""Says what becomes of a request: nothing (`""`), `lost` once it is answered, or an error."""
ERRORS = {
    "unavailable": (503, "backendError", "Error encountered during execution. Retrying may help"),
    "busy": (429, "rateLimitExceeded", "Exceeded rate limits: too many table updates"),
    "quota": (403, "quotaExceeded", "Quota exceeded: Your project exceeded quota for jobs"),
    "no jobs": (403, "accessDenied", "Access Denied: User does not have bigquery.jobs.create"),
    "no table": (
        403,
        "accessDenied",
        "Access Denied: no bigquery.tables.updateData",
    ),
    "odd": (400, "invalid", "Invalid value: Bearer ya29.a0kanari"),
}


@dataclass
class Server:
    """Where it listens, what it holds, and what goes wrong."""

    url: str = ""
    engine: Engine = field(default_factory=Engine)
    fault: Fault = lambda request: ""
    asked: list[Request] = field(default_factory=list)
    uploads: dict[str, tuple[dict[str, Any], bytearray]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def noted(self, method: str, path: str, body: bytes) -> Request:
        with self.lock:
            self.asked.append(Request(len(self.asked), method, path, body))
            return self.asked[-1]

    def scripts(self) -> list[str]:
        bodies = [json.loads(one.body) for one in self.asked if one.is_script]
        return [body["configuration"]["query"]["query"] for body in bodies]

    @contextmanager
    def failing(self, fault: Fault) -> Iterator[None]:
        """Let something go wrong; afterwards all is well again."""
        self.fault = fault
        try:
            yield
        finally:
            self.fault = lambda request: ""


@contextmanager
def serving() -> Iterator[Server]:
    """Run a server on a free port of loopback."""
    server = Server()
    handler = type("_Bound", (_Handler,), {"server_": server})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as door:
        door.daemon_threads = True
        server.url = f"http://127.0.0.1:{door.server_port}"
        thread = threading.Thread(target=door.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        door.shutdown()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    disable_nagle_algorithm = True
    server_: Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_DELETE = do_PATCH = do_GET

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = self.server_.noted(self.command, self.path, body)
        fault = self.server_.fault(request)
        if fault in ERRORS:
            code, reason, message = ERRORS[fault]
            self._answer(*_error(Refused(code, reason, message)))
            return
        self.server_.engine.aborting = fault == "aborted"
        try:
            code, answer, headers = self._routed(request)
        except Refused as refused:
            (code, answer), headers = _error(refused), {}
        if fault == "lost":
            self.close_connection = True
            return
        self._answer(code, answer, headers)

    def _answer(self, code: int, answer: Any, headers: dict[str, str] | None = None) -> None:
        data = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(code)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    def _routed(self, request: Request) -> tuple[int, Any, dict[str, str]]:
        parts = urlsplit(request.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if request.is_upload:
            return self._uploaded(request, parts.path.split("/")[5], query)
        _, _, _, _, project, *rest = parts.path.split("/")
        said = json.loads(request.body) if request.body else {}
        engine = self.server_.engine
        match request.method, *rest:
            case "GET", "datasets", dataset:
                answer = engine.dataset(project, dataset)
            case "POST", "datasets":
                answer = engine.make_dataset(project, said)
            case "GET", "datasets", dataset, "tables", table:
                answer = engine.table(project, dataset, table)
            case "POST", "datasets", dataset, "tables":
                answer = engine.make_table(project, dataset, said)
            case "DELETE", "datasets", dataset, "tables", table:
                answer = engine.drop(project, dataset, table)
            case "POST", "jobs":
                answer = engine.begin(project, said)
            case "GET", "jobs", job:
                answer = engine.job(project, job)
            case "GET", "queries", job:
                answer = engine.results(project, job)
            case _:
                raise Refused(404, "notFound", f"Not found: {request.method} {request.path}")
        return 200, answer, {}

    def _uploaded(
        self, request: Request, project: str, query: dict[str, str]
    ) -> tuple[int, Any, dict[str, str]]:
        server = self.server_
        if query["uploadType"] == "multipart":
            found = _LOAD.match(request.body)
            assert found
            start = request.body.index(b"\r\n\r\n", found.end()) + 4
            end = request.body.rindex(b"\r\n--" + found["boundary"])
            said = json.loads(found["said"])
            return 200, server.engine.begin(project, said, request.body[start:end]), {}
        if request.method == "POST":
            session = f"s{request.number}"
            server.uploads[session] = json.loads(request.body), bytearray()
            where = f"{server.url}/upload/bigquery/v2/projects/{project}/jobs"
            return 200, {}, {"Location": f"{where}?uploadType=resumable&upload_id={session}"}
        said, data = server.uploads[query["upload_id"]]
        span = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", self.headers["Content-Range"])
        assert span
        data[int(span[1]) :] = request.body
        if span[3] == "*" or len(data) < int(span[3]):
            return 308, None, {"Range": f"bytes=0-{len(data) - 1}"}
        return 200, server.engine.begin(project, said, bytes(data)), {}


def _error(refused: Refused) -> Answer:
    said = {"reason": refused.reason, "message": refused.message}
    error = {"code": refused.code, "message": refused.message, "errors": [said]}
    return refused.code, {"error": error}
