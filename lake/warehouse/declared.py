"""The tables to load, as `lake.toml` names them, or the log where there is none."""

import json
from typing import TYPE_CHECKING

from lake.catalog.codec import build
from lake.catalog.entries import Declare
from lake.config.types import TableConfig

if TYPE_CHECKING:
    from lake.lake import Lake


def tables(lake: "Lake") -> list[str]:
    """Return the names of all tables, without their zone: `lake.toml`'s, else the log's."""
    return list(lake.config.warehouse.load) or sorted(lake.state.declared("table"))


def declaration(lake: "Lake", name: str) -> Declare:
    """Return what the log keeps of a table: its name in the warehouse, and how it is loaded."""
    known = lake.config.warehouse
    if name not in known.load and name in lake.state.declared("table"):
        return Declare("table", name, lake.state.declared("table")[name])
    table = known.tables.get(name, TableConfig(name))
    said: dict[str, object] = {"table": table.table}
    if table.mode != "replace":
        said["mode"] = table.mode
    if table.merge_on:
        said["merge_on"] = list(table.merge_on)
    return Declare("table", name, json.dumps(said))


def table_config(lake: "Lake", name: str) -> TableConfig:
    """Return how a table is loaded."""
    said: TableConfig = build(TableConfig, json.loads(declaration(lake, name).text))
    return said
