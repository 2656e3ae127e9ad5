"""Rows out of one snapshot of PostgreSQL into one Parquet, streamed by DuckDB."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from lake.models.content import content_id
from lake.query.sql import identifier, literal
from lake.sources.postgres.columns import ROWS, Column, as_text, columns, surveyed
from lake.sources.postgres.connect import SETTINGS, Server, Snapshot, said
from lake.sources.postgres.duck import CONFIG, ROOMY, Opened, TooWide, opening, reading

_TABLE = """
SELECT c.relkind = 'r' AND NOT c.relhassubclass AND 1 = (
    SELECT count(*) FROM pg_class o JOIN pg_namespace m ON m.oid = o.relnamespace
    WHERE lower(o.relname) = lower(c.relname) AND lower(m.nspname) = lower(n.nspname))
  AND NOT EXISTS (
    SELECT FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND t.typtype = 'd'),
  n.nspname, c.relname, pg_relation_size(c.oid) / current_setting('block_size')::int
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = {name}::regclass
"""
_PAGES = 2_000
"""Of 8 KB: a table with more is read by several streams."""
# Before 4713 BC: what lies beyond DuckDB's last microsecond comes out there.
_OVERFLOWN_US = -211_000_000_000_000_000
# Keys and times that grow take a few bits each in the encodings of version 2; what else has many
# values is soon known to need no dictionary.
_PARQUET = (
    "(FORMAT parquet, PARQUET_VERSION v2, DICTIONARY_SIZE_LIMIT 8192, ROW_GROUP_SIZE 122880,"
    " ROW_GROUP_SIZE_BYTES '32MB', RETURN_STATS)"
)


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
def snapshot(server: Server) -> Iterator[Snapshot]:
    """Give a snapshot that stays: all that is asked within sees the same rows."""
    with said(server.name), server.connection.transaction():
        server.connection.execute(
            f"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; {SETTINGS}".encode()
        )
        (found,) = server.ask("SELECT pg_export_snapshot()")
        yield Snapshot(server, str(found))


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


def read(opened: Opened, seen: Snapshot, rows: str, to: Path, *, where: str = "true") -> Read:
    """Write the rows of a relation to the new Parquet `to`; memory does not grow with them.

    What a type of Parquet cannot hold exactly (NaN in a numeric, an infinite time) makes its
    column text.

    Args:
        opened: a DuckDB that nobody else uses.
        seen: what is read.
        rows: the relation.
        to: where they go.
        where: a condition on the rows, without WHERE.

    Raises:
        SourceUnreadable, SourceIncomplete: see `connected`.
        StoreUnavailable: there is no room here.
        MissingExtra: DuckDB's extension is not installed.
    """
    way = _way(seen.server, rows, where)
    found = surveyed(
        seen.server,
        columns(seen.server, rows),
        way.all,
        is_stored=not rows.startswith("(") and _is_stored(seen.server, rows),
    )
    try:
        return _read(opened, seen, found, way, to)
    except TooWide:
        opened.result().close()
        to.unlink(missing_ok=True)
        with opening(ROOMY) as roomy:
            return _read(roomy, seen, found, replace(way, parts=(way.all,)), to)


def _read(opened: Opened, seen: Snapshot, found: list[Column], way: "_Way", to: Path) -> Read:
    with reading(opened, seen, len(way.parts), to.parent, schema=way.schema) as con:
        return _written(con, found, way, to)


def _written(con: duckdb.DuckDBPyConnection, found: list[Column], way: "_Way", to: Path) -> Read:
    while odd := _odd(con, found, _copy(con, found, way, to), to):
        found = [as_text(one, odd[one.name]) if one.name in odd else one for one in found]
        to.unlink()
    return Read(**_described(con, to), as_text={c.name: c.why for c in found if c.why})


def described(path: Path) -> dict[str, Any]:
    """Return the rows and the content of a Parquet."""
    with closing(duckdb.connect(config=CONFIG)) as con:
        return _described(con, path)


def _described(con: duckdb.DuckDBPyConnection, path: Path) -> dict[str, Any]:
    made = f"read_parquet({literal(str(path))}, hive_partitioning=false)"
    rows = con.execute(f"SELECT count(*) FROM {made}").fetchall()[0][0]
    return {"rows": rows, "content": content_id(con, made)}


@dataclass(frozen=True, slots=True)
class _Way:
    """How rows come.

    Attributes:
        all: what stands behind FROM there.
        parts: the same in parts, which are read at once.
        schema: of a table.
        scanned: its name, if DuckDB may divide its pages by itself, which is quicker.
    """

    all: str
    parts: tuple[str, ...]
    schema: str = ""
    scanned: str = ""


def _way(server: Server, rows: str, where: str) -> _Way:
    """Return how a relation is read; one that is no table, or a few rows of it, stays whole."""
    if where != "true":
        return _Way(f"{rows} AS {ROWS} WHERE {where}", (f"{rows} AS {ROWS} WHERE {where}",))
    whole = f"{rows} AS {ROWS}"
    if rows.startswith("("):
        return _Way(whole, (whole,))
    is_table, schema, name, pages = server.ask(_TABLE.format(name=literal(rows)))
    # DuckDB takes no notice of capitals, of a table's heirs, and of what a domain is made of.
    scanned = f"{identifier(schema)}.{identifier(name)}" if is_table else ""
    if not is_table or pages < _PAGES:
        return _Way(whole, (whole,), schema, scanned)
    middle = f"'({pages // 2},0)'::tid"
    parts = (f"{whole} WHERE ctid < {middle}", f"{whole} WHERE ctid >= {middle}")
    return _Way(whole, parts, schema, scanned)


def _is_stored(server: Server, table: str) -> bool:
    """Tell whether rows lie in the database; those of a view or elsewhere may change meanwhile."""
    (is_stored,) = server.ask(
        f"SELECT relkind IN ('r', 'm', 'p') FROM pg_class WHERE oid = {literal(table)}::regclass"
    )
    return bool(is_stored)


def _taken(found: Sequence[Column], way: _Way) -> str:
    """Return the rows as DuckDB takes them."""
    if way.scanned and all(one.is_plain for one in found):
        return f"s0.{way.scanned}"
    taken = ", ".join(f"{one.taken} AS {one.quoted}" for one in found)
    queries = [literal(f"SELECT {taken} FROM {part}") for part in way.parts]
    streams = [f"FROM postgres_query('s{n}', {query})" for n, query in enumerate(queries)]
    return f"({' UNION ALL '.join(f'({stream})' for stream in streams)})"


def _copy(
    con: duckdb.DuckDBPyConnection, found: Sequence[Column], way: _Way, to: Path
) -> dict[str, dict[str, str]]:
    """Write the rows; return the statistics of each column, by its quoted name."""
    made = ", ".join(f"{one.made} AS {one.quoted}" for one in found)
    query = f"SELECT {made} FROM {_taken(found, way)}"
    done = con.execute(f"COPY ({query}) TO {literal(str(to))} {_PARQUET}").fetchall()
    statistics: dict[str, dict[str, str]] = done[0][4]
    return statistics


def _odd(
    con: duckdb.DuckDBPyConnection,
    found: Sequence[Column],
    statistics: Mapping[str, Mapping[str, str]],
    to: Path,
) -> dict[str, str]:
    """Return the columns with values that their type cannot hold, and what these are."""
    limited = [c for c in found if c.is_limited and _may_be_odd(statistics.get(c.quoted, {}))]
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


def _may_be_odd(limits: Mapping[str, str]) -> bool:
    """Tell whether a column's least and greatest value, if they are known, leave it open."""
    least, most = limits.get("min", ""), limits.get("max", "")
    return not least or "infinity" in least + most or "BC" in least or most == "24:00:00"


def _is_odd(one: Column) -> str:
    if one.type == "time":
        return f"{one.quoted} = TIME '24:00:00'"
    if one.type == "date":
        return f"NOT isfinite({one.quoted})"
    return f"NOT isfinite({one.quoted}) OR epoch_us({one.quoted}) < {_OVERFLOWN_US}"
