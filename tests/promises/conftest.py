"""The real files of the taxi commission, walked once; skipped where they are not beside us."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

import lake
from lake.lake import Lake
from tests.faults import example
from tests.faults.example import Project, config_of

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
MONTHS = ("2023-12", "2025-11")
CONFIG = """\
[lake]
url = "./.lake"
timezone = "America/New_York"
[sources.green_trips]
url = "source/green_tripdata_{month}.parquet"
partition.month = { every = "month", since = "2023-12", until = "2025-11", lag = "2000 days" }
description = "Green taxi trips, one file a month"
[sources.taxi_zones]
url = "source/taxi_zone_lookup.csv"
[warehouse]
load = ["daily_revenue"]
"""
TRIPS = """\
-- /// lake
-- description = "Green trips in the month of their pickup"
-- owner = "data-platform"
-- partition_by = "month"
-- reads.green_trips = "each"
-- ///
SELECT strftime(lpep_pickup_datetime, '%Y-%m') AS month, t.* EXCLUDE (month), z."Zone" AS zone
FROM raw.green_trips t LEFT JOIN raw.taxi_zones z ON z."LocationID" = t."PULocationID"
"""
DAILY_REVENUE = """\
-- /// lake
-- description = "Revenue per day, by pickup"
-- owner = "data-platform"
-- partition_by = "month"
-- reads.trips = "same"
-- checks = [{ unique = "day" }, { not_null = "revenue" }, { row_count = { min = 1 } }]
-- ///
SELECT month, lpep_pickup_datetime::date AS day, count(*) AS trips,
  sum(total_amount::decimal(18,2)) AS revenue
FROM curated.trips GROUP BY ALL
"""


@dataclass(frozen=True, slots=True)
class Walked:
    """A project with a lake that was landed, transformed and loaded, and that nobody changes."""

    root: Path

    def open(self) -> Lake:
        return lake.open(config=config_of(self.root))

    def copy(self, to: Path) -> "Walked":
        """Return an equal project, which one may change."""
        return Walked(Path(shutil.copytree(self.root, to)))

    def source(self, name: str) -> Path:
        return self.root / "source" / name


def _walked(root: Path) -> Walked:
    project = Project(root)
    project.init()
    project.walk()
    return Walked(root)


@pytest.fixture(scope="session")
def taxi_once(tmp_path_factory: pytest.TempPathFactory) -> Walked:
    files = [DATA / f"green_tripdata_{month}.parquet" for month in MONTHS]
    files.append(DATA / "taxi_zone_lookup.csv")
    if not all(file.is_file() for file in files):
        pytest.skip(f"the real files are not in {DATA}")
    root = tmp_path_factory.mktemp("taxi") / "project"
    (root / "source").mkdir(parents=True)
    (root / "models").mkdir()
    for file in files:
        shutil.copyfile(file, root / "source" / file.name)
    (root / "lake.toml").write_text(CONFIG)
    (root / "models" / "trips.sql").write_text(TRIPS)
    (root / "models" / "daily_revenue.sql").write_text(DAILY_REVENUE)
    return _walked(root)


@pytest.fixture
def taxi(taxi_once: Walked) -> Walked:
    return taxi_once


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Walked:
    return _walked(example.make(tmp_path_factory.mktemp("made") / "project"))


@pytest.fixture
def made(made_once: Walked, tmp_path: Path) -> Walked:
    """The generated project, one's own to change."""
    return made_once.copy(tmp_path / "project")
