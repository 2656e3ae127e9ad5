"""Seven months of yellow taxis, small, in the seven schemas in which they were published.

The schemas are the real ones (New York's TLC, 2014 to 2025): a column of nothing but NULLs has
Arrow's type null, integers became doubles and integers again, `airport_fee` became `Airport_fee`,
and a congestion fee came. The rows are made.
"""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 1_000
_I64, _I32, _F64 = pa.int64(), pa.int32(), pa.float64()
_TEXT, _LARGE, _NULL = pa.string(), pa.large_string(), pa.null()
_FIRST = {
    "VendorID": _I64,
    "tpep_pickup_datetime": pa.timestamp("us"),
    "passenger_count": _I64,
    "RatecodeID": _I64,
    "store_and_fwd_flag": _TEXT,
    "PULocationID": _I64,
    "total_amount": _F64,
    "improvement_surcharge": _F64,
    "congestion_surcharge": _NULL,
    "airport_fee": _NULL,
}
_AS_DOUBLE = {**_FIRST, "passenger_count": _F64, "RatecodeID": _F64}
_CONGESTED = {**_AS_DOUBLE, "congestion_surcharge": _F64}
_RENAMED = {
    **{name: dtype for name, dtype in _FIRST.items() if name != "airport_fee"},
    "VendorID": _I32,
    "PULocationID": _I32,
    "store_and_fwd_flag": _LARGE,
    "congestion_surcharge": _F64,
    "Airport_fee": _F64,
}
SCHEMAS = {
    "2014-08": {**_FIRST, "improvement_surcharge": _NULL},
    "2018-06": _FIRST,
    "2018-07": _AS_DOUBLE,
    "2019-06": _CONGESTED,
    "2021-01": {**_CONGESTED, "airport_fee": _F64},
    "2023-02": _RENAMED,
    "2025-01": {**_RENAMED, "cbd_congestion_fee": _F64},
}
SUMMED = ("passenger_count", "airport_fee", "congestion_surcharge", "cbd_congestion_fee")
"""In lower case; in these the schemas differ."""

Sums = dict[str, Decimal]


@dataclass(frozen=True, slots=True)
class Month:
    """A file as its publisher sends it, and what its columns add up to."""

    name: str
    path: Path
    sums: Sums


def write_months(folder: Path) -> list[Month]:
    """Write the seven files into `folder`."""
    return [_write(folder, name, schema) for name, schema in SCHEMAS.items()]


def another_file(path: Path, to: Path, *, same_size: bool) -> None:
    """Write a valid Parquet with the columns of `path` and half of its rows."""
    table = pq.read_table(path)
    half = table.slice(0, table.num_rows // 2)
    pad = 0
    _write_padded(half, to, pad)
    while same_size and to.stat().st_size != path.stat().st_size:
        pad += path.stat().st_size - to.stat().st_size
        _write_padded(half, to, pad)


def _write_padded(table: pa.Table, to: Path, pad: int) -> None:
    with pq.ParquetWriter(to, table.schema, store_schema=False) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({"pad": "x" * pad})


def added(months: list[Month]) -> Sums:
    """Return the sums over several months."""
    return {column: sum((month.sums[column] for month in months), Decimal()) for column in SUMMED}


def _write(folder: Path, name: str, schema: dict[str, pa.DataType]) -> Month:
    dice = random.Random(name)
    columns = {column: _values(column, dtype, dice, name) for column, dtype in schema.items()}
    arrays = [pa.array(values, schema[column]) for column, values in columns.items()]
    path = folder / f"yellow_tripdata_{name}.parquet"
    pq.write_table(pa.table(arrays, names=list(columns)), path)
    exact = {column.lower(): values for column, values in columns.items()}
    sums = {column: _sum(exact.get(column, [])) for column in SUMMED}
    return Month(name, path, sums)


def _values(column: str, dtype: pa.DataType, dice: random.Random, month: str) -> list[object]:
    if dtype == _NULL:
        return [None] * ROWS
    if dtype in (_TEXT, _LARGE):
        return [dice.choice("YN") for _ in range(ROWS)]
    if column == "tpep_pickup_datetime":
        first = datetime.fromisoformat(f"{month}-01")
        return [first + timedelta(minutes=40 * number) for number in range(ROWS)]
    if dtype == _F64 and column not in ("passenger_count", "RatecodeID"):
        return [dice.randrange(10_000) / 100 for _ in range(ROWS)]
    whole = [dice.randrange(1, 7) for _ in range(ROWS)]
    return [float(value) for value in whole] if dtype == _F64 else list(whole)


def _sum(values: list[object]) -> Decimal:
    """Add what the values say, digit by digit: a double is the number that one reads."""
    return sum((Decimal(repr(value)) for value in values if value is not None), Decimal())
