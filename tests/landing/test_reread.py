"""What is held is read again, as it is declared since."""

import re
from pathlib import Path

import pytest

import lake
from lake.errors import VersionHeld
from lake.lake import Lake
from tests.lakes import rows

SOURCE = """
[sources.x]
url = "{month}.csv"
partition.month = { every = "month", since = "2024-01", until = "2024-02" }
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def declared(folder: Path, more: str) -> Lake:
    (folder / "lake.toml").write_text(f'[lake]\nurl = "lake"\n{SOURCE}{more}')
    lake.init(str(folder / "lake"))
    return lake.open()


def hold(folder: Path, text: str) -> Lake:
    (folder / "2024-01.csv").write_text(text)
    lk = declared(folder, "")
    with pytest.raises(VersionHeld, match=r"^raw.x/month=2024-01 is held: 1 row was rejected"):
        lk.land_sources()
    return lk


def test_allowing_the_rejected_rows_lets_a_held_version_in(tmp_path: Path) -> None:
    hold(tmp_path, "a,b\n1,2\n3\n")
    (tmp_path / "2024-01.csv").unlink()  # the lake has its bytes
    done = declared(tmp_path, "max_rejects = 1\n").apply()
    assert [(one.outcome, one.version, one.rows, one.rejected) for one in done.read_again] == [
        ("landed", 2, 1, 1)
    ]
    lk = lake.open()
    assert rows(lk, "SELECT a, b FROM raw.x") == [(1, 2)]
    assert declared(tmp_path, "max_rejects = 1\n").apply().read_again == ()


def test_landing_the_same_bytes_reads_them_as_declared_now(tmp_path: Path) -> None:
    hold(tmp_path, "a,b\n1,2\n3\n")
    lk = declared(tmp_path, "max_rejects = 1\n")
    assert [one.outcome for one in lk.land_sources()] == ["landed"]
    assert rows(lk, "SELECT a, b FROM raw.x") == [(1, 2)]
    assert [one.outcome for one in lk.land_sources()] == ["unchanged"]


def test_surplus_empty_fields_are_let_in_once_they_are_declared(tmp_path: Path) -> None:
    hold(tmp_path, "a,b\n1,2,\n")
    declared(tmp_path, 'extra_fields = "empty"\n').apply()
    assert rows(lake.open(), "SELECT a, b FROM raw.x") == [(1, 2)]


def test_what_still_does_not_fit_is_held_once_more_and_only_once(tmp_path: Path) -> None:
    hold(tmp_path, "a,b\n1,x\n3\n")
    more = '[sources.x.columns]\nb = { type = "BIGINT" }\n'
    done = declared(tmp_path, more).apply()
    assert [one.outcome for one in done.read_again] == ["held"]
    assert re.match("2 rows were rejected", done.read_again[0].note)
    assert declared(tmp_path, more).apply().read_again == ()


def test_what_came_since_is_not_replaced_by_what_was_held(tmp_path: Path) -> None:
    hold(tmp_path, "a,b\n1,2\n3\n")
    (tmp_path / "2024-01.csv").write_text("a,b\n5,6\n")
    declared(tmp_path, "").land_sources()
    assert declared(tmp_path, "max_rejects = 1\n").apply().read_again == ()
    assert rows(lake.open(), "SELECT a, b FROM raw.x") == [(5, 6)]


def test_landing_reads_again_what_is_held_of_periods_that_nobody_asks_for(tmp_path: Path) -> None:
    hold(tmp_path, "a,b\n1,2\n3\n")
    (tmp_path / "2024-02.csv").write_text("a,b\n7,8\n")
    lk = declared(tmp_path, "max_rejects = 1\n")
    found = lk.land_sources(since="2024-02")
    assert [(one.partition, one.outcome) for one in found] == [
        ("month=2024-02", "landed"),
        ("month=2024-01", "landed"),
    ]
    assert lk.commit == 2


def test_bytes_that_are_current_say_that_they_were_read_otherwise(tmp_path: Path) -> None:
    (tmp_path / "2024-01.csv").write_text("a;b\n1;2\n")
    declared(tmp_path, "").land_sources()
    lk = declared(tmp_path, 'encoding = "latin-1"\n')
    (landing,) = lk.land_sources()
    assert (landing.outcome, landing.note) == (
        "unchanged",
        "v1 has these bytes, read otherwise: --force reads them anew",
    )
    assert [one.outcome for one in lk.land_sources(force=True)] == ["landed"]
    assert lk.land_sources()[0].note == ""
