"""One lake that all tests of the pages look at; none of them changes it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from lake.lake import Lake
from tests.browser.chromium import started
from tests.browser.site import Site, site
from tests.lakes import land, model, shared_lake

TRIPS = "FROM (VALUES (1, 'A', 2.5), (2, 'B', NULL), (3, 'A', 7.25)) t(id, zone, fare)"
AGAIN = "FROM (VALUES (1, 'A', 2.5), (2, 'B', 4.0), (4, 'C', 1.0)) t(id, zone, fare)"
DRIFTED = "FROM (VALUES (5.5, 'D', 3.0)) t(id, zone, fare)"
REVENUE = (
    'description = "Fares by zone"',
    'owner = "money"',
    'columns.zone = "Where it began"',
)


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pages wait for their answers, also where the machine is busy."""
    monkeypatch.setattr("lake.browser.pages.asking.SOON_S", 60.0)


@pytest.fixture(scope="session")
def looked_at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    with shared_lake(tmp_path_factory) as lk:
        land(lk, "raw.trips", TRIPS, month="2024-01")
        land(lk, "raw.trips", TRIPS, month="2024-02")
        land(lk, "raw.trips", AGAIN, month="2024-01")
        land(lk, "raw.trips", DRIFTED, month="2024-04")
        land(lk, "raw.zones", "FROM (VALUES ('A', 'Astoria'), ('B', 'Bronx')) t(zone, name)")
        model(lk, "revenue", "SELECT zone, sum(fare) AS fare FROM raw.trips GROUP BY ALL", *REVENUE)
        lk.transform()
        yield lk


@pytest.fixture(scope="session")
def pages(looked_at: Lake) -> Iterator[Site]:
    with site(looked_at) as served:
        yield served


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with started() as browser:
        yield browser
