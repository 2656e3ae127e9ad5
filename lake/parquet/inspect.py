"""A Parquet file's rows, schema, facts and bounds, from its footer wherever that suffices."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import duckdb
from duckdb.sqltypes import DuckDBPyType

from lake.catalog.entries import Bounds, Column, Schema
from lake.errors import SourceUnreadable
from lake.parquet.footer import Chunk, Footer, read_footer
from lake.parquet.limits import Limits, bound, facts_of, is_bounded, merge
from lake.parquet.session import CONFIG, session
from lake.query.sql import identifier, literal


@dataclass(frozen=True, slots=True)
class Inspected:
    """A Parquet file as DuckDB reads it.

    Attributes:
        bounds: of numeric and temporal columns only.
        nulls: of every column that is not nested.
        byte_count: what its values take uncompressed.
    """

    rows: int
    schema: Schema
    bounds: dict[str, Bounds]
    nulls: dict[str, int] = field(default_factory=dict)
    byte_count: int = 0


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A scalar of a column: the column itself, or one reached through structs and lists.

    `unnests` are the lists on the way, each an expression over what the one before gave.
    """

    column: int
    path: str
    type: str
    value: str
    unnests: tuple[str, ...] = ()


def inspect_parquet(
    path: Path, *, name: str, connection: duckdb.DuckDBPyConnection | None = None
) -> Inspected:
    """Return what the Parquet file at `path` holds, without reading its rows where it can.

    Columns whose limits the footer does not hold are scanned, and only those. A `connection` that
    is open already saves the time to open one.

    Raises:
        SourceUnreadable: it is truncated, damaged or encrypted, or has columns of equal names.
    """
    with session(CONFIG, connection) as con:
        footer = read_footer(con, path, name=name)
        if footer.old_times:
            _check_old_times(path, name)
        try:
            return _inspect(con, con.sql(f"FROM {_reader(path)}"), footer, path)
        except duckdb.Error as exc:
            reason = str(exc).splitlines()[0]
            raise SourceUnreadable(
                f"{name} is a Parquet that cannot be read ({reason}); make it again"
            ) from exc


def _check_old_times(path: Path, name: str) -> None:
    # pyarrow takes a quarter of a second to load, and few files have such times.
    from lake.parquet.times import check_old_times

    check_old_times(path, name=name)


def _reader(path: Path) -> str:
    return f"read_parquet({literal(str(path))}, hive_partitioning=false, filename=false)"


def _inspect(
    con: duckdb.DuckDBPyConnection, table: duckdb.DuckDBPyRelation, footer: Footer, path: Path
) -> Inspected:
    leaves = [
        leaf
        for i, (column, kind) in enumerate(zip(table.columns, table.types, strict=True))
        for leaf in _leaves(i, "", kind, identifier(column), ())
    ]
    limits = _limits(con, path, leaves, footer)
    empty = _all_null(con, path, table.columns, footer.rows, leaves, limits)
    facts: list[list[str]] = [["null"] if i in empty else [] for i in range(len(footer.names))]
    for leaf, found in zip(leaves, limits, strict=True):
        at = f"{leaf.path}:" if leaf.path else ""
        facts[leaf.column] += [f"{at}{fact}" for fact in facts_of(leaf.type, found)]
        if leaf.path and leaf.column not in empty and found.values <= found.nulls:
            facts[leaf.column].append(f"{at}null")
    schema = tuple(
        Column(column, str(kind), tuple(sorted(found)))
        for column, kind, found in zip(footer.names, table.types, facts, strict=True)
    )
    return Inspected(
        footer.rows,
        schema,
        _bounds(footer.names, leaves, limits),
        _nulls(footer.names, leaves, limits),
        footer.byte_count,
    )


def _nulls(
    names: Sequence[str], leaves: Sequence[_Leaf], limits: Sequence[Limits]
) -> dict[str, int]:
    pairs = zip(leaves, limits, strict=True)
    return {names[leaf.column]: found.nulls for leaf, found in pairs if not leaf.path}


def _bounds(
    names: Sequence[str], leaves: Sequence[_Leaf], limits: Sequence[Limits]
) -> dict[str, Bounds]:
    return {
        names[leaf.column]: Bounds(
            found.nulls, bound(leaf.type, found.min), bound(leaf.type, found.max)
        )
        for leaf, found in zip(leaves, limits, strict=True)
        if not leaf.path and is_bounded(leaf.type)
    }


def _leaves(
    column: int, path: str, kind: DuckDBPyType, value: str, unnests: tuple[str, ...]
) -> Iterable[_Leaf]:
    """Give a type's scalars in the order of the footer's columns."""
    if kind.id == "struct":
        for name, child in _children(kind):
            inner = f"{value}.{identifier(name)}"
            yield from _leaves(column, _below(path, name), child, inner, unnests)
    elif kind.id in ("list", "array"):
        yield from _elements(column, _below(path, "element"), _children(kind)[0][1], value, unnests)
    elif kind.id == "map":
        for part, (_, child) in zip(("key", "value"), _children(kind), strict=True):
            inner = f"map_{part}s({value})"
            yield from _elements(column, _below(path, part), child, inner, unnests)
    else:
        yield _Leaf(column, path, str(kind), value, unnests)


def _children(kind: DuckDBPyType) -> list[tuple[str, DuckDBPyType]]:
    # An array's second child is its length; the stubs know neither.
    return cast("list[tuple[str, DuckDBPyType]]", kind.children)


def _elements(
    column: int, path: str, child: DuckDBPyType, value: str, unnests: tuple[str, ...]
) -> Iterable[_Leaf]:
    return _leaves(column, path, child, f"e{len(unnests)}", (*unnests, value))


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _limits(
    con: duckdb.DuckDBPyConnection, path: Path, leaves: Sequence[_Leaf], footer: Footer
) -> list[Limits]:
    """Return each leaf's limits: the footer's, or those of a scan where it does not say."""
    chunks: list[list[Chunk]] = [[] for _ in leaves]
    # A type that DuckDB stores in several leaves or none would shift all others.
    fits = footer.rows == 0 or {c.leaf for c in footer.chunks} == set(range(len(leaves)))
    for chunk in footer.chunks if fits else ():
        chunks[chunk.leaf].append(chunk)
    known = [merge(leaf.type, parts, fits) for leaf, parts in zip(leaves, chunks, strict=True)]
    flat = [i for i, found in enumerate(known) if found is None and not leaves[i].unnests]
    scanned = dict(zip(flat, _scan(con, path, [leaves[i] for i in flat]), strict=True))
    for i, found in enumerate(known):
        if found is None and leaves[i].unnests:
            scanned[i] = _scan(con, path, [leaves[i]])[0]
    return [scanned[i] if found is None else found for i, found in enumerate(known)]


def _scan(con: duckdb.DuckDBPyConnection, path: Path, leaves: Sequence[_Leaf]) -> list[Limits]:
    """Return the exact limits of leaves that lie in the same lists."""
    if not leaves:
        return []
    source = _reader(path)
    carried = leaves[0].unnests
    for depth, value in enumerate(carried):
        source = f"(SELECT unnest({value}) AS e{depth} FROM {source})"
    asks = [ask for leaf in leaves for ask in _asks(leaf)]
    row = con.execute(f"SELECT count(*), {', '.join(asks)} FROM {source}").fetchone() or ()
    rows, values = row[0], iter(row[1:])
    return [
        Limits(rows, rows - count, low, high)
        for count, low, high in zip(values, values, values, strict=True)
    ]


def _asks(leaf: _Leaf) -> list[str]:
    """Count a leaf's values; their limits only where they may be kept, so never of a text."""
    value = leaf.value
    if not is_bounded(leaf.type):
        return [f"count({value})", "NULL", "NULL"]
    if leaf.type in ("FLOAT", "DOUBLE"):
        number = f"CASE WHEN isnan({value}) THEN NULL ELSE {value} END"
        return [f"count({value})", f"min({number})::VARCHAR", f"max({number})::VARCHAR"]
    return [f"count({value})", f"min({value})::VARCHAR", f"max({value})::VARCHAR"]


def _all_null(
    con: duckdb.DuckDBPyConnection,
    path: Path,
    columns: Sequence[str],
    rows: int,
    leaves: Sequence[_Leaf],
    limits: Sequence[Limits],
) -> list[int]:
    """Return the columns without any value; a nested one is scanned if its leaves are empty."""
    with_values = {
        leaf.column
        for leaf, found in zip(leaves, limits, strict=True)
        if found.values > found.nulls
    }
    empty = [i for i in range(len(columns)) if i not in with_values]
    nested = {leaf.column for leaf in leaves if leaf.path} & set(empty)
    if not rows or not nested:
        return empty
    counts = ", ".join(f"count({identifier(columns[i])})" for i in sorted(nested))
    row = con.execute(f"SELECT {counts} FROM {_reader(path)}").fetchone() or ()
    full = {i for i, count in zip(sorted(nested), row, strict=True) if count}
    return [i for i in empty if i not in full]


def check_partition_column(path: Path, column: str, value: str) -> str | None:
    """Return how a file's column disagrees with its partition's value, as a sentence, or None.

    Every row must hold exactly the text `value`; case and blanks around the column's name are
    ignored. A file without such a column agrees.
    """
    with session(CONFIG) as con:
        table = con.sql(f"FROM {_reader(path)}")
        for name in table.columns:
            if name.strip().casefold() == column.strip().casefold():
                return _disagreement(con, path, name, value)
    return None


def _disagreement(
    con: duckdb.DuckDBPyConnection, path: Path, column: str, value: str
) -> str | None:
    text = f"CAST({identifier(column)} AS VARCHAR)"
    differs = f"{text} IS DISTINCT FROM {literal(value)}"
    row = con.execute(
        f"SELECT count(*) FILTER (WHERE {differs}), first({text}) FILTER (WHERE {differs})"
        f" FROM {_reader(path)}"
    ).fetchone() or (0, None)
    if not row[0]:
        return None
    found = "NULL" if row[1] is None else repr(row[1])
    rows = "1 row disagrees" if row[0] == 1 else f"{row[0]} rows disagree"
    return (
        f"column {column!r} must be {value!r} as its partition is, but {rows}, the first: {found}"
    )
