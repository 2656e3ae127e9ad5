"""Tables of Arrow, pandas and DuckDB as Arrow tables that a Parquet holds exactly."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from lake.convert.records.arrays import array_of
from lake.convert.records.types import Seen
from lake.convert.records.values import NoValue
from lake.errors import SourceUnreadable
from lake.query.sql import identifier
from lake.sources.python import Watched, kind_of

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

_BATCH_ROWS = 10_000
_HUGE = ("HUGEINT", "UHUGEINT")
_INEXACT = re.compile(r"\b(U?HUGEINT|BIT|BIGNUM|TIME WITH TIME ZONE|TIME_NS)\b")


def tables_of(data: Any, name: str) -> Iterator[pa.Table]:
    """Give a table of Arrow, pandas or DuckDB as Arrow tables with exact types; at least one.

    Raises:
        SourceUnreadable: a column has a type or values that DuckDB would not read exactly.
    """
    kind = kind_of(data)
    if kind == "records":
        raise SourceUnreadable(
            f"{name} gives both tables and {type(data).__name__}: have it give one kind; nothing"
            " was published"
        )
    if kind == "pandas":
        yield _exact(_of_pandas(data, name), name)
        return
    reader = _of_duckdb(data, name) if kind == "duckdb" else _reader(data)
    yield _exact(reader.schema.empty_table(), name)
    for batch in Watched(reader, name):
        yield _exact(pa.Table.from_batches([batch]), name)


def _reader(data: Any) -> Any:
    if isinstance(data, pa.RecordBatch):
        data = pa.Table.from_batches([data])
    if isinstance(data, pa.Table):
        return data.to_reader(max_chunksize=_BATCH_ROWS)
    return (
        data if isinstance(data, pa.RecordBatchReader) else pa.RecordBatchReader.from_stream(data)
    )


def _of_duckdb(relation: "duckdb.DuckDBPyRelation", name: str) -> Any:
    values = []
    for column, dtype in zip(relation.columns, map(str, relation.types), strict=True):
        quoted = identifier(column)
        if dtype in _HUGE:
            values.append(f"CAST({quoted} AS DECIMAL(38,0)) AS {quoted}")
            continue
        found = _INEXACT.search(dtype)
        if found and not dtype.startswith("ENUM"):
            raise _inexact(name, column, dtype)
        values.append(quoted)
    return relation.project(", ".join(values)).to_arrow_reader(_BATCH_ROWS)


def _of_pandas(frame: "pd.DataFrame", name: str) -> pa.Table:
    frame = _with_index(frame, name)
    columns = []
    for number, column in enumerate(frame.columns):
        if not isinstance(column, (str, int)):
            raise SourceUnreadable(
                f"{name} has a column {column!r}, whose name is no text: rename it, as with"
                " df.columns = …"
            )
        columns.append(_of_series(frame.iloc[:, number], str(column), name))
    return pa.Table.from_arrays(columns, [str(column) for column in frame.columns])


def _with_index(frame: "pd.DataFrame", name: str) -> "pd.DataFrame":
    """Make a named index columns; one of row numbers is left out."""
    names = list(frame.index.names)
    if all(one is not None for one in names):
        twice = [one for one in names if one in frame.columns]
        if twice:
            raise SourceUnreadable(
                f"{name} has {twice[0]!r} both as a column and in its index: leave the index out by"
                " df.reset_index(drop=True)"
            )
        return frame.reset_index()
    if names == [None] and frame.index.dtype.kind in "iu":
        return frame
    raise SourceUnreadable(
        f"{name} has an index of values without a name: name it, as with df.index.name = …, or"
        " leave it out by df.reset_index(drop=True)"
    )


def _of_series(series: "pd.Series[Any]", column: str, name: str) -> pa.Array:
    if series.dtype == object:
        return _of_objects(series, column, name)
    try:
        found = pa.array(series, from_pandas=True)
    except (pa.ArrowException, TypeError) as exc:
        raise _inexact(name, column, str(series.dtype)) from exc
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def _of_objects(series: "pd.Series[Any]", column: str, name: str) -> pa.Array:
    values = [None if is_null is True else value for value, is_null in _with_null(series)]
    seen = Seen(column)
    try:
        seen.observe(values)
        if len(seen.kinds) > 1 and seen.choice in ("VARCHAR", "JSON"):
            kinds = " and ".join(sorted({type(one).__name__ for one in values if one is not None}))
            raise SourceUnreadable(
                f"{name} has a column {column!r} of mixed objects ({kinds}): give it one type, as"
                f" with df[{column!r}].astype(str)"
            )
        return array_of(values, seen)
    except NoValue as exc:
        raise SourceUnreadable(f"{name} cannot be landed: {exc}; nothing was published") from exc


def _with_null(series: "pd.Series[Any]") -> Iterator[tuple[Any, Any]]:
    return zip(series.tolist(), series.isna().tolist(), strict=True)


def _exact(table: pa.Table, name: str) -> pa.Table:
    columns = []
    for field, column in zip(table.schema, table.columns, strict=True):
        target = _target(field.type)
        if target is None:
            raise _inexact(name, field.name, str(field.type))
        try:
            columns.append(column if target == field.type else column.cast(target))
        except pa.ArrowException as exc:
            raise _inexact(name, field.name, str(field.type)) from exc
    return pa.Table.from_arrays(columns, names=table.column_names)


def _target(dtype: Any) -> Any:
    """Return the type that DuckDB reads back exactly from a Parquet, None if there is none."""
    types = pa.types
    if types.is_dictionary(dtype):
        return _target(dtype.value_type)
    if types.is_null(dtype) or types.is_string_view(dtype):
        return pa.string()
    if types.is_binary_view(dtype):
        return pa.binary()
    if types.is_time64(dtype) and dtype.unit == "ns":
        return pa.time64("us")
    if types.is_timestamp(dtype) and dtype.unit == "ns" and dtype.tz:
        return pa.timestamp("us", dtype.tz)
    if types.is_float16(dtype):
        return pa.float32()
    return _nested(dtype) if types.is_nested(dtype) else _scalar(dtype)


def _scalar(dtype: Any) -> Any:
    types = pa.types
    if types.is_decimal(dtype):
        fits = dtype.precision <= 38 and 0 <= dtype.scale <= dtype.precision
        return pa.decimal128(dtype.precision, dtype.scale) if fits else None
    if isinstance(dtype, (pa.UuidType, pa.JsonType)):
        return dtype
    is_known = (
        types.is_primitive(dtype) and not types.is_duration(dtype) and not types.is_interval(dtype)
    )
    others = (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)
    is_other = types.is_fixed_size_binary(dtype) or any(is_it(dtype) for is_it in others)
    return dtype if is_known or is_other else None


def _nested(dtype: Any) -> Any:
    types = pa.types
    if types.is_struct(dtype):
        fields = [(field.name, _target(field.type)) for field in dtype]
        return pa.struct(fields) if fields and all(target for _, target in fields) else None
    if types.is_map(dtype):
        key, item = _target(dtype.key_type), _target(dtype.item_type)
        return pa.map_(key, item) if key and item else None
    if types.is_union(dtype):
        return None
    element = _target(dtype.value_type)
    if not element:
        return None
    return pa.large_list(element) if types.is_large_list(dtype) else pa.list_(element)


def _inexact(name: str, column: str, dtype: str) -> SourceUnreadable:
    return SourceUnreadable(
        f"{name} has a column {column!r} of type {dtype}, which no Parquet that DuckDB reads holds"
        " exactly: cast it to another type; nothing was published"
    )
