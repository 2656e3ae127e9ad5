"""Rows from DuckDB into PostgreSQL: DuckDB writes the binary COPY format, psycopg sends it."""

import contextlib
import fcntl
import os
import threading
from dataclasses import dataclass, field
from typing import Any

import duckdb
import psycopg

_BLOCK = 1 << 18
_PIPE = 1 << 20


@dataclass(slots=True)
class _Producer:
    """DuckDB at the writing end of a pipe, in a thread of its own."""

    reader: duckdb.DuckDBPyConnection
    select: str
    writing: int
    rows: int = -1
    error: BaseException | None = None
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._run, name="clearlake-copy", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            done = self.reader.execute(
                f"COPY (\n{self.select}\n) TO '/dev/fd/{self.writing}' (FORMAT postgres_binary)"
            )
            self.rows = done.fetchall()[0][0]
        except BaseException as exc:  # noqa: BLE001 - it is raised where the rows are read
            self.error = exc
        finally:
            os.close(self.writing)


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
    producer = _Producer(reader, select, writing)
    try:
        with server.cursor() as cursor:
            with cursor.copy(statement.encode()) as sent:
                while block := os.read(reading, _BLOCK):
                    sent.write(block)
                producer.thread.join()
                if producer.error:
                    raise producer.error
            return _agreed(cursor.rowcount, producer.rows)
    finally:
        _end(producer, reading)


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


def _end(producer: _Producer, reading: int) -> None:
    """Let the producer come to its end, also where nobody wants its rows any more."""
    if producer.thread.is_alive():
        producer.reader.interrupt()
        # It may be about to open the pipe, which must not be closed before.
        while os.read(reading, _BLOCK):
            pass
        producer.thread.join()
    os.close(reading)
