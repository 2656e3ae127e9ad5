"""`files --as`: a ready statement that reads an address elsewhere, with the casts of its view."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from lake import layout
from lake.catalog.state import DataFile, State
from lake.errors import InvalidAddress
from lake.query import address as addresses
from lake.query.connect import reader
from lake.schema.admit import crowd
from lake.schema.reconcile import FileColumn, ViewColumn
from lake.schema.types import Type, parse

if TYPE_CHECKING:
    from lake.lake import Lake

ENGINES = ("duckdb", "polars", "spark")
_POLARS = {
    "BOOLEAN": "pl.Boolean",
    "TINYINT": "pl.Int8",
    "SMALLINT": "pl.Int16",
    "INTEGER": "pl.Int32",
    "BIGINT": "pl.Int64",
    "UTINYINT": "pl.UInt8",
    "USMALLINT": "pl.UInt16",
    "UINTEGER": "pl.UInt32",
    "UBIGINT": "pl.UInt64",
    "FLOAT": "pl.Float32",
    "DOUBLE": "pl.Float64",
    "VARCHAR": "pl.String",
    "BLOB": "pl.Binary",
    "DATE": "pl.Date",
    "TIME": "pl.Time",
    "TIMESTAMP": "pl.Datetime('us')",
    "TIMESTAMP_S": "pl.Datetime('ms')",
    "TIMESTAMP_MS": "pl.Datetime('ms')",
    "TIMESTAMP_NS": "pl.Datetime('ns')",
    "TIMESTAMP WITH TIME ZONE": "pl.Datetime('us', 'UTC')",
}
_SPARK = {
    "BOOLEAN": "boolean",
    "TINYINT": "tinyint",
    "SMALLINT": "smallint",
    "INTEGER": "int",
    "BIGINT": "bigint",
    "UTINYINT": "smallint",
    "USMALLINT": "int",
    "UINTEGER": "bigint",
    "UBIGINT": "decimal(20,0)",
    "FLOAT": "float",
    "DOUBLE": "double",
    "VARCHAR": "string",
    "BLOB": "binary",
    "DATE": "date",
    "TIMESTAMP": "timestamp_ntz",
    "TIMESTAMP_S": "timestamp_ntz",
    "TIMESTAMP_MS": "timestamp_ntz",
    "TIMESTAMP WITH TIME ZONE": "timestamp",
}


def statement(lake: "Lake", text: str, *, engine: str) -> str:
    """Return a statement that gives the rows of an address, exactly.

    Args:
        lake: the lake.
        text: the address.
        engine: `duckdb` (a SELECT), `polars` or `spark` (an expression in Python).

    Raises:
        InvalidAddress: a cast of the view cannot be said exactly in that engine.
    """
    address = addresses.parse(text)
    state = addresses.state_of(lake.log, lake.state, address)
    name = addresses.find_dataset(state, address.dataset)
    files = state.data_files(name)
    if address.partition or address.version is not None:
        files = _of_partition(state, address, files)
    if engine == "duckdb":
        return reader(lake.log, state, name)(files)
    scans = list(_scans(lake, state, name, files))
    if not scans:
        raise InvalidAddress(f"{text} has no rows: there is nothing to read")
    return _polars(scans) if engine == "polars" else _spark(scans)


def _of_partition(
    state: State, address: addresses.Address, files: Iterable[DataFile]
) -> list[DataFile]:
    partition = addresses.find_partition(state, address)
    number = partition.current.number if partition.current else 0
    if address.version not in (None, number):
        raise InvalidAddress(f"v{address.version} was held and is not in the view: use `lake get`")
    return [file for file in files if file.partition == partition.text]


@dataclass(frozen=True, slots=True)
class _Item:
    """One column of a scan: a column of its files, a text (a partition's), or NULL."""

    name: str
    target: Type
    column: str | None = None
    text: str | None = None
    source: Type | None = None


@dataclass(frozen=True, slots=True)
class _Scan:
    """Files of one schema and one partition."""

    urls: tuple[str, ...]
    items: tuple[_Item, ...]


def _scans(lake: "Lake", state: State, name: str, files: list[DataFile]) -> Iterator[_Scan]:
    columns = crowd(state, name).reconciled().columns
    for (partition, schema), group in groupby(
        files, key=lambda file: (file.partition, file.schema)
    ):
        values = layout.partition_values(partition)
        urls = tuple(lake.log.store.data_url(file.key) for file in group)
        yield _Scan(urls, tuple(_item(column, schema, values) for column in columns))


def _item(column: ViewColumn, schema: str, values: dict[str, str]) -> _Item:
    target = parse(column.type)
    if not column.parts:
        return _Item(column.name, target, text=values[column.name])
    part = column.parts[schema]
    if part is None or (part.null and part.type != column.type):
        return _Item(column.name, target)
    return _Item(column.name, target, part.name, source=_source(column, part, target))


def _source(column: ViewColumn, part: FileColumn, target: Type) -> Type:
    source = parse(part.type)
    if source != target and (target.kind == "VARCHAR" or target.fields or source.fields):
        raise InvalidAddress(
            f"column {column.name!r} joins {part.type} with {column.type}, which only DuckDB does"
            " as the lake's view: use --as duckdb"
        )
    return source


def _typed(dtype: Type, names: dict[str, str], decimal: str, item: _Item) -> str:
    if dtype.kind == "DECIMAL":
        return decimal.format(*dtype.size)
    if dtype.kind not in names:
        raise InvalidAddress(
            f"column {item.name!r} is {item.target}, which cannot be said there: use --as duckdb"
        )
    return names[dtype.kind]


def _select(
    items: Iterable[_Item], column: Callable[[_Item], str], value: Callable[[_Item], str]
) -> str:
    return ", ".join(column(item) if item.column is not None else value(item) for item in items)


def _polars(scans: list[_Scan]) -> str:
    def column(item: _Item) -> str:
        if item.source == item.target:
            return f"pl.col({item.column!r}).alias({item.name!r})"
        return f"pl.col({item.column!r}).cast({kind(item)}).alias({item.name!r})"

    def value(item: _Item) -> str:
        # An untyped NULL takes the type of the other files, whatever that is.
        if item.text is None and item.target.fields:
            return f"pl.lit(None).alias({item.name!r})"
        if item.text is not None:
            return f"pl.lit({item.text!r}).cast({kind(item)}).alias({item.name!r})"
        return f"pl.lit(None, dtype={kind(item)}).alias({item.name!r})"

    def kind(item: _Item) -> str:
        return _typed(item.target, _POLARS, "pl.Decimal({}, {})", item)

    parts = [
        f"    pl.scan_parquet({list(scan.urls)!r}, glob=False, hive_partitioning=False)"
        f".select({_select(scan.items, column, value)}),"
        for scan in scans
    ]
    return "\n".join(["pl.concat([", *parts, '], how="vertical_relaxed")'])


def _spark(scans: list[_Scan]) -> str:
    def column(item: _Item) -> str:
        quoted = f"`{(item.column or '').replace('`', '``')}`"
        if item.source == item.target:
            return f"F.col({quoted!r}).alias({item.name!r})"
        return f"F.col({quoted!r}).cast({kind(item)!r}).alias({item.name!r})"

    def value(item: _Item) -> str:
        if item.text is None and item.target.fields:
            return f"F.lit(None).alias({item.name!r})"
        return f"F.lit({item.text!r}).cast({kind(item)!r}).alias({item.name!r})"

    def kind(item: _Item) -> str:
        return _typed(item.target, _SPARK, "decimal({},{})", item)

    parts = [
        f"    spark.read.parquet(*{[_url(url) for url in scan.urls]!r})"
        f".select({_select(scan.items, column, value)}),"
        for scan in scans
    ]
    return "\n".join(["functools.reduce(lambda a, b: a.unionAll(b), [", *parts, "])"])


def _url(url: str) -> str:
    return f"file://{url}" if url.startswith("/") else url
