"""Partitions of a model built by the workers of a cluster, also while one of them is killed."""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import pytest
from distributed import Client, LocalCluster
from prefect import get_client
from prefect.client.schemas.objects import State

from lake.errors import InvalidConfig
from lake_flows.parts import cluster
from lake_flows.transform import transform
from tests.flows.project import Project
from tests.flows.waiting import until

pytestmark = pytest.mark.xdist_group("prefect")

# Some seconds for each month, and the same result each time.
HEAVY = """-- /// lake
-- partition_by = "month"
-- reads.trips = "same"
-- ///
SELECT month, count(*) AS trips, (SELECT max(hash(i)) % 2 FROM range(ROWS) r(i)) AS x
FROM raw.trips GROUP BY month
"""
Heavy = Callable[[int], None]


@pytest.fixture
def workers() -> Iterator[LocalCluster]:
    """Two processes of one thread each."""
    start: Any = LocalCluster  # of a package without types, as `Client`
    with start(n_workers=2, threads_per_worker=1, dashboard_address=None) as found:
        yield found


def address(found: LocalCluster) -> str:
    return str(found.scheduler_address).replace("tcp://", "dask://")


def parts_of(state: State[Any]) -> list[str]:
    """Return the tasks of a run that built a part."""
    run = str(state.state_details.flow_run_id)
    asked = {"task_runs": {"flow_run_id": {"any_": [run]}}}
    with get_client(sync_client=True) as client:
        found = client.request("POST", "/task_runs/filter", json=asked).json()
    return sorted(one["name"] for one in found if one["name"].startswith("build heavy"))


def outcomes(state: State[Any]) -> dict[str, str]:
    found: Any = state.result(raise_on_failure=False)
    return {row["name"]: row["outcome"] for row in found["rows"]}


@pytest.mark.usefixtures("prefect_server")
def test_workers_build_the_partitions_also_if_one_is_killed(
    project: Project, workers: LocalCluster
) -> None:
    heavy = project.root / "models" / "heavy.sql"
    heavy.write_text(HEAVY.replace("ROWS", "1000"))
    project.lake().land_sources()
    say: dict[str, Any] = {
        "project": project.folder,
        "runner": address(workers),
        "return_state": True,
    }
    state = transform(**say)
    assert state.is_completed(), state.message
    assert outcomes(state)["curated.heavy"] == "built"
    assert parts_of(state) == [f"build heavy month=2024-0{month}" for month in (1, 2)]

    heavy.write_text(HEAVY.replace("ROWS", "1000000000"))
    connect: Any = Client
    with connect(workers) as client, ThreadPoolExecutor(1) as thread:
        running = thread.submit(copy_context().run, lambda: transform(models=["heavy"], **say))
        busy = until(
            lambda: running.done() or [name for name, todo in client.processing().items() if todo]
        )
        assert busy is not True, running.result()
        victim = next(one for one in workers.workers.values() if one.worker_address == busy[0])
        os.kill(victim.process.pid, signal.SIGKILL)
        state = running.result()
    assert state.is_completed(), state.message
    lake = project.lake()
    rows = lake.sql("SELECT month, trips FROM curated.heavy ORDER BY month").fetchall()
    assert rows == [("2024-01", 2), ("2024-02", 1)]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("dask://nowhere", "write dask://HOST:PORT or ray://HOST:PORT"),
        ("spark://h:1", "write dask://HOST:PORT or ray://HOST:PORT"),
        ("ray://h:1", "needs prefect-ray: pip install 'clearlake\\[ray\\]'"),
    ],
)
def test_a_cluster_that_cannot_be_used_is_one_line(url: str, said: str) -> None:
    with pytest.raises(InvalidConfig, match=said), cluster(url):
        pass
