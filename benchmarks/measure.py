"""Measuring side by side: every contender once per round, so that noise meets all of them."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

Timed = Callable[[], float]
"""Runs once and says how many seconds counted."""

LAKE = Path(sys.executable).with_name("lake")


@dataclass(frozen=True, slots=True)
class Figure:
    """One promise and what was measured of it.

    Attributes:
        what: the promise, without its number.
        bound: how much it may be, or must at least be.
        best: from the fastest run of each contender.
        median: from the medians; for the reader, the best decides.
        unit: `x` or `s`.
        note: the seconds behind a ratio.
    """

    what: str
    bound: float
    best: float
    median: float
    unit: str = "x"
    is_at_least: bool = False
    note: str = ""

    @property
    def holds(self) -> bool:
        return self.best >= self.bound if self.is_at_least else self.best <= self.bound


@dataclass(frozen=True, slots=True)
class Missing:
    """A figure that cannot be measured here, and why."""

    what: str
    why: str


def interleaved(rounds: int, *contenders: Timed) -> list[list[float]]:
    """Run every contender once per round; return the seconds of each."""
    seconds: list[list[float]] = [[] for _ in contenders]
    for _ in range(rounds):
        for contender, taken in zip(contenders, seconds, strict=True):
            taken.append(contender())
    return seconds


def ratio(
    what: str,
    bound: float,
    ours: Sequence[float],
    theirs: Sequence[float],
    *,
    plus_s: float = 0.0,
    note: str = "",
) -> Figure:
    """Return how many times their time we took.

    Args:
        what: the figure.
        bound: how many times their time we may take …
        ours: seconds.
        theirs: seconds.
        plus_s: … and so many seconds more, whatever theirs is; the bound then depends on it.
        note: what else to tell.
    """
    middle = statistics.median(ours) / statistics.median(theirs)
    told = [f"{min(ours):.4f} s : {min(theirs):.4f} s"]
    told += [f"≤ {bound:g} x + {plus_s:g} s"] if plus_s else []
    told += [note] if note else []
    bound += plus_s / min(theirs)
    return Figure(what, bound, min(ours) / min(theirs), middle, note=", ".join(told))


def faster(what: str, bound: float, ours: Sequence[float], theirs: Sequence[float]) -> Figure:
    """Return how many times as fast we were."""
    middle = statistics.median(theirs) / statistics.median(ours)
    note = f"{min(ours):.3f} s : {min(theirs):.3f} s"
    return Figure(what, bound, min(theirs) / min(ours), middle, is_at_least=True, note=note)


def seconds(what: str, bound: float, ours: Sequence[float]) -> Figure:
    """Return how long we took."""
    return Figure(what, bound, min(ours), statistics.median(ours), unit="s")


def timed(action: Callable[[], object]) -> float:
    """Return how long `action` takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def process(*command: str | Path) -> float:
    """Return how long a whole process takes, from its start to its exit."""
    words = [str(word) for word in command]
    # Some machines forbid Python to keep what it compiled; then compiling is all that is measured.
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=env)
    taken = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"error: {' '.join(words)} failed: {done.stderr.strip()[-2000:]}")
    return taken


def python(code: str, *arguments: str | Path) -> float:
    """Return how long a Python process takes that runs `code`."""
    return process(sys.executable, "-c", code, *arguments)
