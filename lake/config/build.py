"""The tables of `lake.toml` as a `Config`."""

import os
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import cast, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from lake import layout
from lake.config import table
from lake.config.alerts import alerts
from lake.config.duration import duration
from lake.config.secrets import expand, is_named, named
from lake.config.source import source
from lake.config.table import Table
from lake.config.types import Config, Deployment, Mode, Schedule, TableConfig, Warehouse
from storage_backends import is_short_of_a_slash

FLOWS = ("land", "transform", "load", "elt", "maintain")
_DEPLOYMENT = (
    "flow",
    "schedule",
    "parameters",
    "tags",
    "concurrency_limit",
    "work_pool",
    "image",
    "job_variables",
)
_TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*){0,2}")


def config(
    top: Table,
    *,
    root: Path,
    environ: Mapping[str, str] | None,
    path: Path | None = None,
    env: str = "",
) -> Config:
    """Return what the top table of the file says.

    Args:
        top: the table, overrides applied.
        root: the file's folder, where relative paths start.
        environ: where `${NAME}` is looked up; None leaves them as they are.
        path: the file.
        env: whose overrides were applied.

    Raises:
        InvalidConfig: a key is unknown, missing or wrong.
    """
    table.only(top, ("lake", "sources", "warehouse", "deployments", "alerts"))
    lake = table.only(table.inner(top, "lake"), ("url", "timezone", "browser"))
    sources = table.inners(table.inner(top, "sources"))
    deployments = table.inners(table.inner(top, "deployments"))
    return Config(
        root=root,
        path=path,
        env=env,
        url=absolute(_looked_up(lake, "url", environ), root),
        timezone=_timezone(lake, "UTC"),
        sources={name: source(item, name=name, root=root) for name, item in sources.items()},
        warehouse=_warehouse(table.inner(top, "warehouse"), root, environ),
        deployments={name: _deployment(item) for name, item in deployments.items()},
        alerts=alerts(table.inner(top, "alerts")),
        browser=_browser(lake),
    )


def absolute(url: str | None, root: Path) -> str | None:
    """Return the URL of a lake or warehouse with a relative path in it made absolute.

    `./.lake` starts from `root`, as does the file of `duckdb:///rel.duckdb`. What only names a URL
    (`block:NAME`, `${NAME}…`) stays as it is.
    """
    if url is None or is_named(url) or url.startswith("${"):
        return url
    if url.startswith("duckdb:///") and not url.startswith(("duckdb:////", "duckdb:///:memory:")):
        return f"duckdb:///{_path(url.removeprefix('duckdb:///'), root)}"
    is_url = "://" in url or is_short_of_a_slash(url)  # which `open_store` refuses
    return url if is_url else _path(url, root)


def _path(text: str, root: Path) -> str:
    # `..` goes by the names, as a shell's `cd` does: the folder need not be there yet.
    return os.path.normpath(root.absolute() / Path(text).expanduser())


def _looked_up(values: Table, key: str, environ: Mapping[str, str] | None) -> str | None:
    if isinstance(values.values.get(key), dict):
        return table.attempt(values, key, lambda: named(table.inner(values, key).values))
    written = table.text(values, key, reads_environment=True)
    if key in values and not written:
        table.refuse(values, f"{key} is empty: write one, or take the key out")
    if environ is None or not written:
        return written or None
    return table.attempt(values, key, lambda: expand(written, environ))


def _timezone(values: Table, default: str) -> str:
    name = table.text(values, "timezone", default)
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        table.refuse(
            values, f"timezone = {name!r} is no time zone: write one such as 'Europe/Paris'"
        )
    return name


def _browser(values: Table) -> str:
    url = table.text(values, "browser")
    if url and not url.startswith(("http://", "https://")):
        table.refuse(values, f"browser = {url!r} is no address: write one as https://HOST")
    return url


def _warehouse(values: Table, root: Path, environ: Mapping[str, str] | None) -> Warehouse:
    table.only(values, ("url", "load", "tables"))
    load = table.texts(values, "load")
    for name in load:
        table.attempt(values, "load", partial(layout.dataset, f"curated.{name}"))
    tables = table.inners(table.inner(values, "tables"))
    for name, item in tables.items():
        if name not in load:
            table.refuse(item, f"is not in warehouse.load: {table.nearest(name, load)}")
    return Warehouse(
        url=absolute(_looked_up(values, "url", environ), root),
        load=load,
        tables={name: _table(item, name) for name, item in tables.items()},
    )


def _table(values: Table, name: str) -> TableConfig:
    table.only(values, ("table", "mode", "merge_on"))
    written = table.text(values, "table", name)
    if not _TABLE.fullmatch(written):
        table.refuse(values, f"table = {written!r} is no table: write NAME or SCHEMA.NAME")
    merge_on = table.texts(values, "merge_on")
    mode = table.text(values, "mode", "merge" if merge_on else "replace")
    if mode not in get_args(Mode):
        table.refuse(values, f"mode = {mode!r} is no mode: {table.nearest(mode, get_args(Mode))}")
    if (mode == "merge") != bool(merge_on):
        table.refuse(
            values,
            f"mode = {mode!r} goes with{'' if mode == 'merge' else 'out'} merge_on: write"
            ' merge_on = ["KEY"] to merge, or mode = "replace" or "append" alone',
        )
    return TableConfig(written, cast("Mode", mode), merge_on)


def _deployment(values: Table) -> Deployment:
    table.only(values, _DEPLOYMENT)
    flow = table.text(values, "flow")
    if flow not in FLOWS:
        table.refuse(values, f"flow = {flow!r} is no flow: {table.nearest(flow, FLOWS)}")
    schedule = _schedule(table.inner(values, "schedule")) if "schedule" in values else None
    return Deployment(
        flow=flow,
        schedule=schedule,
        parameters=table.inner(values, "parameters").values,
        tags=table.texts(values, "tags"),
        concurrency_limit=table.count(values, "concurrency_limit", default=0),
        work_pool=table.text(values, "work_pool"),
        image=table.text(values, "image"),
        job_variables=table.inner(values, "job_variables").values,
    )


def _schedule(values: Table) -> Schedule:
    table.only(values, ("cron", "interval", "rrule", "timezone"))
    if sum(key in values for key in ("cron", "interval", "rrule")) != 1:
        table.refuse(values, "has to say one of cron, interval and rrule")
    return Schedule(
        cron=table.text(values, "cron"),
        interval=table.parsed(values, "interval", duration, default=None),
        rrule=table.text(values, "rrule"),
        timezone=_timezone(values, "UTC") if "timezone" in values else "",
    )
