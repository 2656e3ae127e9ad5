"""Records and tables of Python to Parquet: typed over all rows, the same rows to the same bytes."""

import pickle
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from lake.convert.records.arrays import table_of
from lake.convert.records.types import Seen
from lake.convert.records.values import NoValue
from lake.errors import SourceUnreadable
from lake.schema.join import spell

CHUNK_BYTES = 4 << 20
CHUNK_ROWS = 10_000
_GROUP_ROWS = 100_000
_GROUP_BYTES = 64 << 20
_BLOCK_ROWS = 10_000

Record: TypeAlias = dict[str, Any]


def write_records(records: Iterable[Mapping[str, Any]], out: Path, *, name: str) -> int:
    """Write records to a zstd Parquet at `out`, typed without loss over all; return how many.

    Each record is kept in a temporary file beside `out` as soon as it comes, so memory is bounded
    by the chunk, and a record may be changed once the next one is asked for.

    Raises:
        SourceUnreadable: a record holds what no column can, or there is none. `out` is not there.
    """
    with tempfile.TemporaryFile(dir=out.parent) as spool:
        _spool(records, spool, name)
        seen = observe(_unspool(spool), Seen(), name=name)
        return write_seen(_unspool(spool), seen, out, name=name)


def observe(chunks: Iterable[Sequence[Record]], seen: Seen, *, name: str) -> Seen:
    """Take all records of `chunks` into account, and return `seen`.

    Raises:
        SourceUnreadable: one holds what no column can.
    """
    before = 0
    for chunk in chunks:
        try:
            seen.observe(chunk)
        except NoValue as exc:
            raise _refused(name, before + _first_bad(chunk), str(exc)) from exc
        before += len(chunk)
    return seen


def write_seen(chunks: Iterable[Sequence[Record]], seen: Seen, out: Path, *, name: str) -> int:
    """Write records that were all observed to a zstd Parquet at `out`; return how many.

    Raises:
        SourceUnreadable: there is no column, two are one by name, or one holds what its type
            cannot. `out` is not there.
    """
    check_names(list(seen.fields), name)
    try:
        tables = (table_of(chunk, seen) for chunk in chunks)
        return write_tables(tables, out, empty=table_of([], seen))
    except NoValue as exc:
        raise SourceUnreadable(f"{name} cannot be landed: {exc}; nothing was published") from exc


def check_names(columns: Sequence[str], name: str) -> None:
    """Refuse names of which two would be one column of a view, or one no column.

    Raises:
        SourceUnreadable: they are so, or there is none.
    """
    if not columns:
        raise SourceUnreadable(f"{name} has no record with a key: there is no column to land")
    known: dict[str, str] = {}
    for column in columns:
        key = spell(column)
        if not key or "\0" in key:
            raise SourceUnreadable(f"{name} has a key {column!r}, which names no column: rename it")
        if key in known:
            raise SourceUnreadable(
                f"{name} has two keys {known[key]!r} and {column!r}, which differ only in case or"
                " blanks: rename one"
            )
        known[key] = column


def write_tables(tables: Iterable[pa.Table], out: Path, *, empty: pa.Table) -> int:
    """Write tables of one schema, that of `empty`, to a Parquet at `out`; return their rows.

    The same tables give the same bytes. `out` is not there after an error.
    """
    rows = 0
    try:
        with pq.ParquetWriter(out, empty.schema, compression="zstd", store_schema=False) as writer:
            for group in _groups(tables, empty):
                writer.write_table(group, row_group_size=max(group.num_rows, 1))
                rows += group.num_rows
    except BaseException:
        out.unlink(missing_ok=True)
        raise
    return rows


def blocks(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Split and join tables to blocks of equal length, the last but shorter.

    So the bytes that are written depend on the rows alone, not on how they came.
    """
    rest: list[pa.Table] = []
    for table in tables:
        rest.append(table)
        if sum(one.num_rows for one in rest) >= _BLOCK_ROWS:
            whole = pa.concat_tables(rest)
            end = whole.num_rows - whole.num_rows % _BLOCK_ROWS
            yield from (whole.slice(at, _BLOCK_ROWS) for at in range(0, end, _BLOCK_ROWS))
            rest = [whole.slice(end)]
    if sum(one.num_rows for one in rest):
        yield pa.concat_tables(rest)


def _groups(tables: Iterable[pa.Table], empty: pa.Table) -> Iterator[pa.Table]:
    """Join tables to row groups, bounded in rows and bytes."""
    found, rows, size = [empty], 0, 0
    for table in tables:
        found.append(table)
        rows, size = rows + table.num_rows, size + table.nbytes
        if rows >= _GROUP_ROWS or size >= _GROUP_BYTES:
            yield pa.concat_tables(found).combine_chunks()
            found, rows, size = [empty], 0, 0
    if rows:
        yield pa.concat_tables(found).combine_chunks()


def _first_bad(chunk: Sequence[Record]) -> int:
    """Return the place of the first record that is refused, from 1."""
    for number, record in enumerate(chunk, 1):
        try:
            Seen().observe([record])
        except NoValue:
            return number
    return len(chunk)


def _refused(name: str, number: int, why: str) -> SourceUnreadable:
    return SourceUnreadable(
        f"{name} cannot be landed: record {number:,}: {why}; nothing was published"
    )


def _spool(records: Iterable[Mapping[str, Any]], spool: IO[bytes], name: str) -> None:
    pickler = pickle.Pickler(spool, protocol=5)
    # Without a memo, so that equal records take equally many bytes.
    pickler.fast = True
    for number, record in enumerate(records, 1):
        if not isinstance(record, Mapping):
            raise _refused(
                name, number, f"it is of type {type(record).__name__}, but must be a dict"
            )
        try:
            pickler.dump(dict(record))
        except (pickle.PicklingError, TypeError, AttributeError, ValueError, RecursionError) as exc:
            raise _refused(name, number, _why_not(record)) from exc


def _why_not(record: Mapping[str, Any]) -> str:
    """Say why a record cannot be kept."""
    try:
        Seen().observe([dict(record)])
    except NoValue as exc:
        return str(exc)
    return "it holds itself, or what cannot be copied"


def _unspool(spool: IO[bytes]) -> Iterator[Sequence[Record]]:
    spool.seek(0)
    chunk: list[Record] = []
    start = 0
    while True:
        try:
            chunk.append(pickle.load(spool))  # our own file, which nobody else can open
        except EOFError:
            break
        if len(chunk) >= CHUNK_ROWS or spool.tell() - start >= CHUNK_BYTES:
            yield chunk
            chunk, start = [], spool.tell()
    if chunk:
        yield chunk
