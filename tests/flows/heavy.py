"""The model `heavy`, whose partitions the workers of a cluster build, and what became of it."""

from typing import Any

from prefect import get_client
from prefect.client.schemas.objects import State

from lake_flows.report import RunFailed
from lake_flows.transform import transform
from tests.flows.project import Project

HEADER = """-- /// lake
-- partition_by = "month"
-- reads.trips = "same"
-- ///
"""
MONTHS = ["2024-01", "2024-02"]


def write(project: Project, select: str) -> None:
    """Write the model, over what its sources hold."""
    (project.root / "models" / "heavy.sql").write_text(f"{HEADER}{select}\n")
    project.lake().land_sources()


def lasting(rows: int) -> str:
    """Return a SELECT that takes longer the more rows it is told; its result is the same."""
    hashed = f"SELECT max(hash(i)) % 2 FROM range({rows}) r(i)"
    return f"SELECT month, count(*) AS trips, ({hashed}) AS x FROM raw.trips GROUP BY month"


def built(project: Project, runner: str) -> State[Any]:
    """Build it with the workers of a cluster."""
    return transform(project=project.folder, models=["heavy"], runner=runner, return_state=True)


def report(state: State[Any]) -> dict[str, Any]:
    found = state.result(raise_on_failure=False)
    found = found.document if isinstance(found, RunFailed) else found
    assert isinstance(found, dict), found
    return found


def tasks(state: State[Any]) -> list[str]:
    """Return the tasks of a run that built a part."""
    run = str(state.state_details.flow_run_id)
    asked = {"task_runs": {"flow_run_id": {"any_": [run]}}}
    with get_client(sync_client=True) as client:
        found = client.request("POST", "/task_runs/filter", json=asked).json()
    return sorted(one["name"] for one in found if one["name"].startswith("build heavy"))


def published(project: Project) -> list[tuple[object, ...]]:
    """Return each partition's name and version, and how many commits built it."""
    query = """SELECT partition, max(version), count(DISTINCT commit) FROM meta.versions
        WHERE dataset = 'curated.heavy' GROUP BY partition ORDER BY partition"""
    found: list[tuple[object, ...]] = project.lake().sql(query).fetchall()
    return found


def staged(project: Project) -> list[str]:
    """Return the files that lie in the lake of it, published or not."""
    folder = project.root / ".lake" / "curated" / "heavy"
    return sorted(str(path) for path in folder.rglob("*") if path.is_file())
