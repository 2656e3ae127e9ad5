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
from http.client import HTTPException, InvalidURL, responses
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lake.config.secrets import recorded
from lake.errors import SourceIncomplete, SourceMissing, SourceUnreadable
from lake.sources.copy import CHUNK, Fetched, Sink, new_sink
from lake.sources.glance import Glance
from lake.sources.hosts import NETWORK, Network, Refused
from lake.sources.patience import Clock, Patience
from lake.sources.web import open_url
from lake.sources.wire import Answer

_HASTY = Patience(deadline_s=60, timeout_s=20, tries=2)
_TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
_MARK = re.compile(r"[!-~]+( [!-~]+)*")
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


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked for, and how."""

    url: str
    etag: str
    patience: Patience
    untrusted: bool
    network: Network


def fetch_http(
    url: str,
    to: Path,
    *,
    etag: str,
    patience: Patience,
    untrusted: bool = False,
    network: Network = NETWORK,
) -> Fetched | None:
    """Fetch `url` into the new file `to`; None if the server says that nothing changed.

    `lake.sources.fetch.fetch` tells the arguments and errors. The bytes are kept as they are sent,
    also where they are sent packed (`Content-Encoding: gzip`) although nobody asked for that.
    """
    question = _Question(url, _mark(etag), patience, untrusted, network)
    with new_sink(to) as sink:
        download = _Download(question, sink)
        try:
            mark = download.run()
        except _NotModified:
            return None
        name = _name(url)
        return sink.keep(
            name=name, url=recorded(url), etag=mark.etag, last_modified=mark.last_modified
        )


def glance_http(url: str, *, etag: str, network: Network = NETWORK) -> Glance | None:
    """Ask what a fetch would bring, and take only the headers; None if nothing changed."""
    glance = _Glance(_Question(url, _mark(etag), _HASTY, False, network), _Nowhere())
    try:
        mark = glance.run()
    except _NotModified:
        return None
    return Glance(bytes=mark.total, last_modified=mark.last_modified)


def _name(url: str) -> str:
    parts = urlsplit(url)
    return unquote(parts.path).rpartition("/")[2] or parts.hostname or "data"


class _Download:
    """One URL on its way into one sink, over as many tries as it takes."""

    def __init__(self, question: _Question, sink: Sink) -> None:
        self._question, self._sink, self._patience = question, sink, question.patience
        self._shown = recorded(question.url)
        self._clock = Clock(time.monotonic() + self._patience.deadline_s, self._patience.timeout_s)
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
        if failures >= patience.tries or time.monotonic() + wait_s >= self._clock.end:
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
        with self._open(headers) as answer:
            self._begin(answer)
            self._body(answer)

    def _headers(self) -> dict[str, str]:
        if self._sink.count:
            return {"Range": f"bytes={self._sink.count}-", "If-Match": self._mark.etag}
        # Never `If-Modified-Since`: a time may be older than what it replaces, and lasts a second.
        return {"If-None-Match": self._question.etag} if self._question.etag else {}

    def _open(self, headers: dict[str, str]) -> Answer:
        asked = self._question
        try:
            answer = open_url(
                asked.url,
                headers,
                clock=self._clock,
                untrusted=asked.untrusted,
                network=asked.network,
            )
        except Refused as refused:
            raise SourceUnreadable(
                f"{self._shown} cannot be fetched: {refused}; look at the URL"
            ) from None
        except ssl.SSLCertVerificationError as error:
            why = error.verify_message.rstrip(".")
            raise SourceUnreadable(
                f"{self._shown} is not to be trusted: {why}; look at the host's name, or at this"
                " machine's certificates"
            ) from error
        except (OSError, HTTPException) as error:
            if isinstance(error, InvalidURL):
                raise self._no_url() from error
            raise _TryAgain(_why(error)) from error
        except ValueError as error:
            raise self._no_url() from error
        if not 200 <= answer.status < 300:
            answer.close()
            raise self._refusal(answer, headers)
        return answer

    def _no_url(self) -> SourceUnreadable:
        return SourceUnreadable(f"{self._shown} is no URL: write https://HOST/PATH")

    def _refusal(self, answer: Answer, sent: Mapping[str, str]) -> Exception:
        code, said = answer.status, _said(answer.status)
        if code == 304 and not self._sink.count and self._question.etag:
            return _NotModified()
        if "If-Match" in sent and code in (412, 416):
            self._sink.restart()
            return _TryAgain(f"{said}: it changed while it was fetched")
        if code in _TRANSIENT:
            return _TryAgain(said, after_s=_retry_after_s(answer.headers))
        if code in (404, 410):
            return SourceMissing(f"{self._shown} is not there: {said}; look at the URL")
        return SourceUnreadable(f"{self._shown} cannot be fetched: {said}{_advice(code)}")

    def _begin(self, answer: Answer) -> None:
        """Take the marks of a whole answer, or make sure that a partial one goes on from here."""
        if answer.status == 206 and self._sink.count:
            found = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
            start, total = (int(found[1]), found[2]) if found else (-1, "*")
            if start != self._sink.count or total not in ("*", str(self._mark.total)):
                self._sink.restart()
                raise _TryAgain("HTTP 206 with another range than was asked for")
            return
        if answer.status != 200:
            raise SourceUnreadable(
                f"{self._shown} cannot be fetched: HTTP {answer.status}, where 200 belongs"
            )
        if self._sink.count:
            self._sink.restart()
        headers = answer.headers
        self._mark = _Mark(
            _mark(headers.get("ETag", "")), _mark(headers.get("Last-Modified", "")), answer.length
        )
        if (self._mark.total or 0) > self._patience.max_bytes:
            raise SourceUnreadable(
                f"{self._shown} is too large: {self._mark.total} bytes are announced, and at most"
                f" {self._patience.max_bytes} are taken; look at the URL"
            )

    def _body(self, answer: Answer) -> None:
        total = self._mark.total
        while total is None or self._sink.count < total:
            left = CHUNK if total is None else min(CHUNK, total - self._sink.count)
            if not (data := self._read(answer, left)):
                break
            self._sink.write(data)
            self._check_size()
        if total is not None and self._sink.count < total:
            raise _TryAgain(f"broke off after {self._sink.count} of {total} bytes")
        if total is not None and answer.goes_on():
            self._sink.restart()
            raise _TryAgain(f"more bytes came than the {total} that were announced")

    def _check_size(self) -> None:
        if self._sink.count > self._patience.max_bytes:
            raise SourceUnreadable(
                f"{self._shown} is too large: more than {self._patience.max_bytes} bytes came, and"
                " no end; look at the URL"
            )

    def _read(self, answer: Answer, byte_count: int) -> bytes:
        if time.monotonic() > self._clock.end:
            raise _TryAgain(f"not whole within {self._patience.deadline_s:g} seconds")
        try:
            return answer.read(byte_count)
        except (OSError, HTTPException) as error:
            why = "no more came in time" if isinstance(error, TimeoutError) else "it broke off"
            raise _TryAgain(f"{why}, after {self._sink.count} bytes") from error


def _mark(text: str) -> str:
    """Return a header's value that can be sent back and logged, or `""`."""
    return text if _MARK.fullmatch(text) else ""


def _why(error: OSError | HTTPException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"no answer that is HTTP ({type(error).__name__})"


def _said(code: int) -> str:
    # Not the server's own words: they may be anything, a secret or several lines included.
    return f"HTTP {code} {responses.get(code, '')}".rstrip()


def _advice(code: int) -> str:
    if code in (401, 403):
        return "; name who asks, as in https://${USER}:${PASSWORD}@HOST/PATH"
    if 300 <= code < 400 and code != 304:
        return ", without saying where to; look at the URL"
    return "; look at the URL"


def _retry_after_s(headers: Message) -> float:
    said = headers.get("Retry-After", "")
    if said.isdecimal():
        return float(said)
    try:
        return max((parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds(), 0.0)
    except (TypeError, ValueError):
        return 0.0


class _Nowhere(Sink):
    """Where nothing goes that is only looked at."""

    def __init__(self) -> None:
        self.count = 0


class _Glance(_Download):
    """A download that ends behind its headers."""

    def _body(self, answer: Answer) -> None:
        """Leave the body where it is."""
