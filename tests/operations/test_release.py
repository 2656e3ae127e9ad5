import re
from dataclasses import replace
from pathlib import Path

import pytest

from lake.config.source import source
from lake.config.table import Table
from lake.errors import (
    InvalidAddress,
    NoSuchDataset,
    NoSuchVersion,
    VersionConflict,
    VersionHeld,
)
from lake.lake import Lake
from lake.operations.apply import apply
from lake.operations.release import Released, Releases
from tests.lakes import again, land, new_lake, rows

TRIPS = "raw.trips/month=2024-01"


@pytest.fixture
def lk(tmp_path: Path) -> Lake:
    """A lake with one version, and a second one that is held by its contract."""
    made = new_lake(tmp_path)
    land(made, "raw.trips", "SELECT 1 AS id", month="2024-01")
    hold(made, "id,n\n2,1\n3,4,5\n")
    return made


def hold(lk: Lake, text: str, month: str = "2024-01") -> None:
    path = lk.config.root / "bad.csv"
    path.write_text(text)
    with pytest.raises(VersionHeld, match="is held: "):
        lk.land(path, dataset="raw.trips", partition={"month": month})


def test_what_is_held_becomes_current_as_a_new_version(lk: Lake) -> None:
    (held,) = lk.state.partition("raw.trips", "month=2024-01").held
    assert lk.release(TRIPS) == Releases(
        3, (Released("raw.trips", "month=2024-01", 3, of=2, rows=1, why=held.reason),)
    )
    assert rows(again(lk), "SELECT id FROM raw.trips") == [(2,)]
    assert lk.release(TRIPS) == Releases(None)
    assert lk.release(f"{TRIPS}@v2") == Releases(None)


def test_of_a_dataset_all_that_is_held_is_released(lk: Lake) -> None:
    hold(lk, "id,n\n5,1\n6,4,5\n", "2024-02")
    assert [one.partition for one in lk.release("raw.trips").partitions] == [
        "month=2024-01",
        "month=2024-02",
    ]
    assert rows(lk, "SELECT id FROM raw.trips ORDER BY id") == [(2,), (5,)]


def test_an_older_held_version_may_be_named(lk: Lake) -> None:
    hold(lk, "id,n\n5,1\n6,4,5\n")
    lk.release(f"{TRIPS}@v2")
    assert rows(lk, "SELECT id FROM raw.trips") == [(2,)]


def test_what_is_older_than_the_current_version_is_not_released(lk: Lake) -> None:
    land(lk, "raw.trips", "SELECT 7 AS id", month="2024-01")
    message = (
        f"{TRIPS}@v2 is held and v3 is current, which is newer: nothing was released; `lake get"
        f" {TRIPS}@v2` gives its bytes, which can be landed again"
    )
    for address in (TRIPS, f"{TRIPS}@v2"):
        with pytest.raises(VersionConflict, match=f"^{re.escape(message)}$"):
            lk.release(address)
    assert lk.release("raw.trips") == Releases(None)


def test_what_moved_meanwhile_is_not_released(lk: Lake) -> None:
    land(again(lk), "raw.trips", "SELECT 7 AS id", month="2024-01")
    with pytest.raises(VersionConflict, match=f"^{TRIPS} has moved while it was released: "):
        lk.release(TRIPS)


def test_what_no_rule_joins_waits_for_a_declaration(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    land(lk, "raw.trips", "SELECT 1 AS id", month="2024-01")
    with pytest.raises(VersionHeld, match="cannot be read together"):
        land(lk, "raw.trips", "SELECT DATE '2024-01-01' AS id", month="2024-02")
    (held,) = lk.state.partition("raw.trips", "month=2024-02").held
    message = (
        "raw.trips/month=2024-02@v1 cannot be released, only a declaration can let it in: column"
        " 'id' cannot be read together: "
    )
    with pytest.raises(VersionHeld, match=f"^{re.escape(message)}.*; declare id = {{ type = "):
        lk.release("raw.trips/month=2024-02")
    assert held.reason
    table = {"url": "x", "columns": {"id": {"type": "VARCHAR"}}}
    made = source(Table("lake.toml", "sources.trips", table), name="trips", root=tmp_path)
    lk.config = replace(lk.config, path=tmp_path / "lake.toml", sources={"trips": made})
    apply(lk)
    if not again(lk).state.partition("raw.trips", "month=2024-02").current:
        lk.release("raw.trips/month=2024-02")
    assert rows(again(lk), "SELECT id FROM raw.trips ORDER BY id") == [("1",), ("2024-01-01",)]


@pytest.mark.parametrize(
    ("address", "error", "message"),
    [
        ("raw.x", NoSuchDataset, "there is no dataset raw.x at commit 2"),
        (f"{TRIPS}@v9", NoSuchVersion, f"{TRIPS} has no v9: its newest is v2"),
        (
            f"{TRIPS}@1",
            InvalidAddress,
            f"@1 is no held version: write {TRIPS} or add its @vN",
        ),
    ],
)
def test_what_is_not_there_cannot_be_released(
    lk: Lake, address: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        lk.release(address)
