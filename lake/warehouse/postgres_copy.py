"""Rows from DuckDB into PostgreSQL: DuckDB writes the binary COPY format, psycopg sends it."""

import contextlib
import fcntl
import os
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import duckdb
import psycopg

_BLOCK = 1 << 18
_PIPE = 1 << 20


def copy(
    reader: duckdb.DuckDBPyConnection,
    select: str,
    server: "psycopg.Connection[tuple[Any, ...]]",
    statement: str,
) -> int:
    """Send the rows of a DuckDB SELECT through a COPY; return how many the server took.

    The server takes a stream that breaks off between two rows for a whole one, so what DuckDB
    says decides: of an error of its own the COPY is taken back, and its count must be the server's.

    Raises:
        duckdb.Error, psycopg.Error: one of the two failed. The transaction cannot go on then.
    """
    reading, writing = os.pipe()
    _widen(reading)
    with ThreadPoolExecutor(1, "clearlake-copy") as thread:
        producer = thread.submit(_produce, reader, select, writing)
        try:
            with server.cursor() as cursor:
                with cursor.copy(statement.encode()) as sent:
                    while block := os.read(reading, _BLOCK):
                        sent.write(block)
                    rows = producer.result()
                return _agreed(cursor.rowcount, rows)
        finally:
            _end(reader, producer, reading)


def _produce(reader: duckdb.DuckDBPyConnection, select: str, writing: int) -> int:
    """Write the rows into a pipe, and close it; return how many they were."""
    try:
        done = reader.execute(
            f"COPY (\n{select}\n) TO '/dev/fd/{writing}' (FORMAT postgres_binary)"
        )
        rows: int = done.fetchall()[0][0]
        return rows
    finally:
        os.close(writing)


def _agreed(taken: int, sent: int) -> int:
    """Return how many rows the server took; as many as were sent."""
    if taken != sent:
        raise psycopg.DataError(f"{sent} rows were sent and {taken} arrived")
    return taken


def _widen(pipe: int) -> None:
    # Only Linux has this, and there an unprivileged process may be told no.
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE)


def _end(reader: duckdb.DuckDBPyConnection, producer: "Future[int]", reading: int) -> None:
    """Let the producer come to its end, also where nobody wants its rows any more."""
    if not producer.done():
        reader.interrupt()
    # It may be about to open the pipe, which must not be closed before.
    while os.read(reading, _BLOCK):
        pass
    os.close(reading)
