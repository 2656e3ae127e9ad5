"""A DuckDB that reads a snapshot of PostgreSQL."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from lake.errors import MissingExtra, SourceIncomplete, SourceUnreadable, StoreUnavailable
from lake.parquet.session import Config
from lake.query.sql import literal
from lake.sources.postgres.columns import OTHERS
from lake.sources.postgres.connect import (
    NO_UTF8,
    READ_ONLY,
    SETTINGS,
    TIMED_OUT,
    Server,
    Snapshot,
    said,
    unreadable,
)
from storage_backends import extensions

Opened = Future[duckdb.DuckDBPyConnection]
# Threads mostly wait for the server; each holds a row group.
CONFIG: Config = {
    "threads": 4,
    "memory_limit": "300MB",
    "autoload_known_extensions": False,
    "preserve_insertion_order": False,
}
ROOMY: Config = {k: v for k, v in CONFIG.items() if k != "memory_limit"} | {"threads": 1}
"""With DuckDB's own limit, most of the machine's memory."""

_PASSING = ("conflict with recovery", "due to user request")
_STATES = {
    "statement timeout": TIMED_OUT,
    "in a read-only transaction": READ_ONLY,
    "invalid byte sequence": NO_UTF8,
}


class TooWide(StoreUnavailable):
    """DuckDB takes 2,048 rows at once: some are so wide that the memory does not suffice."""


@contextmanager
def opening(config: Config = CONFIG) -> Iterator[Opened]:
    """Give a DuckDB that can read PostgreSQL, soon: that takes as long as to connect to one.

    Its result raises `MissingExtra` if the extension is not installed.
    """
    with ThreadPoolExecutor(1) as pool:
        opened = pool.submit(_opened, config)
        try:
            yield opened
        finally:
            if not opened.exception():
                opened.result().close()


def _opened(config: Config) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(config=config)
    # What is written again to the same path would be read as it was.
    con.execute("SET enable_external_file_cache = false")
    try:
        extensions.load(con, "postgres_scanner", extra="postgres")
    except ImportError as exc:
        raise MissingExtra(str(exc)) from exc
    return con


@contextmanager
def reading(
    opened: Opened, seen: Snapshot, streams: int, scratch: Path, *, schema: str
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give the DuckDB with `streams` connections that see the snapshot, called `s0`, `s1` ….

    Of their tables those of `schema` are known.

    Raises:
        MissingExtra: the extension is not installed.
        TooWide: there is no memory for the rows.
        SourceUnreadable, SourceIncomplete: what the server did.
    """
    con = opened.result()
    with _told(seen.server):
        con.execute(f"SET temp_directory = {literal(str(scratch / 'spill'))}")
        _attach(con, seen.server, streams, schema)
        try:
            con.execute("BEGIN")
            for number in range(streams):
                same = f"SET TRANSACTION SNAPSHOT {literal(seen.id)}; {SETTINGS}"
                con.execute(f"CALL postgres_execute('s{number}', {literal(same)})")
            yield con
        finally:
            # Where a server is gone, DuckDB ends the process if it has to do this by itself.
            with suppress(duckdb.Error):
                con.execute("ROLLBACK")


def _attach(con: duckdb.DuckDBPyConnection, server: Server, streams: int, schema: str) -> None:
    from psycopg.conninfo import make_conninfo

    given = dict(server.parameters)
    extensions.secret(con, "source", TYPE="postgres", PASSWORD=given.pop("password", None) or "")
    try:
        for number in range(streams):
            con.execute(
                f"ATTACH {literal(make_conninfo(**given))} AS s{number}"
                f" (TYPE postgres, SECRET source, SCHEMA {literal(schema or 'pg_catalog')})"
            )
    except duckdb.IOException as exc:
        # It shows all that libpq was given, secrets, too, before the server's own words.
        _, _, why = " ".join(str(exc).split()).rpartition(" failed: ")
        raise SourceIncomplete(
            f"{server.name} broke off: no further connection is to be had:"
            f" {why.removeprefix('FATAL: ') or 'libpq does not say why'}; nothing was landed: run"
            " the same command again"
        ) from None


@contextmanager
def _told(server: Server) -> Iterator[None]:
    """Tell an error of DuckDB's, which may be the server's: that one is asked how it is."""
    try:
        yield
    except duckdb.OutOfMemoryException as exc:
        raise TooWide(
            f"{server.name}: there is no memory here for its rows ({first_line(exc)}); leave wide"
            " columns out with a query, or run it where there is more"
        ) from exc
    except duckdb.Error as exc:
        with said(server.name):
            server.connection.execute("SELECT 1")
        raise _refused(server.name, exc) from exc


def _refused(name: str, error: duckdb.Error) -> SourceUnreadable | SourceIncomplete:
    """Return the error for what a server that is there does to one of its streams."""
    line = first_line(error)
    # There is no SQLSTATE, only what libpq shows: `FATAL:` ends a connection, `ERROR:` does not.
    _, is_error, why = line.partition("ERROR: ")
    is_broken = isinstance(error, duckdb.IOException) and not is_error
    if is_broken or any(words in why for words in _PASSING):
        return SourceIncomplete(
            f"{name} broke off: {why.strip() or line}; nothing was landed: run the same command"
            " again"
        )
    if OTHERS in why:
        return SourceUnreadable(
            f"{name} cannot be read: it gives other rows each time that it is run; nothing was"
            " landed: order all its rows, or name those that it wants"
        )
    state = next((state for words, state in _STATES.items() if words in why), "")
    return unreadable(name, why.strip() or line, state, is_data=not state)


def first_line(error: Exception) -> str:
    """Return the first line of what an error says."""
    return next((line for line in str(error).splitlines() if line.strip()), "")
