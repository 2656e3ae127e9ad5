"""What the log keeps of loads, so that a lake knows of them without its warehouses."""

from typing import TYPE_CHECKING

from lake.catalog.entries import Change, Note
from lake.catalog.publish import Draft, publish
from lake.query import meta
from lake.query.sql import literal
from lake.warehouse.declared import declaration
from lake.warehouse.ledger import TableLoaded
from lake.warehouse.load import holds
from lake.warehouse.url import parse

if TYPE_CHECKING:
    from lake.lake import Lake


def note(lake: "Lake", name: str, loaded: TableLoaded, url: str) -> None:
    """Note in the log what a load changed, and how the table is loaded; it changes no data.

    A load that was done in the warehouse, but not noted, as its run was killed or the log could not
    be written then, is noted by the next one.
    """
    changes: list[Change] = []
    warehouse = parse(url, root=lake.config.root).url
    if loaded.loaded or loaded.removed:
        counts = len(loaded.loaded), len(loaded.removed), lake.commit
    else:
        counts = _not_noted(lake, name, loaded.table, url=url, warehouse=warehouse)
    if any(counts):
        data = {"table": loaded.table, "warehouse": warehouse, "rows": str(loaded.rows)}
        data |= zip(("loaded", "removed", "of"), map(str, counts), strict=True)
        changes.append(Note("load", f"curated.{name}", data=data))
    said = declaration(lake, name)
    if lake.state.declared("table").get(name) != said.text:
        changes.append(said)
    publish(
        lake.log,
        lake.state,
        lambda state: Draft(changes),
        commit_id=lake.new_id(),
        message=f"load {loaded.table}",
        run=lake.run,
    )


def _not_noted(
    lake: "Lake", name: str, table: str, *, url: str, warehouse: str
) -> tuple[int, int, int]:
    """Return of loads that the log says nothing of: partitions loaded and removed, the commit."""
    # A file may have been moved or copied together with its lake.
    where = "LIKE 'duckdb:%'" if warehouse.startswith("duckdb:") else f"= {literal(warehouse)}"
    noted = meta.rows(
        lake.state,
        "SELECT coalesce(max(loaded_commit), 0) AS commit FROM meta.loads"
        f' WHERE dataset = {literal(f"curated.{name}")} AND "table" = {literal(table)}'
        f" AND warehouse {where}",
    )[0]["commit"]
    held = holds(url, lake.log.identity.id, table, root=lake.config.root)
    newer = [row for row in held.values() if row.commit > noted]
    removed = sum(row.removed for row in newer)
    return len(newer) - removed, removed, max((row.commit for row in newer), default=0)
