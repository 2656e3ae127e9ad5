"""A Prefect server, asked by one client; what it refuses is one line."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import httpx
import prefect
from packaging.version import InvalidVersion, Version
from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.logging import get_logger
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, get_current_settings, temporary_settings
from pydantic import ValidationError

from lake.config import recorded
from lake.errors import LakeError

_HELP = "start one with `lake server`, and set PREFECT_API_URL to what it says"
_CONNECT_S = 10


class NoServer(LakeError, ConnectionError):
    """No Prefect server can be asked. Safe to retry; the verbs of `lake` go on without one."""


class ServerRefused(LakeError, ValueError):
    """The Prefect server does not take what it was sent; what it took before stays."""


@asynccontextmanager
async def connected() -> AsyncIterator[PrefectClient]:
    """Give a client of the configured server, once it is seen to be one that we can talk to.

    Raises:
        NoServer: there is none, it does not answer, or it does not let us in.
        ServerRefused: it refuses something later.
    """
    url = get_current_settings().api.url
    if not url:
        raise NoServer(f"no Prefect server is named: {_HELP}; `lake elt` works without one")
    where = recorded(str(url))
    patience = {"timeout": httpx.Timeout(60, connect=_CONNECT_S)}
    try:
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 1}):
            async with get_client(httpx_settings=patience) as client:
                await _check(client, where)
                yield client
    except PrefectHTTPStatusError as exc:
        raise refused(exc, where) from exc
    except ValidationError as exc:
        first = exc.errors(include_url=False)[0]
        raise NoServer(
            f"the Prefect server at {where} answers in words that Prefect {prefect.__version__}"
            f" does not know ({exc.title}: {first['msg']}): run the same version on both sides"
        ) from exc
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        said = str(exc) or type(exc).__name__
        raise NoServer(
            f"the Prefect server at {where} does not answer ({said}): {_HELP};"
            " `lake elt` works without one"
        ) from exc


@contextmanager
def unless_gone() -> Iterator[None]:
    """Remove something: that another deploy was first is no error."""
    with suppress(ObjectNotFound):
        try:
            yield
        except PrefectHTTPStatusError as exc:
            if exc.response.status_code != 404:
                raise


async def reach() -> None:
    """Make sure that the configured server can be asked, if there is one; see `connected`."""
    if get_current_settings().api.url:
        async with connected():
            pass


@contextmanager
def unless_lost() -> Iterator[None]:
    """Run a flow in this process.

    Raises:
        NoServer: the server did not answer any more, however often it was asked.
    """
    try:
        yield
    except httpx.HTTPError as exc:
        where = recorded(str(get_current_settings().api.url or "its own address"))
        said = str(exc) or type(exc).__name__
        raise NoServer(
            f"the Prefect server at {where} was lost during the run ({said}): what was committed"
            " stays; start it, then run the same again, which goes on from there; `lake elt` works"
            " without one"
        ) from exc


async def _check(client: PrefectClient, where: str) -> None:
    """Make sure that the server is one, and of our version."""
    try:
        theirs, ours = Version(await client.api_version()), Version(prefect.__version__)
    except (json.JSONDecodeError, InvalidVersion, TypeError) as exc:
        raise NoServer(f"what answers at {where} is no Prefect server: {_HELP}") from exc
    if theirs.major != ours.major:
        raise NoServer(
            f"the server at {where} is Prefect {theirs} and this is {ours}: run the same version on"
            f" both sides (here: pip install 'prefect=={theirs}')"
        )
    if theirs < ours:
        get_logger().warning("the server is Prefect %s, older than ours, %s", theirs, ours)


def refused(exc: PrefectHTTPStatusError, where: str) -> LakeError:
    """Return what a refusal of the server at `where` means to us."""
    status = exc.response.status_code
    if status in (401, 403):
        return NoServer(
            f"the Prefect server at {where} does not let us in: set PREFECT_API_AUTH_STRING to the"
            " one that it was started with"
        )
    if status == 404 and exc.request.url.path.endswith("/admin/version"):
        return NoServer(f"what answers at {where} is no Prefect server: {_HELP}")
    method, path = exc.request.method, exc.request.url.path
    return ServerRefused(
        f"the Prefect server at {where} refuses {method} {path} with {status}: {detail(exc)}"
    )


def detail(exc: PrefectHTTPStatusError) -> str:
    """Return what a server says of its refusal, in one line."""
    try:
        said = exc.response.json()
    except ValueError:
        said = exc.response.text
    if isinstance(said, dict):
        said = said.get("exception_detail") or said.get("detail") or said
    return " ".join(str(said).split())[:400]
