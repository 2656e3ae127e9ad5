"""Partitions of a model built by the workers of a real Ray cluster, also where these die."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import partial

import psutil
import pytest

pytest.importorskip("ray", reason="there is no Ray for this platform")

from tests.flows.heavy import MONTHS, built, lasting, published, report, tasks, write
from tests.flows.project import Project
from tests.flows.ray_cluster import RayCluster, ray_cluster
from tests.flows.waiting import until

pytestmark = [
    pytest.mark.xdist_group("prefect"),
    pytest.mark.skipif(
        "PYTEST_XDIST_WORKER" in os.environ,
        reason="Ray gives up on a machine that is busy: pytest -n 0 tests/flows/test_ray.py",
    ),
]

LONG = 1_000_000_000


@pytest.fixture
def ray() -> Iterator[RayCluster]:
    """Two processes, each of which builds one partition at a time."""
    with ray_cluster(2) as found:
        yield found


@pytest.mark.usefixtures("prefect_server")
def test_a_killed_worker_of_ray_costs_its_partition_only(project: Project, ray: RayCluster) -> None:
    write(project, lasting(LONG))
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(copy_context().run, partial(built, project, ray.url))
        busy = until(lambda: running.done() or (len(ray.busy()) == 2 and ray.busy()))
        assert busy is not True, running.result()
        busy[0].kill()
        state = running.result()
    assert state.is_completed(), state.message
    assert tasks(state) == [f"build heavy month={month}" for month in MONTHS]
    assert published(project) == [(f"month={month}", 1, 1) for month in MONTHS]
    rows = project.lake().sql("SELECT month, trips FROM curated.heavy ORDER BY month").fetchall()
    assert rows == [("2024-01", 2), ("2024-02", 1)]
    assert ray.listens() == {"127.0.0.1"}


def killed(processes: list[psutil.Process]) -> bool:
    for one in processes:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    return bool(processes)


@pytest.mark.usefixtures("prefect_server")
def test_a_build_whose_workers_of_ray_die_each_time_is_one_line(
    project: Project, ray: RayCluster
) -> None:
    write(project, lasting(LONG))
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(copy_context().run, partial(built, project, ray.url))
        until(lambda: not killed(ray.busy()) and running.done())
        state = running.result()
    told = report(state)["errors"]
    why = "its worker died 4 times, most likely for want of memory; nothing of it was published"
    assert state.is_failed()
    assert all(f"curated.heavy month={m} could not be built: {why}" in told[0] for m in MONTHS)
    assert published(project) == []
