"""The demo's steps: what it does, and what it says while doing it."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from lake.demo import source
from lake.demo.server import serving
from lake.errors import BuildFailed, InvalidConfig

Say = Callable[[str], None]
MARK = ".made-by-lake-demo"

_PROJECT = """\
[lake]
url = "./lake"
timezone = "America/New_York"

[sources.green_trips]
url = "${DEMO_URL}/green_tripdata_{month}.parquet"
partition.month = { every = "month", since = "2024-01", until = "2024-12" }
description = "Green taxi trips, one file a month"

[sources.taxi_zones]
url = "${DEMO_URL}/taxi_zone_lookup.csv"
description = "What the location ids mean"

[warehouse]
url = "duckdb:///warehouse.duckdb"
load = ["daily_revenue"]
"""
_TRIPS = """\
-- /// lake
-- description = "Trips with their zone, each in the month in which it began"
-- owner = "data-platform"
-- partition_by = "month"
-- reads.green_trips = "each"
-- checks = [{ not_null = "pickup_at" }, { between = "total_amount", min = 0 }]
-- ///
SELECT
  strftime(t.lpep_pickup_datetime, '%Y-%m') AS month,
  t.lpep_pickup_datetime AS pickup_at,
  z."Zone" AS zone,
  t.passenger_count,
  CAST(t.total_amount AS DECIMAL(18, 2)) AS total_amount
FROM raw.green_trips AS t
JOIN raw.taxi_zones AS z ON z."LocationID" = t."PULocationID"
"""
_REVENUE = """\
-- /// lake
-- description = "Trips and revenue per day and zone"
-- owner = "data-platform"
-- partition_by = "month"
-- reads.trips = "same"
-- checks = [{ unique = ["day", "zone"] }, { row_count = { min = 300 } }]
-- ///
SELECT
  month,
  CAST(pickup_at AS DATE) AS day,
  zone,
  count(*) AS trips,
  CAST(sum(total_amount) AS DECIMAL(18, 2)) AS revenue
FROM curated.trips
GROUP BY ALL
"""
_QUERIES = (
    (
        "What did a quarter bring? From the checked table.",
        "SELECT month, sum(trips) AS trips, sum(revenue) AS revenue FROM curated.daily_revenue"
        " WHERE month BETWEEN '2024-02' AND '2024-04' GROUP BY month ORDER BY month",
        (),
    ),
    (
        "March before it was published again: the whole lake as it was at commit 1.",
        "SELECT month, count(*) AS trips, sum(total_amount::DECIMAL(18, 2)) AS revenue"
        " FROM raw.green_trips WHERE month = '2024-03' GROUP BY month",
        ("--at", "1"),
    ),
    (
        "What drifted, and how was it joined?",
        'SELECT "column", type, file_column, file_type, first_version, rule FROM meta.columns'
        " WHERE dataset = 'raw.green_trips' AND rule NOT IN ('same', 'partition')"
        ' ORDER BY "column", first_version',
        (),
    ),
)


def demo(folder: Path, say: Say) -> None:
    """Run the main job end to end in `folder`, which is made anew.

    Raises:
        InvalidConfig: the folder holds something that the demo did not make.
        BuildFailed: a step failed; what it printed is shown.
    """
    _clear(folder)
    origin = folder / "source"
    origin.mkdir()
    for month in source.MONTHS:
        source.write_month(origin, month)
    source.write_zones(origin)
    with serving(origin) as url:
        _steps(folder, origin, {**os.environ, "DEMO_URL": url, **_QUIET}, say)


_QUIET = {
    "LAKE_URL": "",
    "LAKE_ENV": "",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
}


def _clear(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise InvalidConfig(f"{folder} holds something else: give another folder with --folder")
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "models").mkdir(parents=True)
    (folder / MARK).touch()
    (folder / "lake.toml").write_text(_PROJECT)
    (folder / "models" / "trips.sql").write_text(_TRIPS)
    (folder / "models" / "daily_revenue.sql").write_text(_REVENUE)


def _steps(folder: Path, origin: Path, environ: dict[str, str], say: Say) -> None:
    def lake(*words: str) -> None:
        _run(["lake", *words], [sys.executable, "-m", "lake", *words], folder, environ, say)

    say("A year of taxi files on a web server, whose schema drifts; a project that reads them.")
    lake("init")
    say("\n1. Land what the source holds: bytes unchanged, a version each, one commit per source.")
    lake("land")
    source.write_month(origin, source.REPUBLISHED, salt=1)
    say("\n2. The source publishes March again. The Prefect flow lands, transforms, checks, loads.")
    flow = ["-m", "lake_flows.elt"]
    _run(["python", *flow], [sys.executable, *flow], folder, environ, say)
    say("\n3. The same once more, without Prefect: nothing has changed, so nothing is done.")
    lake("elt")
    for number, (why, query, options) in enumerate(_QUERIES, 4):
        say(f"\n{number}. {why}")
        lake("sql", query, *options)
    say("\n7. Every byte in the bucket, compared with the log.")
    lake("verify")
    say(
        f"\nLook around: {folder}/lake is the lake, {folder}/lake/catalog.duckdb opens in any"
        f" DuckDB, {folder}/warehouse.duckdb is the warehouse."
    )


def _run(
    shown: Sequence[str], command: Sequence[str], folder: Path, environ: dict[str, str], say: Say
) -> None:
    say(f"$ {shlex.join(shown)}")
    done = subprocess.run(
        command,
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    say(done.stdout.rstrip())
    if done.returncode:
        raise BuildFailed(f"that ended with exit code {done.returncode}; the demo stops here")
