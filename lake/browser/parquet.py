"""The first rows of a Parquet file that lies in a store, read in ranges and in bounded memory."""

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

ROWS = 100
_ROWS_BYTES = 32 << 20
_GROUPS, _SAMPLE = 16, 4
_BUFFER = 1 << 16
_NO_FRACTION = re.compile(r"\.0+(?=$|[Z+-])")

Read = Callable[[int, int], bytes]
"""Gives bytes from a position on, as many as are asked for; fewer where the object ends."""


@dataclass(frozen=True, slots=True)
class First:
    """The first rows of some columns; `names` are of all, `said` is how many rows these are."""

    names: Sequence[str]
    numeric: Sequence[bool]
    rows: Sequence[Sequence[Any]]
    said: str


def first_rows(byte_count: int, read: Read, *, first_column: int, count: int) -> First | str:
    """Return the first rows of `count` columns; a text says why there are none.

    Args:
        byte_count: the file's size.
        read: gives its bytes.
        first_column: the first of the columns.
        count: how many columns.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(_Ranges(byte_count, read), buffer_size=_BUFFER) as file:
            schema = file.schema_arrow
            chosen = [schema.field(at) for at in range(len(schema.names))]
            chosen = chosen[first_column : first_column + count]
            if len(set(schema.names)) < len(schema.names):
                return "It has two columns of one name, which no preview tells apart."
            rows = _rows(file, [field.name for field in chosen])
            total = file.metadata.num_rows
    except (pa.ArrowException, OSError, ValueError, OverflowError):
        return "It begins as Parquet does and cannot be read: see its version."
    said = f"The first {len(rows)} of {total:,} rows." if total > len(rows) else ""
    flags = [_is_number(field.type) for field in chosen]
    return First(schema.names, flags, rows, said.replace(",", "\u202f"))


def row_bytes(byte_count: int, read: Read) -> int:
    """Return how much room a row takes in memory, judged by the first ones; 0 where unknown."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(_Ranges(byte_count, read), buffer_size=_BUFFER) as file:
            batch = next(file.iter_batches(_SAMPLE), None)
            return int(batch.nbytes) // batch.num_rows if batch and batch.num_rows else 0
    except (pa.ArrowException, OSError, ValueError):
        return 0


def _rows(file: Any, names: list[str]) -> list[Sequence[Any]]:
    """Return the first rows of the first group that has some; few where rows are large."""
    for group in range(min(file.num_row_groups, _GROUPS)):
        if not file.metadata.row_group(group).num_rows:
            continue
        sample = next(file.iter_batches(_SAMPLE, row_groups=[group], columns=names), None)
        each = sample.nbytes // sample.num_rows if sample and sample.num_rows else 0
        count = max(1, min(ROWS, _ROWS_BYTES // max(1, each)))
        batch = next(file.iter_batches(count, row_groups=[group], columns=names), None)
        columns = [_values(column) for column in batch.columns] if batch else []
        return list(zip(*columns, strict=True))
    return []


def _values(column: Any) -> list[Any]:
    """Return values as Python has them; times as texts, for some are beyond what Python has."""
    import pyarrow as pa

    if not pa.types.is_temporal(column.type) or pa.types.is_duration(column.type):
        return list(column.to_pylist())
    texts = column.cast(pa.string()).to_pylist()
    return [text if text is None else _NO_FRACTION.sub("", text) for text in texts]


def _is_number(kind: Any) -> bool:
    import pyarrow as pa

    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


class _Ranges(io.RawIOBase):
    """An object as a file that is read where it is needed."""

    def __init__(self, byte_count: int, read: Read) -> None:
        self._size, self._read, self._at = byte_count, read, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        wanted = self._size - self._at if size < 0 else min(size, self._size - self._at)
        found = self._read(self._at, wanted) if wanted > 0 else b""
        self._at += len(found)
        return found
