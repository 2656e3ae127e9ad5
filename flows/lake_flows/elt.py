"""The flow `elt`: land, transform and load in one run. `python -m lake_flows.elt` runs it.

The stages are no subflows: each would cost a second, in which Prefect waits for its heartbeat.
A stage with nothing declared is left out. What fails stops only what hangs on it, and the run ends
Failed. Safe to kill anywhere, to run twice, and to run beside itself.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.settings import (
    PREFECT_SERVER_ANALYTICS_ENABLED,
    PREFECT_SERVER_EPHEMERAL_ENABLED,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    temporary_settings,
)

from lake.config.period import AT_ONCE
from lake.elt import loadable
from lake.errors import LakeError
from lake.lake import Lake
from lake.landing.sources import chosen, sources
from lake_flows.alerting import heard
from lake_flows.api import reach, unless_lost
from lake_flows.cluster import address
from lake_flows.land import due, land_all
from lake_flows.load import load_all
from lake_flows.report import Report
from lake_flows.reported import reported
from lake_flows.transform import transform_all
from lake_flows.where import Asked, Where, here, no_secret, warehouse_named

# Of the temporary server, which runs where none is configured.
OWN_SERVER = {
    PREFECT_SERVER_ANALYTICS_ENABLED: False,
    PREFECT_SERVER_EPHEMERAL_ENABLED: True,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: 120,
}


@flow(name="elt", on_completion=[heard], on_failure=[heard])
def elt(
    lake: str | None = None,
    env: str | None = None,
    project: str | None = None,
    since: str | None = None,
    until: str | None = None,
    timezone: str | None = None,
    at_once: int = AT_ONCE,
    plan: bool = False,
    warehouse: str | None = None,
    runner: str | None = None,
) -> State[Any]:
    """Land every source, build every stale model, load every table; each thing exactly once.

    Args:
        lake: its URL; without it `LAKE_URL`, else what `lake.toml` says.
        env: the `[env.NAME]` of `lake.toml`.
        project: the folder of `lake.toml`; without one the lake's log says what there is to do.
        since: the first period that is landed, built and loaded, such as `2024-01`.
        until: the last one.
        timezone: the zone in which periods are counted; the lake's if not said.
        at_once: how many partitions of a source are fetched beside each other.
        plan: only say what each stage would do now; nothing is fetched or written.
        runner: `dask://HOST:PORT` or `ray://HOST:PORT`, whose workers build the partitions.
        warehouse: its URL, or `block:NAME`, in place of the configured one; secrets as `${NAME}`.
    """
    where, to = here(lake, env, project), warehouse_named(warehouse)
    asked = Asked(since, until, timezone, at_once)

    def work(lake: Lake, report: Report) -> None:
        _stages(lake, report, where, asked, to, runner, plan=plan)

    return reported("elt", where, work)


def _stages(
    lake: Lake,
    report: Report,
    where: Where,
    asked: Asked,
    to: str | None,
    runner: str | None,
    *,
    plan: bool,
) -> None:
    """Go through the stages; what ends one of them does not end the next."""
    if sources(lake):
        with report.goes_on():
            land_all(lake, report, where, chosen(lake, ()), asked, due(), plan=plan)
    lake.refresh()
    with report.goes_on():
        transform_all(lake, report, where, [], asked, runner, plan=plan)
    lake.refresh()
    if tables := loadable(lake, report.failed("transform")):
        load_all(lake, report, where, tables, to, asked, plan=plan)


def main(words: Sequence[str] | None = None) -> int:
    """Run the flow once, with a temporary server if none is configured; 1 if anything failed."""
    parser = argparse.ArgumentParser(prog="python -m lake_flows.elt", description=elt.__doc__)
    for name in ("lake", "env", "project", "since", "until", "timezone", "warehouse", "runner"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--at-once", type=int, default=AT_ONCE)
    parser.add_argument("--plan", action="store_true")
    given = vars(parser.parse_args(words))
    try:
        # Before Prefect gets to know it: what it is told once it keeps.
        no_secret("lake", given["lake"])
        no_secret("warehouse", given["warehouse"])
        if given["runner"]:
            address(given["runner"])
        asyncio.run(reach())
        with _ended_by_term(), temporary_settings(OWN_SERVER), unless_lost():
            state = elt(**given, return_state=True)
            found: Any = state.result(raise_on_failure=False)
    except LakeError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    errors = found["errors"] if isinstance(found, dict) else [state.message]
    for text in errors:
        sys.stderr.write(f"error: {text}\n")
    sys.stdout.write("" if errors else f"{state.message}\n")
    return 1 if errors else 0


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


if __name__ == "__main__":
    sys.exit(main())
