import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lake.catalog import checkpoint
from lake.config.source import source
from lake.config.table import Table
from lake.errors import InvalidAddress, InvalidName, NoSuchDataset, NoSuchPartition, VersionConflict
from lake.lake import Lake
from lake.operations.history import versions
from lake.operations.remove import Taken
from tests.lakes import again, land, model, new_lake, rows

TRIPS = "raw.trips/month=2024-01"


@pytest.fixture
def lk(tmp_path: Path) -> Lake:
    made = new_lake(tmp_path)
    land(made, "raw.trips", "SELECT 1 AS id", month="2024-01")
    land(made, "raw.trips", "SELECT 9 AS id", month="2024-02")
    return made


def declare(lk: Lake, name: str, table: dict[str, Any]) -> None:
    made = source(Table("lake.toml", f"sources.{name}", table), name=name, root=lk.config.root)
    lk.config = replace(lk.config, sources={name: made})


def test_a_removed_partition_is_gone_and_was_there(lk: Lake) -> None:
    assert lk.remove(TRIPS) == Taken(3, "raw.trips", "month=2024-01", partitions=1)
    assert rows(again(lk), "SELECT id FROM raw.trips") == [(9,)]
    assert rows(lk.at(2), "SELECT count(*) FROM raw.trips") == [(2,)]
    assert lk.remove(TRIPS) == Taken(None, "raw.trips", "month=2024-01")


def test_what_was_removed_is_landed_only_when_it_changes(lk: Lake) -> None:
    lk.remove(TRIPS)
    assert land(lk, "raw.trips", "SELECT 1 AS id", month="2024-01").outcome == "unchanged"
    assert land(lk, "raw.trips", "SELECT 2 AS id", month="2024-01").outcome == "landed"


def test_a_dataset_without_partitions_may_be_removed_by_its_name(lk: Lake) -> None:
    land(lk, "raw.zones", "SELECT 1 AS id")
    assert lk.remove("raw.zones").commit == 4
    assert rows(lk, "SELECT count(*) FROM raw.zones") == [(0,)]


@pytest.mark.parametrize(
    ("address", "error", "message"),
    [
        (
            "raw.trips",
            InvalidAddress,
            "raw.trips has partitions: name one, as in `lake ls raw.trips`, or take all of it away"
            " with `lake drop raw.trips`",
        ),
        (
            f"{TRIPS}@v1",
            InvalidAddress,
            "@v1 cannot be changed any more: write raw.trips/month=2024-01",
        ),
        (
            "raw.trips/month=2024-03",
            NoSuchPartition,
            "raw.trips has no partition month=2024-03; did you mean month=2024-02?",
        ),
        ("raw.x", NoSuchDataset, "there is no dataset raw.x at commit 2"),
    ],
)
def test_what_cannot_be_removed(
    lk: Lake, address: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        lk.remove(address)


def test_a_dropped_dataset_is_gone_and_was_there(lk: Lake) -> None:
    assert lk.drop("raw.trips") == Taken(3, "raw.trips", partitions=2)
    assert lk.drop("raw.trips") == Taken(None, "raw.trips")
    assert again(lk).state.datasets == {}
    assert rows(lk.at(2), "SELECT count(*) FROM raw.trips") == [(2,)]
    with pytest.raises(NoSuchDataset, match=r"^there is no dataset raw\.tripz at commit 3$"):
        lk.drop("raw.tripz")


def test_a_drop_names_what_reads_it_and_what_would_make_it_anew(lk: Lake) -> None:
    declare(lk, "trips", {"url": "x.csv"})
    model(lk, "daily", "SELECT count(*) AS n FROM raw.trips")
    lk.transform()
    assert lk.remove(TRIPS).notes == (
        "curated.daily reads it: the next `lake transform` builds it without it",
    )
    assert lk.drop("raw.trips").notes == (
        "lake.toml has [sources.trips]: take it out, or `lake land` lands it anew",
        "curated.daily reads it: it cannot be built any more",
    )
    assert lk.drop("curated.daily").notes == (
        "models/daily.sql makes it: delete it, or `lake transform` makes it anew",
    )
    assert lk.state.declared("model") == {}


@pytest.mark.parametrize("verb", ["remove", "drop", "rename"])
def test_what_moved_meanwhile_is_left_alone(lk: Lake, verb: str) -> None:
    land(again(lk), "raw.trips", "SELECT 3 AS id", month="2024-01")
    asked = {"remove": [TRIPS], "drop": ["raw.trips"], "rename": ["raw.trips", "raw.rides"]}
    with pytest.raises(VersionConflict, match=f"^{TRIPS} has moved while it was "):
        getattr(lk, verb)(*asked[verb])
    assert again(lk).commit == 3


def test_a_renamed_dataset_keeps_its_files_and_its_past(lk: Lake) -> None:
    land(lk, "raw.trips", "SELECT 2 AS id", month="2024-01")
    files = lk.files("raw.trips")
    assert lk.rename("raw.trips", "raw.rides") == Taken(
        4, "raw.trips", to="raw.rides", partitions=2
    )
    assert lk.rename("raw.trips", "raw.rides") == Taken(None, "raw.trips", to="raw.rides")
    fresh = again(lk)
    assert fresh.files("raw.rides") == files
    rides = "raw.rides/month=2024-01"
    assert fresh.table(f"{rides}@v1").fetchall() == [(1, "2024-01")]
    assert fresh.table("raw.rides@1").fetchall() == [(1, "2024-01")]
    assert fresh.table("raw.trips@1").fetchall() == [(1, "2024-01")]
    assert rows(fresh.at(1), "SELECT id FROM raw.trips") == [(1,)]
    with pytest.raises(NoSuchDataset, match=r"^raw\.trips was renamed to raw\.rides in commit 4$"):
        fresh.files("raw.trips")


def test_a_renamed_dataset_goes_back_and_on_under_its_name(lk: Lake) -> None:
    land(lk, "raw.trips", "SELECT 2 AS id", month="2024-01")
    lk.rename("raw.trips", "raw.rides")
    lk.rename("raw.rides", "raw.tours")
    lk.rollback("raw.tours/month=2024-01@v1")
    land(lk, "raw.tours", "SELECT 3 AS id", month="2024-03")
    assert rows(lk, "SELECT id FROM raw.tours ORDER BY id") == [(1,), (3,), (9,)]
    found = versions(lk, "raw.tours")
    assert [(one["commit"], one["action"], one["source"]) for one in found if not one["rows"]] == [
        (5, "rename", "was raw.rides"),
        (4, "rename", "was raw.trips"),
    ]
    assert [one["commit"] for one in found] == [7, 6, 5, 4, 3, 2, 1]


def test_old_names_are_known_behind_a_checkpoint_too(lk: Lake) -> None:
    lk.rename("raw.trips", "raw.rides")
    assert checkpoint.write(lk.log, lk.state)
    land(lk, "raw.rides", "SELECT 2 AS id", month="2024-01")
    fresh = again(lk)
    assert fresh.table("raw.rides/month=2024-01@v1").fetchall() == [(1, "2024-01")]
    assert fresh.rename("raw.trips", "raw.rides").commit is None
    with pytest.raises(InvalidName, match=r"^raw\.rides cannot be called raw\.trips: "):
        fresh.rename("raw.rides", "raw.trips")


def test_what_is_declared_goes_along(lk: Lake, tmp_path: Path) -> None:
    table = {"url": str(tmp_path / "x.csv"), "columns": {"n": {"type": "VARCHAR"}}}
    declare(lk, "old", table)
    (tmp_path / "x.csv").write_text("n\n1\n")
    lk.land_sources(["old"])
    assert lk.rename("raw.old", "raw.new").notes == (
        "lake.toml has [sources.old]: call it [sources.new], or it is landed twice",
    )
    assert set(lk.state.declared("source")) == {"new"}
    assert rows(again(lk), "SELECT n FROM raw.new") == [("1",)]


def test_who_renames_the_model_too_builds_nothing_anew(lk: Lake) -> None:
    path = model(lk, "daily", "SELECT count(*) AS n FROM raw.trips")
    lk.transform()
    assert lk.rename("curated.daily", "curated.counts").notes == (
        "models/daily.sql makes curated.daily: call it models/counts.sql",
    )
    path.rename(path.with_name("counts.sql"))
    assert [run.status for run in lk.transform().runs] == ["unchanged"]


@pytest.mark.parametrize(
    ("to", "message"),
    [
        ("curated.trips", "raw.trips stays in its zone: write raw.trips"),
        (
            "raw.zones",
            "raw.trips cannot be called raw.zones: the lake has or had a dataset of that name,"
            " which former commits are read by; choose another name",
        ),
        (
            "raw.gone",
            "raw.trips cannot be called raw.gone: the lake has or had a dataset of that name,"
            " which former commits are read by; choose another name",
        ),
        (
            "raw.Trips",
            "'raw.Trips' is no dataset: a name is lower-case letters, digits and"
            " single underscores, starts with a letter and has at most 200 characters",
        ),
    ],
)
def test_names_that_cannot_be_given(lk: Lake, to: str, message: str) -> None:
    land(lk, "raw.zones", "SELECT 1 AS id")
    land(lk, "raw.gone", "SELECT 1 AS id")
    lk.drop("raw.gone")
    with pytest.raises(InvalidName, match=f"^{re.escape(message)}$"):
        lk.rename("raw.trips", to)
