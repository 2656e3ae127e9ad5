"""Names of datasets, partitions and columns: what cannot be one, and what must survive as one."""

from functools import partial
from pathlib import Path
from urllib.parse import quote

import duckdb
import pytest

from lake.errors import InvalidAddress, InvalidName, VersionHeld
from lake.lake import Lake
from lake.query.sql import literal
from tests.faults.refusal import refuses

NO_DATASET = (
    " is no dataset: a name is lower-case letters, digits and single underscores, starts with a"
    " letter and has at most 200 characters"
)
NO_KEY = (
    " is no partition key: it is letters, digits and underscores, starts with no digit, and is not"
    " 'version' or 'filename'"
)
ODD = ("a/b", "../../etc/passwd", "..", "a=b", "100%", "%2F", " ", "a b", "😀 é", "[a]*?", "it's")


@pytest.mark.parametrize("name", ["", "raw", "../x", "x", "lake.x", "/raw.x", "RAW.x"])
def test_a_name_without_a_zone_is_no_dataset(lk: Lake, good: Path, name: str) -> None:
    message = f"{name!r} is no dataset: write raw.NAME or curated.NAME"
    refuses(lk, lambda: lk.land(good, dataset=name), InvalidName, message)


@pytest.mark.parametrize("name", ["", "../x", "/", "a/b", "..", "A", "a__b", "a b", "ä", "x" * 201])
def test_a_name_that_would_be_a_bad_folder_is_no_dataset(lk: Lake, good: Path, name: str) -> None:
    message = f"'raw.{name}'{NO_DATASET}"
    refuses(lk, lambda: lk.land(good, dataset=f"raw.{name}"), InvalidName, message)
    assert lk.land(good, dataset="raw.x").outcome == "landed"


def test_what_models_make_is_not_landed_by_hand(lk: Lake, good: Path) -> None:
    message = "curated.x is for what models make: land into raw.x"
    refuses(lk, lambda: lk.land(good, dataset="curated.x"), InvalidName, message)


@pytest.mark.parametrize("key", ["", "../x", "/", "a/b", "a b", "1a", "version", "Filename", "ä"])
def test_a_key_that_would_be_a_bad_folder_or_column_is_refused(
    lk: Lake, good: Path, key: str
) -> None:
    def land() -> object:
        return lk.land(good, dataset="raw.x", partition={key: "1"})

    refuses(lk, land, InvalidName, f"{key!r}{NO_KEY}")


def test_an_empty_or_overlong_partition_value_is_refused(lk: Lake, good: Path) -> None:
    for value, message in (
        ("", "partition 'day' has an empty value: give one, as in day=2024-01"),
        (
            "x" * 300,
            "partition value of 'day' is too long: 300 bytes as a folder name, at most 196 fit",
        ),
    ):
        refuses(
            lk,
            partial(lk.land, good, dataset="raw.x", partition={"day": value}),
            InvalidName,
            message,
        )


def test_odd_partition_values_come_back_as_they_were(lk: Lake, good: Path, tmp_path: Path) -> None:
    for value in ODD:
        landing = lk.land(good, dataset="raw.x", partition={"k": value})
        assert (landing.outcome, landing.partition) == ("landed", f"k={quote(value, safe='')}")
    found = lk.sql("SELECT k, count(*) FROM raw.x GROUP BY k").fetchall()
    assert sorted(found) == sorted((value, 100) for value in ODD)
    for number, value in enumerate(ODD):
        rows = lk.sql(f"SELECT min(id), max(id), min(k) FROM raw.x WHERE k = {literal(value)}")
        assert rows.fetchall() == [(0, 99, value)]
        address = f"raw.x/k={quote(value, safe='')}"
        assert len(lk.files(address)) == 1
        assert lk.table(address).fetchall()[0][-1] == value
        got = lk.get(address, tmp_path / str(number))
        assert [path.read_bytes() for path in got] == [good.read_bytes()]


def test_odd_partition_values_lie_in_one_folder_each_inside_of_the_lake(
    lk: Lake, good: Path, tmp_path: Path
) -> None:
    for value in ODD:
        lk.land(good, dataset="raw.x", partition={"k": value})
    folders = sorted(path.name for path in (tmp_path / "lake" / "raw" / "x").iterdir())
    assert folders == sorted(f"k={quote(value, safe='')}" for value in ODD)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "good.parquet", "lake"]


def test_odd_partition_values_are_read_by_a_duckdb_of_nobody(
    lk: Lake, good: Path, tmp_path: Path
) -> None:
    for value in ODD:
        lk.land(good, dataset="raw.x", partition={"k": value})
    with duckdb.connect() as stock:
        stock.execute(f"ATTACH {literal(str(tmp_path / 'lake' / 'catalog.duckdb'))} AS acme")
        found = stock.execute("SELECT k, count(*) FROM acme.raw.x GROUP BY k").fetchall()
    assert sorted(found) == sorted((value, 100) for value in ODD)


def test_partitions_of_one_dataset_have_the_same_keys(lk: Lake, good: Path) -> None:
    lk.land(good, dataset="raw.x", partition={"month": "1"})
    refuses(
        lk,
        lambda: lk.land(good, dataset="raw.x", partition={"day": "1"}),
        InvalidName,
        "raw.x is partitioned by month, and this partition has the keys day: give the same keys",
    )
    refuses(
        lk,
        lambda: lk.land(good, dataset="raw.x"),
        InvalidName,
        "raw.x is partitioned by month, and this partition has none: give the same keys",
    )


def test_a_column_of_a_keys_name_that_disagrees_is_held(lk: Lake, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("month,id\nmay,1\njune,2\n")
    refuses(
        lk,
        lambda: lk.land(path, dataset="raw.x", partition={"month": "may"}),
        VersionHeld,
        "raw.x/month=may is held: column 'month' must be 'may' as its partition is, but 1 row"
        " disagrees, the first: 'june'",
        commits=1,
    )


@pytest.mark.parametrize(
    ("address", "kind", "message"),
    [
        ("../x", InvalidName, "'..' is no dataset: write raw.NAME or curated.NAME"),
        (
            "raw.x/month",
            InvalidName,
            "'month' is no partition: write KEY=VALUE, several joined by '/'",
        ),
        (
            "raw.x/m=1@",
            InvalidAddress,
            "'raw.x/m=1@' ends in '@': write a commit, a tag, a time or vN behind it",
        ),
    ],
)
def test_an_address_that_is_none_is_refused(
    lk: Lake, tmp_path: Path, address: str, kind: type[Exception], message: str
) -> None:
    refuses(lk, lambda: lk.get(address, tmp_path), kind, message)
