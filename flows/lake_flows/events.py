"""What Prefect's event feed hears: partitions that landed, what was made from what, and news."""

from collections.abc import Iterable
from typing import Any

from prefect.events import emit_event

from lake_flows.report import Row

LANDED = "lake.partition.landed"
MADE = "prefect.asset.materialization.succeeded"
READ = "prefect.asset.referenced"


def told(lake_id: str, rows: Iterable[Row]) -> None:
    """Tell of everything that a run landed, built and loaded, with its lineage.

    A partition is `lake.partition.landed` of the resource `KEY/PARTITION`. Datasets and tables are
    Prefect's assets: one event for each that changed, related to those that it was made from.

    Args:
        lake_id: the lake's id, the label `lake.id` of partitions.
        rows: what became of everything.
    """
    made: dict[str, set[str]] = {}
    for row in rows:
        if row.outcome in ("landed", "built", "loaded"):
            made.setdefault(row.asset, set()).update(row.inputs)
        if row.outcome == "landed":
            _landed(lake_id, row)
    for asset in sorted({one for inputs in made.values() for one in inputs} - made.keys()):
        emit_event(READ, resource={"prefect.resource.id": asset})
    for asset, inputs in made.items():
        related = [{"prefect.resource.id": one, "prefect.resource.role": "asset"} for one in inputs]
        related.append(
            {
                "prefect.resource.id": "clearlake",
                "prefect.resource.role": "asset-materialized-by",
            }
        )
        emit_event(MADE, resource={"prefect.resource.id": asset}, related=related)


def _landed(lake_id: str, row: Row) -> None:
    dataset, _, partition = row.name.partition("/")
    payload: dict[str, Any] = {
        "dataset": dataset,
        "partition": partition,
        "version": row.version,
        "rows": row.rows,
        "rejected": row.rejected,
        "again": row.is_again,
    }
    resource = {
        "prefect.resource.id": f"{row.asset}/{partition}" if partition else row.asset,
        "prefect.resource.name": row.name,
        "lake.id": lake_id,
        "lake.dataset": dataset,
    }
    related = [{"prefect.resource.id": one, "prefect.resource.role": "asset"} for one in row.inputs]
    emit_event(LANDED, resource=resource, related=related, payload=payload)
