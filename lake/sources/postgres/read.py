"""Rows out of one snapshot of PostgreSQL into one Parquet, streamed by DuckDB."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from lake.errors import MissingExtra, SourceIncomplete, SourceUnreadable, StoreUnavailable
from lake.models.content import content_id
from lake.parquet.session import Config
from lake.query.sql import identifier, literal
from lake.sources.postgres.columns import ROWS, Column, as_text, columns, surveyed
from lake.sources.postgres.connect import Server, said
from storage_backends import extensions

CONFIG: Config = {"threads": 2, "memory_limit": "300MB", "autoload_known_extensions": False}
_ROOMY: Config = {"threads": 1, "autoload_known_extensions": False}
"""With DuckDB's own limit, most of the machine's memory."""
_STREAMS = 2
_PAGES = 2_000
"""Of 8 KB: a table with more is read by several streams."""
# Before 4713 BC: what lies beyond DuckDB's last microsecond comes out there.
_OVERFLOWN_US = -211_000_000_000_000_000
_PARQUET = "(FORMAT parquet, ROW_GROUP_SIZE 122880, ROW_GROUP_SIZE_BYTES '64MB')"


@dataclass(frozen=True, slots=True)
class Read:
    """A Parquet with what was read.

    Attributes:
        content: the same rows in any order have the same one, see `content_id`.
        as_text: columns that became text for single values, and which.
    """

    rows: int
    content: str
    as_text: dict[str, str]


@contextmanager
def snapshot(server: Server) -> Iterator[str]:
    """Give the id of a snapshot that stays: all that is asked within sees the same rows."""
    with said(server.name), server.connection.transaction():
        server.connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        (found,) = server.ask("SELECT pg_export_snapshot()")
        yield str(found)


def relation(*, table: str, query: str) -> str:
    """Return what stands behind FROM: a quoted table, or a query in brackets."""
    if query:
        return f"({query}\n)"
    return ".".join(_part(part) for part in _parts(table))


def _parts(table: str) -> list[str]:
    parts, quoted = [""], False
    for char in table:
        quoted ^= char == '"'
        if char == "." and not quoted:
            parts.append("")
        else:
            parts[-1] += char
    return parts


def _part(name: str) -> str:
    # As PostgreSQL reads names: without quotes in small letters.
    return name if name.startswith('"') else identifier(name.lower())


def read(server: Server, snapshot_id: str, rows: str, to: Path, *, where: str = "true") -> Read:
    """Write the rows of a relation to the new Parquet `to`; memory does not grow with them.

    What a type of Parquet cannot hold exactly (NaN in a numeric, an infinite time) makes its
    column text.

    Args:
        server: in the transaction of the snapshot.
        snapshot_id: of the snapshot.
        rows: the relation.
        to: where they go.
        where: a condition on the rows, without WHERE.

    Raises:
        SourceUnreadable, SourceIncomplete: see `connected`.
        StoreUnavailable: there is no room here.
    """
    is_whole = where == "true"
    aliased = f"{rows} AS {ROWS}" + ("" if is_whole else f" WHERE {where}")
    found = surveyed(server, columns(server, rows), aliased)
    is_cut = is_whole and not rows.startswith("(")
    ranges = _ranges(server, rows, aliased) if is_cut else [aliased]
    try:
        with _duckdb(server, snapshot_id, len(ranges), to.parent) as con:
            return _read(con, found, ranges, to)
    except _TooWide:
        to.unlink(missing_ok=True)
        with _duckdb(server, snapshot_id, 1, to.parent, config=_ROOMY) as con:
            return _read(con, found, [aliased], to)


def _read(
    con: duckdb.DuckDBPyConnection, found: list[Column], ranges: Sequence[str], to: Path
) -> Read:
    _copy(con, found, ranges, to)
    odd = _odd(con, found, to)
    if odd:
        found = [as_text(one, odd[one.name]) if one.name in odd else one for one in found]
        to.unlink()
        _copy(con, found, ranges, to)
    return Read(**_described(con, to), as_text={c.name: c.why for c in found if c.why})


def described(path: Path) -> dict[str, Any]:
    """Return the rows and the content of a Parquet."""
    with closing(duckdb.connect(config=CONFIG)) as con:
        return _described(con, path)


def _described(con: duckdb.DuckDBPyConnection, path: Path) -> dict[str, Any]:
    made = f"read_parquet({literal(str(path))}, hive_partitioning=false)"
    rows = con.execute(f"SELECT count(*) FROM {made}").fetchall()[0][0]
    return {"rows": rows, "content": content_id(con, made)}


def _ranges(server: Server, rows: str, aliased: str) -> list[str]:
    """Return the parts of a large table that are read at once; other relations stay whole."""
    kind, pages = server.ask(
        "SELECT relkind::text, pg_relation_size(oid) / current_setting('block_size')::int"
        f" FROM pg_class WHERE oid = {literal(rows)}::regclass"
    )
    if kind != "r" or pages < _PAGES:
        return [aliased]
    ends = [f"'({pages * number // _STREAMS},0)'::tid" for number in range(1, _STREAMS)]
    limits = zip([None, *ends], [*ends, None], strict=True)
    parts = [(low and f"ctid >= {low}", high and f"ctid < {high}") for low, high in limits]
    return [f"{aliased} WHERE {' AND '.join(filter(None, part))}" for part in parts]


class _TooWide(StoreUnavailable):
    """DuckDB takes 2,048 rows at once: some are so wide that the memory does not suffice."""


@contextmanager
def _duckdb(
    server: Server, snapshot_id: str, streams: int, scratch: Path, *, config: Config = CONFIG
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a DuckDB with `streams` connections that see the snapshot, called `s0`, `s1` …."""
    spill = str(scratch / "spill")
    config = {**config, "temp_directory": spill, "preserve_insertion_order": False}
    con = duckdb.connect(config=config)
    with closing(con), _told(server):
        try:
            extensions.load(con, "postgres_scanner", extra="postgres")
        except ImportError as exc:
            raise MissingExtra(str(exc)) from exc
        _attach(con, server, streams)
        try:
            con.execute("BEGIN")
            for number in range(streams):
                same = f"SET TRANSACTION SNAPSHOT {literal(snapshot_id)}"
                con.execute(f"CALL postgres_execute('s{number}', {literal(same)})")
            yield con
        finally:
            # Where a server is gone, DuckDB ends the process if it has to do this by itself.
            with suppress(duckdb.Error):
                con.execute("ROLLBACK")


def _attach(con: duckdb.DuckDBPyConnection, server: Server, streams: int) -> None:
    from psycopg.conninfo import make_conninfo

    # A secret is shown in no error, as the text of an ATTACH may be.
    given = dict(server.parameters)
    extensions.secret(con, "source", TYPE="postgres", PASSWORD=given.pop("password", None) or "")
    for number in range(streams):
        con.execute(
            f"ATTACH {literal(make_conninfo(**given))} AS s{number} (TYPE postgres, SECRET source)"
        )


@contextmanager
def _told(server: Server) -> Iterator[None]:
    """Tell an error of DuckDB's, which may be the server's: that one is asked how it is."""
    try:
        yield
    except duckdb.OutOfMemoryException as exc:
        raise _TooWide(
            f"{server.name}: there is no memory here for its rows ({_first_line(exc)}); leave wide"
            " columns out with a query, or run it where there is more"
        ) from exc
    except duckdb.IOException as exc:
        raise SourceIncomplete(
            f"{server.name} broke off: {_first_line(exc)}; nothing was landed: run the same command"
            " again"
        ) from exc
    except duckdb.Error as exc:
        with said(server.name):
            server.connection.execute("SELECT 1")
        raise SourceUnreadable(
            f"{server.name} cannot be read: {_first_line(exc)}; nothing was landed: mend it there"
        ) from exc


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), "")


def _copy(
    con: duckdb.DuckDBPyConnection, found: Sequence[Column], ranges: Sequence[str], to: Path
) -> None:
    taken = ", ".join(f"{one.taken} AS {one.quoted}" for one in found)
    made = ", ".join(f"{one.made} AS {one.quoted}" for one in found)
    queries = [literal(f"SELECT {taken} FROM {part}") for part in ranges]
    streams = [f"FROM postgres_query('s{n}', {query})" for n, query in enumerate(queries)]
    together = " UNION ALL ".join(f"({stream})" for stream in streams)
    con.execute(f"COPY (SELECT {made} FROM ({together})) TO {literal(str(to))} {_PARQUET}")


def _odd(con: duckdb.DuckDBPyConnection, found: Sequence[Column], to: Path) -> dict[str, str]:
    """Return the columns with values that their type cannot hold, and what these are."""
    limited = [one for one in found if one.is_limited]
    if not limited:
        return {}
    counts = ", ".join(f"count(*) FILTER (WHERE {_is_odd(one)})" for one in limited)
    made = f"read_parquet({literal(str(to))}, hive_partitioning=false)"
    numbers = con.execute(f"SELECT {counts} FROM {made}").fetchall()[0]
    return {
        one.name: f"{number} infinite or out of range"
        for one, number in zip(limited, numbers, strict=True)
        if number
    }


def _is_odd(one: Column) -> str:
    if one.type == "time":
        return f"{one.quoted} = TIME '24:00:00'"
    if one.type == "date":
        return f"NOT isfinite({one.quoted})"
    return f"NOT isfinite({one.quoted}) OR epoch_us({one.quoted}) < {_OVERFLOWN_US}"
