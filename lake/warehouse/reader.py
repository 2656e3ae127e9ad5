"""A DuckDB that reads what was published, on its way elsewhere, and what it cannot read."""

import contextlib
from collections.abc import Iterator

import duckdb

from lake.errors import LoadRefused, StoreUnavailable
from lake.query.connect import CONFIG
from lake.query.sql import literal
from lake.warehouse.ledger import TableLoad

_UNAVAILABLE = (
    duckdb.IOException,
    duckdb.OutOfMemoryException,
    duckdb.FatalException,
    duckdb.InternalException,
)


@contextlib.contextmanager
def open_reader(
    load: TableLoad, *, what: str, memory_limit: str | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a DuckDB that may read what a load publishes; what it fails of inside is told.

    Raises:
        StoreUnavailable, LoadRefused: see `read_errors` and `reader_errors`.
    """
    with (
        reader_errors(what),
        read_errors(what),
        contextlib.closing(duckdb.connect(config={**CONFIG})) as reader,
    ):
        load.let_read(reader)
        if memory_limit:
            reader.execute(f"SET memory_limit = {literal(memory_limit)}")
        yield reader


def first_line(exc: duckdb.Error) -> str:
    """Return what DuckDB says, without its kind and the lines that point into the SQL."""
    return str(exc).split("\n", 1)[0].partition("Error: ")[2].rstrip(" !.") or str(exc)


@contextlib.contextmanager
def read_errors(what: str) -> Iterator[None]:
    """Say that what a load reads or writes could not be had, in one line."""
    try:
        yield
    except _UNAVAILABLE as exc:
        raise StoreUnavailable(
            f"{what} broke off ({first_line(exc)}): nothing was changed; put that right, then load"
            " again"
        ) from exc


@contextlib.contextmanager
def reader_errors(what: str) -> Iterator[None]:
    """Say what DuckDB refuses of published rows on their way elsewhere, in one line.

    Raises:
        LoadRefused: a value cannot be sent.
    """
    try:
        yield
    except duckdb.Error as exc:
        raise LoadRefused(
            f"{what} failed ({first_line(exc)}): nothing was changed; put that right in the model,"
            " then load"
        ) from exc
