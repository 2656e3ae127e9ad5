"""How long a source is waited for."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a web server, and how often to ask it."""

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
    sleep: Callable[[float], None] = time.sleep


PATIENT = Patience()
