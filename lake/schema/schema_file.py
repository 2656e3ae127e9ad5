"""A Parquet file without rows: the file that leads a view's others and so decides their types.

It is encoded here, not by a library, so that the same columns give the same bytes, and with them
the same key, under every version of DuckDB: whoever may only read the lake finds the file that
some other version wrote.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

from lake.schema import thrift
from lake.schema.types import NESTED, Type, parse

_BOOLEAN, _INT32, _INT64, _FLOAT, _DOUBLE, _BYTES, _FIXED = 0, 1, 2, 4, 5, 6, 7
_REQUIRED, _OPTIONAL, _REPEATED = 0, 1, 2
_MAP, _LIST, _DECIMAL = 1, 3, 5
_MICROS, _NANOS = 2, 3
_MAGIC = b"PAR1"


def _time(number: int, *, zoned: bool, unit: int) -> bytes:
    kind = thrift.struct(thrift.flag(1, zoned), thrift.child(2, _empty(unit)))
    return thrift.struct(thrift.child(number, kind))


def _empty(number: int) -> bytes:
    """Return a union whose member `number` is a struct without fields."""
    return thrift.struct(thrift.child(number, thrift.struct()))


# Physical type, length of a fixed one, converted type, logical type. Numbers are those of
# https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
_Leaf = tuple[int, int | None, int | None, bytes | None]
_LEAVES: dict[str, _Leaf] = {
    "BOOLEAN": (_BOOLEAN, None, None, None),
    "TINYINT": (_INT32, None, 15, None),
    "SMALLINT": (_INT32, None, 16, None),
    "INTEGER": (_INT32, None, 17, None),
    "BIGINT": (_INT64, None, 18, None),
    "UTINYINT": (_INT32, None, 11, None),
    "USMALLINT": (_INT32, None, 12, None),
    "UINTEGER": (_INT32, None, 13, None),
    "UBIGINT": (_INT64, None, 14, None),
    "FLOAT": (_FLOAT, None, None, None),
    "DOUBLE": (_DOUBLE, None, None, None),
    "VARCHAR": (_BYTES, None, 0, _empty(1)),
    "JSON": (_BYTES, None, 19, _empty(12)),
    "BLOB": (_BYTES, None, None, None),
    "UUID": (_FIXED, 16, None, _empty(14)),
    "DATE": (_INT32, None, 6, _empty(6)),
    "TIME": (_INT64, None, 8, _time(7, zoned=False, unit=_MICROS)),
    "TIME WITH TIME ZONE": (_INT64, None, None, _time(7, zoned=True, unit=_MICROS)),
    "TIMESTAMP": (_INT64, None, None, _time(8, zoned=False, unit=_MICROS)),
    "TIMESTAMP_NS": (_INT64, None, None, _time(8, zoned=False, unit=_NANOS)),
    "TIMESTAMP WITH TIME ZONE": (_INT64, None, 10, _time(8, zoned=True, unit=_MICROS)),
    "INTERVAL": (_FIXED, 12, 21, None),
}


def has_parquet(dtype: Type) -> bool:
    """Tell whether `dtype` has an exact equivalent in Parquet: a schema file can hold it."""
    if dtype.kind in NESTED:
        return all(has_parquet(field) for _, field in dtype.fields)
    return dtype.kind in _LEAVES or dtype.kind == "DECIMAL"


def schema_parquet(columns: Sequence[tuple[str, str]]) -> bytes:
    """Return a Parquet file of these columns (name, DuckDB type) and no rows.

    The bytes depend on nothing else.

    Raises:
        ValueError: a type has no equivalent in Parquet (see `has_parquet`).
    """
    return _file(tuple(columns))


@lru_cache(maxsize=1024)
def _file(columns: tuple[tuple[str, str], ...]) -> bytes:
    root = thrift.struct(thrift.text(4, "schema"), thrift.i32(5, len(columns)))
    elements = [root]
    for name, dtype in columns:
        elements += _elements(name, parse(dtype))
    footer = thrift.struct(
        thrift.i32(1, 1),
        thrift.structs(2, elements),
        thrift.i64(3, 0),
        thrift.structs(4, []),
        thrift.text(6, "clearlake"),
    )
    return _MAGIC + footer + len(footer).to_bytes(4, "little") + _MAGIC


def _elements(name: str, dtype: Type, repetition: int = _OPTIONAL) -> Iterator[bytes]:
    if dtype.kind == "STRUCT":
        yield _group(name, len(dtype.fields), repetition)
    elif dtype.kind == "LIST":
        yield _group(name, 1, repetition, _LIST, _empty(3))
        yield _group("list", 1, _REPEATED)
    elif dtype.kind == "MAP":
        yield _group(name, 1, repetition, _MAP, _empty(2))
        yield _group("key_value", 2, _REPEATED)
    else:
        yield _leaf(name, dtype, repetition)
    for field, child in dtype.fields:
        is_key = dtype.kind == "MAP" and field == "key"
        yield from _elements(field, child, _REQUIRED if is_key else _OPTIONAL)


def _group(
    name: str,
    children: int,
    repetition: int,
    converted: int | None = None,
    logical: bytes | None = None,
) -> bytes:
    return thrift.struct(
        thrift.i32(3, repetition),
        thrift.text(4, name),
        thrift.i32(5, children),
        thrift.i32(6, converted),
        thrift.child(10, logical),
    )


def _leaf(name: str, dtype: Type, repetition: int) -> bytes:
    precision, scale = dtype.size or (None, None)
    if dtype.kind == "DECIMAL":
        physical, length, converted, logical = _decimal(*dtype.size)
    elif dtype.kind in _LEAVES:
        physical, length, converted, logical = _LEAVES[dtype.kind]
    else:
        raise ValueError(f"column {name!r} is {dtype}, which Parquet has no equivalent for")
    return thrift.struct(
        thrift.i32(1, physical),
        thrift.i32(2, length),
        thrift.i32(3, repetition),
        thrift.text(4, name),
        thrift.i32(6, converted),
        thrift.i32(7, scale),
        thrift.i32(8, precision),
        thrift.child(10, logical),
    )


def _decimal(precision: int, scale: int) -> _Leaf:
    kind = thrift.struct(thrift.i32(1, scale), thrift.i32(2, precision))
    logical = thrift.struct(thrift.child(_DECIMAL, kind))
    if precision <= 9:
        return _INT32, None, _DECIMAL, logical
    return (_INT64, None, _DECIMAL, logical) if precision <= 18 else (_FIXED, 16, _DECIMAL, logical)
