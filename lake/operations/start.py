"""`init`: a lake where there was none, and the files of a project to go with it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lake import layout, opening
from lake.catalog.get import get
from lake.errors import InvalidConfig, NoSuchLake

if TYPE_CHECKING:
    from lake.lake import Lake

MINIMAL = """\
# What this lake is made of. Every key is checked; a path starts at this file's folder.

[lake]
url = "./.lake"
timezone = "UTC"                # what a bare date means

# A source lands into raw.NAME, a model in models/NAME.sql makes curated.NAME:
#
# [sources.trips]
# url = "https://example.org/trips_{month}.parquet"
# partition.month = { every = "month", since = "2024-01", lag = "60 days" }
# description = "Trips, one file a month"
#
# [warehouse]
# load = ["daily_revenue"]
"""
_PROJECT = """\
[lake]
url = "./.lake"
timezone = "America/New_York"

[sources.green_trips]
url = "https://d37ci6vzurychx.cloudfront.net/trip-data/green_tripdata_{month}.parquet"
# url = "data/green_tripdata_{month}.parquet"               # the same files in a folder
partition.month = { every = "month", since = "2025-01", lag = "90 days" }
expect_every = "60 days"
description = "Green taxi trips as the TLC publishes them, one file a month"
owner = "data-platform"

[sources.taxi_zones]
url = "https://d37ci6vzurychx.cloudfront.net/misc/taxi_zone_lookup.csv"
# url = "data/taxi_zone_lookup.csv"
description = "What the location ids mean"
owner = "data-platform"

[warehouse]
load = ["daily_revenue"]
"""
_TRIPS = """\
-- /// lake
-- description = "Green taxi trips, each in the month in which it began"
-- owner = "data-platform"
-- partition_by = "month"
-- reads.green_trips = "each"
-- checks = [{ not_null = "pickup_at" }, { row_count = { min = 1 } }]
-- ///
SELECT
  strftime(lpep_pickup_datetime, '%Y-%m') AS month,
  lpep_pickup_datetime AS pickup_at,
  lpep_dropoff_datetime AS dropoff_at,
  PULocationID AS pickup_zone,
  DOLocationID AS dropoff_zone,
  passenger_count,
  trip_distance,
  CAST(total_amount AS DECIMAL(18, 2)) AS total_amount
FROM raw.green_trips
"""
_DAILY_REVENUE = """\
-- /// lake
-- description = "Trips and revenue per day, by pickup"
-- owner = "data-platform"
-- partition_by = "month"
-- reads.trips = "same"
-- checks = [{ unique = "day" }, { not_null = "revenue" }]
-- ///
SELECT
  month,
  CAST(pickup_at AS DATE) AS day,
  count(*) AS trips,
  CAST(sum(total_amount) AS DECIMAL(18, 2)) AS revenue
FROM curated.trips
GROUP BY ALL
"""
EXAMPLES = {
    "nyc-taxi": {
        "lake.toml": _PROJECT,
        "models/trips.sql": _TRIPS,
        "models/daily_revenue.sql": _DAILY_REVENUE,
    }
}


@dataclass(frozen=True, slots=True)
class Started:
    """A lake that is there now, and whether it was made just now."""

    lake: "Lake"
    is_new: bool


def start(url: str, *, timezone: str) -> Started:
    """Make a lake at `url`; one that is there stays as it is.

    Raises:
        InvalidConfig: `url` can be no lake, or `timezone` is none.
        StoreUnavailable: it cannot be written there.
    """
    try:
        found = opening.open_lake(url)
        if get(found.log.store, layout.LAKE) is None:  # only the hint knows whose lake this is
            found = opening.init(url, timezone=timezone)
        return Started(found, is_new=False)
    except NoSuchLake:
        return Started(opening.init(url, timezone=timezone), is_new=True)


def write_files(folder: Path, files: dict[str, str]) -> list[Path]:
    """Write the files of a project; return those that were not there already.

    Raises:
        InvalidConfig: one is there with another text, and nothing was written.
    """
    new = []
    for name, text in files.items():
        path = folder / name
        if not path.exists():
            new.append(path)
        elif path.read_text() != text:
            raise InvalidConfig(f"{path} is there with another text: choose an empty folder")
    for path in new:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path.relative_to(folder).as_posix()])
    return new
