"""Connections to look into files with: one per thread and purpose, for opening one takes 7 ms."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import duckdb

Config = dict[str, str | bool | int | float | list[str]]

# Without ICU, which loads itself where it happens to be installed, zoned times are written in UTC.
CONFIG: Config = {"threads": 2, "autoload_known_extensions": False}
"""To inspect with."""
BOUNDED: Config = {**CONFIG, "memory_limit": "256MB", "temp_directory": ""}
"""To count rows with, where there is room for them."""


class _Opened(threading.local):
    """What this thread has open, by the memory that it may take."""

    def __init__(self) -> None:
        self.connections: dict[str, duckdb.DuckDBPyConnection] = {}


_opened = _Opened()


@contextmanager
def session(
    config: Config, connection: duckdb.DuckDBPyConnection | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a session of its own, without a time zone, over `connection` or this thread's."""
    if connection is None:
        kind = str(config.get("memory_limit", ""))
        if kind not in _opened.connections:
            _opened.connections[kind] = duckdb.connect(config=config)
        connection = _opened.connections[kind]
    with closing(connection.cursor()) as cursor:
        yield cursor
