"""Queries that run, wait, or have been answered: a few at once, and each answer for a while."""

import json
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from lake.browser.snapshot import Snapshot
from lake.browser.sql.limits import Limits
from lake.browser.sql.process import Gone, Process, Spare
from lake.browser.sql.sources import Sources, first, hidden
from lake.errors import FileDamaged, LakeError, QueryFailed, StoreUnavailable
from lake.query.connect import check_text
from lake.query.trust import unread_in

Format = Literal["rows", "csv", "safe", "json", "parquet"]
Kind = Literal[
    "refused", "error", "lake", "time", "memory", "bytes", "gone", "stopped", "damaged", "away"
]
CUT = 1024
_UNREAD = "Failed to read file"
_LEFT_OUT = "A query whose conditions leave its partition out is answered."
_DAMAGED = (
    "A file that this reads is damaged: its bytes are not those that were landed. The page of its"
    " version tells which (check their bytes now); other versions are unaffected."
)


class Full(Exception):
    """So many queries wait that no more are taken; the message says how many."""


@dataclass(frozen=True, slots=True)
class Question:
    """A query, and in which form its answer is wanted.

    Attributes:
        sources: gives what is behind the tables that the query names.
        sort: the number of the column to sort by, from 1; negative: the other way; 0: as it comes.
        cut: of how many characters a text is sent; 0: of all.
        mark: what else tells it from others with the same text.
        home: the address that shows it.
    """

    shot: Snapshot
    sql: str
    sources: Callable[[Iterable[Sequence[str]]], Sources]
    format: Format = "rows"
    sort: int = 0
    cut: int = CUT
    rows: int = 0
    mark: Hashable = None
    home: str = "/sql"

    @property
    def key(self) -> Hashable:
        """What makes two questions one."""
        said = (self.format, self.sort, self.cut, self.rows, self.mark)
        return (self.shot.commit, self.sql, *said)


@dataclass(slots=True)
class Answer:
    """What a query gave.

    Attributes:
        parts: rows as JSON, 50 in each but the last; or the bytes of a file.
        cut: `rows` or `bytes`, where there is more than was wanted.
        files: behind the tables that it names, and their `bytes`.
    """

    columns: list[tuple[str, str]] = field(default_factory=list)
    parts: list[bytes] = field(default_factory=list)
    rows: int = 0
    cut: str = ""
    seconds: float = 0.0
    files: int = 0
    bytes: int = 0

    def page(self, number: int) -> list[list[Any]]:
        """Return one part's rows, from 1."""
        found: list[list[Any]] = json.loads(self.parts[number - 1]) if self.parts else []
        return found

    def every(self) -> list[list[Any]]:
        """Return all rows."""
        return [row for part in self.parts for row in json.loads(part)]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a query has no answer; `position` is the character that is meant, from 0, or -1."""

    kind: Kind
    text: str
    position: int = -1


@dataclass(slots=True)
class Job:
    """A query on its way; `id` is known to who asked, and stops it."""

    question: Question
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    future: "Future[None]" = field(default_factory=Future)
    answer: Answer | None = None
    failure: Failure | None = None
    process: Process | None = None
    began: float = 0.0
    """By `time.monotonic()`; 0.0: it waits."""
    ended: float = 0.0
    asked: float = field(default_factory=time.monotonic)
    waiting: int = 0
    """Requests that wait for it."""
    is_stopped: bool = False
    drawn: dict[Hashable, Any] = field(default_factory=dict)
    """Charts of the answer."""

    def is_over(self) -> bool:
        """Whether there is an answer, or a failure."""
        return self.answer is not None or self.failure is not None

    @property
    def weight(self) -> int:
        """The bytes that it keeps."""
        return sum(map(len, self.answer.parts)) if self.answer else 0


class Runner:
    """Runs the queries of one server. Every method may be called from any thread."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._lock = threading.Lock()
        self._jobs: OrderedDict[Hashable, Job] = OrderedDict()
        self._pool = ThreadPoolExecutor(self.limits.running, thread_name_prefix="query")
        self._spare = Spare()
        self._is_closed = threading.Event()
        self._sweeper: threading.Thread | None = None

    def known(self, question: Question) -> Job | None:
        """Return the job of a question, if it was asked lately."""
        with self._lock:
            job = self._jobs.get(question.key)
            if job:
                job.asked = time.monotonic()
            return job

    def ask(self, question: Question) -> Job:
        """Return the job of a question; it is begun unless it was asked lately.

        Raises:
            Full: too many wait, or the server ends.
        """
        with self._lock:
            if self._is_closed.is_set():
                raise Full("this server is being stopped")
            job = self._jobs.get(question.key)
            if job is None:
                # Those that are let in run at once or wait.
                open_jobs = sum(1 for one in self._jobs.values() if not one.is_over())
                if open_jobs >= self.limits.running + self.limits.queued:
                    raise Full(f"{self.limits.queued} queries wait already")
                job = self._jobs[question.key] = Job(question)
                job.future = self._pool.submit(self._run, job)
                self._sweep_from_now_on()
            job.asked = time.monotonic()
            return job

    def prepare(self, shot: Snapshot) -> None:
        """Make a process ready, for a query is near."""
        # A process ends with the thread that started it: these live as long as the server.
        if not self._is_closed.is_set():
            self._pool.submit(lambda: self._spare.prepare(first(shot.lake.log.store)))

    def place(self, job: Job) -> tuple[int, int]:
        """Return how many wait before a job, with it, and how many run; 0: it runs."""
        with self._lock:
            waiting = [one for one in self._jobs.values() if not one.began and not one.is_over()]
            running = sum(1 for one in self._jobs.values() if one.began and not one.is_over())
            return (waiting.index(job) + 1 if job in waiting else 0), running

    def look(self, job_id: str) -> Job | None:
        """Return the job with this id, which somebody still waits for."""
        with self._lock:
            job = next((one for one in self._jobs.values() if one.id == job_id), None)
            if job:
                job.asked = time.monotonic()
            return job

    def stop(self, job_id: str) -> Job | None:
        """Stop a query, and return its job."""
        job = self.look(job_id)
        if job and not job.is_over():
            self._end(job)
        return job

    def _end(self, job: Job) -> None:
        job.is_stopped = True
        if job.future.cancel():
            job.failure = Failure("stopped", "Stopped before it began.")
        elif job.process:
            job.process.kill()

    def forget(self, job: Job) -> None:
        """Forget a job, so that the question can be asked anew."""
        with self._lock:
            if self._jobs.get(job.question.key) is job:
                del self._jobs[job.question.key]

    def close(self) -> None:
        """Stop everything."""
        with self._lock:
            self._is_closed.set()
            jobs = list(self._jobs.values())
        for job in jobs:
            self._end(job)
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._spare.close()

    def _run(self, job: Job) -> None:
        job.began = time.monotonic()
        shot = job.question.shot
        try:
            job.answer = self._answered(job)
        except Refusal as refused:
            job.failure = refused.failure
        except LakeError as error:
            job.failure = _of(shot, error)
        except OSError as error:
            job.failure = Failure("gone", f"No process could be started: {error.strerror}.")
        finally:
            job.ended = time.monotonic()
            if not job.is_over():
                job.failure = Failure("gone", "The process that ran it failed.")
        with suppress(LakeError, OSError):
            self._spare.prepare(first(shot.lake.log.store))

    def _answered(self, job: Job) -> Answer:
        question, limits = job.question, self.limits
        try:
            check_text(question.sql)
        except QueryFailed as error:
            raise Refusal(Failure("refused", f"{error}.")) from None
        process = self._spare.take(first(question.shot.lake.log.store))
        job.process = process
        try:
            if job.is_stopped:
                raise Refusal(Failure("stopped", "Stopped."))
            return _Talk(process, question, limits, job.began).answer()
        except Gone as gone:
            stopped = Failure("stopped", "Stopped.")
            raise Refusal(stopped if job.is_stopped else _gone(str(gone), limits)) from None
        finally:
            process.close()

    def _sweep_from_now_on(self) -> None:
        if self._sweeper is None:
            self._sweeper = threading.Thread(target=self._sweep, daemon=True)
            self._sweeper.start()

    def _sweep(self) -> None:
        while not self._is_closed.wait(min(1.0, self.limits.unasked_s / 4)):
            now = time.monotonic()
            with self._lock:
                jobs = list(self._jobs.values())
            for job in jobs:
                if not job.is_over() and now - job.asked > self.limits.unasked_s:
                    self._end(job)
                elif job.is_over() and now - max(job.ended, job.asked) > self.limits.kept_s:
                    self.forget(job)
            self._make_room()

    def _make_room(self) -> None:
        with self._lock:
            over = sorted((one for one in self._jobs.values() if one.is_over()), key=_age)
        weight = sum(job.weight for job in over)
        for job in over:
            if weight <= self.limits.kept_bytes:
                return
            weight -= job.weight
            self.forget(job)


def _age(job: Job) -> float:
    return job.asked


class Refusal(Exception):
    """A query ended without an answer."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure


@dataclass(slots=True)
class _Talk:
    """What is said between a query's process and us."""

    process: Process
    question: Question
    limits: Limits
    began: float
    found: Answer = field(default_factory=Answer)
    sources: Sources | None = None

    def answer(self) -> Answer:
        """Tell the process what it must know, and return what it answers."""
        self.process.tell(
            {
                "sql": self.question.sql,
                "seconds": self.limits.seconds,
                "memory": self.limits.memory,
                "threads": self.limits.threads,
            }
        )
        deadline = self.began + self.limits.seconds + self.limits.grace_s
        for kind, body in self.process.frames(deadline):
            if kind == "D":
                return self._whole(json.loads(body))
            if kind == "E":
                raise Refusal(self._failure(json.loads(body)))
            if kind == "N":
                self._tell_sources(json.loads(body))
            elif kind == "H":
                self.found.columns = [tuple(column) for column in json.loads(body)]
            else:
                self.found.parts.append(body)
        raise Gone("")

    def _tell_sources(self, names: list[list[str]]) -> None:
        self.sources = found = self.question.sources(names)
        self.found.files, self.found.bytes = found.files, found.bytes
        self.process.tell(
            {
                "statements": found.statements,
                "allowed": found.allowed,
                "sort": self.question.sort,
                "format": self.question.format,
                "cut": self.question.cut,
                "rows": self.question.rows or self.limits.rows,
                "bytes": self.limits.bytes,
            }
        )

    def _whole(self, said: dict[str, Any]) -> Answer:
        if said["cut"] == "bytes" and self.question.format != "rows":
            raise Refusal(_gone("bytes", self.limits))
        self.found.rows, self.found.cut = said["rows"], said["cut"]
        self.found.seconds = time.monotonic() - self.began
        return self.found

    def _failure(self, said: dict[str, Any]) -> Failure:
        if said["kind"] in ("time", "memory"):
            return _gone(said["kind"], self.limits)
        for place, error in self.sources.damaged.items() if self.sources else ():
            if place in said["text"]:
                return _of(self.question.shot, error, f" {_LEFT_OUT}")
        why = unread_in(self.question.shot.lake.log.store, said["text"])
        if why:
            return _of(self.question.shot, why)
        line = " ".join(said["text"].split())
        text = hidden(self.question.shot, line)[:1000]
        if _UNREAD in text:
            return Failure("damaged", _DAMAGED)
        return Failure(said["kind"], text, said.get("position", -1))


def _of(shot: Snapshot, error: LakeError, advice: str = "") -> Failure:
    said = f"{hidden(shot, error.public)}.{advice}"
    if isinstance(error, FileDamaged):
        return Failure("damaged", said)
    return Failure("away" if isinstance(error, StoreUnavailable) else "lake", said)


def _gone(why: str, limits: Limits) -> Failure:
    from lake.browser.words import size

    if why == "time":
        said = f"Stopped after {limits.seconds:g} s. Ask about fewer partitions or columns."
        return Failure("time", said)
    if why == "memory":
        said = f"It needed more than {size(limits.memory)}. Ask about fewer rows or groups at once."
        return Failure("memory", said)
    if why == "bytes":
        said = f"The answer has more than {size(limits.bytes)}. Ask about fewer rows or columns."
        return Failure("bytes", said)
    said = "The process that ran it broke down: the query may be nested too deeply."
    return Failure("gone", said)
