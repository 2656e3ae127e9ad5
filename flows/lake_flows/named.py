"""`block:NAME`: the URL that a block of Prefect's stands for, with what opens it."""

import os
import re
from collections.abc import Callable
from threading import Lock
from urllib.parse import quote, quote_plus

import httpx
from prefect import get_client
from prefect.client.schemas.objects import BlockDocument
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import get_current_settings

from lake.config import recorded
from lake.errors import InvalidConfig
from lake_flows.api import NoServer, refused
from lake_flows.credentials import CREDENTIALS, Data, Environment, environment, gcp, half, place

_BECOMING = Lock()
_BIGQUERY = "bigquery-warehouse"
_DATABASE = re.compile(r"/[^/?#]")
_DATASET = re.compile(rf"({_BIGQUERY}/[^/]+)/([^/]+)")


def url(name: str) -> str:
    """Return the URL that a block stands for, and give this process what opens it.

    The credentials of a bucket go into the environment of this process, where the stores and their
    SDKs look for them anyway. A process works at one lake, so all of its threads are told the same.
    Nothing of it is logged or handed on; a service account of Google's, which its libraries read
    from a file only, lies in one of this process and its owner.

    Args:
        name: of a block `Lake`, `SQLAlchemy Connector` or `BigQuery Warehouse`; where two of them
            have one name, with the type before it: `lake/prod`. The last of them knows a project
            only, so the dataset stands behind: `bigquery-warehouse/prod/ny_taxi`.

    Raises:
        InvalidConfig: there is none, it is of another kind, or something is missing in it.
        NoServer: no Prefect server can be asked.
    """
    block = _read(_DATASET.sub(r"\1", name))
    found, environment = _KINDS[_slug(block)](name, block)
    become(environment)
    return found


def become(environment: Environment) -> None:
    """Make the environment of this process say so; None takes a variable out."""
    with _BECOMING:
        for key, value in environment.items():
            if value is None:
                os.environ.pop(key, None)
            elif os.environ.get(key) != value:
                os.environ[key] = value


def _read(name: str) -> BlockDocument:
    """Return the block that is meant."""
    slug, _, bare = name.rpartition("/")
    found = [one for one in _all(bare) if not slug or _slug(one) == slug]
    usable = [one for one in found if _slug(one) in _KINDS]
    if len(usable) == 1:
        return usable[0]
    if usable:
        first = _slug(usable[0])
        raise InvalidConfig(
            f"{len(usable)} blocks are called {bare!r}: say which, such as block:{first}/{bare}"
        )
    if found:
        kind = found[0].block_type.name if found[0].block_type else "another kind"
        raise InvalidConfig(
            f"the block {bare!r} is of the kind {kind!r}, and no place: name a Lake (with its"
            " bucket in it) or a SQLAlchemy Connector"
        )
    raise InvalidConfig(
        f"there is no block {name!r}: make one in the UI or in code, after"
        " `prefect block register -m lake_flows.blocks`"
    )


def _all(name: str) -> list[BlockDocument]:
    """Return all blocks of a name, with their secrets."""
    said = get_current_settings().api.url
    if not said:
        raise NoServer(
            f"block:{name} is kept by a Prefect server, and none is named: set PREFECT_API_URL"
        )
    where = recorded(str(said))
    asked = {"block_documents": {"name": {"any_": [name]}}, "include_secrets": True}
    try:
        with get_client(sync_client=True) as client:
            answer = client.request("POST", "/block_documents/filter", json=asked)
    except PrefectHTTPStatusError as exc:
        raise refused(exc, where) from exc
    except httpx.HTTPError as exc:
        raise NoServer(
            f"block:{name} is kept by the Prefect server at {where}, which does not answer"
        ) from exc
    return [BlockDocument.model_validate(one) for one in answer.json()]


def _slug(block: BlockDocument) -> str:
    return block.block_type.slug if block.block_type else ""


def _lake(name: str, block: BlockDocument) -> tuple[str, Environment]:
    """Return a lake's URL out of its bucket block, and what the credentials in that say."""
    references = block.block_document_references
    if not block.data.get("bucket"):
        if not block.data.get("url"):
            raise half(name, "it has neither a bucket nor a URL")
        return str(block.data["url"]), {}
    bucket: Data = block.data["bucket"]
    held: Data = next((bucket[key] for key in CREDENTIALS if bucket.get(key)), {})
    found = place(name, bucket)
    said = references.get("bucket", {}).get("block_document", {}).get("block_document_references")
    return found.url(block.data.get("folder") or ""), environment(name, found, held, said or {})


def _database(name: str, block: BlockDocument) -> tuple[str, Environment]:
    """Return the URL of a database; which driver of SQLAlchemy's is named makes no difference."""
    said = block.data.get("connection_info")
    if isinstance(said, str):
        scheme, _, rest = said.partition("://")
        if not rest:
            raise half(name, "its connection string is no URL")
        if not _DATABASE.search(rest):
            raise half(name, "its connection string names no database")
        return f"{_scheme(scheme)}://{rest}", {}
    if not said or not said.get("driver") or not said.get("database"):
        raise half(name, "it has no driver or no database")
    secret = f":{quote(str(said['password']), safe='')}" if said.get("password") else ""
    user = f"{quote(said['username'], safe='')}{secret}@" if said.get("username") else ""
    port = f":{said['port']}" if said.get("port") else ""
    options = {**(said.get("query") or {}), **(block.data.get("connect_args") or {})}
    query = "&".join(f"{key}={quote_plus(str(value))}" for key, value in options.items())
    where = f"{user}{said.get('host') or ''}{port}/{said.get('database') or ''}"
    return f"{_scheme(said['driver'])}://{where}{f'?{query}' if query else ''}", {}


def _scheme(driver: str) -> str:
    name = driver.partition("+")[0]
    return "postgresql" if name == "postgres" else name


def _bigquery(name: str, block: BlockDocument) -> tuple[str, Environment]:
    held: Data = block.data.get("gcp_credentials") or {}
    project = held.get("project") or dict(held.get("service_account_info") or {}).get("project_id")
    if not project:
        raise half(name, "its credentials name no project")
    dataset = _DATASET.fullmatch(name)
    if not dataset:
        raise InvalidConfig(
            f"the block {name!r} names a project of BigQuery and no dataset: write it behind, as in"
            f" {_BIGQUERY}/{block.name}/DATASET"
        )
    return f"bigquery://{project}/{dataset[2]}", gcp(name, held)


_KINDS: dict[str, Callable[[str, BlockDocument], tuple[str, Environment]]] = {
    "lake": _lake,
    "sqlalchemy-connector": _database,
    "async-sqlalchemy-connector": _database,
    _BIGQUERY: _bigquery,
}
