"""The pages of a Parquet file held against the checksums that their writer put beside them.

Nothing is decoded: page headers are read, and the bytes behind each are summed by `zlib.crc32`. A
file whose first pages have no checksum is taken to have none: damage inside of its pages shows only
where rows are decoded. Thrift's compact protocol is read here as far as it must be skipped.
"""

import os
import zlib
from collections.abc import Sequence
from pathlib import Path

from lake.errors import SourceUnreadable

_HEADER_BYTES = 4096
_LONGEST_HEADER = 1 << 24
_BLOCK = 1 << 20
_COMPRESSED_SIZE, _CRC, _ENCRYPTION = 3, 4, 8
_FLAGS, _BYTE, _INTEGERS, _DOUBLE, _BINARY = (1, 2), 3, (4, 5, 6), 7, 8
_LISTS, _MAP, _STRUCT = (9, 10), 11, 12
_DEEPEST = 32

Extent = tuple[int, int, str]
"""Where a column's pages begin, how many bytes they take, and the column's name."""


def check_pages(path: Path, extents: Sequence[Extent], *, first_group: int, name: str) -> None:
    """Make sure that every page with a checksum has the bytes that it was written with.

    Args:
        path: the file.
        extents: of the columns in all row groups.
        first_group: how many of them are of the first row group.
        name: for messages.

    Raises:
        SourceUnreadable: a page's bytes are others, or do not end where its column ends.
    """
    file = os.open(path, os.O_RDONLY)
    try:
        if any(_has_checksum(file, start) for start, _, _ in extents[:first_group]):
            for start, length, column in extents:
                _check_column(file, start, start + length, column, name)
    finally:
        os.close(file)


def _has_checksum(file: int, start: int) -> bool:
    try:
        return _header(file, start)[1].get(_CRC) is not None
    except (IndexError, ValueError):
        return False


def _check_column(file: int, start: int, end: int, column: str, name: str) -> None:
    at, number = start, 1
    while at < end:
        try:
            length, fields = _header(file, at)
        except (IndexError, ValueError) as exc:
            raise _damaged(name, column, number, "has no header") from exc
        at, size = at + length, fields.get(_COMPRESSED_SIZE, -1)
        if size < 0 or at + size > end:
            raise _damaged(name, column, number, f"claims {size} bytes of {end - at}")
        if _CRC in fields and fields[_CRC] & 0xFFFFFFFF != _sum(file, at, size):
            raise _damaged(name, column, number, "does not have the checksum that it names")
        at, number = at + size, number + 1


def _damaged(name: str, column: str, number: int, what: str) -> SourceUnreadable:
    return SourceUnreadable(
        f"{name} is a damaged Parquet: page {number} of column {column!r} {what}; fetch it again"
    )


def _sum(file: int, at: int, size: int) -> int:
    total, end = 0, at + size
    while at < end:
        block = os.pread(file, min(_BLOCK, end - at), at)
        if not block:
            return -1
        total, at = zlib.crc32(block, total), at + len(block)
    return total


def _header(file: int, at: int) -> tuple[int, dict[int, int]]:
    """Return a page header's length, and its fields that are integers."""
    length = _HEADER_BYTES
    while True:
        data = os.pread(file, length, at)
        try:
            return _struct(data, 0)
        except IndexError:
            # Limits of texts lie in it, and may be long.
            if len(data) < length or length >= _LONGEST_HEADER:
                raise
            length *= 16


def is_encrypted(footer: bytes) -> bool:
    """Tell whether a readable footer says that the columns are encrypted."""
    try:
        return _ENCRYPTION in _struct(footer, 0)[1]
    except (IndexError, ValueError):
        return False


def _struct(data: bytes, at: int, depth: int = 0) -> tuple[int, dict[int, int]]:
    """Return where a struct ends, and its fields: integers, and 0 for all others."""
    found: dict[int, int] = {}
    number = 0
    if depth > _DEEPEST:
        raise ValueError("too deep")
    while data[at]:
        kind, step = data[at] & 15, data[at] >> 4
        at += 1
        if step:
            number += step
        else:
            raw, at = _varint(data, at)
            number = raw >> 1 ^ -(raw & 1)
        found[number], at = _value(data, at, kind, depth)
    return at + 1, found


def _value(data: bytes, at: int, kind: int, depth: int) -> tuple[int, int]:
    """Return a value, if it is an integer, and where it ends."""
    if kind in _FLAGS:
        return 0, at
    if kind == _BYTE:
        return data[at], at + 1
    if kind in _INTEGERS:
        raw, at = _varint(data, at)
        return raw >> 1 ^ -(raw & 1), at
    if kind == _DOUBLE:
        return 0, at + 8
    if kind == _BINARY:
        length, at = _varint(data, at)
        return 0, at + length
    if kind == _STRUCT:
        return 0, _struct(data, at, depth + 1)[0]
    if kind in _LISTS:
        return 0, _list(data, at, depth)
    raise ValueError(f"there is no kind {kind}" if kind != _MAP else "no header has a map")


def _list(data: bytes, at: int, depth: int) -> int:
    count, kind = data[at] >> 4, data[at] & 15
    at += 1
    if count == 15:
        count, at = _varint(data, at)
    for _ in range(count):
        # A flag that is no field takes a byte.
        at = at + 1 if kind in _FLAGS else _value(data, at, kind, depth)[1]
        if at > len(data):
            raise IndexError("the list goes on behind the data")
    return at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
        if shift > 63:
            raise ValueError("a number of more than 64 bits")
