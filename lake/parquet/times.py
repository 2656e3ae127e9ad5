"""Times of the old kind in a Parquet, INT96: do they survive being read in microseconds?"""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lake.errors import SourceUnreadable

_ROWS = 65_536
_LARGEST = 9_223_372_036_854_775
"""Microseconds that nanoseconds of 64 bits can follow; further out nobody counts them."""


def check_old_times(path: Path, *, name: str) -> None:
    """Make sure that no INT96 holds what DuckDB, which reads microseconds, would cut off.

    Raises:
        SourceUnreadable: one does, or cannot be read.
    """
    with (
        pq.ParquetFile(path) as fine,
        pq.ParquetFile(path, coerce_int96_timestamp_unit="us") as coarse,
    ):
        leaves = [fine.metadata.schema.column(i) for i in range(fine.metadata.num_columns)]
        for column in [leaf.path for leaf in leaves if leaf.physical_type == "INT96"]:
            try:
                cut = _cut(fine, coarse, column)
            except pa.ArrowException as exc:
                raise SourceUnreadable(
                    f"{name} is a damaged Parquet: the times in {column!r} cannot be read"
                    f" ({str(exc).splitlines()[0]}); fetch it again"
                ) from exc
            if cut:
                raise SourceUnreadable(
                    f"{name} has a column {column!r} of INT96 times with fractions of a microsecond"
                    f" in {cut} of {fine.metadata.num_rows} rows, which would be lost: write it as"
                    " 64-bit nanoseconds where it is made"
                )


def _cut(fine: pq.ParquetFile, coarse: pq.ParquetFile, column: str) -> int:
    """Count the values that are no whole microseconds."""
    pairs = zip(
        fine.iter_batches(_ROWS, columns=[column]),
        coarse.iter_batches(_ROWS, columns=[column]),
        strict=True,
    )
    return sum(_differ(_leaf(one), _leaf(other)) for one, other in pairs)


def _differ(nanoseconds: pa.Array, microseconds: pa.Array) -> int:
    exact, kept = nanoseconds.cast(pa.int64()), microseconds.cast(pa.int64())
    near = pc.less(pc.abs(kept), _LARGEST)
    differs = pc.not_equal(exact, pc.multiply(kept, 1000))
    return int(pc.sum(pc.and_(near, differs)).as_py() or 0)


def _leaf(batch: pa.RecordBatch) -> pa.Array:
    """Return the one column's times, out of whatever they lie in."""
    array = batch.column(0)
    while not pa.types.is_timestamp(array.type):
        array = _inner(array)
    return array


def _inner(array: pa.Array) -> pa.Array:
    if pa.types.is_map(array.type):
        return array.items if pa.types.is_timestamp(array.items.type) else array.keys
    return array.flatten()[0] if pa.types.is_struct(array.type) else array.flatten()
