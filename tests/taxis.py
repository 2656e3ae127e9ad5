"""What the TLC publishes, at the paths where the example looks; small look-alikes where need be."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import duckdb

from tests.databases import Shop
from tests.http_server import Server

PUBLISHED = "https://d37ci6vzurychx.cloudfront.net"
MONTHS = ("2026-01", "2026-02")
REAL = Path(__file__).parents[2] / "shared" / "data"
# What drifts in the real files: int32 or int64, int64 or double, and a column that is new.
_TRIPS = """
SELECT TIMESTAMP '{month}-01 00:00:00' + i * INTERVAL 6 HOUR AS {p}_pickup_datetime,
  {p}_pickup_datetime + INTERVAL 10 MINUTE AS {p}_dropoff_datetime,
  (1 + i % 263)::{int} AS PULocationID, (1 + i % 7)::{int} AS DOLocationID,
  nullif(i % 5, 0)::{count} AS passenger_count, i / 2 AS trip_distance, 1.25::DOUBLE AS tip_amount,
  ({total} + i)::DOUBLE AS total_amount{more} FROM range({rows}) r(i)
"""
_ZONES = "SELECT i AS LocationID, 'Queens' AS Borough, 'Zone ' || i AS Zone FROM range(1, 266) r(i)"


def trips(folder: Path, color: str, month: str, *, total: int = 10, late: bool = False) -> bytes:
    """Return a small file as the TLC publishes them: later ones have other types."""
    path = folder / f"{color}-{month}-{total}.parquet"
    sql = _TRIPS.format(
        month=month,
        p="tpep" if color == "yellow" else "lpep",
        int="INTEGER" if late else "BIGINT",
        count="DOUBLE" if late else "BIGINT",
        total=total,
        more=", 0.75::DOUBLE AS cbd_congestion_fee" if late else "",
        rows=100,
    )
    duckdb.sql(sql).write_parquet(str(path))
    return path.read_bytes()


def published(folder: Path, server: Server) -> None:
    """Put two months and the zones where the project looks for them; real ones if they are here."""
    duckdb.sql(_ZONES).write_csv(str(folder / "zones.csv"))
    zones, green = folder / "zones.csv", {}
    if REAL.is_dir():
        zones = REAL / "taxi_zone_lookup.csv"
        green = {MONTHS[1]: (REAL / "green_tripdata_2025-11.parquet").read_bytes()}
    server.pages["/misc/taxi_zone_lookup.csv"] = zones.read_bytes()
    for month, late in zip(MONTHS, (False, True), strict=True):
        yellow = trips(folder, "yellow", month, late=late)
        server.pages[f"/trip-data/yellow_tripdata_{month}.parquet"] = yellow
        there = green.get(month) or trips(folder, "green", month, late=late)
        server.pages[f"/trip-data/green_tripdata_{month}.parquet"] = there


def told(shop: Shop, mirror: str) -> dict[str, str]:
    """Return the environment that the example reads."""
    where = urlsplit(shop.url)
    return {
        "PGUSER": where.username or "",
        "PGPASSWORD": unquote(where.password or ""),
        "PGHOST": where.hostname or "",
        "PGPORT": str(where.port),
        "PGDATABASE": where.path[1:],
        "TLC_MIRROR": mirror.rstrip("/"),
        "LAKE_ENV": "mirror",
    }
