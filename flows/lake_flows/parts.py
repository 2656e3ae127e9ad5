"""The partitions of a model, built by the workers of a Dask or Ray cluster: names in, keys out."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from prefect import task
from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner

from lake.catalog.codec import build, plain
from lake.errors import InvalidConfig, LakeError, raise_all
from lake.lake import Lake
from lake.models.make import Made
from lake.models.run import build_part, due_parts
from lake_flows.report import public
from lake_flows.step import DELAYS_S, RETRIES, failure, may_pass
from lake_flows.where import Asked, Where

Document: TypeAlias = dict[str, Any]
Runner: TypeAlias = TaskRunner[PrefectFuture[Any]]
_KINDS = {"dask": "prefect_dask:DaskTaskRunner", "ray": "prefect_ray:RayTaskRunner"}


@contextmanager
def cluster(url: str | None) -> Iterator[Runner | None]:
    """Give the task runner of a cluster that runs already; None without a URL.

    Args:
        url: `dask://HOST:PORT` of a scheduler, or `ray://HOST:PORT` of a head.

    Raises:
        InvalidConfig: it is no such URL, what it needs is not installed, or nobody is there.
    """
    if url is None:
        yield None
        return
    made = _runner(url)
    try:
        made.__enter__()
    except (OSError, ConnectionError, TimeoutError) as exc:
        raise InvalidConfig(f"runner = {url!r}: no cluster answers there; start it first") from exc
    try:
        yield made
    finally:
        made.__exit__(None, None, None)


def _runner(url: str) -> Runner:
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme in _KINDS and bool(parts.hostname and parts.port)
    except ValueError:
        is_whole = False
    if not is_whole:
        raise InvalidConfig(f"runner = {url!r}: write dask://HOST:PORT or ray://HOST:PORT")
    module, _, name = _KINDS[parts.scheme].partition(":")
    try:
        kind: Any = getattr(import_module(module), name)
    except ModuleNotFoundError:
        raise InvalidConfig(
            f"runner = {url!r} needs {module.replace('_', '-')}: pip install"
            f" 'clearlake[{parts.scheme}]'"
        ) from None
    made: Runner = kind(address=f"tcp://{parts.netloc}" if parts.scheme == "dask" else url)
    return made


def parts(
    workers: Runner, lake: Lake, where: Where, model: str, asked: Asked, before: list[Document]
) -> list[Document]:
    """Let workers build what is due of a model; of a single build there is nothing to share.

    A worker that dies is replaced by the cluster, and what it had begun is built by another.

    Raises:
        LakeError, SeveralFailed: what could not be built.
    """
    made = [build(Made, document) for document in before]
    scopes = due_parts(lake, model, made, asked.periods)
    if len(scopes) < 2:
        return []
    said = {"where": where, "pinned": lake.commit, "model": model, "before": before}
    futures = [workers.submit(build_on_worker, {**said, "scope": scope}) for scope in scopes]
    found: list[Document] = []
    errors: list[LakeError] = []
    for future in futures:
        future.wait()
        error = failure(future.state)
        if error is None:
            found.append(future.result())
        else:
            errors.append(error if isinstance(error, LakeError) else LakeError(public(error)))
    raise_all(errors)
    return found


# Not kept: a worker elsewhere would keep it on its own disk.
@task(
    task_run_name="build {model} {scope}",
    persist_result=False,
    retries=RETRIES + 1,
    retry_delay_seconds=DELAYS_S,
    retry_condition_fn=may_pass,
)
def build_on_worker(
    where: Where, pinned: int, model: str, scope: str, before: list[Document]
) -> Document:
    """Build one partition of a model, and stage what comes of it; nobody sees it yet.

    Args:
        where: the lake; its URL and credentials are all that a worker needs.
        pinned: the commit that all models of this run see.
        model: its name.
        scope: the partition.
        before: the models that it waits for.
    """
    lake = where.open().at(pinned)
    made = build_part(lake, model, scope, [build(Made, document) for document in before])
    document: Document = plain(made)
    return document
