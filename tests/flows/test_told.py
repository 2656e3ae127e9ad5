"""What a person sees of a run: its name, its page, its table, and the event feed."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from prefect import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.objects import State
from prefect.events import emit_event

from lake.cli import main
from lake_flows.elt import elt
from lake_flows.page import MOST, page, table
from lake_flows.report import Drift, Failing, Report, Row
from lake_flows.reported import link
from tests.databases import Shop
from tests.flows.feed import feed
from tests.flows.project import JANUARY, Project
from tests.flows.waiting import until
from tests.http_server import Server
from tests.lakes import new_lake
from tests.taxis import published, told

REPUBLISHED = b"id,fare\n1,-10.5\n2,2.25\n"


def run_id(state: State[Any]) -> str:
    return str(state.state_details.flow_run_id)


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.xdist_group("prefect")
def test_a_run_is_named_after_what_it_did_and_has_one_page_and_events(project: Project) -> None:
    path = project.root / "lake.toml"
    path.write_text(path.read_text().replace("[lake]", '[lake]\nbrowser = "https://lake.example/"'))
    first = elt(project=project.folder, return_state=True)
    project.server.pages[JANUARY] = REPUBLISHED
    second = elt(project=project.folder, return_state=True)
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(second.state_details.flow_run_id)  # type: ignore[arg-type]
        day = f"{run.expected_start_time:%Y-%m-%d}"
        assert run.name == f"elt · {day} · 1 changed, 5 unchanged, 1 failed"
    has_one_page(project, second)
    has_events(project, first, second)


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.xdist_group("prefect")
def test_the_examples_lineage_is_that_of_its_files(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["init", "--example", "nyc-taxi"]) == 0
    with Server() as server:
        for name, text in told(shop, server.url()).items():
            monkeypatch.setenv(name, text)
        published(tmp_path, server)
        state = elt(project=str(tmp_path), env="mirror", until="2026-01", return_state=True)
        assert state.is_completed(), state.message
    web, place = "environment://TLC_MIRROR", urlsplit(shop.url)
    lake = f"file://{tmp_path}/.lake"
    warehouse = f"postgresql://{place.netloc.rpartition('@')[2]}{place.path}"
    assert edges(run_id(state)) == {
        (f"{web}/trip-data/yellow_tripdata_*.parquet", f"{lake}/raw/yellow_trips"),
        (f"{web}/trip-data/green_tripdata_*.parquet", f"{lake}/raw/green_trips"),
        (f"{web}/misc/taxi_zone_lookup.csv", f"{lake}/raw/taxi_zones"),
        (f"{lake}/raw/yellow_trips", f"{lake}/curated/yellow_trips"),
        (f"{lake}/raw/green_trips", f"{lake}/curated/green_trips"),
        # Their checks look zones up.
        (f"{lake}/raw/taxi_zones", f"{lake}/curated/yellow_trips"),
        (f"{lake}/raw/taxi_zones", f"{lake}/curated/green_trips"),
        (f"{lake}/curated/yellow_trips", f"{lake}/curated/daily_revenue"),
        (f"{lake}/curated/green_trips", f"{lake}/curated/daily_revenue"),
        (f"{lake}/raw/taxi_zones", f"{lake}/curated/daily_revenue"),
        (f"{lake}/curated/yellow_trips", f"{warehouse}/yellow_trips"),
        (f"{lake}/curated/daily_revenue", f"{warehouse}/daily_revenue"),
    }


def has_one_page(project: Project, second: State[Any]) -> None:
    text = page_of(second)
    lk = project.lake()
    lines = text.split("\n")
    assert lines[0] == "# elt: 1 changed, 5 unchanged, 1 failed"
    assert lines[2].endswith(
        f"(https://lake.example/), commits {lk.commit - 2} → {lk.commit}, run `{run_id(second)}`"
    )
    link = "https://lake.example/raw/trips/month=2024-01/v2"
    assert f"| [raw.trips/month=2024-01]({link}) | **published again** | 2 | v2 |" in lines
    assert "2 rows = 2 landed + 0 rejected" in lines
    assert "- **revenue**: check between_revenue found 1 row" in lines
    assert "  | 2 | -8.25 | 2024-01 |" in lines
    assert "- raw.trips: column fare is DOUBLE now, and was BIGINT (" in text
    assert "curated.revenue was withheld" in text


def has_events(project: Project, first: State[Any], second: State[Any]) -> None:
    lake_url, server = project.lake().url.rstrip("/"), project.server.url().rstrip("/")
    warehouse = f"duckdb:///{project.warehouse}"
    assert edges(run_id(first)) == {
        (f"{server}/trips_*.csv", f"{lake_url}/raw/trips"),
        (f"{server}/zones.csv", f"{lake_url}/raw/zones"),
        (f"{lake_url}/raw/trips", f"{lake_url}/curated/revenue"),
        (f"{lake_url}/raw/zones", f"{lake_url}/curated/places"),
        (f"{lake_url}/curated/revenue", f"{warehouse}/daily_revenue"),
        (f"{lake_url}/curated/places", f"{warehouse}/places"),
    }
    read = events(run_id(first), "prefect.asset.referenced")
    assert {one["resource"]["prefect.resource.id"] for one in read} == {
        f"{server}/trips_*.csv",
        f"{server}/zones.csv",
    }
    assert edges(run_id(second)) == {(f"{server}/trips_*.csv", f"{lake_url}/raw/trips")}
    (landed,) = events(run_id(second), "lake.partition.landed")
    assert landed["resource"]["prefect.resource.id"] == f"{lake_url}/raw/trips/month=2024-01"
    assert landed["payload"] == {
        "dataset": "raw.trips",
        "partition": "month=2024-01",
        "version": 2,
        "rows": 2,
        "rejected": 0,
        "again": True,
    }


def page_of(state: State[Any]) -> str:
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=["lake-elt"]))
        )
    (text,) = [one.data for one in found if str(one.flow_run_id) == run_id(state)]
    return str(text)


def edges(root: str) -> set[tuple[str, str]]:
    """Return what was made from what, by the events of a run."""
    made = events(root, "prefect.asset.materialization.succeeded")
    return {
        (one["prefect.resource.id"], event["resource"]["prefect.resource.id"])
        for event in made
        for one in event["related"]
        if one["prefect.resource.role"] == "asset"
    }


def events(root: str, name: str) -> list[dict[str, Any]]:
    """Return the events of a name that came from a run.

    The server writes in batches what came, in its order: behind an event of ours, all are there.
    """
    mark = f"tests.{uuid4()}"
    assert emit_event("tests.mark", resource={"prefect.resource.id": mark})
    until(lambda: feed({"resource": {"id": [mark]}}))
    return feed({"event": {"name": [name]}, "related": {"id": [f"prefect.flow-run.{root}"]}})


def test_a_link_leads_to_a_partition_whatever_its_value(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    lk.config = replace(lk.config, browser="https://lake.example/")
    assert link(lk, "raw.trips/city=a%2Fb/v2") == "https://lake.example/raw/trips/city=a%2Fb/v2"


def test_a_page_is_no_markup_of_the_data_and_no_longer_than_people_read() -> None:
    bad = "<b>|`*_[x](y)\n# no"
    rows = [Row("land", f"raw.x/month={i}", "landed", 1, version=1) for i in range(MOST + 7)]
    rows[0] = replace(rows[0], note="12 columns joined")
    rows.append(Row("land", "raw.y", "unchanged"))
    assert table(rows)[-1] == {
        "stage": "land",
        "name": "raw.y",
        "outcome": "unchanged",
        "rows": "",
        "rejected": "",
        "note": "",
    }
    report = Report(
        "land",
        rows=rows,
        checks=[Failing(bad, bad, "warn", 3, [bad], [[bad], ["x" * 500]])],
        drift=[Drift("raw.x", "", bad, "BIGINT", "VARCHAR", "text")],
        silent=[bad],
        errors=[bad * 100],
    )
    text = page(report, head="head", link=lambda name: "")
    assert "<b>" not in text
    assert "\n# no" not in text
    assert "| raw.x/month=0 | landed | 1 | v1: 12 columns joined |" in text
    assert "| raw.x/month=1 | landed | 1 | v1 |" in text
    assert "… and 7 more" in text
    assert "raw.y" not in text
    assert max(map(len, text.split("\n"))) < 1000
