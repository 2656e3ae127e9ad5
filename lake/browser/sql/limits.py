"""What a query may take."""

import os
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Limits:
    """What one query may take, and how many are run.

    Attributes:
        seconds: until it is stopped.
        memory: bytes that DuckDB may hold.
        rows: shown of an answer; files of an answer have all.
        bytes: of an answer, whichever way it is given.
        threads: of each query.
        running: queries at once.
        queued: queries that wait; more are refused.
        kept_s: how long an answer is kept.
        kept_bytes: of all answers together.
        unasked_s: how long a query goes on that nobody asks about.
        grace_s: between the end of its time and the end of its process.
    """

    seconds: float = 30
    memory: int = 1 << 30
    rows: int = 10_000
    bytes: int = 32 << 20
    threads: int = 2
    running: int = field(default_factory=lambda: os.cpu_count() or 1)
    queued: int = 20
    kept_s: float = 300
    kept_bytes: int = 64 << 20
    unasked_s: float = 15
    grace_s: float = 2
