"""What is declared personal is in the data and in what can be deleted, and never in the log."""

from pathlib import Path

import pytest

import lake
from lake.errors import VersionHeld

TOML = """
[lake]
url = "lake"
[sources.people]
url = "people.csv"
[sources.people.columns]
age = { type = "INTEGER", between = [0, 150], personal = true }
email = { personal = true }
"""


def test_the_log_holds_nothing_of_a_personal_column(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lake.toml").write_text(TOML)
    (tmp_path / "people.csv").write_text(
        "id,age,email\n1,73,ann@example.org\n2,74,bo@example.org\n"
    )
    lake.init("lake")
    lk = lake.open()
    lk.land_sources()
    (tmp_path / "people.csv").write_text("id,age,email\n3,7375,cy@example.org\n")
    with pytest.raises(VersionHeld) as told:
        lk.land_sources()
    assert str(told.value) == (
        "raw.people is held: 1 row was rejected (at most 0 may be), the first: line 2: column 'age'"
        " is not between 0 and 150; mend the source, or allow them with max_rejects"
    )
    kept = [*(tmp_path / "lake/_lake").rglob("*"), *(tmp_path / "lake/raw").rglob("_*.json")]
    texts = [path.read_bytes() for path in kept if path.is_file()]
    assert len(texts) > 5
    for text in texts:
        assert b"example.org" not in text
        assert b"7375" not in text
        assert b":73" not in text
        assert b":74" not in text
    assert lk.sql("SELECT max(age) FROM raw.people").fetchall() == [(74,)]
    assert lk.sql("SELECT raw FROM raw.people__rejected").fetchall() == [("3,7375,cy@example.org",)]


def test_bounds_of_other_columns_are_in_the_log(tmp_path: Path) -> None:
    lk = lake.init(str(tmp_path / "lake"))
    (tmp_path / "x.csv").write_text("age\n73\n74\n")
    lk.land(tmp_path / "x.csv", dataset="raw.x")
    assert b":73" in next((tmp_path / "lake/_lake/log").glob("*.json")).read_bytes()


def test_a_personal_column_that_disagrees_with_its_partition_is_not_quoted(tmp_path: Path) -> None:
    lk = lake.init(str(tmp_path / "lake"))
    (tmp_path / "x.csv").write_text("id,phone\n1,555\n")
    read = {"columns": {"phone": {"personal": True}}}
    message = r"^raw.x/phone=1 is held: column 'phone' disagrees with the partition's value '1'$"
    with pytest.raises(VersionHeld, match=message):
        lk.land(tmp_path / "x.csv", dataset="raw.x", partition={"phone": "1"}, read=read)
