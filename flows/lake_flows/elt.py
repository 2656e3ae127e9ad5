"""The flow `elt`: land, transform and load in one run. `python -m lake_flows.elt` runs it.

The stages are no subflows: each would cost a second, in which Prefect waits for its heartbeat.
A stage with nothing declared is left out. What fails stops only what hangs on it, and the run ends
Failed. Safe to kill anywhere, to run twice, and to run beside itself.
"""

import sys
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from lake.config.period import AT_ONCE
from lake.elt import loadable
from lake.lake import Lake
from lake.landing.sources import chosen, sources
from lake_flows.by_hand import run
from lake_flows.hooks import emit_news
from lake_flows.land import due, land_all
from lake_flows.load import load_all
from lake_flows.report import Report
from lake_flows.reported import reported
from lake_flows.transform import transform_all
from lake_flows.where import Asked, Where, here, warehouse_named


@flow(name="elt", on_completion=[emit_news], on_failure=[emit_news])
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


if __name__ == "__main__":
    sys.exit(run(elt))
