"""A large object fetched as ranges, several at once, into one file."""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PART_BYTES = 8 << 20
TOGETHER = 8

Read = Callable[[int, int], Iterable[bytes]]
"""Gives `length` bytes from `start` in blocks, all of them, or raises."""


def fetch_in_parts(
    read: Read,
    byte_count: int,
    path: Path,
    *,
    first: bytes = b"",
    part_bytes: int = PART_BYTES,
    together: int = TOGETHER,
) -> None:
    """Write an object of `byte_count` bytes to a new file at `path`; on failure there is none.

    At most `together` of the blocks that `read` gives are in memory.

    Args:
        read: asks for a range.
        byte_count: how many bytes the whole object has.
        path: where nothing is yet.
        first: the bytes that it begins with, which are here already.
        part_bytes: how many are asked for at once.
        together: of how many parts at a time.

    Raises:
        FileExistsError: `path` is taken.
        OSError: a part came short; whatever `read` raises.
    """
    with path.open("xb", buffering=0) as file:
        try:
            os.truncate(file.fileno(), byte_count)
            _write(file.fileno(), first, 0)
            parts = [
                (start, min(part_bytes, byte_count - start))
                for start in range(len(first), byte_count, part_bytes)
            ]
            _fill(file.fileno(), read, parts, together)
        except BaseException:
            path.unlink()
            raise


def _fill(file: int, read: Read, parts: Sequence[tuple[int, int]], together: int) -> None:
    def bring(start: int, length: int) -> None:
        at = start
        for block in read(start, length):
            _write(file, block, at)
            at += len(block)
        if at != start + length:
            raise ConnectionError(f"{at - start} of {length} bytes came from {start} on: try again")

    if len(parts) == 1:
        bring(*parts[0])
    if len(parts) <= 1:
        return
    with ThreadPoolExecutor(min(together, len(parts))) as pool:
        coming = [pool.submit(bring, *part) for part in parts]
        try:
            for part in coming:
                part.result()
        finally:
            for part in coming:
                part.cancel()


def _write(file: int, data: bytes, at: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(file, rest, at)
        rest, at = rest[written:], at + written
