"""One world in motion: its objects, its processes, and every move that could come next.

The faults are those of a store over a network. Of a create-only PUT: it is lost (`fail`), applied
but not acknowledged (`applyfail`), applied after the client gave up (`late`), answered 409,
answered 412 though nothing is there (`f412`) or though it was this very PUT (`own412`), or refused.
Of a GET and a LIST: no answer. Of a plain PUT and a DELETE: lost or late. And a process may be
killed before or after any of its requests.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from lake import layout
from tests.simulation.process import Engine, Job, Node, Process
from tests.simulation.store import Request, Response

ATTEMPTS = 3
PUT_FAULTS = ("fail", "applyfail", "late", "409", "f412", "own412", "refused")
RETRIED = ("unknown", "refused", "unavailable", "untranslated", "killed")
_FOR_EVER = (layout.LOG, layout.LAKE, "_lake/schemas/", "_lake/checkpoints/")


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """Where a search starts, and what may happen in it.

    Attributes:
        jobs: run beside each other, by name.
        before: run before, one after the other and without faults; a pair moves the source.
        source: moves of the source that may come at any time, in this order.
        lost: takes objects away, or changes them, before the jobs begin.
        kinds: the faults of a create-only PUT.
        damaged: whether `lost` damaged the log, so that every process must say so.
        no_order: whether versions may go back to older source bytes, as a rollback does.
        still: whether data files and checkpoints are made only, never listed and never deleted.
        fixed_hint: whether nobody writes checkpoints.
        reduce: whether to leave out schedules that differ only in the order of private requests.
    """

    name: str
    jobs: Sequence[tuple[str, Job]]
    before: Sequence[tuple[str, Job] | tuple[str, str]] = ()
    source: Sequence[tuple[str, str]] = ()
    lost: Callable[[dict[str, bytes]], dict[str, bytes]] = lambda objects: objects
    faults: int = 1
    kills: int = 0
    kinds: Sequence[str] = PUT_FAULTS
    damaged: bool = False
    no_order: bool = False
    still: bool = True
    fixed_hint: bool = True
    reduce: bool = True


class Move(NamedTuple):
    """What happens next: to the process or the late request at `place`, or to the source."""

    kind: str
    place: int = 0


@dataclass(slots=True)
class Situation:
    """A world at one moment. Never changed once it was reached: moves make new ones.

    Attributes:
        told: how it came to be, for people.
    """

    world: World
    engine: Engine
    objects: dict[str, bytes]
    source: dict[str, str]
    history: tuple[tuple[str, str], ...]
    nodes: tuple[Node, ...]
    late: tuple[Request, ...] = ()
    ended: frozenset[int] = frozenset()
    coming: int = 0
    faults: int = 0
    kills: int = 0
    told: "Told | None" = None
    moves_made: tuple[Move, ...] = field(default=())

    def key(self) -> int:
        """Return what two situations share from which the same can happen."""
        nodes = frozenset(
            (node.process.name, None if place in self.ended else node.outcome or node.serial)
            for place, node in enumerate(self.nodes)
        )
        late = tuple(sorted(self.late))
        left = self.coming, self.faults, self.kills
        return hash((frozenset(self.objects.items()), late, nodes, left))

    def trace(self) -> list[str]:
        """Return what happened, in order."""
        lines, told = [], self.told
        while told:
            lines.append(told.text)
            told = told.before
        return lines[::-1]


class Told(NamedTuple):
    """A line of what happened, behind those before it."""

    text: str
    before: "Told | None"


def begin(world: World, engine: Engine) -> Situation:
    """Return a world's first situation."""
    at = Situation(world, engine, {}, {}, (), ())
    for number, (name, what) in enumerate(world.before):
        at = _source(at, name, what) if isinstance(what, str) else _alone(at, name, what, number)
    objects = world.lost(dict(at.objects))
    first = len(world.before)
    nodes = tuple(
        engine.process(job, name, first + n, 0).start for n, (name, job) in enumerate(world.jobs)
    )
    return Situation(
        world,
        engine,
        objects,
        at.source,
        at.history,
        nodes,
        faults=world.faults,
        kills=world.kills,
    )


def _source(at: Situation, key: str, value: str) -> Situation:
    told = Told(f"source {key} = {value}", at.told)
    source, history = {**at.source, key: value}, (*at.history, (key, value))
    return replace(at, source=source, history=history, told=told)


def _alone(at: Situation, name: str, job: Job, number: int) -> Situation:
    """Run a job to its end."""
    at = replace(at, nodes=(at.engine.process(job, name, number, 0).start,), ended=frozenset())
    while at.nodes[0].outcome is None:
        at = step(at, Move("ok"))
    assert at.nodes[0].outcome.kind in ("done", "nothing"), at.nodes[0].outcome
    return at


def moves(at: Situation) -> list[Move]:
    """Return everything that may happen next."""
    awake = [n for n, node in enumerate(at.nodes) if n not in at.ended and node.request]
    if at.world.reduce:
        private = next((n for n in awake if _is_private(at, at.nodes[n])), None)
        if private is not None:
            return _process_moves(at, private)
    found = [move for place in awake for move in _process_moves(at, place)]
    found += [Move("deliver", n) for n in range(len(at.late))]
    if at.coming < len(at.world.source):
        found.append(Move("source"))
    return found


def _process_moves(at: Situation, place: int) -> list[Move]:
    request = at.nodes[place].request
    assert request is not None
    kinds = ["ok"]
    if at.faults:
        kinds += _faults(at, request)
    if at.kills:
        changes = request.verb in ("put_new", "put", "delete")
        kinds += ["kill", "killafter"] if changes else ["kill"]
    return [Move(kind, place) for kind in kinds]


def _faults(at: Situation, request: Request) -> list[str]:
    if request.verb == "put_new":
        lies = ("f412", "own412") if request.key in at.objects else ()
        return [kind for kind in at.world.kinds if kind not in lies]
    if request.verb in ("get", "list"):
        return ["fail"]
    return ["fail", "late"] if request.verb in ("put", "delete") else []


def _is_private(at: Situation, node: Node) -> bool:
    """Tell whether a request commutes with whatever anybody else may do, faults included.

    Then it may as well come first: its outcome is settled, and nobody sees when it came. Such are
    GETs of what is there for ever, PUTs where something is for ever, and PUTs into the folder of
    the attempt, as long as nobody lists folders. That faults are counted over all processes does
    no harm: a schedule uses the same number of them in any order.
    """
    request = node.request
    assert request is not None
    if any(one.key == request.key for one in at.late):
        return False
    if request.verb in ("get", "put_new") and request.key.startswith(_FOR_EVER):
        return request.key in at.objects
    if request.key == layout.HINT:
        return request.verb == "get" and at.world.fixed_hint
    own = f"-{node.process.commit_id[-4:]}/"
    return at.world.still and request.verb in ("get", "put_new") and own in request.key


def step(at: Situation, move: Move) -> Situation:
    """Return the situation after a move."""
    made = (*at.moves_made, move)
    if move.kind == "source":
        at = replace(at, coming=at.coming + 1, moves_made=made)
        return _source(at, *at.world.source[at.coming - 1])
    if move.kind == "deliver":
        return _deliver(replace(at, moves_made=made), move.place)
    node = at.nodes[move.place]
    request = node.request
    assert request is not None
    if move.kind in ("kill", "killafter"):
        return _kill(replace(at, moves_made=made), move, node)
    objects, response = _answer(at, move.kind, request)
    then = at.engine.tell(node, response)
    text = f"{node.process.name}: {request} -> {response.status}" + (
        "" if move.kind == "ok" else f" [{move.kind}]"
    )
    told = Told(text, at.told)
    if then.outcome:
        told = Told(f"{node.process.name} ends: {then.outcome}", told)
    after = replace(
        at,
        objects=objects,
        nodes=(*at.nodes[: move.place], then, *at.nodes[move.place + 1 :]),
        late=(*at.late, request) if move.kind == "late" else at.late,
        faults=at.faults - (move.kind != "ok"),
        told=told,
        moves_made=made,
    )
    if then.outcome and then.outcome.kind in RETRIED:
        return _again(after, then.process)
    return after


def _deliver(at: Situation, index: int) -> Situation:
    request = at.late[index]
    objects, response = _apply(at, request)
    told = Told(f"late {request} arrives -> {response.status}", at.told)
    late = (*at.late[:index], *at.late[index + 1 :])
    return replace(at, objects=objects, late=late, told=told)


def _kill(at: Situation, move: Move, node: Node) -> Situation:
    request = node.request
    assert request is not None
    objects = _apply(at, request)[0] if move.kind == "killafter" else at.objects
    told = Told(f"{node.process.name}: {request} [{move.kind}]", at.told)
    ended = at.ended | {move.place}
    killed = replace(at, objects=objects, ended=ended, kills=at.kills - 1, told=told)
    return _again(killed, node.process)


def _again(at: Situation, process: Process) -> Situation:
    if process.attempt + 1 >= ATTEMPTS:
        return at
    name = process.name.split(".")[0].removesuffix(str(process.number))
    fresh = at.engine.process(process.job, name, process.number, process.attempt + 1)
    return replace(at, nodes=(*at.nodes, fresh.start))


def _answer(at: Situation, kind: str, request: Request) -> tuple[dict[str, bytes], Response]:
    """Return the objects after a request that goes well or wrong, and what the process is told."""
    if kind == "ok":
        return _apply(at, request)
    objects = _apply(at, request)[0] if kind in ("applyfail", "own412") else at.objects
    match kind:
        case "409":
            return objects, Response("409")
        case "f412" | "own412":
            return objects, Response("exists")
        case "refused":
            return objects, Response("refused")
    return objects, Response("unknown")


def _apply(at: Situation, request: Request) -> tuple[dict[str, bytes], Response]:
    key = request.key
    match request.verb:
        case "fetch":
            if key in at.source:
                return at.objects, Response("ok", at.source[key].encode())
            return at.objects, Response("missing")
        case "get":
            if key in at.objects:
                return at.objects, Response("ok", at.objects[key])
            return at.objects, Response("missing")
        case "list":
            found = sorted(k for k in at.objects if k.startswith(key) and k > request.after)
            return at.objects, Response("ok", listed=tuple((k, len(at.objects[k])) for k in found))
        case "delete":
            return {k: v for k, v in at.objects.items() if k != key}, Response("ok")
        case "put_new" if key in at.objects:
            return at.objects, Response("exists")
    return {**at.objects, key: request.data}, Response("ok")
