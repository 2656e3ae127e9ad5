import contextvars
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import duckdb
import pytest
from prefect import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterKey,
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import State, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.flow_engine import run_flow
from prefect.logging.handlers import APILogHandler
from prefect.states import Scheduled

from lake.catalog.entries import Doom
from lake.catalog.publish import Draft, publish
from lake.errors import SeveralFailed, StoreRefused, StoreUnavailable
from lake.opening import init, open_lake
from lake_flows.by_hand import run
from lake_flows.elt import elt
from lake_flows.land import commit_staged, land, orders_of, stage_partition
from lake_flows.maintain import maintain
from lake_flows.report import RunFailed
from lake_flows.step import is_transient
from lake_flows.where import Asked, Where
from tests.databases import Shop, rows
from tests.flows.prefect_server import PrefectServer
from tests.flows.project import FEBRUARY, JANUARY, ZONES, Project
from tests.http_server import Hang, Status

pytestmark = [pytest.mark.usefixtures("prefect_server"), pytest.mark.xdist_group("prefect")]

LOADED = [("2024-01", 2, 30), ("2024-02", 1, 5)]


def outcomes(state: State[Any]) -> dict[str, str]:
    found: Any = state.result(raise_on_failure=False)
    found = found.document if isinstance(found, RunFailed) else found
    return {row["name"]: row["outcome"] for row in found["rows"]}


def run_id(state: State[Any]) -> str:
    return str(state.state_details.flow_run_id)


def test_an_elt_run_lands_transforms_and_loads_and_the_next_one_finds_nothing_to_do(
    project: Project,
) -> None:
    state = elt(project=project.folder, return_state=True)
    assert state.is_completed(), state.message
    assert state.message == "3 landed, 2 built, 2 loaded"
    assert project.loaded() == LOADED
    tail = project.lake().state.tail
    assert {entry.author.run for entry in tail} == {run_id(state)}
    assert _artifacts(run_id(state)) == {"lake-elt": "markdown", "lake-elt-rows": "table"}

    state = elt(project=project.folder, return_state=True)
    assert set(outcomes(state).values()) == {"unchanged"}
    assert len(project.lake().state.tail) == len(tail)
    assert project.loaded() == LOADED


def test_a_run_that_takes_long_shows_how_far_it_is(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lake_flows.progress.EVERY_S", 0.0)
    state = land(project=project.folder, sources=["trips"], return_state=True)
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=["lake-land-progress"]))
        )
    (shown,) = [one for one in found if str(one.flow_run_id) == run_id(state)]
    assert (shown.type, shown.data, shown.description) == ("progress", 100.0, "2 done")


def _artifacts(flow_run_id: str) -> dict[str | None, str | None]:
    with get_client(sync_client=True) as client:
        keys = ArtifactFilterKey(like_="lake-elt%")
        found = client.read_artifacts(artifact_filter=ArtifactFilter(key=keys))
    return {one.key: one.type for one in found if str(one.flow_run_id) == flow_run_id}


def test_a_database_is_landed_whole_and_by_its_cursor(shop: Shop) -> None:
    shop.run("CREATE TABLE orders AS SELECT 1 AS id", "CREATE TABLE zones AS SELECT 7 AS id")
    init(str(shop.root / ".lake"))
    (shop.root / "lake.toml").write_text(
        '[lake]\nurl = "./.lake"\n'
        '[sources.orders]\ndatabase = "${SHOP_URL}"\ntable = "orders"\ncursor = "id"\n'
        '[sources.zones]\ndatabase = "${SHOP_URL}"\ntable = "zones"\n'
    )
    state = land(project=str(shop.root), return_state=True)
    assert outcomes(state) == {"raw.orders": "landed", "raw.zones": "landed"}, state.message
    shop.run("INSERT INTO orders VALUES (2)")
    state = land(project=str(shop.root), return_state=True)
    assert outcomes(state) == {"raw.orders": "landed", "raw.zones": "unchanged"}
    lk = open_lake(str(shop.root / ".lake"))
    assert rows(lk) == [(1,), (2,)]
    shop.run("DROP TABLE orders")
    state = land(project=str(shop.root), return_state=True)
    assert state.is_failed()
    assert 'relation "orders" does not exist' in str(state.message)


def test_what_may_pass_is_tried_again(project: Project) -> None:
    # The fetch itself asks four times before it gives up.
    project.server.script(ZONES, *[Status(503)] * 4)
    state = land(project=project.folder, sources=["zones"], return_state=True)
    assert (state.is_completed(), project.asked(ZONES)) == (True, 5)


def test_what_the_store_refuses_is_not_tried_again() -> None:
    assert is_transient(StoreUnavailable("no answer"))
    assert not is_transient(StoreRefused("these credentials may not do that"))
    assert is_transient(SeveralFailed([StoreRefused("no"), StoreUnavailable("no answer")]))


def test_what_stays_wrong_is_not_tried_again_and_stops_nothing_else(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.server.pages[ZONES] = b"<!DOCTYPE html><html><body>Sorry</body></html>"
    assert run(elt, ["--project", project.folder]) == 1
    out, err = capsys.readouterr()
    assert (out, "Traceback" in err) == ("", False)
    assert re.search("^error: zones.csv", err, re.MULTILINE), err
    assert project.asked(ZONES) == 1
    assert project.loaded() == LOADED


def test_a_model_that_is_withheld_fails_the_run_and_the_rest_is_published(
    project: Project,
) -> None:
    project.server.pages[JANUARY] = b"id,fare\n1,-10\n"
    state = elt(project=project.folder, return_state=True)
    assert state.is_failed()
    assert re.search("curated.revenue was withheld: check", state.message or "")
    found = outcomes(state)
    assert (found["curated.revenue"], found["curated.places"]) == ("failed", "built")
    assert (found["places"], "daily_revenue" in found) == ("loaded", False)


def test_two_runs_beside_each_other_do_everything_once(project: Project) -> None:
    def run() -> State[Any]:
        return elt(project=project.folder, return_state=True)

    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(contextvars.copy_context().run, run) for _ in range(2)]
        assert [one.result().is_completed() for one in runs] == [True, True]
    state = project.lake().state
    assert [p.versions for p in state.partitions("raw.trips")] == [1, 1]
    assert [p.versions for p in state.partitions("curated.revenue")] == [1, 1]
    assert project.loaded() == LOADED


def test_a_run_that_is_killed_between_publish_and_load_is_completed_by_the_next(
    project: Project, prefect_server: PrefectServer
) -> None:
    with duckdb.connect(project.warehouse):
        # The load waits for us to close the warehouse; it is killed meanwhile.
        words = ["-m", "lake_flows.elt", "--project", project.folder]
        _killed_when("Task run 'load .*Retry 1", words, prefect_server)
    assert project.messages()[-1] == "transform"
    state = elt(project=project.folder, return_state=True)
    assert state.is_completed(), state.message
    assert outcomes(state)["curated.revenue"] == "unchanged"
    assert project.loaded() == LOADED


def test_a_run_that_is_tried_again_publishes_what_its_earlier_attempt_staged(
    project: Project, prefect_server: PrefectServer
) -> None:
    project.server.script(FEBRUARY, Hang())
    script = f"from lake_flows.land import land; land(project={project.folder!r})"
    _killed_when("stage raw.trips/month=2024-01' - Finished", ["-c", script], prefect_server)
    assert project.messages() == []
    state = _tried_again("land")
    assert state.is_completed(), state.message
    assert (project.asked(JANUARY), project.asked(FEBRUARY)) == (1, 2)
    assert project.messages() == ["land raw.trips", "land raw.zones"]
    assert {entry.author.run for entry in project.lake().state.tail} == {run_id(state)}


def _killed_when(line: str, words: list[str], server: PrefectServer) -> None:
    """Run Python and kill it as soon as it logs a line."""
    with subprocess.Popen(
        [sys.executable, *words], stderr=subprocess.PIPE, text=True, env=server.environ
    ) as process:
        assert process.stderr
        seen = []
        for text in process.stderr:
            seen.append(text)
            if re.search(line, text):
                process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL, "".join(seen)


def _tried_again(flow: str) -> State[Any]:
    """Run the newest run of a flow that was killed once more, as a server does when asked to."""
    running = FlowRunFilterStateType(any_=[StateType.RUNNING])
    with get_client(sync_client=True) as client:
        newest = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=[flow])),
            flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=running)),
            sort=FlowRunSort.EXPECTED_START_TIME_DESC,
            limit=1,
        )[0]
        client.set_flow_run_state(newest.id, Scheduled(), force=True)
        newest = client.read_flow_run(newest.id)
    found: Any = run_flow(land, newest, newest.parameters, return_type="state")
    assert isinstance(found, State)
    return found


def test_a_worker_without_a_project_does_what_the_log_declares(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    project.lake().elt()
    project.server.pages[FEBRUARY] = b"id,fare\n3,6\n"
    nowhere, url = str(tmp_path_factory.mktemp("worker")), str(project.root / ".lake")
    state = elt(lake=url, project=nowhere, return_state=True)
    assert state.is_completed(), state.message
    assert project.loaded() == [("2024-01", 2, 30), ("2024-02", 1, 6)]


def test_maintenance_writes_a_checkpoint_once(project: Project) -> None:
    project.lake().land_sources(["zones"])
    assert outcomes(maintain(project=project.folder, return_state=True))["checkpoint"] == "written"
    assert project.lake().state.base.commit == 1
    state = maintain(project=project.folder, return_state=True)
    assert outcomes(state)["checkpoint"] == "unchanged"


def test_every_flow_is_run_by_its_module(project: Project, prefect_server: PrefectServer) -> None:
    said = []
    for name in ("land", "transform", "load", "maintain"):
        words = ["-m", f"lake_flows.{name}", "--project", project.folder]
        words += ["--sources", "trips", "zones"] if name == "land" else []
        done = subprocess.run(
            [sys.executable, *words],
            capture_output=True,
            text=True,
            env=prefect_server.environ,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert said[:3] == ["3 landed\n", "2 built\n", "2 loaded\n"]
    assert project.loaded() == LOADED


def test_the_module_runs_without_a_server(project: Project) -> None:
    environ = {name: text for name, text in os.environ.items() if name != "PREFECT_API_URL"}
    words = ["-m", "lake_flows.elt", "--project", project.folder, "--until", "2024-12"]
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, env=environ, check=False
    )
    assert (done.returncode, done.stdout) == (0, "3 landed, 2 built, 2 loaded\n"), done.stderr
    assert project.loaded() == LOADED


NAMES = """-- /// lake
-- partition_by = "month"
-- reads.names = "same"
-- checks = [{ sql = "SELECT * FROM curated.names WHERE name LIKE 'Q%'", name = "no_q" }]
-- ///
SELECT month, name FROM raw.names
"""


def test_no_value_of_a_failed_build_or_of_people_reaches_prefect(
    project: Project, prefect_server: PrefectServer
) -> None:
    path = project.root / "lake.toml"
    people = """[sources.q]
url = "q_{month}.csv"
partition.month = { values = ["2024-01"] }
columns.name = { personal = true }
"""
    path.write_text(path.read_text().replace("[warehouse]", f"{people}[warehouse]", 1))
    (project.root / "q_2024-01.csv").write_text("name\nQuimby-8417\n")
    (project.root / "z.csv").write_text("name\nZebulon-3925\n")
    month = {"month": "2024-01"}
    project.lake().land(project.root / "z.csv", dataset="raw.z", partition=month)
    checked = NAMES.replace("raw.names", "raw.q").replace("reads.names", "reads.q")
    (project.root / "models" / "names.sql").write_text(checked)
    (project.root / "models" / "leaks.sql").write_text(
        '-- /// lake\n-- partition_by = "month"\n-- reads.z = "same"\n-- ///\n'
        "SELECT '2031-12' AS month, name FROM raw.z\n"
    )
    (project.root / "rows_of.py").write_text(
        "import lake\n\n@lake.source\ndef people():\n    yield {'id': 1}\n"
        "    raise ValueError('bad row Jorrocks-5501')\n"
    )
    made = '[sources.made]\nurl = "python:rows_of:people"\n'
    path.write_text(path.read_text().replace("[warehouse]", f"{made}[warehouse]", 1))
    state = elt(project=project.folder, return_state=True)
    assert re.search("ValueError", state.message or ""), state.message
    assert re.search("check no_q found 1 row", state.message or ""), state.message
    assert re.search("1 row lies outside of month=2024-01, which it builds;", state.message or "")
    # What was landed as personal stays so without its source.
    path.write_text(path.read_text().replace(people, ""))
    state = elt(project=project.folder, return_state=True)
    assert re.search("check no_q found 1 row", state.message or ""), state.message
    APILogHandler().flush()
    kept = prefect_server.kept()
    assert b"check no_q found 1 row" in kept
    assert b"Jorrocks-5501" not in kept
    assert b"1 row lies outside of month=2024-01" in kept
    assert (b"Quimby-8417" in kept, b"Zebulon-3925" in kept) == (False, False)


def test_a_source_is_landed_anew_for_the_periods_of_the_run(
    project: Project, prefect_server: PrefectServer
) -> None:
    text = (project.root / "lake.toml").read_text()
    months = 'partition.month = { values = ["2024-01", "2024-02"] }'
    monthly = 'partition.month = { every = "month", since = "2024-01" }'
    (project.root / "lake.toml").write_text(text.replace(months, monthly))
    where, at = Where(None, None, project.folder, "run"), "2024-02-20T00:00:00+00:00"
    known = [
        stage_partition.fn(where, "trips", month, Asked(), at)
        for month in orders_of(where, "trips", Asked(), at)[1]
    ]
    assert [one["name"] for one in known] == ["raw.trips/month=2024-01", "raw.trips/month=2024-02"]
    lake = project.lake()
    doom = Doom(tuple(file["key"] for one in known for file in one["found"]["files"]))
    publish(lake.log, lake.state, lambda state: Draft((doom,)), commit_id=lake.new_id())
    landed = commit_staged.fn(where, "trips", known, Asked(), at)
    assert [one["outcome"] for one in landed["landings"]] == ["landed", "landed"]
    paths = {request.path for request in project.server.requests}
    assert paths == {JANUARY, FEBRUARY}


SLOW = """-- /// lake
-- ///
SELECT count(*) AS n FROM range(10000000) a, range(100000) b, raw.zones
WHERE (a.range * 7 + b.range) % 13 = 5
"""


def test_a_run_that_is_terminated_leaves_nothing_on_local_disk(
    project: Project, prefect_server: PrefectServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    project.lake().land_sources()
    (project.root / "models" / "slow.sql").write_text(SLOW)
    scratch = tmp_path_factory.mktemp("scratch")
    environ = {**prefect_server.environ, "TMPDIR": str(scratch)}
    words = ["-m", "lake_flows.elt", "--project", project.folder]
    with subprocess.Popen(
        [sys.executable, *words], stderr=subprocess.PIPE, text=True, env=environ
    ) as process:
        assert process.stderr
        # The next model is `slow`.
        next(line for line in process.stderr if "make revenue' - Finished" in line)
        while not [*scratch.glob("clearlake-*/tmp*")]:
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        said = process.stderr.read()
    assert process.returncode == 128 + signal.SIGTERM, said
    assert [*scratch.glob("clearlake-*")] == [], said
