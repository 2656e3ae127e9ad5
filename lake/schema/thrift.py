"""Thrift's compact protocol, as much of it as a Parquet footer without rows needs.

Source: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from collections.abc import Sequence
from typing import TypeAlias

_TRUE, _FALSE, _BYTE, _I32, _I64, _BINARY, _LIST, _STRUCT = 1, 2, 3, 5, 6, 8, 9, 12

Field: TypeAlias = tuple[int, int, bytes]
"""A field's number, its wire type and its value, encoded."""


def struct(*fields: Field | None) -> bytes:
    """Return a struct of `fields`, which come in the order of their numbers; None is left out."""
    parts, last = [], 0
    for number, wire, value in filter(None, fields):
        parts += [bytes([(number - last) << 4 | wire]), value]
        last = number
    return b"".join(parts) + b"\0"


def flag(number: int, value: bool) -> Field:
    """Return a boolean field."""
    return number, _TRUE if value else _FALSE, b""


def byte(number: int, value: int) -> Field:
    """Return a field of 8 bits."""
    return number, _BYTE, bytes([value])


def i32(number: int, value: int | None) -> Field | None:
    """Return a field of 32 bits, or None where there is no value."""
    return None if value is None else (number, _I32, _varint(value << 1 ^ value >> 31))


def i64(number: int, value: int) -> Field:
    """Return a field of 64 bits."""
    return number, _I64, _varint(value << 1 ^ value >> 63)


def text(number: int, value: str) -> Field:
    """Return a text field, UTF-8."""
    data = value.encode()
    return number, _BINARY, _varint(len(data)) + data


def child(number: int, value: bytes | None) -> Field | None:
    """Return a field that holds a struct, or None where there is none."""
    return None if value is None else (number, _STRUCT, value)


def structs(number: int, items: Sequence[bytes]) -> Field:
    """Return a field that holds a list of structs."""
    count = len(items)
    head = bytes([count << 4 | _STRUCT]) if count < 15 else bytes([0xF0 | _STRUCT]) + _varint(count)
    return number, _LIST, head + b"".join(items)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
