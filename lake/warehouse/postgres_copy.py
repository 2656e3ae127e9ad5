"""Rows from DuckDB into PostgreSQL: DuckDB writes the binary COPY format, psycopg sends it.

The format is in PostgreSQL's manual under COPY: a header of 19 bytes, the rows, a trailer of two.
"""

import contextlib
import fcntl
import os
import select
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias

import duckdb
import psycopg

_HEADER, _TRAILER = 19, 2
_BLOCK = 1 << 18
_PIPE = 1 << 20
_GLANCE_S = 1.0

Pipes: TypeAlias = "SimpleQueue[int | None]"
"""The reading ends of pipes, one for each SELECT; None behind the last."""


def copy(
    reader: duckdb.DuckDBPyConnection,
    selects: Iterable[str],
    server: "psycopg.Connection[tuple[Any, ...]]",
    statement: str,
) -> list[int]:
    """Send the rows of DuckDB SELECTs through one COPY; return how many each of them gave.

    The server takes a stream that breaks off between two rows for a whole one, so what DuckDB
    says decides: of an error of its own the COPY is taken back, and its counts must be the
    server's. `selects` is gone through in another thread, while rows are on their way.

    Raises:
        duckdb.Error, psycopg.Error: one of the two failed. The transaction cannot go on then.
    """
    pipes: Pipes = SimpleQueue()
    at_hand: list[int] = []
    with ThreadPoolExecutor(1, "clearlake-copy") as thread:
        producer = thread.submit(_produce, reader, selects, pipes)
        try:
            with server.cursor() as cursor:
                with cursor.copy(statement.encode()) as sent:
                    for block in _joined(_blocks(pipes, at_hand)):
                        sent.write(block)
                    rows = producer.result()
                _refuse_other_count(cursor.rowcount, sum(rows))
                return rows
        finally:
            _end(reader, producer, pipes, at_hand)


def _produce(reader: duckdb.DuckDBPyConnection, selects: Iterable[str], pipes: Pipes) -> list[int]:
    """Write the rows of each SELECT into a pipe of its own; return how many they were."""
    try:
        return [_write(reader, select, pipes) for select in selects]
    finally:
        pipes.put(None)


def _write(reader: duckdb.DuckDBPyConnection, select: str, pipes: Pipes) -> int:
    reading, writing = os.pipe()
    _widen(reading)
    pipes.put(reading)
    try:
        done = reader.execute(
            f"COPY (\n{select}\n) TO '/dev/fd/{writing}' (FORMAT postgres_binary)"
        )
        rows: int = done.fetchall()[0][0]
        return rows
    finally:
        os.close(writing)


def _blocks(
    pipes: Pipes, at_hand: list[int], idle: Callable[[], None] = lambda: None
) -> Iterator[tuple[int, bytes]]:
    """Give what comes through the pipes in blocks, each with the number of its pipe.

    Args:
        pipes: in the order of the SELECTs.
        at_hand: the pipe that is being read: where an error ends this, another goes on there.
        idle: called again and again while nothing comes.
    """
    number = 0
    while True:
        if not at_hand:
            reading = _next(pipes, idle)
            if reading is None:
                pipes.put(None)
                return
            at_hand.append(reading)
        while block := _read(at_hand[0], idle):
            yield number, block
        os.close(at_hand.pop())
        number += 1


# A Ctrl-C that comes right before a wait does not end it, so none is without an end.


def _next(pipes: Pipes, idle: Callable[[], None]) -> int | None:
    while True:
        with contextlib.suppress(Empty):
            return pipes.get(timeout=_GLANCE_S)
        idle()


def _read(pipe: int, idle: Callable[[], None]) -> bytes:
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    while not poll.poll(_GLANCE_S * 1000):
        idle()
    return os.read(pipe, _BLOCK)


def _joined(blocks: Iterable[tuple[int, bytes]]) -> Iterator[bytes]:
    """Give many streams as one: without the headers but the first, the trailers but the last."""
    last, held, skip = 0, b"", 0
    for number, block in blocks:
        if number != last:
            last, held, skip = number, b"", _HEADER
        whole = held + block[skip:]
        skip = max(0, skip - len(block))
        yield whole[:-_TRAILER]
        held = whole[-_TRAILER:]
    yield held


def _refuse_other_count(taken: int, sent: int) -> None:
    if taken != sent:
        raise psycopg.DataError(f"{sent} rows were sent and {taken} arrived")


def _widen(pipe: int) -> None:
    # Only Linux has this, and there an unprivileged process may be told no.
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE)


def _end(
    reader: duckdb.DuckDBPyConnection,
    producer: "Future[list[int]]",
    pipes: Pipes,
    at_hand: list[int],
) -> None:
    """Let the producer come to its end, also where nobody wants its rows any more."""

    def interrupt() -> None:
        # Again and again: between two statements there is nothing that it would end.
        if not producer.done():
            reader.interrupt()

    interrupt()
    # It may be about to open a pipe, which must not be closed before.
    for _ in _blocks(pipes, at_hand, interrupt):
        interrupt()
