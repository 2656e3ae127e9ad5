"""A Dask or Ray cluster that runs already: its task runner, and what a worker of it may take."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner

from lake.errors import InvalidConfig

Runner: TypeAlias = TaskRunner[PrefectFuture[Any]]
_RUNNERS = {"dask": "prefect_dask:DaskTaskRunner", "ray": "prefect_ray:RayTaskRunner"}
_DEATHS = {
    "dask": ("distributed", ["KilledWorker"]),
    "ray": ("ray.exceptions", ["WorkerCrashedError", "NodeDiedError", "OutOfMemoryError"]),
}
_RAY_RETRIES = 3
PROCESS_BYTES = 450_000_000
"""What a worker takes once it ran a task, measured; what is left of its memory is for builds."""
_PART = 0.5  # of what is left: DuckDB was seen to take half as much again as its limit
_LEAST = 0.125  # of a worker that is hardly larger than what it takes itself


@dataclass(frozen=True, slots=True)
class Workers:
    """The workers of a cluster.

    Attributes:
        kind: `dask` or `ray`.
        runner: Prefect's, connected.
        deaths: what it raises of a task whose worker died each time.
    """

    kind: str
    runner: Runner
    deaths: tuple[type[Exception], ...]


@contextmanager
def cluster(url: str | None) -> Iterator[Workers | None]:
    """Give the workers of a cluster that runs already; None without a URL.

    Args:
        url: `dask://HOST:PORT` of a scheduler, or `ray://HOST:PORT` of a head.

    Raises:
        InvalidConfig: it is no such URL, what it needs is not installed, or nobody is there.
    """
    if url is None:
        yield None
        return
    found = _workers(url)
    try:
        _enter(found)
    except (OSError, TimeoutError) as exc:
        raise InvalidConfig(f"runner = {url!r}: no cluster answers there; start it first") from exc
    try:
        yield found
    finally:
        _leave(found)


def _enter(workers: Workers) -> None:
    runner: Any = workers.runner
    runner.__enter__()
    if workers.kind == "dask":
        _ = runner.client  # which would be made, and connect, at the first task only


def _leave(workers: Workers) -> None:
    # Prefect's runner asks Ray who it is; where the cluster is gone, that would start one here.
    if workers.kind == "dask" or import_module("ray").is_initialized():
        workers.runner.__exit__(None, None, None)


def address(url: str) -> tuple[str, str]:
    """Return the kind of a cluster, and the address that its own client takes.

    Raises:
        InvalidConfig: it is no such URL.
    """
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme in _RUNNERS and bool(parts.hostname and parts.port)
    except ValueError:
        is_whole = False
    if not is_whole:
        raise InvalidConfig(f"runner = {url!r}: write dask://HOST:PORT or ray://HOST:PORT")
    return parts.scheme, f"tcp://{parts.netloc}" if parts.scheme == "dask" else url


def _workers(url: str) -> Workers:
    kind, place = address(url)
    module, _, name = _RUNNERS[kind].partition(":")
    try:
        runner: Any = getattr(import_module(module), name)
        home, deaths = _DEATHS[kind]
        died = tuple(getattr(import_module(home), death) for death in deaths)
    except ModuleNotFoundError:
        raise InvalidConfig(
            f"runner = {url!r} needs {module.replace('_', '-')}: pip install 'clearlake[{kind}]'"
        ) from None
    return Workers(kind, runner(address=place), died)


def how_it_died(exc: Exception) -> str:
    """Say of one of `Workers.deaths` how often the worker died, and why that is likely."""
    if type(exc).__name__ == "OutOfMemoryError":
        return "was killed for want of memory"
    times = getattr(exc, "allowed_failures", _RAY_RETRIES) + 1
    return f"died {times} times, most likely for want of memory"


def memory_here(kind: str) -> int | None:
    """Return the bytes that a build may take on the worker that runs this; None: no limit is known.

    Builds that a worker runs beside each other share its memory. Ray's processes share their
    node's, as many of them as it has CPUs.
    """
    whole, processes, threads = _dask_worker() if kind == "dask" else _ray_worker()
    return share(whole / processes, threads) if whole else None


def share(process_bytes: float, builds: int) -> int:
    """Return how much of a process's memory each of so many builds may take."""
    left = (process_bytes - PROCESS_BYTES) * _PART
    return int(max(left, process_bytes * _LEAST) / builds)


def _dask_worker() -> tuple[float, int, int]:
    worker: Any = import_module("distributed").get_worker()
    return worker.memory_manager.memory_limit or 0, 1, worker.state.nthreads


def _ray_worker() -> tuple[float, int, int]:
    ray: Any = import_module("ray")
    here = ray.get_runtime_context().get_node_id()
    node = next(one["Resources"] for one in ray.nodes() if one["NodeID"] == here)
    return node.get("memory", 0), max(1, int(node.get("CPU", 1))), 1
