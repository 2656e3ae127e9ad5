import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lake import layout
from lake.catalog.codec import build, plain
from lake.catalog.entries import Note
from lake.config import load
from lake.errors import BuildFailed, CheckFailed, CommitUnknown
from lake.lake import Lake
from lake.models.make import Made, ModelRun
from lake.models.run import make_model, plan, publish_made, transform
from lake.opening import init, open_lake
from lake.operations.verify import verify
from tests.lakes import again, rows
from tests.stores import HookedStore

TRIPS = """-- /// lake
-- partition_by = "month"
-- reads.trips = "each"
-- ///
SELECT substr(day, 1, 7) AS month, fare FROM raw.trips
"""
REVENUE = """-- /// lake
-- partition_by = "month"
-- reads."curated.fares" = "same"
-- checks = [{ between = "revenue", min = 0 }]
-- ///
SELECT month, sum(fare) AS revenue FROM curated.fares GROUP BY ALL
"""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "fares.sql").write_text(TRIPS)
    (tmp_path / "models" / "revenue.sql").write_text(REVENUE)
    init(str(tmp_path / "lake"))
    config = replace(load(None, env=None, environ={}, cwd=tmp_path), root=tmp_path)
    lake = open_lake(str(tmp_path / "lake"), config=config)
    _land(lake, "2024-01", "day,fare\n2024-01-31 x,1\n2024-02-01 x,2\n")
    return lake


def _land(lake: Lake, month: str, text: str) -> None:
    path = lake.config.root / "sent.csv"
    path.write_text(text)
    lake.land(path, dataset="raw.trips", partition={"month": month})


def _steps(lake: Lake) -> list[Made]:
    """Make both models step by step, each result written down and read again."""
    made: list[Made] = []
    for name in ("fares", "revenue"):
        done = replace(make_model(lake, name, made), error=None)
        made.append(build(Made, json.loads(json.dumps(plain(done)))))
    return made


def _revenue(lake: Lake) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = lake.sql(
        "SELECT month, revenue FROM curated.revenue ORDER BY 1"
    ).fetchall()
    return rows


def test_steps_that_were_written_down_publish_as_one_commit(lake: Lake) -> None:
    made = _steps(lake.at(lake.commit))
    assert [one.run.status for one in made] == ["built", "built"]
    pinned = lake.commit
    done = publish_made(lake, (), made, pinned=pinned)
    assert (done.commit, lake.commit) == (pinned + 1, pinned + 1)
    assert _revenue(lake) == [("2024-01", 1), ("2024-02", 2)]
    assert {run.status for run in lake.transform().runs} == {"unchanged"}


def test_what_was_overtaken_is_planned_again(lake: Lake) -> None:
    pinned = lake.commit
    made = _steps(lake.at(pinned))
    _land(lake, "2024-02", "day,fare\n2024-02-02 x,5\n")
    open_lake(lake.url, config=lake.config).transform()
    done = publish_made(lake, (), made, pinned=pinned)
    assert (done.commit, lake.commit) == (None, pinned + 2)
    assert _revenue(lake) == [("2024-01", 1), ("2024-02", 7)]


def test_what_passed_is_published_beside_a_failed_check(lake: Lake) -> None:
    _land(lake, "2024-01", "day,fare\n2024-01-31 x,-1\n")
    pinned = lake.commit
    made = _steps(lake.at(pinned))
    assert [one.run.status for one in made] == ["built", "failed"]
    assert publish_made(lake, (), made, pinned=pinned).commit == pinned + 1
    assert "curated.fares" in lake.state.datasets
    assert "curated.revenue" not in lake.state.datasets


def test_a_step_behind_a_failed_one_is_withheld(lake: Lake) -> None:
    failed = Made(ModelRun("curated.fares", "failed"))
    made = make_model(lake.at(lake.commit), "revenue", [failed])
    assert made.run == ModelRun("curated.revenue", "withheld", note="curated.fares was withheld")


def _uploaded(lake: Lake) -> set[str]:
    """Return the models' objects that no version names."""
    return set(verify(lake, told=lambda more: None).orphans)


def test_an_audit_leaves_nothing_in_the_bucket(lake: Lake) -> None:
    audited = lake.transform(publish=False)
    assert {run.status for run in audited.runs} == {"built"}
    assert list(lake.log.store.list("curated/")) == []
    lake.transform()
    assert _revenue(lake) == [("2024-01", 1), ("2024-02", 2)]
    kept = list(lake.log.store.list("curated/"))
    _land(lake, "2024-03", "day,fare\n2024-03-01 x,3\n")
    lake.transform(publish=False)
    assert list(lake.log.store.list("curated/")) == kept


def test_what_is_withheld_leaves_nothing_in_the_bucket(lake: Lake) -> None:
    _land(lake, "2024-01", "day,fare\n2024-01-31 x,-1\n")
    with pytest.raises(CheckFailed, match=r"curated.revenue was withheld: check"):
        lake.transform()
    assert list(lake.log.store.list("curated/fares/"))
    assert list(lake.log.store.list("curated/revenue/")) == []
    assert _uploaded(lake) == set()


def test_a_build_that_fails_half_way_leaves_nothing_in_the_bucket(lake: Lake) -> None:
    _land(lake, "2024-02", "day,fare\n2024-02-02 x,5\n2024-03-01 x,8\n")
    model = lake.config.models / "fares.sql"
    model.write_text(model.read_text().replace('"each"', '"same"'))
    _land(lake, "2024-01", "day,fare\n2024-01-31 x,1\n")
    with pytest.raises(BuildFailed, match="1 row lies outside of month=2024-02"):
        lake.transform()
    assert list(lake.log.store.list("curated/")) == []


def test_a_step_that_fails_leaves_nothing_in_the_bucket(lake: Lake) -> None:
    _land(lake, "2024-01", "day,fare\n2024-01-31 x,-1\n")
    made = _steps(lake.at(lake.commit))
    assert list(lake.log.store.list("curated/fares/"))
    assert list(lake.log.store.list("curated/revenue/")) == []
    publish_made(lake, (), made, pinned=lake.commit)
    assert _uploaded(lake) == set()


def test_what_an_earlier_attempt_published_is_not_taken_back(lake: Lake) -> None:
    pinned = lake.commit
    made = _steps(lake.at(pinned))
    assert publish_made(lake, (), made, pinned=pinned).commit == pinned + 1
    # The first attempt was killed behind its commit, and knows nothing of it.
    assert publish_made(again(lake), (), made, pinned=pinned).commit is None
    assert _revenue(again(lake)) == [("2024-01", 1), ("2024-02", 2)]
    assert verify(again(lake), told=lambda more: None).damage == ()


def test_nothing_is_taken_back_while_nobody_knows_what_was_stored(lake: Lake) -> None:
    def dead(verb: str, key: str) -> None:
        if verb == "put_new" and key.startswith(layout.LOG):
            raise OSError("the line went dead")

    lake.log.store = HookedStore(lake.log.store, before=dead)
    lake.log.pause = lambda seconds: None
    with pytest.raises(CommitUnknown, match="may or may not have been published"):
        lake.transform()
    assert list(lake.log.store.list("curated/revenue/"))


FRESH = """-- /// lake
-- checks = [{{ fresh = "time", within = "2 days", severity = "{severity}" }}]
-- ///
SELECT time FROM raw.seen
"""


class Later(HookedStore):
    """A store in which it is three days later."""

    def now(self) -> datetime:
        return _later()


def _later() -> datetime:
    return datetime.now(UTC) + timedelta(days=3)


def _three_days_later(lake: Lake, severity: str) -> Lake:
    """Publish a model that is fresh, and one that reads it; return the lake as it is later on."""
    for path in lake.config.models.iterdir():
        path.unlink()
    (lake.config.models / "daily.sql").write_text(FRESH.format(severity=severity))
    (lake.config.models / "after.sql").write_text("-- /// lake\n-- ///\nFROM curated.daily\n")
    seen = lake.config.root / "seen.csv"
    seen.write_text(f"time\n{datetime.now(UTC):%Y-%m-%d %H:%M:%S}\n")
    lake.land(seen, dataset="raw.seen")
    assert {run.status for run in lake.transform().runs} == {"built"}
    late = again(lake)
    late.log.store, late.log.clock = Later(late.log.store), _later
    return late


def test_rows_that_are_no_longer_fresh_fail_though_nothing_is_to_build(lake: Lake) -> None:
    late = _three_days_later(lake, "error")
    head = late.commit
    assert plan(late) == []
    with pytest.raises(CheckFailed, match=r"daily stays as it was published: check .* newest=2"):
        late.transform()
    assert rows(late, "SELECT count(*) FROM curated.daily") == [(1,)]
    assert [(one.dataset, one.versions) for one in late.state.current("curated.daily")] == [
        ("curated.daily", 1)
    ]
    assert [type(change) for change in late.state.tail[-1].changes] == [Note]
    assert (late.commit, plan(late)) == (head + 1, [])


def test_what_hangs_on_rows_that_are_no_longer_fresh_is_withheld(lake: Lake) -> None:
    late = _three_days_later(lake, "error")
    (late.config.models / "after.sql").write_text(
        "-- /// lake\n-- ///\nSELECT count(*) AS n FROM curated.daily\n"
    )
    runs = {run.dataset: run.status for run in transform(late).runs}
    assert runs == {"curated.daily": "failed", "curated.after": "withheld"}


def test_that_rows_are_no_longer_fresh_may_be_a_warning(lake: Lake) -> None:
    late = _three_days_later(lake, "warn")
    daily, after = transform(late).runs
    assert (daily.status, after.status, [one.failed for one in daily.checks]) == (
        "unchanged",
        "unchanged",
        [1],
    )


def test_a_run_and_its_public_words_quote_no_rows(lake: Lake) -> None:
    _land(lake, "2024-01", "day,fare\n2024-01-31 x,-4321\n")
    run = transform(lake).runs[1]
    assert run.note == "curated.revenue was withheld: check between_revenue found 1 row"
    assert run.checks[0].rows == ((-4321, "2024-01"),)


@pytest.mark.parametrize(
    "select",
    [
        "SELECT substr(day, 1, 7) AS month, CAST(day AS INTEGER) AS day FROM raw.trips",
        "SELECT '2024-07' AS month, day FROM raw.trips",
        "SELECT substr(day, 1, 7) AS month, 98765432109876543210::HUGEINT AS day FROM raw.trips",
    ],
    ids=["a cast", "a leak", "a type"],
)
def test_the_public_words_of_a_failed_build_quote_no_value(lake: Lake, select: str) -> None:
    header = '-- /// lake\n-- partition_by = "month"\n-- reads.trips = "same"\n-- ///\n'
    (lake.config.models / "fares.sql").write_text(header + select)
    done = transform(lake)
    secrets = ("31 x", "98765432109876543210")
    assert any(value in str(done.errors[0]) for value in secrets)
    for said in (done.errors[0].public, done.runs[0].note):
        assert said.startswith("models/fares.sql")
        assert not any(value in said for value in secrets)
