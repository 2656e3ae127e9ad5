"""Processes that run real code, one request at a time, and are remembered by what they were told.

The code is deterministic: what a process asks next depends on nothing but the answers that it got.
So its behaviour is a tree, a node for each sequence of answers. A node is computed once, by running
the code in a greenlet, and found again whenever the search meets the same answers. The search over
schedules then costs a few dictionary look-ups a step, and the code runs once per behaviour.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any

from greenlet import GreenletExit, getcurrent, greenlet

from lake.catalog.log import Log, open_log
from lake.catalog.state import State
from lake.errors import (
    CommitRefused,
    CommitUnknown,
    LakeError,
    LogDamaged,
    StoreUnavailable,
    VersionConflict,
)
from tests.simulation.store import Request, Response, SimStore
from tests.simulation.view import View, view_of

AWAKE = 64
_RUNS = count()
EPOCH = datetime.fromisoformat("2026-01-31T10:00:00+00:00")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a process ended.

    Attributes:
        kind: `done`, `nothing` and `read` are successes.
        commit: the commit that it published, or at which it ended.
        view: what it took the lake to be at the end.
    """

    kind: str
    commit: int = 0
    view: View | None = None
    text: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.commit or ''} {self.text}".strip()


@dataclass(slots=True)
class Actor:
    """What a job has to work with: a name, a commit id, a clock and the store."""

    name: str
    commit_id: str
    ask: Callable[[Request], Response]
    url: str

    def clock(self) -> datetime:
        """The same for all: what depends on attempts being seconds apart is a bug."""
        return EPOCH

    @property
    def store(self) -> SimStore:
        return SimStore(self.ask, self.url, self.clock)

    def open(self) -> tuple[Log, State]:
        return open_log(self.store, clock=self.clock, pause=no_pause, parallel=1)


def no_pause(seconds: float) -> None:
    """Wait for nothing: time is the scheduler's."""


Job = Callable[[Actor], tuple[str, int, State]]
"""Returns a kind of outcome, a commit, and the state at the end."""


@dataclass(slots=True, eq=False)
class Node:
    """A process after some answers: it asks `request`, or it has ended with `outcome`."""

    serial: int
    process: "Process"
    parent: "Node | None"
    response: Response | None
    request: Request | None = None
    outcome: Outcome | None = None
    after: dict[Response, "Node"] = field(default_factory=dict)


def commit_id(number: int, attempt: int) -> str:
    """Return an id that no other attempt has; its last four digits tell which it is."""
    return f"00000000-0000-7000-8000-00000000{number:02}{attempt:02}"


class Process:
    """One attempt at a job: the tree of all that it may do."""

    def __init__(self, engine: "Engine", job: Job, name: str, number: int, attempt: int) -> None:
        self.engine, self.job, self.number, self.attempt = engine, job, number, attempt
        self.name = f"{name}{number}.{attempt}"
        self.commit_id = commit_id(number, attempt)
        self.start = engine.node(self, None, None)
        engine.run(self.start)

    def actor(self, ask: Callable[[Request], Response]) -> Actor:
        # The product keeps checkpoints by URL: no run may see what another one downloaded.
        return Actor(self.name, self.commit_id, ask, f"sim://lake-{next(_RUNS)}")


class Engine:
    """Runs processes, and keeps some of them awake where they last stopped."""

    def __init__(self) -> None:
        self.steps = 0
        self._serials = count()
        self._awake: OrderedDict[int, greenlet] = OrderedDict()
        self._processes: dict[tuple[int, int], Process] = {}

    def process(self, job: Job, name: str, number: int, attempt: int) -> Process:
        key = number, attempt
        if key not in self._processes:
            self._processes[key] = Process(self, job, name, number, attempt)
        return self._processes[key]

    def node(self, process: Process, parent: Node | None, response: Response | None) -> Node:
        return Node(next(self._serials), process, parent, response)

    def tell(self, node: Node, response: Response) -> Node:
        """Return what `node`'s process does next when it is told `response`."""
        known = node.after.get(response)
        if known is None:
            known = node.after[response] = self.node(node.process, node, response)
            self.run(known)
        return known

    def run(self, node: Node) -> None:
        """Find out what a new node does, by running its process up to there."""
        parent = node.parent
        if parent is None:
            self._note(node, *_begin(node.process))
            return
        assert node.response is not None
        run = self._awake.pop(parent.serial, None) or self._again(parent)
        self._note(node, run, run.switch(node.response))

    def _again(self, node: Node) -> greenlet:
        """Run a process anew up to a node that is known."""
        told: list[tuple[Response, Node]] = []
        at = node
        while at.parent is not None and at.response is not None:
            told.append((at.response, at))
            at = at.parent
        run, request = _begin(node.process)
        for response, then in reversed(told):
            request = run.switch(response)
            assert request == then.request, f"not deterministic: {request} was {then.request}"
        return run

    def _note(self, node: Node, run: greenlet, said: Any) -> None:
        self.steps += 1
        if isinstance(said, Outcome):
            node.outcome = said
            return
        node.request = said
        self._awake[node.serial] = run
        if len(self._awake) > AWAKE:
            _end(self._awake.popitem(last=False)[1])

    def close(self) -> None:
        """End what is still awake."""
        while self._awake:
            _end(self._awake.popitem()[1])


def _begin(process: Process) -> tuple[greenlet, Any]:
    run = greenlet(_main)
    return run, run.switch(process)


def _end(run: greenlet) -> None:
    run.throw(GreenletExit)
    assert run.dead, "a process that was killed went on to ask for something"


def _main(process: Process) -> Outcome:
    hub = getcurrent().parent
    assert hub is not None

    def ask(request: Request) -> Response:
        response: Response = hub.switch(request)
        return response

    try:
        kind, commit, state = process.job(process.actor(ask))
    except (LakeError, OSError) as error:
        return Outcome(_kind(error), text=f"{type(error).__name__}: {error}")
    except (LookupError, ValueError, TypeError, AttributeError, AssertionError) as error:
        return Outcome("crashed", text=f"{type(error).__name__}: {error}")
    return Outcome(kind, commit, view_of(state))


_KINDS: tuple[tuple[type[Exception], str], ...] = (
    (CommitRefused, "refused"),
    (CommitUnknown, "unknown"),
    (VersionConflict, "conflict"),
    (LogDamaged, "damaged"),
    (StoreUnavailable, "unavailable"),
    (LakeError, "crashed"),
)


def _kind(error: Exception) -> str:
    return next((kind for known, kind in _KINDS if isinstance(error, known)), "untranslated")
