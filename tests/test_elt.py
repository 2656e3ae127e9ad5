import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from lake.elt import Done, elt, plan
from lake.errors import SeveralFailed, SourceMissing
from tests.flows.project import JANUARY, ZONES, Project
from tests.http_server import Server


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Server() as server:
        yield Project(tmp_path, server)


def test_elt_lands_transforms_and_loads_and_the_next_one_finds_nothing_to_do(
    project: Project,
) -> None:
    heard: list[Done] = []
    done = project.lake().elt(told=heard.append)
    assert heard == [*done.landings, *done.transformed.runs, *done.loaded]
    assert project.loaded() == [("2024-01", 2, 30), ("2024-02", 1, 5)]
    commit = project.lake().commit
    done = project.lake().elt()
    assert {one.outcome for one in done.landings} == {"unchanged"}
    assert done.transformed.commit is None
    assert [one.loaded for one in done.loaded] == [(), ()]
    assert project.lake().commit == commit


def test_a_plan_changes_nothing_and_tells_what_is_due(project: Project) -> None:
    found = plan(project.lake())
    assert [one.order.name for one in found.landings] == [
        "raw.trips/month=2024-01",
        "raw.trips/month=2024-02",
        "raw.zones",
    ]
    assert {one.what for one in found.landings} == {"missing"}
    assert project.lake().commit == 0
    lake = project.lake()
    lake.land_sources()
    assert {run.dataset for run in plan(lake).runs} == {"curated.places", "curated.revenue"}
    lake.transform()
    assert plan(lake).loads == {"revenue": ["month=2024-01", "month=2024-02"], "places": [""]}
    lake.load()
    assert (plan(lake).runs, plan(lake).loads) == ((), {"revenue": [], "places": []})


def test_what_fails_stops_only_what_hangs_on_it(project: Project) -> None:
    del project.server.pages[ZONES]
    lake = project.lake()
    done = elt(lake)
    assert [type(error) for error in done.errors[:1]] == [SourceMissing]
    assert project.loaded() == [("2024-01", 2, 30), ("2024-02", 1, 5)]
    with pytest.raises((SeveralFailed, SourceMissing), match=r"zones\.csv"):
        lake.elt()


def test_a_table_of_a_model_that_was_withheld_is_named_once(project: Project) -> None:
    project.server.pages[JANUARY] = b"id,fare\n1,-10\n"
    done = elt(project.lake())
    assert ["curated.revenue was withheld" in str(error) for error in done.errors] == [True]
    assert [table.table for table in done.loaded] == ["places"]


def test_a_locked_warehouse_fails_the_load_and_the_next_run_completes_it(
    project: Project,
) -> None:
    script = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(project.warehouse)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout
        holder.stdout.readline()
        with pytest.raises(SeveralFailed, match=f"PID {holder.pid}"):
            project.lake().elt()
        holder.communicate(b"\n")
    done = project.lake().elt()
    assert (done.transformed.commit, len(done.loaded)) == (None, 2)
    assert len(project.loaded()) == 2


def test_a_table_keeps_its_name_without_lake_toml(project: Project) -> None:
    project.lake().elt()
    (project.root / "lake.toml").unlink()
    project.server.pages[JANUARY] = b"id,fare\n1,11\n"
    import lake

    lake.open(str(project.root / ".lake")).elt()
    assert project.loaded()[0] == ("2024-01", 1, 11)
    with duckdb.connect(project.warehouse, read_only=True) as connection:
        tables = connection.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall()
    assert [name for (name,) in tables if not name.startswith("_")] == ["daily_revenue", "places"]


def test_the_lake_does_everything_without_prefect(project: Project) -> None:
    script = (
        "import sys, lake, lake.elt, lake.cli.run; lake.open(sys.argv[1]).elt();"
        "sys.exit('prefect' in sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-c", script, str(project.root / ".lake")], check=True, cwd=project.root
    )
    assert len(project.loaded()) == 2
