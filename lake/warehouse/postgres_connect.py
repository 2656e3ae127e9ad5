"""A connection to a warehouse's PostgreSQL, or why there is none."""

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import psycopg

from lake.errors import StoreRefused, StoreUnavailable
from lake.postgres_server import Server, is_refused, why_not

# What psycopg warns of as a COPY breaks off is told as an error; without a handler of anybody's it
# would be a line of its own in the terminal.
_SILENT = logging.NullHandler()


@contextlib.contextmanager
def connect(server: Server) -> "Iterator[psycopg.Connection[tuple[Any, ...]]]":
    """Give a connection that commits only what it is told to; the end rolls back the rest.

    Raises:
        StoreRefused: the server does not take these credentials, or has no such database.
        StoreUnavailable: it cannot be reached. Safe to retry.
    """
    logging.getLogger("psycopg").addHandler(_SILENT)
    try:
        connection = psycopg.connect(autocommit=True, prepare_threshold=None, **server.settings)  # type: ignore[arg-type]
    except psycopg.Error as exc:
        raise _cannot_connect(server, exc) from None
    with contextlib.closing(connection):
        yield connection


def _cannot_connect(server: Server, exc: psycopg.Error) -> StoreUnavailable:
    said = why_not(server, exc)
    if is_refused(exc):
        return StoreRefused(
            f"warehouse {server.url} refuses the connection ({said}): correct user, password or"
            " database in the warehouse's url, or what PGPASSWORD and ~/.pgpass hold"
        )
    return StoreUnavailable(
        f"warehouse {server.url} cannot be reached ({said}): start it, or correct the warehouse's"
        " url, then try again"
    )
