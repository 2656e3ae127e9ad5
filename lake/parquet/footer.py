"""A Parquet file's footer: is it there, whole and plausible, and what does it say of each leaf?"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from lake.errors import SourceUnreadable
from lake.parquet.pages import check_pages, is_encrypted
from lake.query.sql import literal

_SMALLEST = 12
_DECIMAL_DIGITS = 38
_MAGIC = 4
_DEEPEST = 400
_LISTS = 16  # each doubles the memory and the time that DuckDB takes to read a row
_LONGEST_NAME = 5_000
_SHOWN = 40
_ENCRYPTED = "{} is an encrypted Parquet: decrypt it first"


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
    """What a footer says: rows, the top-level columns' true names, and the leaves' chunks.

    `byte_count` is what the values take uncompressed; `old_times` are the columns of INT96.
    """

    rows: int
    names: tuple[str, ...]
    chunks: tuple[Chunk, ...]
    byte_count: int = 0
    old_times: tuple[str, ...] = ()


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
        raise SourceUnreadable(_ENCRYPTED.format(name))
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
            a page does not have its checksum, or its columns cannot be named or kept exactly.
    """
    data_end = check_footer(path, name=name)
    try:
        rows, cipher = con.execute(_query(_FILE, "file_metadata", path)).fetchall()[0]
        tree = con.execute(_query(_ELEMENT, "schema", path)).fetchall()
        chunks = con.execute(_query(_CHUNK, "metadata", path)).fetchall()
        groups = con.execute(_query(_GROUPS, "metadata", path)).fetchone() or _NO_GROUPS
    except (duckdb.Error, UnicodeDecodeError) as exc:
        raise _unreadable(path, data_end, exc, name) from exc
    if cipher:
        raise SourceUnreadable(_ENCRYPTED.format(name))
    _check_extent(data_end, rows, groups, name)
    paths = _paths(tree, name)
    names = tuple(path[0] for path in paths if len(path) == 1)
    _check_names(names, name)
    _check_fields(paths, name)
    _check_decimals(tree, name)
    extents = [(chunk[5], chunk[6], chunk[7]) for chunk in chunks if chunk[6]]
    first = sum(chunk[8] == 0 for chunk in chunks if chunk[6])
    check_pages(path, extents, first_group=first, name=name)
    old_times = tuple(element[0] for element in tree if element[3] == "INT96")
    return Footer(
        rows,
        names,
        tuple(Chunk(*chunk[:5]) for chunk in chunks),
        int(groups[2] or 0),
        old_times,
    )


_FILE = "num_rows, encryption_algorithm"
_ELEMENT = "name, num_children, precision, type, repetition_type"
_START = (
    "least(data_page_offset, CASE WHEN dictionary_page_offset > 0"
    " THEN dictionary_page_offset ELSE data_page_offset END)"
)
_CHUNK = (
    "column_id, num_values, stats_null_count, stats_min_value, stats_max_value,"
    f" {_START}, total_compressed_size, path_in_schema, row_group_id"
)
# A page has at most 2^31 values, and takes more than eight bytes.
_GROUPS = (
    f"max({_START} + total_compressed_size), sum(row_group_num_rows) FILTER (WHERE column_id = 0),"
    f" sum(total_uncompressed_size), min({_START}) FILTER (WHERE num_values > 0),"
    " count_if(num_values < row_group_num_rows OR total_compressed_size < 0"
    " OR num_values / 2**28 > total_compressed_size)"
)
_NO_GROUPS = (0, 0, 0, None, 0)


def _unreadable(path: Path, data_end: int, exc: Exception, name: str) -> SourceUnreadable:
    with path.open("rb") as file:
        file.seek(data_end)
        if is_encrypted(file.read()):
            return SourceUnreadable(_ENCRYPTED.format(name))
    reason = str(exc).splitlines()[0].replace(str(path), name)
    return SourceUnreadable(
        f"{name} is a damaged Parquet: its footer cannot be read ({reason}); fetch it again"
    )


def _query(columns: str, part: str, path: Path) -> str:
    return f"SELECT {columns} FROM parquet_{part}({literal(str(path))})"


def _paths(elements: Sequence[Sequence[Any]], name: str) -> list[tuple[str, ...]]:
    """Return the path of every field; the schema's tree is written depth first."""
    paths: list[tuple[str, ...]] = []
    open_above: list[int] = []
    path: list[str] = []
    lists: list[bool] = []
    for field, children, _, _, repetition in elements[1:]:
        path.append(field)
        lists.append(repetition == "REPEATED")
        paths.append(tuple(path))
        _check_depth(path, sum(lists), name)
        open_above.append(children or 0)
        while open_above and not open_above[-1]:
            open_above.pop()
            path.pop()
            lists.pop()
            if open_above:
                open_above[-1] -= 1
    return paths


def _check_depth(path: Sequence[str], lists: int, name: str) -> None:
    if len(path) > _DEEPEST or lists > _LISTS:
        what = f"{_LISTS} lists in each other" if lists > _LISTS else f"{_DEEPEST} levels"
        raise SourceUnreadable(
            f"{name} has a column {_shown(path[0])} of more than {what}: flatten it where it is"
            " made"
        )


def _check_extent(data_end: int, rows: int, groups: Sequence[int | None], name: str) -> None:
    end, grouped = groups[0] or 0, groups[1] or 0
    if end > data_end:
        raise SourceUnreadable(
            f"{name} is a truncated Parquet: its footer names {end} bytes of data, the file has"
            f" {data_end}; fetch it again"
        )
    if groups[4] or (groups[3] or _MAGIC) < _MAGIC:
        raise SourceUnreadable(
            f"{name} is a damaged Parquet: its footer claims a column's place, size or number of"
            " values that cannot be; fetch it again"
        )
    if rows != grouped:
        raise SourceUnreadable(
            f"{name} is a damaged Parquet: {rows} rows in its footer, {grouped} in its row groups;"
            " fetch it again"
        )


def _check_names(names: Sequence[str], name: str) -> None:
    seen: set[str] = set()
    for number, column in enumerate(names, 1):
        if not column.strip() or "\0" in column:
            raise SourceUnreadable(
                f"{name} has no name for column {number} of {len(names)}: name it where it is made"
            )
        if len(column) > _LONGEST_NAME:
            raise SourceUnreadable(
                f"{name} has a column {_shown(column)} of {len(column)} characters, at most"
                f" {_LONGEST_NAME} can be: name it where it is made"
            )
        if column in seen:
            raise SourceUnreadable(
                f"{name} has two columns {column!r}: rename one where it is made"
            )
        seen.add(column)


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def _check_fields(paths: Sequence[tuple[str, ...]], name: str) -> None:
    """Refuse fields of structs that DuckDB would rename, or cannot name, without an error."""
    seen: dict[tuple[str, ...], str] = {}
    for *above, field in paths:
        if not above:
            continue
        where = ".".join(above)
        if "\0" in field or len(field) > _LONGEST_NAME:
            raise SourceUnreadable(
                f"{name} has a field {_shown(field)} in {_shown(where)} that cannot be named:"
                " rename it where it is made"
            )
        other = seen.get((*above, field.lower()))
        seen[(*above, field.lower())] = field
        if other is not None:
            raise SourceUnreadable(
                f"{name} has two fields {other!r} and {field!r} in {_shown(where)}, which are one"
                " name: rename one where it is made"
            )


def _check_decimals(elements: Sequence[Sequence[Any]], name: str) -> None:
    """Refuse decimals that DuckDB reads as wrong doubles, without an error."""
    for column, _, precision, *_ in elements:
        if precision and precision > _DECIMAL_DIGITS:
            raise SourceUnreadable(
                f"{name} has a column {column!r} of {precision} decimal digits, at most"
                f" {_DECIMAL_DIGITS} can be read: cast it where it is made"
            )
