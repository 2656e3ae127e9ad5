"""A lake with two months of trips, and what tests of runs do to it."""

from lake.catalog.entries import Remove
from lake.catalog.publish import Draft, publish
from lake.lake import Lake
from lake.models.make import ModelRun
from lake.models.run import plan, transform
from tests.lakes import again, land, model

JANUARY, FEBRUARY, MARCH = "month=2024-01", "month=2024-02", "month=2024-03"
BY_MONTH = 'partition_by = "month"'


def trips(lk: Lake, month: str, *found: tuple[int, str, int]) -> None:
    """Land a month of trips: id, day, fare."""
    values = ", ".join(f"({number}, DATE '{day}', {fare})" for number, day, fare in found)
    land(lk, "raw.trips", f"FROM (VALUES {values}) t(id, day, fare)", month=month)


def ran(lk: Lake, *names: str) -> dict[str, ModelRun]:
    """Transform as another process would, and return the runs of models by name."""
    done = transform(lk, names)
    return {run.dataset.removeprefix("curated."): run for run in done.runs}


def remove(lk: Lake, dataset: str, partition: str) -> None:
    publish(
        lk.log, lk.state, lambda state: Draft([Remove(dataset, partition)]), commit_id=lk.new_id()
    )


def versions(lk: Lake, dataset: str) -> dict[str, int]:
    return {p.text: p.versions for p in lk.state.partitions(dataset)}


def settled(lk: Lake) -> bool:
    """Tell whether nothing is left to do, here and for another process."""
    return plan(lk) == [] and plan(again(lk)) == [] and transform(again(lk)).commit is None


PICKED_UP = "SELECT strftime(day, '%Y-%m') AS month, id, day, fare FROM raw.trips"
TOTALS = "SELECT month, sum(fare) AS fare FROM raw.trips GROUP BY month"


def same(lk: Lake, select: str = TOTALS) -> None:
    model(lk, "totals", select, BY_MONTH, 'reads.trips = "same"')


def whole(lk: Lake) -> None:
    model(lk, "totals", "SELECT strftime(day, '%Y-%m') AS month, sum(fare) AS fare FROM raw.trips"
          " GROUP BY ALL", BY_MONTH)  # fmt: skip


def each(lk: Lake) -> None:
    model(lk, "picked", PICKED_UP, BY_MONTH, 'reads.trips = "each"')


def failing(lk: Lake, *more: str) -> None:
    model(lk, "bad", "SELECT id, fare FROM raw.trips", 'checks = [{ between = "fare", max = 25 }]')
    model(lk, "behind", "SELECT count(*) AS n FROM curated.bad")
    model(lk, "far_behind", "SELECT n FROM curated.behind")
    model(lk, "good", "SELECT id FROM raw.trips", 'checks = [{ unique = "id" }]')
