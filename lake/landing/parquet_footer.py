"""A Parquet file's footer: is it there, whole and plausible, and what does it say of each leaf?"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from lake.errors import SourceUnreadable
from lake.query.sql import literal

_SMALLEST = 12
_DECIMAL_DIGITS = 38


@dataclass(frozen=True, slots=True)
class Chunk:
    """One leaf column in one row group: its values, NULLs and limits as DuckDB writes them."""

    leaf: int
    values: int
    nulls: int | None
    min: str | None
    max: str | None


@dataclass(frozen=True, slots=True)
class Footer:
    """What a footer says: rows, the top-level columns' true names, and the leaves' chunks."""

    rows: int
    names: tuple[str, ...]
    chunks: tuple[Chunk, ...]


def check_footer(path: Path, *, name: str) -> int:
    """Make sure that the file at `path` ends as a Parquet does, and return where its footer begins.

    Raises:
        SourceUnreadable: it is cut off, or its footer cannot be where it says.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(max(size - 8, 0))
        tail = file.read(8)
    if head == b"PARE" or tail[4:] == b"PARE":
        raise SourceUnreadable(f"{name} is an encrypted Parquet: decrypt it first")
    if head != b"PAR1" or tail[4:] != b"PAR1" or size < _SMALLEST:
        raise SourceUnreadable(
            f"{name} is a truncated Parquet: {size} bytes and no footer at the end; fetch it again"
        )
    (length,) = struct.unpack("<I", tail[:4])
    if not 0 < length <= size - _SMALLEST:
        raise SourceUnreadable(
            f"{name} is a damaged Parquet: its footer claims {length} of {size} bytes;"
            " fetch it again"
        )
    return int(size - 8 - length)


def read_footer(con: duckdb.DuckDBPyConnection, path: Path, *, name: str) -> Footer:
    """Return what the footer of the file at `path` says.

    Raises:
        SourceUnreadable: there is none, it cannot be read, it names bytes that are not in the file,
            or its columns have empty or equal names.
    """
    data_end = check_footer(path, name=name)
    try:
        rows = _row_count(con, path)
        tree = con.execute(_query("name, num_children, precision", "schema", path)).fetchall()
        chunks = con.execute(_query(_CHUNK, "metadata", path)).fetchall()
        groups = con.execute(_query(_GROUPS, "metadata", path)).fetchone() or (0, 0)
    except (duckdb.Error, UnicodeDecodeError) as exc:
        reason = str(exc).splitlines()[0]
        raise SourceUnreadable(
            f"{name} is a damaged Parquet: its footer cannot be read ({reason}); fetch it again"
        ) from exc
    _check_extent(data_end, rows, groups, name)
    names = _top_level(tree)
    _check_names(names, name)
    _check_decimals(tree, name)
    return Footer(rows, names, tuple(Chunk(*chunk) for chunk in chunks))


_CHUNK = "column_id, num_values, stats_null_count, stats_min_value, stats_max_value"
_START = (
    "least(data_page_offset, CASE WHEN dictionary_page_offset > 0"
    " THEN dictionary_page_offset ELSE data_page_offset END)"
)
_GROUPS = (
    f"max({_START} + total_compressed_size), sum(row_group_num_rows) FILTER (WHERE column_id = 0)"
)


def _query(columns: str, part: str, path: Path) -> str:
    return f"SELECT {columns} FROM parquet_{part}({literal(str(path))})"


def _row_count(con: duckdb.DuckDBPyConnection, path: Path) -> int:
    row = con.execute(_query("num_rows", "file_metadata", path)).fetchone()
    return int(row[0]) if row else 0


def _top_level(elements: Sequence[Sequence[Any]]) -> tuple[str, ...]:
    """Return the names of the root's children; the schema's tree is written depth first."""
    names: list[str] = []
    below = 0
    for name, children, _ in elements[1:]:
        if below:
            below -= 1
        else:
            names.append(name)
        below += children or 0
    return tuple(names)


def _check_extent(data_end: int, rows: int, groups: Sequence[int | None], name: str) -> None:
    end, grouped = groups[0] or 0, groups[1] or 0
    if end > data_end:
        raise SourceUnreadable(
            f"{name} is a truncated Parquet: its footer names {end} bytes of data, the file has"
            f" {data_end}; fetch it again"
        )
    if rows != grouped:
        raise SourceUnreadable(
            f"{name} is a damaged Parquet: {rows} rows in its footer, {grouped} in its row groups;"
            " fetch it again"
        )


def _check_names(names: Sequence[str], name: str) -> None:
    for number, column in enumerate(names, 1):
        if not column.strip() or "\0" in column:
            raise SourceUnreadable(
                f"{name} has no name for column {number} of {len(names)}: name it where it is made"
            )
        if column in names[: number - 1]:
            raise SourceUnreadable(
                f"{name} has two columns {column!r}: rename one where it is made"
            )


def _check_decimals(elements: Sequence[Sequence[Any]], name: str) -> None:
    """Refuse decimals that DuckDB reads as wrong doubles, without an error."""
    for column, _, precision in elements:
        if precision and precision > _DECIMAL_DIGITS:
            raise SourceUnreadable(
                f"{name} has a column {column!r} of {precision} decimal digits, at most"
                f" {_DECIMAL_DIGITS} can be read: cast it where it is made"
            )
