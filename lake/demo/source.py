"""The demo's source: twelve months of made-up taxi trips that drift as the real ones did.

`passenger_count` is int64, then double, then int64 again; `airport_fee` is null-typed, then has
values, then is spelled `Airport_fee`; `cbd_congestion_fee` is new in November; each file holds a
few trips of a neighbouring month.
"""

import hashlib
from pathlib import Path

import duckdb

from lake.query.sql import literal

YEAR = 2024
ROWS = 20_000
MONTHS = tuple(f"{YEAR}-{month:02}" for month in range(1, 13))
REPUBLISHED = f"{YEAR}-03"
ZONES = """LocationID,Borough,Zone,opened
1,EWR,Newark Airport,1928-10-01
74,Manhattan,East Harlem North,
75,Manhattan,East Harlem South,
138,Queens,LaGuardia Airport,1939-10-15
"""

_TRIPS = """
SELECT
  CASE WHEN i % 5000 = 0 THEN start + INTERVAL 1 MONTH ELSE start END
    + to_seconds(hash(i, 1) % 2_332_800) AS lpep_pickup_datetime,
  lpep_pickup_datetime + to_seconds(120 + hash(i, 2) % 3000) AS lpep_dropoff_datetime,
  list_extract([1, 74, 75, 138], (1 + hash(i, 3) % 4)::INTEGER) AS PULocationID,
  CASE WHEN hash(i, 4) % 20 = 0 THEN NULL ELSE 1 + hash(i, 5) % 5 END::{passengers}
    AS passenger_count,
  (hash(i, 6) % 2000 / 100)::DOUBLE AS trip_distance,
  (300 + hash(i, 7, '{month}', {salt}) % 6000) / 100 AS total_amount,
  {airport} {congestion}
FROM (SELECT range AS i, DATE '{month}-01' AS start FROM range({rows}))
"""


def write_month(folder: Path, month: str, *, salt: int = 0) -> Path:
    """Write one month as the source publishes it; another `salt` gives other amounts."""
    number = int(month[5:])
    select = _TRIPS.format(
        passengers="DOUBLE" if 4 <= number <= 8 else "BIGINT",
        airport=_airport(number),
        congestion=", 0.75::DOUBLE AS cbd_congestion_fee" if number >= 11 else "",
        month=month,
        rows=ROWS,
        salt=salt,
    )
    path = folder / f"green_tripdata_{month}.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({select}) TO {literal(str(path))} (FORMAT parquet)")
    return path


def _airport(number: int) -> str:
    if number <= 3:
        return "NULL::INTEGER AS airport_fee"
    return f"1.25::DOUBLE AS {'airport_fee' if number <= 6 else 'Airport_fee'}"


def write_zones(folder: Path) -> Path:
    """Write the table of zones as CSV."""
    path = folder / "taxi_zone_lookup.csv"
    path.write_text(ZONES)
    return path


def etag(path: Path) -> str:
    """Return what the demo's web server says of a file: it changes with the bytes."""
    return f'"{hashlib.sha256(path.read_bytes()).hexdigest()[:32]}"'
