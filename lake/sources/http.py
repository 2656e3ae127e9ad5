"""A web server as a source: asked again when it fails, resumed where it broke off."""

import random
import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPResponse, InvalidURL, responses
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit

from lake.config.secrets import recorded
from lake.errors import SourceIncomplete, SourceMissing, SourceUnreadable
from lake.sources.copy import CHUNK, Fetched, Sink, new_sink
from lake.sources.patience import Patience
from lake.sources.web import open_url

_TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
_RANGE = re.compile(r"bytes ([0-9]+)-[0-9]+/([0-9]+|\*)")


@dataclass(frozen=True, slots=True)
class _Mark:
    """What tells one content of a URL from another, as the server's headers say it."""

    etag: str = ""
    last_modified: str = ""
    total: int | None = None

    @property
    def resumable(self) -> bool:
        # A weak ETag may name two contents that differ in their bytes.
        return bool(self.etag) and not self.etag.startswith("W/")


class _TryAgain(Exception):
    """One try failed in a way that another may not."""

    def __init__(self, problem: str, *, after_s: float = 0.0) -> None:
        super().__init__(problem)
        self.after_s = after_s


class _NotModified(Exception):
    """The server has what we had."""


def fetch_http(url: str, to: Path, *, etag: str, patience: Patience) -> Fetched | None:
    """Fetch `url` into the new file `to`; None if the server says that nothing changed.

    `lake.sources.fetch.fetch` tells the arguments and errors.
    """
    with new_sink(to) as sink:
        download = _Download(url, sink, etag, patience)
        try:
            mark = download.run()
        except _NotModified:
            return None
        name = _name(url)
        return sink.keep(
            name=name, url=recorded(url), etag=mark.etag, last_modified=mark.last_modified
        )


def _name(url: str) -> str:
    parts = urlsplit(url)
    return unquote(parts.path).rpartition("/")[2] or parts.hostname or "data"


class _Download:
    """One URL on its way into one sink, over as many tries as it takes."""

    def __init__(self, url: str, sink: Sink, had: str, patience: Patience) -> None:
        self._url, self._sink, self._had, self._patience = url, sink, had, patience
        self._shown = recorded(url)
        self._end = time.monotonic() + patience.deadline_s
        self._mark = _Mark()

    def run(self) -> _Mark:
        failures = 0
        while True:
            before = self._sink.count
            try:
                self._try()
                return self._mark
            except _TryAgain as problem:
                failures = 1 if self._sink.count > before else failures + 1
                self._wait(problem, failures)

    def _wait(self, problem: _TryAgain, failures: int) -> None:
        patience = self._patience
        jittered = patience.wait_s * 2 ** (failures - 1) * random.uniform(0.5, 1)
        wait_s = min(max(jittered, problem.after_s), patience.longest_wait_s)
        if failures >= patience.tries or time.monotonic() + wait_s >= self._end:
            tries = "once" if failures == 1 else f"{failures} times in a row"
            raise SourceIncomplete(
                f"{self._shown} failed {tries}: {problem}; nothing of it was kept, run the same"
                " command again later"
            ) from problem.__cause__
        patience.sleep(wait_s)

    def _try(self) -> None:
        if self._sink.count and not self._mark.resumable:
            self._sink.restart()
        headers = self._headers()
        with self._open(headers) as response:
            self._begin(response)
            self._body(response)

    def _headers(self) -> dict[str, str]:
        if self._sink.count:
            return {"Range": f"bytes={self._sink.count}-", "If-Match": self._mark.etag}
        # Never `If-Modified-Since`: a time may be older than what it replaces, and lasts a second.
        return {"If-None-Match": self._had} if self._had else {}

    def _open(self, headers: dict[str, str]) -> HTTPResponse:
        left_s = max(self._end - time.monotonic(), 0.001)
        try:
            return open_url(self._url, headers, timeout_s=min(self._patience.timeout_s, left_s))
        except HTTPError as error:
            error.close()
            raise self._refusal(error, headers) from error
        except URLError as error:
            raise self._unreachable(error.reason) from error
        except (InvalidURL, ValueError) as error:
            raise SourceUnreadable(f"{self._shown} is no URL: write https://HOST/PATH") from error
        except (OSError, HTTPException) as error:
            raise self._unreachable(error) from error

    def _refusal(self, error: HTTPError, sent: Mapping[str, str]) -> Exception:
        code, said = error.code, _said(error.code)
        if code == 304 and not self._sink.count and self._had:
            return _NotModified()
        if "If-Match" in sent and code in (412, 416):
            self._sink.restart()
            return _TryAgain(f"{said}: it changed while it was fetched")
        if code in _TRANSIENT:
            return _TryAgain(said, after_s=_retry_after_s(error.headers))
        if code in (404, 410):
            return SourceMissing(f"{self._shown} is not there: {said}; look at the URL")
        return SourceUnreadable(f"{self._shown} cannot be fetched: {said}{_advice(code)}")

    def _unreachable(self, reason: object) -> Exception:
        if isinstance(reason, ssl.SSLCertVerificationError):
            return SourceUnreadable(
                f"{self._shown} is not to be trusted: {reason.verify_message}; look at the host's"
                " name, or at this machine's certificates"
            )
        if isinstance(reason, TimeoutError):
            return _TryAgain("no answer in time")
        if isinstance(reason, OSError) and reason.strerror:
            return _TryAgain(reason.strerror)
        return _TryAgain(f"no answer that is HTTP ({type(reason).__name__})")

    def _begin(self, response: HTTPResponse) -> None:
        """Take the marks of a whole answer, or make sure that a partial one goes on from here."""
        if response.status == 206 and self._sink.count:
            found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
            start, total = (int(found[1]), found[2]) if found else (-1, "*")
            if start != self._sink.count or total not in ("*", str(self._mark.total)):
                self._sink.restart()
                raise _TryAgain("HTTP 206 with another range than was asked for")
            return
        if response.status != 200:
            raise SourceUnreadable(
                f"{self._shown} cannot be fetched: HTTP {response.status}, where 200 belongs"
            )
        if self._sink.count:
            self._sink.restart()
        headers = response.headers
        self._mark = _Mark(
            headers.get("ETag", ""),
            headers.get("Last-Modified", ""),
            None if response.chunked else response.length,
        )

    def _body(self, response: HTTPResponse) -> None:
        total = self._mark.total
        while total is None or self._sink.count < total:
            left = CHUNK if total is None else min(CHUNK, total - self._sink.count)
            if not (data := self._read(response, left)):
                break
            self._sink.write(data)
        if total is not None and self._sink.count < total:
            raise _TryAgain(f"broke off after {self._sink.count} of {total} bytes")

    def _read(self, response: HTTPResponse, byte_count: int) -> bytes:
        if time.monotonic() > self._end:
            raise _TryAgain(f"not whole within {self._patience.deadline_s:g} seconds")
        try:
            # One read of the socket, not as many as fill a chunk: the clock is looked at between.
            return response.read1(byte_count)
        except (OSError, HTTPException) as error:
            why = "no more came in time" if isinstance(error, TimeoutError) else "it broke off"
            raise _TryAgain(f"{why}, after {self._sink.count} bytes") from error


def _said(code: int) -> str:
    # Not the server's own words: they may be anything, a secret or several lines included.
    return f"HTTP {code} {responses.get(code, '')}".rstrip()


def _advice(code: int) -> str:
    if code in (401, 403):
        return "; name who asks, as in https://${USER}:${PASSWORD}@HOST/PATH"
    if 300 <= code < 400 and code != 304:
        return ", and that leads to no http(s) URL, or in a circle"
    return "; look at the URL"


def _retry_after_s(headers: Message) -> float:
    said = headers.get("Retry-After", "")
    if said.isdecimal():
        return float(said)
    try:
        return max((parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds(), 0.0)
    except (TypeError, ValueError):
        return 0.0
