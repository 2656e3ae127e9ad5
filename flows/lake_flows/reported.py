"""How a flow run ends: its artifacts, its events, its name and its final state."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from prefect import get_client
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from lake.catalog.entries import Note
from lake.catalog.state import State as LakeState
from lake.config import recorded
from lake.lake import Lake
from lake.query.attach import refresh
from lake_flows import events
from lake_flows.page import cell, page, table
from lake_flows.report import Drift, Report, RunFailed, summary
from lake_flows.where import Where


def reported(flow: str, where: Where, work: Callable[[Lake, Report], None]) -> State[Any]:
    """Do the work of a flow, tell of it, and return the state that the run ends in.

    `catalog.duckdb` is made anew behind whatever the work published.
    """
    report = Report(flow)
    lake: Lake | None = None
    before = 0
    with report.goes_on():
        lake = where.open()
        report.lake, before = lake.log.identity.id, lake.commit
        work(lake, report)
        if lake.refresh() != before:
            refresh(lake.log, lake.state)
    if lake is not None:
        report.drift += drifted(lake.state, before, where.run)
        events.told(report.lake, report.rows)
    _keep(report, lake, before)
    if report.errors:
        failed = RunFailed(report)
        return Failed(message=str(failed), data=failed)
    return Completed(message=summary(report.rows), data=report.document())


def drifted(state: LakeState, before: int, run: str) -> Iterator[Drift]:
    """Give the columns that got another type by what a run published behind a commit."""
    for entry in state.tail:
        if entry.commit <= before or entry.author.run != run:
            continue
        for one in entry.changes:
            if isinstance(one, Note) and one.kind == "drift":
                said = one.data
                yield Drift(
                    one.dataset,
                    one.partition,
                    said["column"],
                    said["was"],
                    said["is"],
                    said["rule"],
                )


def _keep(report: Report, lake: Lake | None, before: int) -> None:
    """Write the artifacts, and name the run after what it did."""
    text = page(report, head=_head(lake, before), link=partial(link, lake) if lake else str)
    create_markdown_artifact(text, key=f"lake-{report.flow}")
    create_table_artifact(table(report.rows), key=f"lake-{report.flow}-rows")
    name = f"{report.flow} · {_day(lake)} · {report.headline}"
    with get_client(sync_client=True) as client:
        client.update_flow_run(flow_run.id, name=name)


def _head(lake: Lake | None, before: int) -> str:
    if lake is None:
        return "The lake could not be opened."
    where = cell(recorded(lake.url))
    to = browser(lake)
    commits = f"commit {before}" if lake.commit == before else f"commits {before} → {lake.commit}"
    return f"{f'[{where}]({to}/)' if to else where}, {commits}, run `{lake.run}`"


def browser(lake: Lake) -> str:
    """Return the URL of the lake browser, as `lake.toml` or the log has it; `""` without one."""
    return (lake.config.browser or lake.state.declared("lake").get("browser", "")).rstrip("/")


def link(lake: Lake, name: str) -> str:
    """Return the address of `raw.trips/month=2024-01/v2` in the lake browser, if there is one.

    A partition's text is percent-encoded already.
    """
    dataset, _, rest = name.partition("/")
    to = browser(lake)
    path = f"{dataset.replace('.', '/', 1)}/{rest}".rstrip("/")
    return f"{to}/{quote(path, safe='/=%')}" if to else ""


def _day(lake: Lake | None) -> str:
    """Return the day that the run stands for, in the lake's zone."""
    zone = ZoneInfo(lake.log.identity.timezone if lake else "UTC")
    return f"{flow_run.scheduled_start_time.astimezone(zone):%Y-%m-%d}"
