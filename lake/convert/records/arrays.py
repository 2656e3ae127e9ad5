"""Values of records as Arrow arrays of the types that `record_types` chose for them."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import accumulate, chain
from typing import Any

import pyarrow as pa

from lake.convert.records.types import Seen
from lake.convert.records.values import NoValue, Written, by_kind, json_of, plain, text_of

_ARROW = {
    "BOOLEAN": pa.bool_(),
    "TINYINT": pa.int8(),
    "UTINYINT": pa.uint8(),
    "SMALLINT": pa.int16(),
    "USMALLINT": pa.uint16(),
    "INTEGER": pa.int32(),
    "UINTEGER": pa.uint32(),
    "BIGINT": pa.int64(),
    "UBIGINT": pa.uint64(),
    "DOUBLE": pa.float64(),
    "VARCHAR": pa.string(),
    "JSON": pa.string(),
    "BLOB": pa.binary(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us"),
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", tz="UTC"),
    "TIME": pa.time64("us"),
}


def table_of(records: Sequence[dict[str, Any]], seen: Seen) -> pa.Table:
    """Return records as a table of every column that `seen` has; a key that is missing is NULL."""
    columns = {
        name: array_of([record.get(name) for record in records], column)
        for name, column in seen.fields.items()
    }
    return pa.table(columns)


def array_of(values: Sequence[Any], seen: Seen) -> pa.Array:
    """Return the values of one column, field or element as an array of its type."""
    choice = seen.choice
    own = plain(values, seen.path)
    if choice == "STRUCT":
        return _structs(own, seen)
    if choice == "LIST":
        return _lists(own, seen)
    try:
        return pa.array(_converted(own, choice, seen.path), type=_scalar(choice))
    except (pa.ArrowException, UnicodeEncodeError, OverflowError) as exc:
        raise NoValue(f"column {seen.path!r} holds what no {choice} can: {exc}") from exc


def _scalar(choice: str) -> pa.DataType:
    if choice.startswith("DECIMAL"):
        return pa.decimal128(
            *map(int, choice.removeprefix("DECIMAL(").removesuffix(")").split(","))
        )
    return _ARROW[choice]


def _structs(values: Sequence[Any], seen: Seen) -> pa.Array:
    missing = [value is None for value in values]
    children = [
        array_of([None if value is None else value.get(name) for value in values], field)
        for name, field in seen.fields.items()
    ]
    return pa.StructArray.from_arrays(
        children, list(seen.fields), mask=pa.array(missing, pa.bool_())
    )


def _lists(values: Sequence[Any], seen: Seen) -> pa.Array:
    ends = accumulate((len(value or ()) for value in values), initial=0)
    offsets = pa.array(list(ends), pa.int32())
    missing = pa.array([value is None for value in values], pa.bool_())
    items = list(chain.from_iterable(value for value in values if value is not None))
    return pa.ListArray.from_arrays(offsets, array_of(items, seen.element or Seen()), mask=missing)


def _converted(values: Sequence[Any], choice: str, path: str) -> Sequence[Any]:
    convert = _converter(choice, set(by_kind(values)), path)
    if convert is None:
        return values
    return [None if value is None else convert(value) for value in values]


def _converter(choice: str, kinds: set[str], path: str) -> Callable[[Any], Any] | None:
    """Return what makes a value one that Arrow takes as it is meant; None if each is already."""
    if choice == "JSON":
        return lambda value: json_of(value, path)
    if choice == "VARCHAR":
        return None if kinds <= {"text"} else text_of
    if choice == "DOUBLE":
        return None if kinds <= {"float"} else float
    if choice.startswith("DECIMAL"):
        return None if kinds <= {"decimal"} else _decimal
    if choice == "DATE":
        return None if kinds <= {"date"} else date.fromisoformat
    if choice == "TIMESTAMP":
        return None if kinds <= {"timestamp"} else _timestamp
    return None


def _decimal(value: int | Decimal | Written) -> Decimal:
    return Decimal(value)


def _timestamp(value: str | date | datetime) -> datetime:
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value
    return datetime(value.year, value.month, value.day)
