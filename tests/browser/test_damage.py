"""Files that are not what was landed: what needs them fails and names them, the rest works."""

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from lake.config import Config
from lake.lake import Lake
from lake.opening import init, open_lake
from storage_backends import Store
from tests.browser.site import Site, site
from tests.lakes import copy_of, land, new_lake, parquet, rows, shared_lake

BAD, SOUND = "2024-02", ["2024-01", "2024-03"]
ROWS = "SELECT range AS id, 'a' AS \"it's\" FROM range"
HERE = {"Sec-Fetch-Site": "none"}


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """Three partitions with a hundred rows each."""
    with shared_lake(tmp_path_factory) as lk:
        for month in (*SOUND, BAD):
            land(lk, "raw.trips", f"{ROWS}(100)", month=month)
        yield lk


def _missing(path: Path) -> str:
    path.unlink()
    return "is missing"


def _cut(path: Path) -> str:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return f"has {len(whole) // 2:,} bytes, the log says {len(whole):,}"


def _swapped(path: Path) -> str:
    said = path.stat().st_size
    path.unlink()
    parquet(path, "SELECT range AS id, 'b' AS \"it's\" FROM range(7)")
    return f"has {path.stat().st_size:,} bytes, the log says {said:,}"


@pytest.fixture(params=[_missing, _cut, _swapped])
def damage(request: pytest.FixtureRequest) -> Callable[[Path], str]:
    found: Callable[[Path], str] = request.param
    return found


@pytest.fixture
def damaged(
    three: Lake, tmp_path: Path, damage: Callable[[Path], str]
) -> Iterator[tuple[Site, str]]:
    """The pages of a lake in which the file of one partition is damaged, and what that is."""
    lk = copy_of(three, tmp_path)
    (key,) = (one.key for one in lk.state.data_files("raw.trips") if BAD in one.partition)
    path = Path(lk.log.store.data_url(key))
    path.chmod(0o644)
    said = damage(path)
    with site(lk) as pages:
        yield pages, f"{key} {said}"


def answer(pages: Site, sql: str) -> tuple[int, str]:
    found = pages.client.get(f"/sql.json?sql={quote(sql)}", headers=HERE)
    return found.status_code, str(found.json()["error"] or found.json()["rows"])


LEFT_OUT = {
    f"SELECT count(*) FROM raw.trips WHERE month <> '{BAD}'": "[[200]]",
    "SELECT sum(id) FROM raw.trips WHERE month = '2024-03'": "[[4950]]",
    "SELECT count(*) FROM raw.trips WHERE month IN ('2024-01', '2024-03')": "[[200]]",
    "SELECT count(*) FROM raw.trips__rows WHERE month = '2024-03'": "[[100]]",
    "SELECT count(*) FROM (DESCRIBE raw.trips)": "[[3]]",
    "SELECT sum(rows) FROM meta.versions": "[[300]]",
}
NEEDED = [
    "SELECT count(*) FROM raw.trips",
    "SELECT min(id), max(id) FROM raw.trips",
    "SELECT DISTINCT month FROM raw.trips",
    "SELECT max(month) FROM raw.trips",
    "SELECT count(*) FROM raw.trips WHERE id < 0",
    "SELECT count(*) FROM raw.trips WHERE id = 500",
    f"SELECT count(*) FROM raw.trips WHERE month = '{BAD}'",
    f"SELECT count(*) FROM raw.trips WHERE month = '{BAD}' AND id < 0",
    "SELECT count(*) FROM raw.trips, (VALUES ('2024-01'), ('2024-02')) v(m) WHERE m = month",
    "SELECT * FROM raw.trips ORDER BY month LIMIT 1",
    "SELECT * FROM raw.trips LIMIT 1 OFFSET 250",
    "SELECT (SELECT count(*) FROM raw.trips) FROM meta.datasets",
    "SELECT count(*) FROM raw.trips__rows",
    "SELECT count(*) FROM raw.trips__rows WHERE _row = 1",
    "SELECT count(DISTINCT _file) FROM raw.trips__rows",
    f"SELECT count(*) FROM raw.trips__rows WHERE contains(_file, '{BAD}')",
    "SUMMARIZE raw.trips",
]


def test_only_a_query_that_needs_a_damaged_file_fails_and_names_it(
    damaged: tuple[Site, str], tmp_path: Path
) -> None:
    pages, said = damaged
    rows = pages.client.get("/raw/trips/rows.json?sort=1", headers=HERE)
    assert (rows.status_code, rows.headers["content-type"]) == (502, "application/json")
    for sql, found in LEFT_OUT.items():
        assert answer(pages, sql) == (200, found), sql
    for sql in NEEDED:
        status, text = answer(pages, sql)
        assert (status, said in text) == (502, True), (sql, status, text)
        assert str(tmp_path) not in text


def test_files_of_an_answer_have_all_of_its_rows_or_there_are_none(
    damaged: tuple[Site, str],
) -> None:
    pages, said = damaged
    for kind in ("csv", "parquet"):
        whole = pages.client.get(f"/sql.{kind}?sql=FROM%20raw.trips", headers=HERE)
        assert (whole.status_code, said in whole.text) == (502, True)
    some = quote(f"SELECT id FROM raw.trips WHERE month > '{BAD}'")
    lines = pages.client.get(f"/sql.csv?sql={some}", headers=HERE).text.splitlines()
    assert len(lines) == 101


def test_rows_of_other_files_are_paged_through(damaged: tuple[Site, str]) -> None:
    pages, said = damaged
    for page in (1, 2, 5, 6):
        assert len(pages.json(f"/raw/trips/rows?page={page}")["rows"]) == 50
    assert pages.json("/raw/trips/rows?row=201")["origin"]["partition"] == "month=2024-03"
    assert len(pages.json("/raw/trips/rows?column=month&is=2024-01&page=2")["rows"]) == 50
    for query in ("page=3", "page=4", "row=101", "sort=1", "column=id&is=7"):
        assert said in pages.get(f"/raw/trips/rows?{query}", 502)


def test_a_page_of_rows_out_of_two_files_needs_both(tmp_path: Path, three: Lake) -> None:
    lk = copy_of(three, tmp_path)
    for month in ("2024-04", "2024-05"):
        land(lk, "raw.trips", f"{ROWS}(30)", month=month)
    key = lk.state.data_files("raw.trips")[-1].key
    Path(lk.log.store.data_url(key)).unlink()
    with site(lk) as pages:
        assert f"{key} is missing" in pages.get("/raw/trips/rows?page=7", 502)
        assert len(pages.json("/raw/trips/rows?page=6")["rows"]) == 50


def test_what_is_restored_is_read_again(three: Lake, tmp_path: Path) -> None:
    lk = copy_of(three, tmp_path)
    path = Path(lk.log.store.data_url(lk.state.data_files("raw.trips")[0].key))
    whole = path.read_bytes()
    with site(lk) as pages:
        path.unlink()
        assert answer(pages, "SELECT count(*) FROM raw.trips")[0] == 502
        path.write_bytes(whole)
        assert answer(pages, "SELECT count(*) FROM raw.trips") == (200, "[[300]]")


def test_in_any_store_only_what_needs_the_file_fails(store: Store, tmp_path: Path) -> None:
    init(store.url)
    lk = open_lake(store.url, config=Config(root=tmp_path))
    for place in ("a b", "ü[1]*", "c%d"):
        land(lk, "raw.trips", "SELECT range AS id FROM range(3)", place=place)
    key = next(one.key for one in lk.state.data_files("raw.trips") if "place=%C3" in one.partition)
    lk.log.store.delete(key)
    with site(lk) as pages:
        for place in ("a b", "c%d"):
            sql = f"SELECT count(*) FROM raw.trips WHERE place = '{place}'"
            assert answer(pages, sql) == (200, "[[3]]")
        for sql in ("SELECT count(*) FROM raw.trips", "FROM raw.trips WHERE place = 'ü[1]*'"):
            status, text = answer(pages, sql)
            assert (status, f"{key} is missing" in text) == (502, True), text


def test_a_difference_says_whether_the_bytes_of_both_sides_were_checked(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    for start in (0, 5):
        land(lk, "raw.n", f"SELECT range AS id FROM range({start}, 5000)")
    old, new = (Path(lk.log.store.data_url(key)) for key in _keys(lk))
    path = "/raw/n/v2/diff/v1"
    with site(lk) as pages:
        assert _states(pages, path) == ["not checked", "not checked"]
        assert f'href="{path}?verify=1">check their bytes now' in pages.get(path)
        assert _states(pages, f"{path}?verify=1") == ["verified", "verified"]
        _flip(old)  # still decodes, perhaps
        assert _states(pages, f"{path}?verify=1") == ["damaged", "verified"]
        text = pages.get(f"{path}?verify=1")
        assert "The bytes of v1 are not those that were landed" in text
        assert 'href="/raw/n/v1?verify=1">Which files' in text
        assert 'href="/raw/n/v1?at=2&amp;verify=1">Which files' in pages.get(
            f"{path}?at=2&verify=1"
        )
        new.unlink()
        assert _states(pages, f"{path}?verify=1") == ["damaged", "missing"]


def _states(pages: Site, path: str) -> list[str]:
    said = pages.json(path)
    return [said["before"]["state"], said["after"]["state"]]


def _keys(lk: Lake) -> list[str]:
    found = rows(lk, "SELECT key FROM meta._history WHERE role = 'data' ORDER BY commit")
    return [str(key) for (key,) in found]


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


def test_more_bytes_than_a_page_hashes_are_told_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lake.browser.pages.diff.MOST_BYTES", 10)
    lk = new_lake(tmp_path)
    for many in (3, 4):
        land(lk, "raw.n", f"SELECT range AS id FROM range({many})")
    with site(lk) as pages:
        assert _states(pages, "/raw/n/v2/diff/v1?verify=1") == ["not checked", "not checked"]
        assert "lake verify" in pages.get("/raw/n/v2/diff/v1")


def test_rows_lead_to_where_their_bytes_are_checked(pages: Site) -> None:
    row = pages.get("/raw/trips/rows?row=1")
    assert 'href="/raw/trips/month=2024-01/v2?verify=1">check them now' in row
    assert 'href="/raw/trips/versions">version</a>' in pages.get("/raw/trips/rows")
