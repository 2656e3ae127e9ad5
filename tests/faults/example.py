"""A small project: trips of two months, of which one is published twice, zones, and two models.

The second month drifts as the real files do: an integer becomes a double, a column is new, and one
of its rows lies in the first month.
"""

import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import duckdb

import lake
from lake import config as configuration
from lake.config import Config
from lake.lake import Lake
from lake.query.sql import literal


class Trip(NamedTuple):
    """One row of a source."""

    id: int
    pickup: str
    zone: int
    fare: Decimal
    passengers: int | None
    fee: Decimal | None = None


def _trip(number: int, pickup: str, zone: int, fare: str, people: int | None) -> Trip:
    return Trip(number, f"{pickup}:00", zone, Decimal(fare), people)


JANUARY = (
    _trip(1, "2024-01-01 08:00", 1, "10.10", 1),
    _trip(2, "2024-01-01 09:30", 2, "20.20", 2),
    _trip(3, "2024-01-31 23:59", 1, "7.35", None),
)
FEBRUARY = tuple(
    trip._replace(fee=Decimal("0.75"))
    for trip in (
        _trip(4, "2024-01-31 23:58", 3, "3.00", 1),
        _trip(5, "2024-02-01 00:10", 1, "11.05", 4),
        _trip(6, "2024-02-29 12:00", 2, "12.15", None),
    )
)
FEBRUARY_AGAIN = (*FEBRUARY, _trip(7, "2024-02-29 13:00", 2, "100.01", 1))
ZONES = {1: "Astoria", 2: "Bronx", 3: "Corona"}

CONFIG = """\
[lake]
url = "./.lake"
timezone = "America/New_York"
[sources.trips]
url = "source/trips_{month}.parquet"
partition.month = { every = "month", since = "2024-01", until = "2024-02" }
description = "Trips, one file a month"
[sources.zones]
url = "source/zones.csv"
[warehouse]
url = "duckdb:///warehouse.duckdb"
load = ["daily"]
"""
TRIPS = """\
-- /// lake
-- description = "Trips in the month of their pickup"
-- owner = "tests"
-- partition_by = "month"
-- reads.trips = "each"
-- ///
SELECT strftime(pickup, '%Y-%m') AS month, t.* EXCLUDE (month), z.name
FROM raw.trips t LEFT JOIN raw.zones z ON z.id = t.zone
"""
DAILY = """\
-- /// lake
-- description = "Revenue per day"
-- owner = "tests"
-- partition_by = "month"
-- reads.trips = "same"
-- checks = [{ unique = "day" }, { not_null = "revenue" }]
-- ///
SELECT month, pickup::date AS day, count(*) AS trips, sum(fare) AS revenue
FROM curated.trips GROUP BY ALL
"""


@dataclass(frozen=True, slots=True)
class Project:
    """The example in a folder."""

    root: Path

    @property
    def lake(self) -> Path:
        return self.root / ".lake"

    def open(self) -> Lake:
        return lake.open(config=config_of(self.root))

    def init(self) -> Lake:
        config = config_of(self.root)
        assert config.url
        lake.init(config.url, timezone=config.timezone)
        return self.open()

    def walk(self) -> Lake:
        """Land, transform and load."""
        lk = self.open()
        lk.land_sources()
        lk.transform()
        lk.load()
        return lk

    def model(self, name: str, text: str) -> None:
        (self.root / "models" / f"{name}.sql").write_text(text)


def make(root: Path, url: str = "./.lake") -> Path:
    """Write the project with the first publication of both months into the new folder `root`."""
    (root / "source").mkdir(parents=True)
    (root / "models").mkdir()
    (root / "lake.toml").write_text(CONFIG.replace("./.lake", url))
    (root / "models" / "trips.sql").write_text(TRIPS)
    (root / "models" / "daily.sql").write_text(DAILY)
    write_month(root, "2024-01", JANUARY)
    write_month(root, "2024-02", FEBRUARY, passengers="DOUBLE", fee=True)
    lines = [f"{number},{name}\n" for number, name in ZONES.items()]
    (root / "source" / "zones.csv").write_text("".join(["id,name\n", *lines]))
    return root


def publish_again(root: Path) -> None:
    """Replace the second month at the source; what it was lies in `former/` afterwards."""
    (root / "former").mkdir()
    shutil.copy(root / "source" / "trips_2024-02.parquet", root / "former")
    write_month(root, "2024-02", FEBRUARY_AGAIN, passengers="DOUBLE", fee=True)


def write_month(
    root: Path, month: str, trips: Sequence[Trip], *, passengers: str = "BIGINT", fee: bool = False
) -> Path:
    """Write a month's file as its source sends it."""
    path = root / "source" / f"trips_{month}.parquet"
    columns = {
        "id": "BIGINT",
        "pickup": "TIMESTAMP",
        "zone": "INTEGER",
        "fare": "DECIMAL(8,2)",
        "passengers": passengers,
    } | ({"fee": "DECIMAL(8,2)"} if fee else {})
    with duckdb.connect() as con:
        con.execute(f"CREATE TABLE t ({', '.join(f'{n} {t}' for n, t in columns.items())})")
        values = [[getattr(trip, name) for name in columns] for trip in trips]
        con.executemany(f"INSERT INTO t VALUES ({', '.join('?' for _ in columns)})", values)
        con.execute(f"COPY t TO {literal(str(path))} (FORMAT parquet)")
    return path


def config_of(root: Path) -> Config:
    """Read the project's `lake.toml`."""
    return configuration.load(root / "lake.toml", env=None, environ=os.environ, cwd=root)


def daily(trips: Sequence[Trip]) -> list[tuple[str, str, int, Decimal]]:
    """Return the rows of `curated.daily` over `trips`: month, day, trips, revenue."""
    counts = Counter(trip.pickup[:10] for trip in trips)
    return [
        (day[:7], day, count, sum((t.fare for t in trips if t.pickup[:10] == day), Decimal(0)))
        for day, count in sorted(counts.items())
    ]
