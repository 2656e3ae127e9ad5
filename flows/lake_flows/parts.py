"""The partitions of a model, built by the workers of a Dask or Ray cluster: names in, keys out."""

from concurrent.futures import CancelledError
from typing import Any, TypeAlias

from prefect import task
from prefect.futures import PrefectFuture

from lake.catalog.codec import build, plain
from lake.errors import BuildFailed, LakeError, raise_all
from lake.lake import Lake
from lake.models.build import Result
from lake.models.discard import discard
from lake.models.make import Made
from lake.models.project import Node
from lake.models.run import build_part, due_parts
from lake_flows.cluster import Workers, how_it_died, memory_here
from lake_flows.report import public
from lake_flows.step import DELAYS_S, RETRIES, hushed, may_pass
from lake_flows.where import Asked, Where

Document: TypeAlias = dict[str, Any]


def parts(
    workers: Workers, lake: Lake, where: Where, node: Node, asked: Asked, before: list[Document]
) -> list[Document]:
    """Let workers build what is due of a model; of a single build there is nothing to share.

    A worker that dies is replaced by the cluster, and what it had begun is built by another. Where
    a build fails in the end, the others are waited for and taken back: nobody would publish them.

    Raises:
        LakeError, SeveralFailed: what could not be built.
    """
    model = node.model.name
    made = [build(Made, document) for document in before]
    scopes = due_parts(lake, model, made, asked.periods)
    if len(scopes) < 2:
        return []
    said = {"where": where, "pinned": lake.commit, "model": model, "before": before}
    futures = {
        scope: workers.runner.submit(
            build_on_worker, {**said, "scope": scope, "cluster": workers.kind}
        )
        for scope in scopes
    }
    found = [
        _outcome(workers, future, f"{node.dataset} {scope}") for scope, future in futures.items()
    ]
    errors = [one for one in found if isinstance(one, LakeError)]
    documents = [one for one in found if not isinstance(one, LakeError)]
    if errors:
        discard(lake.log, (build(Result, document) for document in documents))
    raise_all(errors)
    return documents


def _outcome(workers: Workers, future: PrefectFuture[Any], what: str) -> Document | LakeError:
    """Wait for a build; return what it came to."""
    try:
        found = future.result(raise_on_failure=False)
    except workers.deaths as exc:
        return BuildFailed(
            f"{what} could not be built: its worker {how_it_died(exc)}; nothing of it was"
            " published, give each worker more memory or make the partitions smaller"
        )
    except (OSError, CancelledError) as exc:
        return BuildFailed(
            f"{what} could not be built: the cluster is gone ({type(exc).__name__}); nothing of it"
            " was published, start the cluster and run the same again"
        )
    if isinstance(found, Exception):
        return found if isinstance(found, LakeError) else LakeError(public(found))
    document: Document = found
    return document


# Not kept: a worker elsewhere would keep it on its own disk.
@task(
    task_run_name="build {model} {scope}",
    persist_result=False,
    retries=RETRIES + 1,
    retry_delay_seconds=DELAYS_S,
    retry_condition_fn=may_pass,
)
@hushed
def build_on_worker(
    where: Where, pinned: int, model: str, scope: str, before: list[Document], cluster: str
) -> Document:
    """Build one partition of a model, and stage what comes of it; nobody sees it yet.

    Args:
        where: the lake; its URL and credentials are all that a worker needs.
        pinned: the commit that all models of this run see.
        model: its name.
        scope: the partition.
        before: the models that it waits for.
        cluster: `dask` or `ray`, whose worker this is.
    """
    lake = where.open().at(pinned)
    made = build_part(
        lake,
        model,
        scope,
        [build(Made, document) for document in before],
        memory=memory_here(cluster),
    )
    document: Document = plain(made)
    return document
