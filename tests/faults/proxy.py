"""A proxy in a process of its own, between a store's real client and its real server: it fails.

    python -m tests.faults.proxy http://127.0.0.1:9000

It prints its own URL. What it shall do wrong is told with `POST /__rules__` (a list of `Rule`s as
JSON, which also empties the journal); what it did is said by `GET /__journal__`.
"""

import contextlib
import http.client
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, NamedTuple, Self
from urllib.parse import unquote, urlsplit

Mode = Literal[
    "500-before",
    "503-before",
    "reset-before",
    "500-after",
    "503-after",
    "reset-after",
    "hang-after",
    "late",
    "409",
    "412",
    "403",
    "200-error",
    "truncate",
    "cut",
    "flip",
    "hide",
    "kill-before",
    "kill-after",
    "slow",
    "answer",
]
WRITES = ("PUT", "POST", "PATCH", "DELETE")
LATE_S = 3.0
ANSWER_S = "2"
"""For how long clients before a proxy wait, as `CLEARLAKE_ANSWER_S`."""
_HOP = ("connection", "keep-alive", "transfer-encoding", "expect", "host", "content-length")


@dataclass(frozen=True)
class Rule:
    """What goes wrong, with which requests: those that fit all that is said here.

    `path` is a pattern that is searched for in the decoded path and query, behind which comes the
    key that a multipart body names (Google's way); `first` of those that fit is the number (from 1)
    at which it begins, `times` how often it happens, and `chance` how likely, by dice that `seed`
    throws. `pid` is whom a kill kills, `seconds` how long a slow one waits, `status` and `word` are
    what an answer says.
    """

    mode: Mode
    path: str = ""
    methods: tuple[str, ...] = ()
    first: int = 1
    times: int = 1
    chance: float = 1.0
    seed: int = 0
    pid: int = 0
    seconds: float = 0.0
    status: int = 0
    word: str = ""


class Seen(NamedTuple):
    """A request that came: its number from 1, what was asked, what went wrong, the answer."""

    number: int
    method: str
    path: str
    mode: str
    status: int


@dataclass
class _Armed:
    rule: Rule
    fitting: int = 0
    done: int = 0
    dice: random.Random = field(default_factory=random.Random)

    def fires(self, method: str, path: str) -> bool:
        rule = self.rule
        if rule.methods and method not in rule.methods:
            return False
        if not re.search(rule.path, path):
            return False
        self.fitting += 1
        if self.fitting < rule.first or self.done >= rule.times:
            return False
        if self.dice.random() >= rule.chance:
            return False
        self.done += 1
        return True


class _State:
    """Rules and journal; one for all connections."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.armed: list[_Armed] = []
        self.journal: list[Seen] = []
        self.late: list[threading.Timer] = []

    def arm(self, rules: list[dict[str, Any]]) -> None:
        with self.lock:
            made = [Rule(**(rule | {"methods": tuple(rule["methods"])})) for rule in rules]
            self.armed = [_Armed(rule, dice=random.Random(rule.seed)) for rule in made]
            self.journal = []

    def next(self, method: str, path: str) -> tuple[int, Rule | None]:
        with self.lock:
            firing = [one.rule for one in self.armed if one.fires(method, path)]
            rule = firing[0] if firing else None
            self.journal.append(
                Seen(len(self.journal) + 1, method, path, rule.mode if rule else "", 0)
            )
            return len(self.journal), rule

    def answered(self, number: int, status: int) -> None:
        with self.lock:
            if number <= len(self.journal):
                self.journal[number - 1] = self.journal[number - 1]._replace(status=status)


class _Answer(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class _Broken(Exception):
    """The client is to get a reset."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    upstream: str
    state: _State
    disable_nagle_algorithm = True

    def log_message(self, *_: Any) -> None:
        """Say nothing: the journal does."""

    def handle_one_request(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle_one_request()

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.startswith("/__"):
            return self._control(body)
        path = unquote(self.path) + _named_inside(self.headers.get("Content-Type", ""), body)
        number, rule = self.state.next(self.command, path)
        try:
            answer = self._act(rule, body)
            self.state.answered(number, answer.status)
            self._send(answer, cut=bool(rule and rule.mode == "cut"))
        except _Broken:
            self._reset()

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do_PATCH = _serve

    def _control(self, body: bytes) -> None:
        if self.path == "/__rules__":
            self.state.arm(json.loads(body))
        if self.path == "/__late__":
            while self.state.late:
                self.state.late.pop().join()
        said = json.dumps(self.state.journal).encode()
        self._send(_Answer(200, [("Content-Type", "application/json")], said))

    def _act(self, rule: Rule | None, body: bytes) -> _Answer:
        mode = rule.mode if rule else ""
        if rule and mode == "slow":
            threading.Event().wait(rule.seconds)
        if rule and mode == "kill-before":
            return self._kill(rule.pid)
        if rule and mode == "answer":
            return self._failure(rule.status, rule.word)
        if mode in ("500-before", "503-before", "403", "409", "412"):
            return self._failure(int(mode[:3]))
        if mode == "200-error":
            return self._failure(500)._replace(status=200)
        if mode == "reset-before":
            raise _Broken
        if mode == "late":
            late = threading.Timer(LATE_S, self._forward, (body,))
            self.state.late.append(late)
            late.start()
            raise _Broken
        answer = self._forward(body[: len(body) // 2] if mode == "truncate" else body)
        if rule and mode == "kill-after":
            return self._kill(rule.pid)
        if mode in ("500-after", "503-after"):
            return self._failure(int(mode[:3]))
        if mode == "reset-after":
            raise _Broken
        if mode == "hang-after":
            with contextlib.suppress(OSError):
                self.connection.settimeout(90)
                self.connection.recv(1)
            raise _Broken
        if mode == "flip" and answer.body:
            at = len(answer.body) // 2
            flipped = answer.body[:at] + bytes([answer.body[at] ^ 1]) + answer.body[at + 1 :]
            return answer._replace(body=flipped)
        if mode == "hide":
            return answer._replace(body=_without_newest(answer.body))
        return answer

    def _kill(self, pid: int) -> _Answer:
        os.kill(pid, signal.SIGKILL)
        raise _Broken

    def _forward(self, body: bytes) -> _Answer:
        to = urlsplit(self.upstream).netloc
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        is_signed = "AWS4" in self.headers.get("Authorization", "")
        headers["Host"] = self.headers["Host"] if is_signed else to
        headers["Content-Length"] = str(len(body))
        connection = http.client.HTTPConnection(to, timeout=60)
        try:
            connection.request(self.command, self.path, body=body, headers=headers)
            answer = connection.getresponse()
            given = [
                (name, value.replace(to, self.headers["Host"]))
                for name, value in answer.getheaders()
                if name.lower() not in _HOP or (name.lower() == "content-length" and self._is_head)
            ]
            return _Answer(answer.status, given, answer.read())
        finally:
            connection.close()

    @property
    def _is_head(self) -> bool:
        return self.command == "HEAD"

    def _failure(self, status: int, said: str = "") -> _Answer:
        """Answer as the protocol that is spoken does."""
        word = (
            said
            or {
                403: "AccessDenied",
                409: "ConditionalRequestConflict",
                412: "PreconditionFailed",
                500: "InternalError",
                503: "SlowDown",
            }[status]
        )
        headers = [("Content-Type", "application/xml")]
        if "x-ms-version" in self.headers:
            usual = {403: "AuthorizationFailure", 409: "LeaseAlreadyPresent"}.get(status, word)
            word = said or usual
            # An answer to HEAD has no text, and does not say that it were XML.
            headers = [("x-ms-error-code", word), *([] if self._is_head else headers)]
        body = f"<?xml version='1.0'?><Error><Code>{word}</Code><Message>planted</Message></Error>"
        if "/storage/v1/" in self.path:
            headers = [("Content-Type", "application/json")]
            body = json.dumps({"error": {"code": status, "message": word}})
        return _Answer(status, headers, b"" if self._is_head else body.encode())

    def _send(self, answer: _Answer, *, cut: bool = False) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        if not self._is_head or not any(n.lower() == "content-length" for n, _ in answer.headers):
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if cut and answer.body:
            self.wfile.write(answer.body[: len(answer.body) // 2])
            raise _Broken
        if not self._is_head:
            self.wfile.write(answer.body)

    def _reset(self) -> None:
        with contextlib.suppress(OSError):
            self.wfile.flush()
            if not self._is_half_sent:
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    @property
    def _is_half_sent(self) -> bool:
        return self.command == "GET"


def _named_inside(kind: str, body: bytes) -> str:
    if not kind.startswith("multipart/related"):
        return ""
    found = re.search(rb'"name": *("(?:[^"\\\\]|\\\\.)*")', body[:4096])
    return f" {json.loads(found[1])}" if found else ""


def _without_newest(body: bytes) -> bytes:
    """Return a listing without its last object, in the words of any of the protocols."""
    if body.lstrip().startswith(b"{"):
        said = json.loads(body)
        said["items"] = said.get("items", [])[:-1]
        return json.dumps(said).encode()
    found = list(re.finditer(rb"<(Contents|Blob)>.*?</\1>", body, re.DOTALL))
    return body[: found[-1].start()] + body[found[-1].end() :] if found else body


class Proxy:
    """A proxy that runs: what tests tell it and ask of it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def fail(self, *rules: Rule) -> None:
        """Do these things wrong from now on, and nothing else; the journal begins anew."""
        self._ask("/__rules__", json.dumps([asdict(rule) for rule in rules]).encode())

    def journal(self) -> list[Seen]:
        """Return the requests since the last `fail`."""
        return [Seen(*one) for one in json.loads(self._ask("/__journal__"))]

    def counts(self) -> Counter[str]:
        """Return how often each mode has happened since the last `fail`."""
        return Counter(one.mode for one in self.journal() if one.mode)

    def wait_for_late(self) -> None:
        """Wait until what is to be applied late has been."""
        self._ask("/__late__")

    def _ask(self, path: str, body: bytes | None = None) -> bytes:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.url + path, data=body, timeout=30) as answer:
            return bytes(answer.read())

    @classmethod
    @contextlib.contextmanager
    def before(cls, upstream: str) -> Iterator[Self]:
        """Run one in front of a server; it ends with this process, however that ends."""
        command = [sys.executable, "-m", "tests.faults.proxy", upstream]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdin
            assert process.stdout
            yield cls(process.stdout.readline().strip())
            process.stdin.close()
            process.wait(30)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


def main() -> None:
    handler = type("Handler", (_Handler,), {"upstream": sys.argv[1], "state": _State()})
    server = _Server(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"http://127.0.0.1:{server.server_address[1]}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
