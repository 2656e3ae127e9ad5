from pathlib import Path

import pytest

from lake.errors import (
    InvalidAddress,
    InvalidName,
    NoSuchDataset,
    NoSuchPartition,
    NoSuchVersion,
    VersionHeld,
)
from lake.lake import Lake
from lake.query.address import Address, parse, version_at
from tests.lakes import land, new_lake


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("raw.x", Address("raw.x")),
        ("curated.x_1@41", Address("curated.x_1", "", "41")),
        ("raw.x@good", Address("raw.x", "", "good")),
        ("raw.x/month=2024-01", Address("raw.x", "month=2024-01")),
        ("raw.x/month=2024-01@v3", Address("raw.x", "month=2024-01", "v3")),
        ("raw.x/a=1/b=2@2024-01-31T10:00Z", Address("raw.x", "a=1/b=2", "2024-01-31T10:00Z")),
        ("raw.x/city=a b%2Fc", Address("raw.x", "city=a%20b%2Fc")),
        ("raw.x/city=é", Address("raw.x", "city=%C3%A9")),
        ("raw.x/at=a%40b@7", Address("raw.x", "at=a%40b", "7")),
    ],
)
def test_an_address_is_a_dataset_a_partition_and_a_time(text: str, address: Address) -> None:
    assert parse(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "Raw.x",
        "raw.",
        "raw.X",
        "meta.x",
        "raw.a__b",
        "raw.x y",
        "../x",
        "raw.x/month",
        "raw.x/month=",
        "raw.x/=1",
        "raw.x/a=1/a=2",
        "raw.x/version=1",
        "raw.x//a=1",
    ],
)
def test_what_names_nothing_is_refused(text: str) -> None:
    with pytest.raises(InvalidName, match=r"is no dataset|is no partition|empty value"):
        parse(text)


def test_an_at_sign_announces_a_time() -> None:
    with pytest.raises(InvalidAddress, match=r"'raw.x@' ends in '@': write a commit, a tag"):
        parse("raw.x@")


@pytest.fixture
def lk(tmp_path: Path) -> Lake:
    """A lake with v1, v2 and a held v3 of January, and an unpartitioned dataset."""
    lk = new_lake(tmp_path)
    land(lk, "raw.x", "SELECT 1 AS n", month="2024-01")
    land(lk, "raw.x", "SELECT 7 AS n", month="2024-02")
    land(lk, "raw.x", "SELECT 2 AS n", month="2024-01")
    with pytest.raises(VersionHeld, match="held"):
        land(lk, "raw.x", "SELECT [1] AS n", month="2024-01")
    land(lk, "raw.zones", "SELECT 1 AS id")
    return lk


def found(lk: Lake, text: str) -> tuple[int, bool]:
    version = version_at(lk.log, lk.state, parse(text))
    return version.number, bool(version.reason)


def test_an_address_finds_what_was_current_then(lk: Lake) -> None:
    assert found(lk, "raw.x/month=2024-01") == (2, False)
    assert found(lk, "raw.x/month=2024-01@v1") == (1, False)
    assert found(lk, "raw.x/month=2024-01@v3") == (3, True)
    assert found(lk, "raw.x/month=2024-01@2") == (1, False)
    assert found(lk, "raw.zones@v1") == (1, False)


def test_what_there_is_not_is_named(lk: Lake) -> None:
    known = "raw.x has no single partition"
    for text, error, message in (
        ("raw.y", NoSuchDataset, "there is no dataset raw.y at commit 5; did you mean raw.x"),
        ("raw.zones@4", NoSuchDataset, "there is no dataset raw.zones at commit 4"),
        ("raw.x/month=2024-03", NoSuchPartition, "raw.x has no partition month=2024-03"),
        ("raw.x/day=1", NoSuchPartition, "raw.x has no partition day=1"),
        ("raw.x", NoSuchPartition, known),
        ("raw.x@v1", NoSuchPartition, known),
        ("raw.x/month=2024-02@1", NoSuchPartition, "raw.x has no partition month=2024-02"),
        ("raw.x/month=2024-01@v9", NoSuchVersion, "2024-01 has no v9: its newest is v3"),
        ("raw.x/month=2024-01@99", NoSuchVersion, "there is no commit 99"),
    ):
        with pytest.raises(error, match=message):
            found(lk, text)
