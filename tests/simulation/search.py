"""Searching a world: depth-first over all schedules, and seeded random walks."""

import random
import time
from dataclasses import dataclass, replace

from tests.simulation.oracle import violation
from tests.simulation.process import Engine
from tests.simulation.scheduler import Move, Situation, World, begin, moves, step


@dataclass(frozen=True, slots=True)
class Found:
    """What a search came to.

    Attributes:
        bad: the invariant that broke; `""` for none.
        trace: the schedule that broke it.
        complete: whether nothing was left to search.
        ends: how processes ended, over all complete schedules.
    """

    bad: str = ""
    trace: tuple[str, ...] = ()
    states: int = 0
    leaves: int = 0
    steps: int = 0
    seconds: float = 0.0
    complete: bool = False
    ends: frozenset[tuple[str, ...]] = frozenset()

    def __str__(self) -> str:
        how_far = "all of it" if self.complete else "as far as it went"
        said = f"BAD: {self.bad}" if self.bad else f"no violation, {how_far}"
        figures = f"{self.states} states, {self.leaves} schedules, {self.steps} steps of real code"
        return "\n    ".join([f"{said}; {figures}, {self.seconds:.1f} s", *self.trace])


def explore(world: World, *, states: int = 10_000_000, seconds: float = 60.0) -> Found:
    """Search every schedule of a world depth-first, until one breaks an invariant."""
    engine, began = Engine(), time.monotonic()
    seen: set[int] = set()
    ends: set[tuple[str, ...]] = set()
    leaves, bad, at = 0, "", begin(world, engine)
    stack = [at]
    while stack and not bad and len(seen) < states and time.monotonic() - began < seconds:
        at = stack.pop()
        if (key := at.key()) in seen:
            continue
        seen.add(key)
        ways = moves(at)
        bad = violation(at)
        stack += [step(at, move) for move in reversed(ways)] if not bad else []
        if not ways:
            leaves += 1
            ends.add(tuple(sorted(f"{n.process.name} {n.outcome}" for n in at.nodes)))
    engine.close()
    return Found(
        bad,
        tuple(at.trace()) if bad else (),
        len(seen),
        leaves,
        engine.steps,
        time.monotonic() - began,
        complete=not stack and not bad,
        ends=frozenset(ends),
    )


def walk(world: World, seed: int, engine: Engine | None = None) -> tuple[Situation, str]:
    """Take one random way through a world; the same one for the same seed."""
    rng = random.Random(seed)
    engine = engine or Engine()
    at, bad = begin(replace(world, reduce=False), engine), ""
    while not bad and (ways := moves(at)):
        at = step(at, rng.choices(ways, [_weight(way) for way in ways])[0])
        bad = violation(at)
    return at, bad


def _weight(move: Move) -> int:
    return 10 if move.kind == "ok" else 1


def walks(world: World, *, seed: int = 0, seconds: float = 10.0, count: int = 10_000_000) -> Found:
    """Take random ways through a world, until one breaks an invariant."""
    engine, began = Engine(), time.monotonic()
    made = steps = 0
    while made < count and time.monotonic() - began < seconds:
        at, bad = walk(world, seed + made, engine)
        made, steps = made + 1, steps + len(at.moves_made)
        if bad:
            again = f"python -m tests.simulation --world '{world.name}' --seed {seed + made - 1}"
            trace = (*at.trace(), f"again: {again} --faults {world.faults} --kills {world.kills}")
            return Found(bad, trace, steps, made, engine.steps, time.monotonic() - began)
    engine.close()
    return Found("", (), steps, made, engine.steps, time.monotonic() - began)
