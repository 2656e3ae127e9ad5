from lake.catalog.entries import Replace
from lake.catalog.publish import Draft, publish
from lake.lake import Lake
from lake.models.make import ModelRun
from lake.models.run import plan, transform
from tests.lakes import again, model, rows
from tests.models.months import FEBRUARY, JANUARY, TOTALS, ran, same, settled, trips, versions


def overtake(lk: Lake) -> None:
    """Publish another content of January as somebody else would, who knew nothing of us."""
    other = again(lk)
    current = other.state.partition("curated.totals", JANUARY).current
    assert current
    change = Replace("curated.totals", JANUARY, current.files, "other", current.landed)
    publish(other.log, other.state, lambda state: Draft([change]), commit_id=other.new_id())


def test_what_was_overtaken_is_planned_again_and_builds_are_reused(lk: Lake) -> None:
    same(lk)
    model(lk, "last", "SELECT sum(fare) AS fare FROM curated.totals")
    ran(lk)
    trips(lk, "2024-01", (1, "2024-01-05", 11))
    told: list[ModelRun] = []

    def hear(run: ModelRun) -> None:
        told.append(run)
        if len(told) == 2:
            overtake(lk)

    uploads = _parts(lk)
    done = transform(lk, told=hear)
    assert [run.status for run in told] == ["built"] * 4
    assert done.commit == lk.commit == 6
    assert rows(lk, "FROM curated.last") == [(81,)]
    assert len(_parts(lk) - uploads) == 2, "each partition was built once"
    assert settled(lk)


def _parts(lk: Lake) -> set[str]:
    return {item.key for item in lk.log.store.list("curated/") if item.key.endswith(".parquet")}


def test_two_transforms_at_once_publish_once(lk: Lake) -> None:
    same(lk)
    other = again(lk)

    def hear(run: ModelRun) -> None:
        if other.commit == 2:
            other.transform()

    transform(lk, told=hear)
    assert versions(lk, "curated.totals") == {JANUARY: 1, FEBRUARY: 1}
    assert lk.commit == other.commit == 3


def test_somebody_elses_landing_does_not_stop_a_publication(lk: Lake) -> None:
    same(lk)
    other = again(lk)
    done = transform(lk, told=lambda run: trips(other, "2024-03", (5, "2024-03-01", 5)))
    assert (done.commit, len(done.runs)) == (4, 1)
    assert [one.built for one in plan(lk)] == [1]


def test_what_a_rollback_rejected_is_not_published_again(lk: Lake) -> None:
    same(lk)
    ran(lk)
    good = lk.state.partition("curated.totals", JANUARY).current
    trips(lk, "2024-01", (1, "2024-01-05", 99))
    ran(lk)
    bad = lk.state.partition("curated.totals", JANUARY).current
    assert good
    assert bad
    back = Replace("curated.totals", JANUARY, good.files, good.content, good.landed,
                   why="rollback", rejects=(bad.content,))  # fmt: skip
    publish(lk.log, lk.state, lambda state: Draft([back]), commit_id=lk.new_id())
    assert settled(lk)
    same(lk, TOTALS.replace("sum(fare)", "sum(fare + 0)"))
    assert ran(lk)["totals"].changed == ()
    assert rows(lk, "FROM curated.totals ORDER BY month") == [(30, "2024-01"), (70, "2024-02")]
    trips(lk, "2024-01", (1, "2024-01-05", 98))
    assert ran(lk)["totals"].changed == (JANUARY,)
    assert settled(lk)
