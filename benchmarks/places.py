"""Where the benchmarks keep their data: made once, the same on every machine."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

ROWS = 3_000_000
SCHEMA_FILES = 24

# Nineteen columns as the TLC publishes them; `n` is hashed once per column, so rows are the same
# everywhere and look random.
_TAXI = """
SELECT
  (1 + hash(n, 'vendor') % 2)::INTEGER AS VendorID,
  pickup AS tpep_pickup_datetime,
  pickup + to_seconds((60 + hash(n, 'seconds') % 3600)::BIGINT) AS tpep_dropoff_datetime,
  (1 + hash(n, 'passengers') % 6)::BIGINT AS passenger_count,
  distance AS trip_distance,
  (CASE WHEN hash(n, 'rate') % 20 = 0 THEN 2 ELSE 1 END)::BIGINT AS RatecodeID,
  CASE WHEN hash(n, 'flag') % 100 = 0 THEN 'Y' ELSE 'N' END AS store_and_fwd_flag,
  (1 + hash(n, 'from') % 265)::INTEGER AS PULocationID,
  (1 + hash(n, 'to') % 265)::INTEGER AS DOLocationID,
  (1 + hash(n, 'payment') % 4)::BIGINT AS payment_type,
  fare AS fare_amount,
  (hash(n, 'extra') % 3)::DOUBLE * 1.25 AS extra,
  0.5 AS mta_tax,
  tip AS tip_amount,
  CASE WHEN hash(n, 'tolls') % 12 = 0 THEN 6.94 ELSE 0 END::DOUBLE AS tolls_amount,
  1.0 AS improvement_surcharge,
  round(fare + tip + 1.5, 2) AS total_amount,
  CASE WHEN hash(n, 'zone') % 10 = 0 THEN 0 ELSE 2.5 END::DOUBLE AS congestion_surcharge,
  CASE WHEN hash(n, 'airport') % 11 = 0 THEN 1.75 ELSE 0 END::DOUBLE AS Airport_fee
FROM (
  SELECT n,
    TIMESTAMP '2024-01-01' + to_seconds((hash(n, 'pickup') % 2678400)::BIGINT) AS pickup,
    round((hash(n, 'distance') % 2000) / 100.0, 2)::DOUBLE AS distance,
    round(3 + (hash(n, 'fare') % 7000) / 100.0, 2)::DOUBLE AS fare,
    round((hash(n, 'tip') % 1500) / 100.0, 2)::DOUBLE AS tip
  FROM range({first}, {end}) AS numbers(n))
"""


def cache() -> Path:
    """Return the folder of what is made once; `BENCH_CACHE` names another one."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("BENCH_CACHE") or Path(home) / "clearlake-benchmarks")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a new folder on the disk of the cache, and take it away."""
    with tempfile.TemporaryDirectory(dir=cache(), prefix="run-") as folder:
        yield Path(folder)


def taxi_parquet() -> Path:
    """Return a month of trips as Parquet, as its publisher writes it."""
    return _made("taxi.parquet", "FORMAT parquet, COMPRESSION zstd", _taxi(0, ROWS))


def taxi_csv() -> Path:
    """Return the same rows as CSV."""
    source = taxi_parquet()
    return _made("taxi.csv", "FORMAT csv, HEADER", f"FROM read_parquet('{source}')")


def taxi_files() -> list[Path]:
    """Return the same rows in files of equal size, one schema."""
    each = ROWS // SCHEMA_FILES
    return [
        _made(
            f"taxi-{number:02}.parquet",
            "FORMAT parquet, COMPRESSION zstd",
            _taxi(number * each, (number + 1) * each),
        )
        for number in range(SCHEMA_FILES)
    ]


def drifting_files() -> list[Path]:
    """Return them in three schemas: the years' types, and a column that came later."""
    made = []
    for number, path in enumerate(taxi_files()):
        change = _DRIFT[number * len(_DRIFT) // SCHEMA_FILES]
        select = f"SELECT {change} FROM read_parquet('{path}')"
        made.append(_made(f"drift-{number:02}.parquet", "FORMAT parquet, COMPRESSION zstd", select))
    return made


def widening_files() -> list[Path]:
    """Return them in three schemas that have the same columns, in other types."""
    made = []
    for number, path in enumerate(taxi_files()):
        change = _WIDENING[number * len(_WIDENING) // SCHEMA_FILES]
        select = f"SELECT {change} FROM read_parquet('{path}')"
        made.append(_made(f"wide-{number:02}.parquet", "FORMAT parquet, COMPRESSION zstd", select))
    return made


_WIDENING = (
    "* REPLACE (VendorID::BIGINT AS VendorID, PULocationID::BIGINT AS PULocationID,"
    " DOLocationID::BIGINT AS DOLocationID)",
    "* REPLACE (passenger_count::DOUBLE AS passenger_count, RatecodeID::DOUBLE AS RatecodeID)",
    "*",
)
_DRIFT = (*_WIDENING[:2], "*, 0.75::DOUBLE AS cbd_congestion_fee")


def _taxi(first: int, end: int) -> str:
    return _TAXI.format(first=first, end=end)


def _made(name: str, options: str, select: str) -> Path:
    path = cache() / name
    if not path.exists():
        part = path.with_name(f".{name}")
        with duckdb.connect() as connection:
            connection.execute(f"COPY ({select}) TO '{part}' ({options})")
        part.replace(path)
    return path


def emptied(folder: Path) -> Path:
    """Return `folder`, new and empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
