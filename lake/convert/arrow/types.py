"""Arrow types as Parquet and DuckDB hold them exactly, and which they do not."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from lake.errors import SourceUnreadable

_DIGITS = 38


class _CannotBeHeld(Exception):
    """This part of a column's type has no exact counterpart."""


def plain_schema(schema: pa.Schema, *, name: str) -> pa.Schema:
    """Return the schema that is written for `schema`.

    Raises:
        SourceUnreadable: there is no column, one has no name or comes twice, or a type cannot be
            held exactly.
    """
    _check_names(schema.names, name)
    fields = []
    for field in schema:
        try:
            fields.append(pa.field(field.name, _plain(field.type)))
        except _CannotBeHeld as exc:
            raise SourceUnreadable(
                f"{name} has a column {field.name!r} of type {field.type}, and {exc}: cast it where"
                " it is made"
            ) from exc
    return pa.schema(fields)


def plain_array(array: pa.Array, wanted: pa.DataType, *, name: str, column: str) -> pa.Array:
    """Return `array` as the type `wanted` that `plain_schema` chose for it.

    Raises:
        SourceUnreadable: a value would not be the same.
    """
    plain = array
    if isinstance(plain, pa.ExtensionArray) and plain.type != wanted:
        plain = plain.storage
    if types.is_run_end_encoded(plain.type):
        plain = pc.run_end_decode(plain)
    if plain.type == wanted:
        return plain
    try:
        return plain.cast(wanted)
    except pa.ArrowInvalid as exc:
        raise SourceUnreadable(
            f"{name} has a column {column!r} of type {array.type} with a value that {wanted} does"
            f" not hold ({str(exc).splitlines()[0]}): cast it where it is made"
        ) from exc


def _plain(kind: pa.DataType) -> pa.DataType:
    if isinstance(kind, pa.BaseExtensionType):
        return kind if kind == pa.uuid() else _plain(kind.storage_type)
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return _plain(kind.value_type)
    if types.is_nested(kind):
        return _nested(kind)
    return _scalar(kind)


def _scalar(kind: pa.DataType) -> pa.DataType:
    if types.is_float16(kind):
        return pa.float32()
    if types.is_decimal(kind):
        return _decimal(kind)
    if types.is_date64(kind):
        return pa.date32()
    if types.is_time(kind):
        return pa.time64("us")
    if types.is_timestamp(kind):
        # DuckDB keeps nanoseconds without a zone only, and reads all else as microseconds.
        return kind if kind.unit == "ns" and not kind.tz else pa.timestamp("us", kind.tz)
    if kind in (pa.string_view(), pa.large_string()):
        return pa.large_string()
    if kind in (pa.binary_view(), pa.large_binary()):
        return pa.large_binary()
    if types.is_duration(kind) or types.is_interval(kind):
        raise _CannotBeHeld("no length of time is kept in Parquet")
    return kind


def _decimal(kind: pa.DataType) -> pa.DataType:
    digits = kind.precision - min(kind.scale, 0)
    if digits > _DIGITS or kind.scale > kind.precision:
        raise _CannotBeHeld(f"a decimal has at most {_DIGITS} digits here")
    return pa.decimal128(digits, max(kind.scale, 0))


def _nested(kind: pa.DataType) -> pa.DataType:
    if types.is_struct(kind):
        fields = [kind.field(i) for i in range(kind.num_fields)]
        names = {field.name.casefold() for field in fields}
        if not fields or len(names) < len(fields):
            raise _CannotBeHeld("a struct needs fields, each of another name")
        return pa.struct([(field.name, _element(field.type)) for field in fields])
    if types.is_map(kind):
        return pa.map_(_element(kind.key_type), _element(kind.item_type))
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return pa.list_(_element(kind.value_type))
    if types.is_list_view(kind) or types.is_large_list_view(kind):
        # A cast of views loses elements, so that only what needs none can be taken.
        if _element(kind.value_type) != kind.value_type:
            raise _CannotBeHeld("its elements cannot be written out")
        return kind
    raise _CannotBeHeld("no union is kept in Parquet")


def _element(kind: pa.DataType) -> pa.DataType:
    """Return the plain type inside a nested one, where only a cast can make it."""
    if types.is_run_end_encoded(kind) or types.is_list_view(kind) or types.is_large_list_view(kind):
        raise _CannotBeHeld("it cannot be written out inside another")
    if isinstance(kind, pa.BaseExtensionType) and kind != pa.uuid():
        raise _CannotBeHeld("its extension cannot be taken off inside another")
    return _plain(kind)


def _check_names(names: Sequence[str], name: str) -> None:
    if not names:
        raise SourceUnreadable(f"{name} has no columns: look at what its source sends")
    seen: set[str] = set()
    for number, column in enumerate(names, 1):
        if not column.strip() or "\0" in column:
            raise SourceUnreadable(
                f"{name} has no name for column {number} of {len(names)}: name it where it is made"
            )
        if column in seen:
            raise SourceUnreadable(
                f"{name} has two columns {column!r}: rename one where it is made"
            )
        seen.add(column)
