"""The flow `maintain`: spares readers a long log, and makes `catalog.duckdb` anew."""

import sys
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from lake.catalog import checkpoint
from lake.errors import StoreUnavailable
from lake.lake import Lake
from lake.query.attach import refresh
from lake_flows.by_hand import run
from lake_flows.hooks import emit_news
from lake_flows.report import Report, Row
from lake_flows.reported import reported
from lake_flows.step import outcome, step
from lake_flows.where import Where, here


@flow(name="maintain", on_completion=[emit_news], on_failure=[emit_news])
def maintain(
    lake: str | None = None, env: str | None = None, project: str | None = None
) -> State[Any]:
    """Write a checkpoint of the head and `catalog.duckdb`; no data change.

    Args:
        lake: its URL; without it `LAKE_URL`, else what `lake.toml` says.
        env: the `[env.NAME]` of `lake.toml`.
        project: the folder of `lake.toml`.
    """
    where = here(lake, env, project)

    def work(lake: Lake, report: Report) -> None:
        for task, name in ((write_checkpoint, "checkpoint"), (write_catalog, "catalog.duckdb")):
            found = outcome(task(where, lake.commit, return_state=True))
            if isinstance(found, Exception):
                report.fail(found)
            else:
                report.add(Row("maintain", name, found))

    return reported("maintain", where, work)


@step("write a checkpoint at {commit}")
def write_checkpoint(where: Where, commit: int) -> str:
    """Spare readers the log behind the newest checkpoint, if there is any."""
    lake = where.open()
    if not lake.state.tail:
        return "unchanged"
    if not checkpoint.write(lake.log, lake.state):
        raise StoreUnavailable(
            f"no checkpoint of commit {lake.commit} could be written to {lake.url}: reading goes"
            " on without it; look at the store's room and permissions"
        )
    return "written"


@step("write catalog.duckdb at {commit}")
def write_catalog(where: Where, commit: int) -> str:
    """Make the views that any DuckDB attaches anew."""
    lake = where.open()
    refresh(lake.log, lake.state)
    return "written"


if __name__ == "__main__":
    sys.exit(run(maintain))
