"""A large object fetched as ranges, several at once, into one file."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PART_BYTES = 8 << 20
TOGETHER = 8

Read = Callable[[int, int], bytes]
"""Gives `length` bytes from `start`, all of them, or raises."""


def fetch_in_parts(read: Read, byte_count: int, path: Path) -> None:
    """Write an object of `byte_count` bytes to a new file at `path`; on failure there is none.

    At most `TOGETHER` parts of `PART_BYTES` are in memory.

    Raises:
        FileExistsError: `path` is taken.
        OSError: a part came short; whatever `read` raises.
    """
    with path.open("xb", buffering=0) as file:
        try:
            os.truncate(file.fileno(), byte_count)
            _fill(file.fileno(), read, byte_count)
        except BaseException:
            path.unlink()
            raise


def _fill(file: int, read: Read, byte_count: int) -> None:
    def bring(start: int) -> None:
        length = min(PART_BYTES, byte_count - start)
        data = memoryview(read(start, length))
        if len(data) != length:
            raise ConnectionError(f"{len(data)} of {length} bytes came from {start} on: try again")
        while data:
            written = os.pwrite(file, data, start)
            data, start = data[written:], start + written

    starts = range(0, byte_count, PART_BYTES)
    if len(starts) <= 1:
        for start in starts:
            bring(start)
        return
    with ThreadPoolExecutor(min(TOGETHER, len(starts))) as pool:
        parts = [pool.submit(bring, start) for start in starts]
        try:
            for part in parts:
                part.result()
        finally:
            for part in parts:
                part.cancel()
