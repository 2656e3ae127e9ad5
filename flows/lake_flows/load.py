"""The flow `load`: a task brings each table up to date in the warehouse."""

import sys
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from lake.catalog.codec import build, plain
from lake.lake import Lake
from lake.warehouse.ledger import TableLoaded
from lake.warehouse.run import chosen, load_tables, warehouse_url
from lake.warehouse.run import plan as planned
from lake.words import counted
from lake_flows import assets
from lake_flows.by_hand import run
from lake_flows.hooks import emit_news
from lake_flows.progress import tracked
from lake_flows.report import Report, Row, public
from lake_flows.reported import reported
from lake_flows.step import outcome, step
from lake_flows.where import Asked, Where, here, looked_up, warehouse_named

Document = dict[str, Any]


@flow(name="load", on_completion=[emit_news], on_failure=[emit_news])
def load(
    lake: str | None = None,
    env: str | None = None,
    project: str | None = None,
    tables: list[str] | None = None,
    since: str | None = None,
    until: str | None = None,
    warehouse: str | None = None,
    plan: bool = False,
) -> State[Any]:
    """Load published tables into the warehouse: what changed, exactly once.

    Args:
        lake: its URL; without it `LAKE_URL`, else what `lake.toml` says.
        env: the `[env.NAME]` of `lake.toml`.
        project: the folder of `lake.toml`; without one the lake's log says what its tables are.
        tables: names; all without any.
        since: the first period to load, such as `2024-01`; others stay as they are in the
            warehouse, and tables that are not cut into periods are loaded whole.
        until: the last one.
        warehouse: its URL, in place of the configured one. Name secrets as `${NAME}`, or all of it
            as `block:NAME`: they are looked up where the flow runs.
        plan: only say which partitions would be loaded.
    """
    where, to, asked = here(lake, env, project), warehouse_named(warehouse), Asked(since, until)

    def work(lake: Lake, report: Report) -> None:
        load_all(lake, report, where, chosen(lake, tables or ()), to, asked, plan=plan)

    return reported("load", where, work)


def load_all(
    lake: Lake,
    report: Report,
    where: Where,
    wanted: list[str],
    to: str | None,
    asked: Asked,
    *,
    plan: bool,
) -> None:
    """Load tables, or plan to, in the flow run of this context."""
    if plan:
        for name, due in planned(lake, wanted, to=looked_up(to), periods=asked.periods).items():
            if due:
                report.add(Row("load", name, "due", note=counted(len(due), "partition")))
        return
    for table in tracked(wanted, "lake-load-progress"):
        _load(report, lake, where, table, to, asked)


def _changed_in(lake: Lake, table: str) -> int:
    dataset = lake.state.datasets.get(f"curated.{table}")
    return dataset.changed_in if dataset else 0


def _load(
    report: Report, lake: Lake, where: Where, table: str, warehouse: str | None, asked: Asked
) -> None:
    changed_in = _changed_in(lake, table)
    found = outcome(load_table(where, table, warehouse, changed_in, asked, return_state=True))
    if isinstance(found, Exception):
        report.add(Row("load", table, "failed", note=public(found)))
        report.fail(found)
        return
    loaded = build(TableLoaded, found)
    touched = len(loaded.loaded) + len(loaded.removed)
    report.add(
        Row(
            "load",
            loaded.table,
            "loaded" if touched else "unchanged",
            loaded.rows,
            f"{counted(touched, 'partition')} changed",
            asset=_asset(lake, warehouse, loaded.table) if touched else "",
            inputs=(assets.of_dataset(lake, f"curated.{table}"),),
        )
    )


def _asset(lake: Lake, warehouse: str | None, table: str) -> str:
    return assets.of_table(warehouse_url(lake, looked_up(warehouse)), table)


@step("load {table}")
def load_table(
    where: Where, table: str, warehouse: str | None, changed_in: int, asked: Asked
) -> Document:
    """Make one table hold what its dataset holds of the periods asked for, in one transaction.

    Args:
        where: the lake.
        table: its dataset, without the zone.
        warehouse: a URL in place of the configured one, with `${NAME}` for secrets.
        changed_in: the commit that changed the dataset last: after another, there is more to load.
        asked: the periods to load.
    """
    lake, to = where.open(), looked_up(warehouse)
    loaded = load_tables(lake, [table], to=to, periods=asked.periods)
    document: Document = plain(loaded[0])
    return document


if __name__ == "__main__":
    sys.exit(run(load))
