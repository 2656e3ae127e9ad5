"""How a command of the tests ended."""

from collections.abc import Callable
from typing import NamedTuple


class Ran(NamedTuple):
    """How a command ended; what differs from run to run is replaced by words."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]
