"""Waiting for what other processes do."""

import threading
import time
from collections.abc import Callable
from typing import Any

PATIENCE_S = 240


def until(condition: Callable[[], Any]) -> Any:
    """Wait for something that another process does."""
    end = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < end, "it never came"
        threading.Event().wait(0.2)
    return found


def calm(condition: Callable[[], int], seconds: float = 1.0) -> int:
    """Return a count once it has not grown for so long."""
    before = -1
    while (found := condition()) != before:
        before = found
        threading.Event().wait(seconds)
    return found
