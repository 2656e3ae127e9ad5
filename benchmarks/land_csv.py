"""A CSV file landed whole, losslessly, beside a plain conversion, and beside dlt."""

from pathlib import Path

from benchmarks import peers, places
from benchmarks.land_parquet import landed
from benchmarks.measure import Figure, Missing, interleaved, python, ratio

_COPY = """
import duckdb, sys
source, target = sys.argv[1:]
with duckdb.connect(config={"threads": 2}) as connection:
    rows, options = f"FROM read_csv('{source}')", "FORMAT parquet, COMPRESSION zstd"
    connection.execute(f"COPY ({rows}) TO '{target}' ({options})")
"""


def figures() -> list[Figure | Missing]:
    source = places.taxi_csv()
    with places.scratch() as folder:
        ours, plain, *peer = interleaved(
            5,
            lambda: landed(source, folder),
            lambda: _copied(source, folder),
            *peers.dlt(source, folder, peers.CSV),
        )
    return [
        ratio("CSV landed : DuckDB's COPY to zstd Parquet", 2.0, ours, plain),
        peers.beside("CSV landed, times as fast as dlt (read_csv_duckdb)", 1, ours, peer),
    ]


def _copied(source: Path, folder: Path) -> float:
    target = folder / "copy.parquet"
    target.unlink(missing_ok=True)
    return python(_COPY, source, target)
