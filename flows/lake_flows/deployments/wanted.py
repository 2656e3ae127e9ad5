"""What `lake.toml` wants deployed, checked as far as that goes without a server."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from prefect import Flow
from prefect.exceptions import ParameterTypeError

from lake.config import Config, Deployment, Mail, is_named, literal_secrets
from lake.config.build import FLOWS
from lake.errors import InvalidConfig, LakeError, MissingExtra, raise_all
from lake.version import VERSION
from lake.warehouse.url import parse as parse_warehouse
from lake.words import nearest
from lake_flows.cluster import address
from lake_flows.deployments import schedule
from lake_flows.where import Asked

MAIL = "alert"
"""The flow that mails."""
MADE = (*FLOWS, MAIL)
"""The flows that deployments of ours run."""
WAITS = {"collision_strategy": "ENQUEUE"}
"""What a run does that finds its deployment's limit reached."""
NOTHING_ELSE = dict.fromkeys(
    ("pull_steps", "path", "storage_document_id", "infrastructure_document_id")
)
"""What would run or fetch something before our flow, which a worker has installed."""
_NOT_IN_NAMES = frozenset("/%&<>")
_ASKED = ("since", "until", "timezone", "at_once")
PARAMETERS_BYTES = 512 * 1024
"""More, Prefect does not keep."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One deployment.

    Attributes:
        flow: its flow.
        name: of the deployment; the server knows it as `flow/name`.
        fields: what the server is to keep of it, by the names that it has for them.
    """

    flow: str
    name: str
    fields: Mapping[str, Any]

    @property
    def path(self) -> str:
        """The name that Prefect's own commands take."""
        return f"{self.flow}/{self.name}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the deployments of a lake work: its URL and its warehouse's; secrets are only named.

    Attributes:
        env: the `[env.NAME]` of `lake.toml` with which they are deployed.
    """

    lake_id: str
    lake: str
    warehouse: str | None
    env: str | None = None


def wanted(
    config: Config, place: Place, names: Sequence[str], *, default_pool: str | None, here: bool
) -> list[Wanted]:
    """Return the deployments that `lake.toml` names.

    Args:
        config: what it says.
        place: where they work.
        names: some of them; all without any.
        default_pool: the work pool of those that name none.
        here: they run in this process, whatever pool they name.

    Raises:
        InvalidConfig, SeveralFailed: all that is wrong with them.
    """
    if config.path is None:
        raise InvalidConfig(
            "there is no lake.toml here or above, so nothing to deploy: go to your project's folder"
        )
    if not config.deployments:
        raise InvalidConfig(
            f"{config.path} names no deployment: write"
            ' [deployments.nightly] flow = "elt", schedule = { cron = "0 6 * * *" }'
        )
    for name in names:
        if name not in config.deployments:
            known = nearest(name, config.deployments)
            raise InvalidConfig(f"{config.path} has no [deployments.{name}]{known}")
    made: list[Wanted] = []
    errors: list[LakeError] = []
    for name in names or config.deployments:
        try:
            pool = config.deployments[name].work_pool or default_pool
            made.append(_wanted(config, name, place, None if here else pool))
        except InvalidConfig as exc:
            errors.append(InvalidConfig(f"{config.path}: [deployments.{name}] {exc}"))
    raise_all(errors)
    return made if names else [*made, *_mailing(config.alerts.email, place, made)]


def _mailing(mail: Mail | None, place: Place, beside: Sequence[Wanted]) -> Iterator[Wanted]:
    """Give the deployment that mails alerts; the first pool of the others has workers for it."""
    if mail is None:
        return
    pools = [one.fields["work_pool_name"] for one in beside]
    pool = next(filter(None, pools), None)
    said = Deployment(
        flow=MAIL,
        parameters={
            "subject": "",
            "text": "",
            "to": list(mail.to),
            "sender": mail.sender,
            "server": mail.server,
        },
    )
    yield Wanted(MAIL, place.lake_id, _fields(said, place, pool, []))


def _wanted(config: Config, name: str, place: Place, pool: str | None) -> Wanted:
    said = config.deployments[name]
    for bad in _NOT_IN_NAMES.intersection(name):
        raise InvalidConfig(f"has {bad!r} in its name, which Prefect has in none: take it out")
    if (said.job_variables or said.image) and not pool:
        key = "job_variables" if said.job_variables else "image"
        raise InvalidConfig(f"{key} is for the workers of a pool: name work_pool, too")
    return Wanted(said.flow, name, _fields(said, place, pool, _schedules(config, said)))


def _fields(
    said: Deployment, place: Place, pool: str | None, schedules: list[dict[str, Any]]
) -> dict[str, Any]:
    flow = flow_of(said.flow)
    return {
        "entrypoint": f"lake_flows.{said.flow}.{said.flow}",
        "description": (flow.description or "").partition("\n")[0],
        "version": VERSION,
        "parameters": _parameters(flow, said, place),
        "parameter_openapi_schema": flow.parameters.model_dump(mode="json", exclude_unset=True),
        "enforce_parameter_schema": True,
        "tags": sorted(said.tags),
        "concurrency_limit": said.concurrency_limit or None,
        "concurrency_options": WAITS if said.concurrency_limit else None,
        "work_pool_name": pool,
        "work_queue_name": "default" if pool else None,
        "job_variables": _job_variables(said) if pool else {},
        "schedules": schedules,
        **NOTHING_ELSE,
    }


@cache
def flow_of(name: str) -> Flow[Any, Any]:
    """Return one of our flows."""
    assert name in MADE
    found = getattr(import_module(f"lake_flows.{name}"), name)
    assert isinstance(found, Flow)
    return found


def _parameters(flow: Flow[Any, Any], said: Deployment, place: Place) -> dict[str, Any]:
    known = flow.parameters.properties
    for key in said.parameters:
        if key not in known:
            raise InvalidConfig(
                f"the flow {said.flow} has no parameter {key!r}{nearest(key, known)}"
            )
    for key in literal_secrets(said.parameters):
        raise InvalidConfig(
            f"parameters.{key} holds a secret, which all who see Prefect would see: name it by"
            " ${NAME} or block:NAME"
        )
    zone = said.schedule.timezone if said.schedule else ""
    defaults = {
        "lake": place.lake,
        "warehouse": place.warehouse,
        "env": place.env,
        "timezone": zone,
    }
    own = {key: value for key, value in defaults.items() if key in known and value}
    parameters = own | dict(said.parameters)
    size = len(json.dumps(parameters, default=str).encode())
    if size > PARAMETERS_BYTES:
        raise InvalidConfig(
            f"the parameters have {size:,} bytes, and Prefect keeps {PARAMETERS_BYTES:,} at most:"
            " leave out what the lake declares anyway"
        )
    try:
        flow.validate_parameters(parameters)
    except ParameterTypeError as exc:
        lines = [line.strip() for line in str(exc).splitlines() if line.strip()]
        raise InvalidConfig(f"parameters do not fit the flow: {' '.join(lines[1:4])}") from exc
    asked: dict[str, Any] = {key: parameters[key] for key in _ASKED if key in parameters}
    Asked(**asked)
    _check_places(parameters)
    return parameters


def _check_places(parameters: Mapping[str, Any]) -> None:
    """Look at URLs that only a run would look at; what is named is known where it runs."""
    if runner := parameters.get("runner"):
        address(runner)
    warehouse = parameters.get("warehouse")
    if warehouse and "$" not in warehouse and not is_named(warehouse):
        # What its kind needs may be installed where it runs.
        with suppress(MissingExtra):
            parse_warehouse(warehouse, root=Path())


def _job_variables(said: Deployment) -> dict[str, Any]:
    return dict(said.job_variables) | ({"image": said.image} if said.image else {})


def _schedules(config: Config, said: Deployment) -> list[dict[str, Any]]:
    if said.schedule is None:
        return []
    return [schedule.kept(said.schedule, zone=config.timezone, now=datetime.now(UTC))]
