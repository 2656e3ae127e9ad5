"""Work pools: whether they are there, take what is said, and have workers."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import jsonschema
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import WorkerFilter, WorkerFilterStatus, WorkPoolFilter
from prefect.client.schemas.objects import WorkPool
from prefect.exceptions import ObjectNotFound

from lake.errors import InvalidConfig, LakeError, raise_all
from lake.words import nearest
from lake_flows.deployments.wanted import Wanted


async def check(client: PrefectClient, wanted: Sequence[Wanted]) -> list[str]:
    """Return the names of the pools that deployments name, if those take what is said.

    The server would take job variables that no template knows, and ignore them.

    Raises:
        InvalidConfig, SeveralFailed: a pool is not there, or does not know a variable.
    """
    used = sorted({one.fields["work_pool_name"] for one in wanted} - {None})
    if not used:
        return []
    found = await client.read_work_pools(work_pool_filter=_named(used))
    pools = {pool.name: pool for pool in found}
    missing = [name for name in used if name not in pools]
    if missing:
        known = [pool.name for pool in await client.read_work_pools()]
        raise_all([_no_pool(name, known) for name in missing])
    errors: list[LakeError] = []
    for one in wanted:
        try:
            _check_variables(one, pools.get(one.fields["work_pool_name"]))
        except InvalidConfig as exc:
            errors.append(exc)
    raise_all(errors)
    return used


def _named(names: Sequence[str]) -> WorkPoolFilter:
    return WorkPoolFilter.model_validate({"name": {"any_": list(names)}})


def _no_pool(name: str, known: Sequence[str]) -> InvalidConfig:
    return InvalidConfig(
        f"there is no work pool {name!r}{nearest(name, known)}: `prefect work-pool create {name}"
        " --type process` makes one (or docker, kubernetes, ecs …)"
    )


def _check_variables(one: Wanted, pool: WorkPool | None) -> None:
    said = one.fields["job_variables"]
    # The template of a pool that was made by hand may only come with its first worker.
    if pool is None or not said or not pool.base_job_template:
        return
    variables: Mapping[str, Any] = pool.base_job_template.get("variables") or {}
    known = list(variables.get("properties") or {})
    where = f"[deployments.{one.name}]"
    for key in said:
        if key not in known:
            raise InvalidConfig(
                f"{where} the pool {pool.name!r} ({pool.type}) knows no job variable {key!r}:"
                f" {_instead(key, known)}"
            )
    try:
        # What is required may have a default, or stand in the pool itself.
        jsonschema.validate(dict(said), {**variables, "required": []})
    except jsonschema.ValidationError as exc:
        place = ".".join(map(str, exc.absolute_path)) or "they"
        raise InvalidConfig(f"{where} job_variables: {place}: {exc.message}") from exc


def _instead(key: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"it knows {', '.join(sorted(known))}"


async def unwatched(client: PrefectClient, pool: str) -> bool:
    """Tell whether no worker polls a pool."""
    online = WorkerFilter(status=WorkerFilterStatus(any_=["ONLINE"]))
    try:
        return not await client.read_workers_for_work_pool(pool, worker_filter=online)
    except ObjectNotFound:
        return True
