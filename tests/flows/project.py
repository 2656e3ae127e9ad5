"""A tiny project: two sources of a web server, two models, a table."""

from collections.abc import Callable
from pathlib import Path

import duckdb

from lake.config import load
from lake.lake import Lake
from lake.opening import init, open_lake
from tests.http_server import Server

TOML = """
[lake]
url = "./.lake"
[sources.trips]
url = "{server}/trips_{{month}}.csv"
partition.month = {{ values = ["2024-01", "2024-02"] }}
[sources.zones]
url = "{server}/zones.csv"
[warehouse]
load = ["revenue", "places"]
[warehouse.tables.revenue]
table = "daily_revenue"
"""
REVENUE = """-- /// lake
-- description = "Revenue per month"
-- owner = "us"
-- partition_by = "month"
-- reads.trips = "same"
-- checks = [{ between = "revenue", min = 0 }]
-- ///
SELECT month, count(*) AS trips, sum(fare) AS revenue FROM raw.trips GROUP BY ALL
"""
PLACES = """-- /// lake
-- description = "Where"
-- owner = "us"
-- ///
SELECT id, name FROM raw.zones
"""
JANUARY, FEBRUARY, ZONES = "/trips_2024-01.csv", "/trips_2024-02.csv", "/zones.csv"

POOL = "lake-tests"
NIGHTLY = f"""
[deployments.NAME]
flow = "elt"
schedule = {{ cron = "0 6 * * *", timezone = "Europe/Paris" }}
work_pool = "{POOL}"
"""
HOURLY = '[deployments.NAME-hourly]\nflow = "land"\nschedule = { interval = "1 hour" }\n'


Deploy = Callable[..., tuple[int, str, str]]
"""Runs `lake deploy`; returns its exit code, and what it said on stdout and stderr."""


class Project:
    def __init__(self, root: Path, server: Server) -> None:
        self.root, self.server = root, server
        server.pages |= {
            JANUARY: b"id,fare\n1,10\n2,20\n",
            FEBRUARY: b"id,fare\n3,5\n",
            ZONES: b"id,name\n1,Newark\n",
        }
        (root / "models").mkdir()
        (root / "lake.toml").write_text(TOML.format(server=server.url().rstrip("/")))
        (root / "models" / "revenue.sql").write_text(REVENUE)
        (root / "models" / "places.sql").write_text(PLACES)
        init(str(root / ".lake"))

    @property
    def folder(self) -> str:
        return str(self.root)

    @property
    def warehouse(self) -> Path:
        return self.root / "warehouse.duckdb"

    def lake(self) -> Lake:
        return open_lake(config=load(None, env=None, environ={}, cwd=self.root))

    def asked(self, path: str) -> int:
        return sum(request.path == path for request in self.server.requests)

    def loaded(self) -> list[tuple[object, ...]]:
        """Return what the warehouse holds of revenue."""
        with duckdb.connect(self.warehouse, read_only=True) as connection:
            query = "SELECT month, trips, revenue FROM daily_revenue ORDER BY month"
            return connection.execute(query).fetchall()

    def messages(self) -> list[str]:
        return [entry.message for entry in self.lake().state.tail]
