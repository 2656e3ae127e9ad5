"""Backfills: what is planned, done in parts, and done once; and whose clock periods follow."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, get_client
from prefect.client.schemas.objects import State
from prefect.flow_engine import run_flow
from prefect.states import Scheduled

from lake.config import load
from lake.config.source import source
from lake.config.table import Table
from lake.errors import InvalidConfig
from lake.landing.sources import orders
from lake.opening import init
from lake_flows.deployments.wanted import Place, wanted
from lake_flows.elt import elt
from lake_flows.land import land
from lake_flows.load import load as load_tables
from lake_flows.load import load_table
from lake_flows.report import RunFailed
from lake_flows.transform import transform
from lake_flows.where import Asked, here
from tests.flows.project import Project

MONTHLY = 'partition.month = { every = "month", since = "2024-01", until = "2024-02" }'


def outcomes(state: State[Any]) -> dict[str, str]:
    found: Any = state.result(raise_on_failure=False)
    found = found.document if isinstance(found, RunFailed) else found
    return {row["name"]: row["outcome"] for row in found["rows"] if row["outcome"] != "unchanged"}


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.xdist_group("prefect")
def test_a_backfill_is_planned_done_in_parts_and_a_second_plan_is_empty(project: Project) -> None:
    path = project.root / "lake.toml"
    months = 'partition.month = { values = ["2024-01", "2024-02"] }'
    path.write_text(path.read_text().replace(months, MONTHLY))
    say: dict[str, Any] = {"project": project.folder, "return_state": True}
    january, february, zones = "raw.trips/month=2024-01", "raw.trips/month=2024-02", "raw.zones"
    found = outcomes(elt(plan=True, **say))
    assert [name for name in found if found[name] == "missing"] == [january, february, zones]
    assert project.lake().commit == 0

    assert elt(until="2024-01", at_once=1, **say).is_completed()
    assert project.loaded() == [("2024-01", 2, 30)]
    assert outcomes(elt(plan=True, **say)) == {february: "missing"}
    project.lake().land_sources()
    found = outcomes(elt(plan=True, **say))
    assert found == {"curated.revenue": "stale"}
    assert outcomes(transform(until="2024-01", **say)) == {}
    assert elt(since="2024-02", at_once=2, **say).is_completed()
    assert project.loaded() == [("2024-01", 2, 30), ("2024-02", 1, 5)]
    assert outcomes(elt(plan=True, **say)) == {}


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.xdist_group("prefect")
def test_the_flow_load_brings_the_periods_it_is_told_and_the_rest_later(project: Project) -> None:
    say: dict[str, Any] = {"project": project.folder, "return_state": True}
    lake = project.lake()
    lake.land_sources()
    lake.transform()
    assert outcomes(load_tables(since="2024-02", plan=True, **say)) == {
        "revenue": "due",
        "places": "due",
    }
    assert load_tables(since="2024-02", **say).is_completed()
    assert project.loaded() == [("2024-02", 1, 5)]
    assert outcomes(load_tables(since="2024-02", plan=True, **say)) == {}
    assert outcomes(load_tables(since="2024-02", **say)) == {}
    assert outcomes(load_tables(plan=True, **say)) == {"revenue": "due"}
    assert outcomes(load_tables(**say)) == {"daily_revenue": "loaded"}
    assert project.loaded() == [("2024-01", 2, 30), ("2024-02", 1, 5)]


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.xdist_group("prefect")
def test_a_task_that_loads_other_periods_is_another_task_and_the_same_ones_is_the_same(
    project: Project,
) -> None:
    lake = project.lake()
    lake.land_sources()
    lake.transform()

    @flow
    def twice() -> list[list[str]]:
        where = here(None, None, project.folder)
        asked = (Asked(until="2024-01"), Asked(until="2024-01"), Asked(since="2024-02"), Asked())
        return [load_table(where, "revenue", None, 1, one)["loaded"] for one in asked]

    january, february = ["month=2024-01"], ["month=2024-02"]
    assert twice() == [january, january, february, []]
    assert project.loaded() == [("2024-01", 2, 30), ("2024-02", 1, 5)]


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.xdist_group("prefect")
@pytest.mark.parametrize(
    ("zone", "last"), [(None, "month=2024-01"), ("Europe/Paris", "month=2024-02")]
)
def test_a_late_run_counts_to_the_time_that_it_was_scheduled_for(
    project: Project, zone: str | None, last: str
) -> None:
    path = project.root / "lake.toml"
    months = 'partition.month = { values = ["2024-01", "2024-02"] }'
    path.write_text(path.read_text().replace(months, MONTHLY.replace(', until = "2024-02"', "")))
    at = datetime(2024, 1, 31, 23, 30, tzinfo=UTC)
    say: dict[str, Any] = {"project": project.folder, "sources": ["trips"], "timezone": zone}
    with get_client(sync_client=True) as client:
        run = client.create_flow_run(land, parameters=say, state=Scheduled(scheduled_time=at))
    for _ in range(2):  # the same run, twice
        ended: Any = run_flow(land, flow_run=run, parameters=say, return_type="state")
        assert ended.is_completed()
    landed = [one.text for one in project.lake().state.current("raw.trips")]
    assert landed == ["month=2024-01", "month=2024-02"][: 1 + (last == "month=2024-02")]
    assert project.lake().commit == 1


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"since": "soon"}, "'soon' is no time: write one such as 2024"),
        ({"since": "2024-02", "until": "2024-01"}, "since 2024-02 is later than until 2024-01"),
        ({"at_once": 0}, "at_once = 0: write 1 to 64"),
        ({"timezone": "Paris"}, "timezone = 'Paris' is no time zone"),
    ],
)
def test_parameters_that_cannot_be_are_refused(said: dict[str, Any], error: str) -> None:
    with pytest.raises(InvalidConfig, match=error):
        Asked(**said)


@pytest.mark.parametrize(
    ("every", "now", "zone", "last"),
    [
        # What it is where the schedule runs, whatever it is at the lake (New York) and in UTC.
        ("month", "2024-01-31T23:30:00+00:00", "Europe/Paris", ["2024-01", "2024-02"]),
        ("month", "2024-03-01T02:00:00+00:00", "", ["2024-01", "2024-02"]),
        ("day", "2024-02-29T23:30:00+00:00", "UTC", ["2024-02-28", "2024-02-29"]),
        ("day", "2024-02-29T23:30:00+00:00", "Asia/Tokyo", ["2024-02-29", "2024-03-01"]),
        ("day", "2023-03-01T04:59:59+00:00", "", ["2023-02-27", "2023-02-28"]),
        # An hour that is not there, and one that is there twice.
        ("hour", "2024-03-10T07:00:00+00:00", "", ["2024-03-10T01", "2024-03-10T03"]),
        ("hour", "2024-11-03T06:30:00+00:00", "", ["2024-11-03T00", "2024-11-03T01"]),
        ("year", "2023-12-31T23:30:00+00:00", "Europe/Paris", ["2023", "2024"]),
    ],
)
def test_periods_follow_the_scheduled_time_in_the_schedules_zone(
    tmp_path: Path, every: str, now: str, zone: str, last: list[str]
) -> None:
    keys = {"p": {"every": every, "since": "2023"}}
    said = {"url": "https://h.example/{p}.csv", "partition": keys}
    made = source(Table("lake.toml", "sources.x", said), name="x", root=tmp_path)
    lake = init(str(tmp_path / "lake"), timezone="America/New_York")
    at = datetime.fromisoformat(now).astimezone(UTC)
    found = orders(lake, made, since=None, until=None, now=at, timezone=zone)
    asked = [order.partition.removeprefix("p=") for order in found]
    assert asked[-2:] == last
    assert len(asked) == len(set(asked))


def test_a_deployment_tells_its_flow_the_zone_of_its_schedule(tmp_path: Path) -> None:
    (tmp_path / "lake.toml").write_text(
        '[lake]\ntimezone = "America/New_York"\n[deployments.a]\nflow = "elt"\n'
        'schedule = { cron = "0 6 * * *", timezone = "Europe/Paris" }\n'
        '[deployments.b]\nflow = "land"\nschedule = { cron = "0 6 * * *" }\n'
        '[deployments.c]\nflow = "load"\nschedule = { cron = "0 6 * * *", timezone = "UTC" }\n'
    )
    config = load(None, env=None, environ={}, cwd=tmp_path)
    made = wanted(config, Place("id", "file:///x", None), (), default_pool=None, here=True)
    zones = [one.fields["parameters"].get("timezone") for one in made]
    assert zones == ["Europe/Paris", None, None]
