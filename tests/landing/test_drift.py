"""A view's column that gets another type: an event in the log, in the status and in the schema."""

from pathlib import Path

import pytest

from lake.errors import VersionHeld
from lake.operations.columns import columns
from lake.operations.status import Drifted, status
from tests.lakes import land, model, new_lake, rows

DRIFT = 'SELECT dataset, partition, "column", former_type, type, rule, commit FROM meta.drift'


def test_a_column_that_becomes_wider_is_an_event(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    land(lk, "raw.x", "SELECT 1::BIGINT AS a, 'x' AS b", month="1")
    land(lk, "raw.x", "SELECT 1.5::DOUBLE AS a, 'x' AS b", month="2")
    land(lk, "raw.x", "SELECT 2.5::DOUBLE AS a, 'x' AS b, 1 AS c", month="3")
    assert rows(lk, DRIFT) == [
        ("raw.x", "month=2", "a", "BIGINT", "DOUBLE", "integers as DOUBLE", 2)
    ]
    found = status(lk).drifted
    at = rows(lk, "SELECT drifted_at FROM meta.drift")[0][0]
    assert found == (Drifted("raw.x", "a", "BIGINT", "DOUBLE", 2, at),)


def test_what_is_held_is_no_drift(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    land(lk, "raw.x", "SELECT 9007199254740993 AS a", month="1")
    with pytest.raises(VersionHeld, match=r"^raw.x/month=2 is held: column 'a' cannot be read"):
        land(lk, "raw.x", "SELECT 1.5::DOUBLE AS a", month="2")
    assert rows(lk, DRIFT) == []


def test_a_model_s_column_drifts_with_its_inputs(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    model(lk, "m", "SELECT a FROM raw.x", 'description = "d"', 'owner = "o"')
    land(lk, "raw.x", "SELECT 1::INTEGER AS a", month="1")
    lk.transform()
    land(lk, "raw.x", "SELECT 1.5::DOUBLE AS a", month="2")
    lk.transform()
    assert rows(lk, DRIFT)[1][:5] == ("curated.m", "", "a", "INTEGER", "DOUBLE")


def test_the_schema_shows_each_column_period_by_period(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    land(lk, "raw.x", "SELECT 1::BIGINT AS a", month="1")
    land(lk, "raw.x", "SELECT 2::BIGINT AS a", month="2")
    land(lk, "raw.x", "SELECT 1.5::DOUBLE AS a, 3 AS c", month="3")
    a, c, month = columns(lk, "raw.x")
    shown = [(run.first, run.last, run.column, run.type, run.files) for run in a.runs]
    assert shown == [
        ("month=1", "month=2", "a", "BIGINT", 2),
        ("month=3", "month=3", "a", "DOUBLE", 1),
    ]
    assert [(one.commit, one.was, one.became) for one in a.changes] == [(3, "BIGINT", "DOUBLE")]
    assert [(run.first, run.last, run.type) for run in c.runs] == [
        ("month=1", "month=2", "not there"),
        ("month=3", "month=3", "INTEGER"),
    ]
    assert month.runs == ()
