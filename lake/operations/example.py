"""The project that `lake init --example nyc-taxi` writes."""

_PROJECT = """\
# New York's taxi trips, as they are published, kept in versions; cleaned, joined with the zones,
# and loaded into a warehouse, exactly once. `lake elt` does all of it, `lake deploy` on a schedule.

[lake]
url = "./.lake"                         # or s3://BUCKET/PREFIX, gs://…, az://…
timezone = "America/New_York"

[sources.yellow_trips]                  # lands into raw.yellow_trips
url = "https://d37ci6vzurychx.cloudfront.net/trip-data/yellow_tripdata_{month}.parquet"
partition.month = { every = "month", since = "2026-01", lag = "90 days" }
expect_every = "60 days"
description = "Yellow taxi trips as the TLC publishes them, one file a month"
owner = "data-platform"

[sources.green_trips]
url = "https://d37ci6vzurychx.cloudfront.net/trip-data/green_tripdata_{month}.parquet"
partition.month = { every = "month", since = "2026-01", lag = "90 days" }
expect_every = "60 days"
description = "Green taxi trips as the TLC publishes them, one file a month"
owner = "data-platform"

[sources.taxi_zones]
url = "https://d37ci6vzurychx.cloudfront.net/misc/taxi_zone_lookup.csv"
description = "What the location ids mean"
owner = "data-platform"

[warehouse]                             # without a url: warehouse.duckdb beside the lake
load = ["yellow_trips", "daily_revenue"]

[env.postgres]                          # lake --env postgres …, or LAKE_ENV=postgres
warehouse.url = "postgresql://${PGUSER}:${PGPASSWORD}@${PGHOST}:${PGPORT}/${PGDATABASE}"

[env.mirror]                            # the same, with the files from elsewhere: a URL or a folder
warehouse.url = "postgresql://${PGUSER}:${PGPASSWORD}@${PGHOST}:${PGPORT}/${PGDATABASE}"
sources.yellow_trips.url = "${TLC_MIRROR}/trip-data/yellow_tripdata_{month}.parquet"
sources.green_trips.url = "${TLC_MIRROR}/trip-data/green_tripdata_{month}.parquet"
sources.taxi_zones.url = "${TLC_MIRROR}/misc/taxi_zone_lookup.csv"

[deployments.nyc-taxi]                  # lake deploy: every morning at six, in New York
flow = "elt"
schedule = { cron = "0 6 * * *", timezone = "America/New_York" }
"""
_CHECKS = (
    '-- checks = [{ not_null = "pickup_at" }, { row_count = { min = 1 } },'
    ' { references = "pickup_zone", to = "raw.taxi_zones.LocationID" }]'
)


def _trips(color: str, prefix: str) -> str:
    """Return a row-wise model that gives the columns of one kind of taxi the names of both."""
    return f"""\
-- /// lake
-- description = "{color.capitalize()} taxi trips, each in the month in which it began"
-- owner = "data-platform"
-- partition_by = "month"
-- reads.{color}_trips = "each"
{_CHECKS}
-- columns.month = "Of pickup, such as 2026-01"
-- columns.pickup_at = "When the meter was engaged, New York time"
-- columns.dropoff_at = "When the meter was disengaged, New York time"
-- columns.pickup_zone = "LocationID in raw.taxi_zones"
-- columns.dropoff_zone = "LocationID in raw.taxi_zones"
-- columns.passenger_count = "As the driver entered it"
-- columns.trip_distance = "In miles, by the meter"
-- columns.tip_amount = "In US dollars, by card only"
-- columns.total_amount = "What was charged, in US dollars, without cash tips"
-- ///
SELECT
  strftime({prefix}_pickup_datetime, '%Y-%m') AS month,
  {prefix}_pickup_datetime AS pickup_at,
  {prefix}_dropoff_datetime AS dropoff_at,
  CAST(PULocationID AS INTEGER) AS pickup_zone,
  CAST(DOLocationID AS INTEGER) AS dropoff_zone,
  CAST(passenger_count AS INTEGER) AS passenger_count,
  trip_distance,
  CAST(tip_amount AS DECIMAL(18, 2)) AS tip_amount,
  CAST(total_amount AS DECIMAL(18, 2)) AS total_amount
FROM raw.{color}_trips
"""


_DAILY_REVENUE = """\
-- /// lake
-- description = "Trips and revenue per day, kind of taxi and zone of pickup"
-- owner = "data-platform"
-- partition_by = "month"
-- reads.yellow_trips = "same"
-- reads.green_trips = "same"
-- checks = [{ unique = ["day", "taxi", "zone_id"] }, { not_null = "borough" }]
-- columns.month = "Of pickup, such as 2026-01"
-- columns.day = "Of pickup, New York time"
-- columns.taxi = "yellow or green"
-- columns.zone_id = "LocationID in raw.taxi_zones"
-- columns.zone = "Name of the zone"
-- columns.borough = "Borough of the zone"
-- columns.trips = "How many began"
-- columns.revenue = "In US dollars"
-- ///
SELECT
  month,
  CAST(pickup_at AS DATE) AS day,
  taxi,
  pickup_zone AS zone_id,
  "Zone" AS zone,
  coalesce("Borough", 'Unknown') AS borough,
  count(*) AS trips,
  CAST(sum(total_amount) AS DECIMAL(18, 2)) AS revenue
FROM (
  SELECT 'yellow' AS taxi, month, pickup_at, pickup_zone, total_amount FROM curated.yellow_trips
  UNION ALL
  SELECT 'green' AS taxi, month, pickup_at, pickup_zone, total_amount FROM curated.green_trips
) AS trips
LEFT JOIN raw.taxi_zones AS zones ON zones."LocationID" = trips.pickup_zone
GROUP BY ALL
"""
EXAMPLES = {
    "nyc-taxi": {
        "lake.toml": _PROJECT,
        "models/yellow_trips.sql": _trips("yellow", "tpep"),
        "models/green_trips.sql": _trips("green", "lpep"),
        "models/daily_revenue.sql": _DAILY_REVENUE,
    }
}
NEXT_STEPS = (
    "next, a month first:   lake elt --until 2026-01",
    'then a look at it:     lake sql "FROM curated.daily_revenue LIMIT 5"',
    "into PostgreSQL:       export PGHOST=… PGPORT=… PGUSER=… PGPASSWORD=… PGDATABASE=…",
    "                       lake --env postgres elt --until 2026-01",
    "every morning:         lake --env postgres deploy --plan",
)
