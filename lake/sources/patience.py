"""How long a source is waited for, and how much is taken from it."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a web server, how often to ask it, and how much to take."""

    deadline_s: float = 3600.0
    """For everything: all tries, waits and bytes."""
    timeout_s: float = 60.0
    """For one sign of life."""
    tries: int = 4
    """In a row, without coming further."""
    wait_s: float = 0.5
    """Before the second try; doubled for each further one, with jitter."""
    longest_wait_s: float = 60.0
    """Whatever `Retry-After` asks for."""
    max_bytes: int = 10**12
    """Of one file, announced or sent."""
    sleep: Callable[[float], None] = time.sleep


PATIENT = Patience()


@dataclass(frozen=True, slots=True)
class Clock:
    """What is left of a patience: every wait on the network is asked for here.

    Attributes:
        end: the deadline, as `time.monotonic` counts.
        timeout_s: the longest single wait.
    """

    end: float
    timeout_s: float

    def wait_s(self) -> float:
        """Return how long to wait for one sign of life.

        Raises:
            TimeoutError: the deadline is over.
        """
        left_s = self.end - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the deadline is over")
        return min(self.timeout_s, left_s)
