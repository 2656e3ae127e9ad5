"""A connection to a warehouse's PostgreSQL, or why there is none."""

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg

from lake.errors import StoreRefused, StoreUnavailable
from lake.postgres_server import Server, is_refused, why_not


@contextlib.contextmanager
def connect(server: Server) -> "Iterator[psycopg.Connection[tuple[Any, ...]]]":
    """Give a connection that commits only what it is told to; the end rolls back the rest.

    Raises:
        StoreRefused: the server does not take these credentials, or has no such database.
        StoreUnavailable: it cannot be reached. Safe to retry.
    """
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
