"""Partitions of a model built by the workers of a Dask cluster, also where these die."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from contextvars import copy_context
from functools import partial
from pathlib import Path
from typing import Any

import dask
import duckdb
import pytest
from distributed import Client, LocalCluster

from lake.errors import InvalidConfig
from lake_flows.cluster import cluster, share
from tests.flows.heavy import MONTHS, built, lasting, published, report, staged, tasks, write
from tests.flows.project import Project
from tests.flows.waiting import until

pytestmark = pytest.mark.xdist_group("prefect")

LIMIT = 900_000_000
# A sort holds all rows, and random ones do not get smaller.
LARGE = f"""SELECT month, {", ".join(f"(hash(i + {n}) // 2)::BIGINT AS x{n}" for n in range(8))}
FROM (SELECT DISTINCT month FROM raw.trips), range(7200000) r(i) ORDER BY x0"""
# One value of more bytes than a worker has: no limit of DuckDB's counts it, and nothing spills.
DEADLY = """SELECT month, count(*) AS trips, CASE WHEN month = '2024-01'
    THEN md5(repeat(left(month, 1), 2000000000)) ELSE '' END AS x FROM raw.trips GROUP BY month"""
# One list, which must be in memory whole.
LISTED = """SELECT month, len(list(hash(i))) AS x FROM (SELECT DISTINCT month FROM raw.trips),
    range(CASE WHEN month = '2024-01' THEN 60000000 ELSE 1 END) r(i) GROUP BY month"""
Start = Callable[..., LocalCluster]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start two processes of one thread each."""
    with ExitStack() as stack:

        def start(**options: Any) -> LocalCluster:
            made: Any = LocalCluster  # of a package without types, as `Client`
            said = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
            found: LocalCluster = stack.enter_context(made(**said, **options))
            return found

        yield start


def address(found: LocalCluster) -> str:
    return str(found.scheduler_address).replace("tcp://", "dask://")


def processes(found: LocalCluster) -> set[int]:
    return {one.process.pid for one in found.workers.values()}


@pytest.mark.usefixtures("prefect_server")
def test_a_killed_worker_of_dask_costs_its_partition_only(project: Project, start: Start) -> None:
    workers = start()
    write(project, lasting(1_000_000_000))
    connect: Any = Client
    with connect(workers) as client, ThreadPoolExecutor(1) as thread:
        building = partial(built, project, address(workers))
        running = thread.submit(copy_context().run, building)
        busy = until(
            lambda: running.done() or [name for name, todo in client.processing().items() if todo]
        )
        assert busy is not True, running.result()
        victim = next(one for one in workers.workers.values() if one.worker_address == busy[0])
        os.kill(victim.process.pid, signal.SIGKILL)
        state = running.result()
    assert state.is_completed(), state.message
    assert tasks(state) == [f"build heavy month={month}" for month in MONTHS]
    assert published(project) == [(f"month={month}", 1, 1) for month in MONTHS]
    rows = project.lake().sql("SELECT month, trips FROM curated.heavy ORDER BY month").fetchall()
    assert rows == [("2024-01", 2), ("2024-02", 1)]


def held(path: str) -> int:
    """Return the bytes that the columns of a Parquet file take in memory at least."""
    query = "SELECT sum(total_uncompressed_size) FROM parquet_metadata(?)"
    found = duckdb.execute(query, [path]).fetchone()
    assert found
    return int(found[0])


@pytest.mark.usefixtures("prefect_server")
def test_a_build_larger_than_one_worker_completes_on_two(project: Project, start: Start) -> None:
    workers = start(memory_limit=LIMIT)
    before = processes(workers)
    write(project, LARGE)
    state = built(project, address(workers))
    assert state.is_completed(), state.message
    assert published(project) == [(f"month={month}", 1, 1) for month in MONTHS]
    sizes = [held(path) for path in staged(project) if Path(path).suffix == ".parquet"]
    assert len(sizes) == 2
    assert max(sizes) < LIMIT < sum(sizes)
    # What one of them needs is more than DuckDB may take of a worker: it spilled, and nobody died.
    assert min(sizes) > share(LIMIT, 1)
    assert processes(workers) == before


@pytest.mark.usefixtures("prefect_server")
def test_a_partition_that_kills_each_worker_is_one_line(project: Project, start: Start) -> None:
    with dask.config.set({"distributed.scheduler.allowed-failures": 1}):
        workers = start(memory_limit=LIMIT)
    write(project, DEADLY)
    state = built(project, address(workers))
    assert state.is_failed()
    assert report(state)["errors"] == [
        "curated.heavy month=2024-01 could not be built: its worker died 2 times, most likely for"
        " want of memory; nothing of it was published, give each worker more memory or make the"
        " partitions smaller"
    ]
    assert published(project) == []


@pytest.mark.usefixtures("prefect_server")
def test_a_partition_that_cannot_be_spilled_is_one_line(project: Project, start: Start) -> None:
    workers = start(memory_limit=LIMIT)
    before = processes(workers)
    write(project, LISTED)
    state = built(project, address(workers))
    (said,) = report(state)["errors"]
    assert said.startswith(
        "curated.heavy month=2024-01 could not be built with the 225 MB that its worker has for"
        " it: failed to allocate"
    )
    assert said.endswith("; give each worker more memory or make the partitions smaller")
    assert "\n" not in said
    assert (published(project), staged(project)) == ([], [])
    assert processes(workers) == before


@pytest.mark.parametrize(
    ("process_bytes", "builds", "bytes_each"),
    [
        (4_000_000_000, 1, 1_775_000_000),
        (4_000_000_000, 4, 443_750_000),
        (200_000_000, 1, 25_000_000),
    ],
)
def test_builds_share_what_their_worker_has_left(
    process_bytes: int, builds: int, bytes_each: int
) -> None:
    assert share(process_bytes, builds) == bytes_each


@pytest.mark.parametrize("url", ["dask://nowhere", "spark://h:1", "ray://h", "ray://h:port"])
def test_a_url_that_is_no_cluster_is_one_line(url: str) -> None:
    said = "write dask://HOST:PORT or ray://HOST:PORT"
    with pytest.raises(InvalidConfig, match=said), cluster(url):
        pass


def test_a_cluster_that_does_not_answer_is_one_line() -> None:
    said = "^runner = 'dask://127.0.0.1:1': no cluster answers there; start it first$"
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(InvalidConfig, match=said),
        cluster("dask://127.0.0.1:1"),
    ):
        pass


@pytest.mark.parametrize("kind", ["dask", "ray"])
def test_a_missing_extra_is_named(kind: str) -> None:
    program = f"""
import sys
sys.modules["prefect_{kind}"] = None  # as if it were not installed
from lake.errors import InvalidConfig
from lake_flows.cluster import cluster
try:
    with cluster("{kind}://h:1"):
        pass
except InvalidConfig as exc:
    print(exc)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == (
        f"runner = '{kind}://h:1' needs prefect-{kind}: pip install 'clearlake[{kind}]'\n"
    ), done.stderr
