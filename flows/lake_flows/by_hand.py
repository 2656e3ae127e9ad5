"""`python -m lake_flows.FLOW`: one run of a flow from a shell, with or without a Prefect server."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn, cast

from prefect import Flow
from prefect.client.schemas.objects import State
from prefect.settings import (
    PREFECT_SERVER_ANALYTICS_ENABLED,
    PREFECT_SERVER_EPHEMERAL_ENABLED,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    temporary_settings,
)

from lake.errors import LakeError
from lake_flows.api import reach, unless_lost
from lake_flows.cluster import address
from lake_flows.report import RunFailed
from lake_flows.where import no_secret

# Of the temporary server, which runs where none is configured.
OWN_SERVER = {
    PREFECT_SERVER_ANALYTICS_ENABLED: False,
    PREFECT_SERVER_EPHEMERAL_ENABLED: True,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: 120,
}


def run(flow: Flow[..., Any], words: Sequence[str] | None = None) -> int:
    """Run a flow once, with a temporary server if none is configured; 1 if anything failed.

    Args:
        flow: each of its parameters is an option.
        words: the command line; this process's own if not said.
    """
    given = vars(_parser(flow).parse_args(words))
    try:
        # Before Prefect gets to know it: what it is told once it keeps.
        for name in ("lake", "warehouse"):
            no_secret(name, given.get(name))
        if given.get("runner"):
            address(given["runner"])
        asyncio.run(reach())
        with _ended_by_term(), temporary_settings(OWN_SERVER), unless_lost():
            state: State[Any] = cast(Any, flow)(**given, return_state=True)
            found: Any = state.result(raise_on_failure=False)
    except LakeError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    if isinstance(found, RunFailed):
        errors = found.document["errors"]
    else:
        errors = [] if isinstance(found, dict) else [state.message]
    for text in errors:
        sys.stderr.write(f"error: {text}\n")
    sys.stdout.write("" if errors else f"{state.message}\n")
    return 1 if errors else 0


def _parser(flow: Flow[..., Any]) -> argparse.ArgumentParser:
    """Return a parser with an option for each parameter, which keeps the parameter's default."""
    parser = argparse.ArgumentParser(
        prog=f"python -m lake_flows.{flow.name}",
        description=(flow.description or "").partition("\n")[0],
        argument_default=argparse.SUPPRESS,
    )
    for name, known in flow.parameters.properties.items():
        types = {one.get("type") for one in (known, *known.get("anyOf", ()))}
        option: dict[str, Any] = {"help": known.get("description", "").replace("%", "%%")}
        if "boolean" in types:
            option["action"] = "store_true"
        elif "array" in types:
            option |= {"nargs": "+", "metavar": "NAME"}
        elif "integer" in types:
            option["type"] = int
        parser.add_argument(f"--{name.replace('_', '-')}", **option)
    return parser


@contextmanager
def _ended_by_term() -> Iterator[None]:
    """Make SIGTERM an exception: what lies on local disk is cleaned up on the way out."""
    before = signal.signal(signal.SIGTERM, _ended)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _ended(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
