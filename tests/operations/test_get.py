from dataclasses import replace
from pathlib import Path

import pytest

from lake.catalog.entries import Append, Remove, Replace
from lake.catalog.publish import Draft, publish
from lake.catalog.state import State
from lake.config import Source
from lake.config.types import Reading
from lake.errors import (
    FileDamaged,
    InvalidAddress,
    NoSuchDataset,
    NoSuchPartition,
    NoSuchVersion,
    StoreUnavailable,
    VersionHeld,
)
from lake.lake import Lake
from lake.opening import open_lake
from tests.lakes import land, model, new_lake, parquet

CSV = b'\xef\xbb\xbfid;name\r\n007;"a ""b"" c"\r\n8;\xc3\xa9\r\n'


@pytest.fixture
def lk(tmp_path: Path) -> Lake:
    return new_lake(tmp_path)


def given(lk: Lake, name: str, data: bytes) -> Path:
    path = lk.config.root / name
    path.write_bytes(data)
    return path


def got(lk: Lake, address: str, folder: str = "out") -> dict[str, bytes]:
    """Return what `get` writes, by path below the folder."""
    to = lk.config.root / folder
    return {str(path.relative_to(to)): path.read_bytes() for path in lk.get(address, to)}


@pytest.mark.parametrize("name", ["trips.parquet", "trips.bin", "trips"])
def test_a_parquet_comes_back_byte_for_byte(lk: Lake, name: str) -> None:
    path = parquet(lk.config.root / name, "SELECT 1 AS id")
    lk.land(path, dataset="raw.trips", partition={"month": "2024-01"})
    assert got(lk, "raw.trips/month=2024-01") == {name: path.read_bytes()}


def test_a_glob_chooses_files_of_partitions(lk: Lake) -> None:
    for number, name in enumerate(("a.csv", "b.csv", "a.tsv")):
        path = given(lk, name, b"id\n%d\n" % number)
        lk.land(path, dataset="raw.x", partition={"n": f"{number}"})
    to = lk.config.root / "out"
    assert [str(p.relative_to(to)) for p in lk.get("raw.x", to, only="a.*")] == [
        "n=0/a.csv",
        "n=2/a.tsv",
    ]
    said = r"^no file of raw\.x/n=1 fits 'a\.\*': it has 'b\.csv'$"
    with pytest.raises(InvalidAddress, match=said):
        lk.get("raw.x/n=1", lk.config.root / "none", only="a.*")


def test_a_file_in_the_way_of_a_folder_is_a_line(lk: Lake) -> None:
    lk.land(given(lk, "a.csv", CSV), dataset="raw.x", partition={"n": "1"})
    to = lk.config.root / "out"
    to.mkdir()
    (to / "n=1").write_bytes(b"")
    with pytest.raises(StoreUnavailable, match=r"^cannot write \S+/n=1/a\.csv: .*; choose another"):
        lk.get("raw.x", to)


@pytest.mark.parametrize(
    ("name", "data"),
    [("zones.csv", CSV), ("no suffix", CSV)],
)
def test_a_csv_comes_back_as_it_was_sent(lk: Lake, name: str, data: bytes) -> None:
    lk.land(given(lk, name, data), dataset="raw.zones")
    assert got(lk, "raw.zones") == {name: data}


@pytest.mark.parametrize(
    "name", ["_a.csv", ".a.csv", "é & ß.csv", "100%.csv", "a.tsv", "line\n.csv", "é" * 125]
)
def test_a_file_comes_back_under_its_own_name(lk: Lake, name: str) -> None:
    lk.land(given(lk, name, CSV), dataset="raw.zones")
    assert got(lk, "raw.zones") == {name: CSV}


def test_rows_do_not_come_back_under_the_name_of_what_was_not_kept(lk: Lake) -> None:
    (lk.config.root / "a.csv").write_bytes(CSV)
    source = Source("x", "a.csv", reading=Reading(keep_original=False), root=lk.config.root)
    lk = open_lake(lk.url, config=replace(lk.config, sources={"x": source}))
    lk.land_sources()
    assert got(lk, "raw.x").keys() == {"data.parquet"}


def test_a_name_from_elsewhere_leads_nowhere_else(lk: Lake) -> None:
    lk.land(given(lk, "a.csv", CSV), dataset="raw.x")
    now = lk.state.partition("raw.x", "").current
    assert now

    def plan(state: State) -> Draft:
        return Draft([Replace("raw.x", "", now.files, now.content, landed)])

    for name in ("../b", "/b", "..", ".", "", "a\0b", "a\\b"):
        landed = replace(now.landed, origin={**now.landed.origin, "name": name})
        publish(lk.log, lk.state, plan, commit_id=lk.new_id())
        assert got(lk, "raw.x", f"out-{lk.commit}") == {"a.csv": CSV}


def test_former_and_held_versions_come_back_too(lk: Lake) -> None:
    first, second = b"id\n1\n", b"id\n2\n"
    lk.land(given(lk, "a.csv", first), dataset="raw.x", partition={"n": "1"})
    lk.land(given(lk, "a.csv", second), dataset="raw.x", partition={"n": "1"})
    land(lk, "raw.x", "SELECT 1 AS id", n="2")
    with pytest.raises(VersionHeld, match="held"):
        land(lk, "raw.x", "SELECT [1] AS id", n="1")
    held = (lk.config.root / "given.parquet").read_bytes()
    assert got(lk, "raw.x/n=1", "now") == {"a.csv": second}
    assert got(lk, "raw.x/n=1@v1", "v1") == {"a.csv": first}
    assert got(lk, "raw.x/n=1@1", "then") == {"a.csv": first}
    assert got(lk, "raw.x/n=1@v3", "held") == {"given.parquet": held}


def test_all_partitions_come_back_in_a_folder_each(lk: Lake) -> None:
    for value in ("a b", "é"):
        lk.land(given(lk, "a.csv", value.encode()), dataset="raw.x", partition={"n": value})
    expected = {"n=a%20b/a.csv": b"a b", "n=%C3%A9/a.csv": "é".encode()}
    assert got(lk, "raw.x") == expected
    publish(lk.log, lk.state, lambda s: Draft([Remove("raw.x", "n=%C3%A9")]), commit_id=lk.new_id())
    assert got(lk, "raw.x", "after") == {"n=a%20b/a.csv": b"a b"}
    assert got(lk, "raw.x@2", "before") == expected


def test_fragments_of_one_name_get_a_folder_each(lk: Lake) -> None:
    land(lk, "raw.x", "SELECT 1 AS id", month="1")
    land(lk, "raw.x", "SELECT 2 AS id", month="2")
    model(lk, "m", "SELECT 'all' AS month, id FROM raw.x", 'partition_by = "month"',
          'reads.x = "each"')  # fmt: skip
    lk.transform()
    found = got(lk, "curated.m/month=all")
    assert [path.startswith("version=") for path in found] == [True, True]
    assert {path.split("/")[1] for path in found} == {"part-0.parquet"}


def test_of_versions_without_an_original_the_rows_come_back(lk: Lake) -> None:
    lk.land(given(lk, "a.csv", b"id\n1\n"), dataset="raw.x")
    land(lk, "raw.y", "SELECT 2 AS id")
    more = lk.state.partition("raw.y", "").current
    assert more
    change = Append("raw.x", "", more.files, "c", more.landed)
    publish(lk.log, lk.state, lambda state: Draft([change]), commit_id=lk.new_id())
    assert got(lk, "raw.x").keys() == {"a.csv", "given.parquet"}


def test_a_damaged_file_is_not_given_and_nothing_else_is(lk: Lake) -> None:
    for number in range(3):
        lk.land(
            given(lk, "a.csv", b"id\n%d\n" % number), dataset="raw.x", partition={"n": f"{number}"}
        )
    damaged = next(key.key for key in lk.log.store.list("raw/x/n=1/") if key.key.endswith(".csv"))
    path = Path(lk.log.store.data_url(damaged))
    path.chmod(0o644)
    path.write_bytes(b"id\n7\n")
    to = lk.config.root / "out"
    with pytest.raises(FileDamaged, match=r"a.csv is not the file that the log names: restore it"):
        lk.get("raw.x", to)
    assert [item for item in to.rglob("*") if item.is_file()] == []
    path.unlink()
    with pytest.raises(FileDamaged, match=r"raw/x/n=1/.*a.csv is missing in file:"):
        lk.get("raw.x/n=1", to)


def test_a_file_that_is_there_stays_as_it_is(lk: Lake) -> None:
    for number in range(2):
        lk.land(
            given(lk, "a.csv", b"id\n%d\n" % number), dataset="raw.x", partition={"n": f"{number}"}
        )
    there = lk.config.root / "out" / "n=1" / "a.csv"
    there.parent.mkdir(parents=True)
    there.write_bytes(b"mine")
    with pytest.raises(InvalidAddress, match=r"n=1/a.csv is there already: choose an empty folder"):
        lk.get("raw.x", lk.config.root / "out")
    assert there.read_bytes() == b"mine"
    assert not (lk.config.root / "out" / "n=0").exists()


def test_what_there_is_not_cannot_be_had(lk: Lake) -> None:
    land(lk, "raw.x", "SELECT 1 AS id", n="1")
    publish(lk.log, lk.state, lambda state: Draft([Remove("raw.x", "n=1")]), commit_id=lk.new_id())
    for address, error in (
        ("raw.y", NoSuchDataset),
        ("raw.x/n=2", NoSuchPartition),
        ("raw.x/n=1", NoSuchVersion),
        ("raw.x/n=1@v2", NoSuchVersion),
        ("raw.x/n=1@v9", NoSuchVersion),
    ):
        with pytest.raises(error, match=r"raw\."):
            lk.get(address, lk.config.root / "out")
    assert lk.get("raw.x", lk.config.root / "out") == []
