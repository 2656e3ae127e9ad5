"""A query's process: started before it is needed, told what to do, listened to, and ended."""

import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

_CHILD = Path(__file__).with_name("child.py")
_HEADER = 5


class Gone(Exception):
    """The process ended, or had to be ended, before it had answered."""


class Process:
    """One process, for one query. `kill` may be called from any thread."""

    def __init__(self, first: Sequence[str]) -> None:
        """Start it; `first` are statements that it runs before there is a query."""
        self._lock = threading.Lock()
        self._popen = subprocess.Popen(
            [sys.executable, "-I", str(_CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
            close_fds=True,
            start_new_session=True,
        )
        self.tell({"first": list(first)})

    @property
    def pid(self) -> int:
        """Its number, which is its group's too."""
        return self._popen.pid

    def is_alive(self) -> bool:
        """Tell whether it still waits or works."""
        with self._lock:
            return self._popen.poll() is None

    def tell(self, said: Any) -> None:
        """Send it a line of JSON; to one that is gone, nothing."""
        assert self._popen.stdin
        with suppress(BrokenPipeError):
            self._popen.stdin.write(json.dumps(said).encode() + b"\n")
            self._popen.stdin.flush()

    def frames(self, deadline: float) -> Iterator[tuple[str, bytes]]:
        """Give what it answers: the letter and the body of each frame.

        Args:
            deadline: by `time.monotonic()`.

        Raises:
            Gone: it ended, or the deadline passed.
        """
        while True:
            head = self._read(_HEADER, deadline)
            yield chr(head[0]), self._read(int.from_bytes(head[1:], "big"), deadline)

    def _read(self, size: int, deadline: float) -> bytes:
        assert self._popen.stdout
        descriptor, data = self._popen.stdout.fileno(), bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while len(data) < size:
                if not selector.select(max(deadline - time.monotonic(), 0)):
                    raise Gone("time")
                some = os.read(descriptor, size - len(data))
                if not some:
                    raise Gone(self._why())
                data += some
        return bytes(data)

    def _why(self) -> str:
        with self._lock:
            code = self._popen.wait(5)
        return "time" if code == -signal.SIGXCPU else "memory" if code == -signal.SIGKILL else ""

    def kill(self) -> None:
        """End it and all that it may have started."""
        with self._lock:
            if self._popen.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(self._popen.pid, signal.SIGKILL)

    def close(self) -> None:
        """End it, and take it out of the table of processes."""
        self.kill()
        with self._lock:
            self._popen.wait()
        for end in (self._popen.stdin, self._popen.stdout):
            with suppress(OSError):
                if end:
                    end.close()


class Spare:
    """One process that is always ready for the next query."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ready: tuple[tuple[str, ...], Process] | None = None
        self._is_closed = False

    def take(self, first: Sequence[str]) -> Process:
        """Return a process that has run `first`; the ready one, if that has."""
        with self._lock:
            found, self._ready = self._ready, None
        if found and found[0] == tuple(first) and found[1].is_alive():
            return found[1]
        if found:
            found[1].close()
        return Process(first)

    def prepare(self, first: Sequence[str]) -> None:
        """Make one ready, if none is."""
        with self._lock:
            if self._ready is None and not self._is_closed:
                self._ready = (tuple(first), Process(first))

    def close(self) -> None:
        """End the ready one; no other is made."""
        with self._lock:
            found, self._ready, self._is_closed = self._ready, None, True
        if found:
            found[1].close()
