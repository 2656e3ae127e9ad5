import json
from dataclasses import replace
from pathlib import Path

import pytest

from lake.catalog.entries import build, plain
from lake.config import load
from lake.lake import Lake, init, open_lake
from lake.models.make import Made, ModelRun
from lake.models.run import make_model, publish_made

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
