"""The page of a version, its downloads, and the runs; also of what is damaged or gone."""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from lake.errors import VersionHeld
from lake.lake import Lake
from tests.browser.site import Site, site
from tests.lakes import again, copy_of, land, model, new_lake, shared_lake

CSV = "id,name\n1,Ann\nx,Bob\n3,<b>Cy</b>\n"
READ = {"columns": {"id": {"type": "BIGINT"}}, "max_rejects": 1}
JANUARY = "/raw/people/month=2024-01"


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """January twice, the second time with a rejected row; a third that is held."""
    with shared_lake(tmp_path_factory) as lk:
        given = lk.config.root / "people of “Ann”.csv"
        month = {"month": "2024-01"}
        given.write_text("id,name\n1,Ann\n2,Bob\n", encoding="utf-8")
        lk.land(given, dataset="raw.people", partition=month, read=READ)
        given.write_text(CSV, encoding="utf-8")
        lk.land(given, dataset="raw.people", partition=month, read=READ)
        given.write_text("id,name\nx,A\ny,B\n", encoding="utf-8")
        with pytest.raises(VersionHeld, match="2 rows were rejected"):
            lk.land(given, dataset="raw.people", partition=month, read=READ)
        land(lk, "raw.odd", "SELECT 1 AS id", city="a/b c")
        land(lk, "raw.zones", "SELECT 1 AS id")
        yield lk


@pytest.fixture(scope="module")
def served(people: Lake) -> Iterator[Site]:
    with site(people) as pages:
        yield pages


def test_a_partition_leads_to_its_newest_version_at_the_same_commit(served: Site) -> None:
    answer = served.client.get(JANUARY, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, f"{JANUARY}/v2")
    answer = served.client.get(f"{JANUARY}?at=1", follow_redirects=False)
    assert answer.headers["location"] == f"{JANUARY}/v1?at=1"
    assert "no partition month=1999-01" in served.get("/raw/people/month=1999-01", 404)
    answer = served.client.get("/raw/odd/city=a%2Fb%20c", follow_redirects=False)
    assert answer.headers["location"] == "/raw/odd/city=a%2Fb%20c/v1"
    assert "a%2Fb%20c" in served.get("/raw/odd/city=a%2Fb%20c/v1")


def test_a_version_says_where_it_came_from_and_what_was_rejected(served: Site) -> None:
    said = served.json(f"{JANUARY}/v2")
    facts = {one["name"]: one["text"] for one in said["facts"]}
    digest = hashlib.sha256(CSV.encode()).hexdigest()
    assert said["state"] == {"kind": "good", "text": "current"}
    assert facts["SHA-256 as sent"] == digest
    assert facts["Source"] == facts["Name there"] == "people of “Ann”.csv"
    assert (facts["Commit"], said["rows"], said["rejected"]) == ("2", 2, 1)
    assert [(one["place"], one["raw"]) for one in said["rejects"]] == [("line 3", "x,Bob")]
    assert "BIGINT" in said["rejects"][0]["reason"]
    assert [one["version"] for one in said["others"]["shown"]] == [3, 2, 1]
    assert said["difference"] == f"{JANUARY}/v2/diff/v1"
    files = {one["role"]: one for one in said["files"]["shown"]}
    assert files["original"]["sha256"] == digest
    assert {one["state"] for one in files.values()} == {"not checked"}
    text = served.get(f"{JANUARY}/v2")
    assert str(served.lake.config.root) not in text
    assert 'href="/raw/people/month=2024-01/v2/diff/v1"' in text


@pytest.mark.parametrize(
    ("number", "state", "reason"), [(1, "replaced", ""), (3, "held", "2 rows were rejected")]
)
def test_a_version_that_is_not_current_says_why(
    served: Site, number: int, state: str, reason: str
) -> None:
    said = served.json(f"{JANUARY}/v{number}")
    assert said["state"]["text"] == state
    assert reason in said["reason"]
    assert said["files"]["total"] == 2


def test_a_version_that_is_not_there_is_told(served: Site) -> None:
    assert "its newest is v3" in served.get(f"{JANUARY}/v9", 404)
    assert "no dataset raw.nothing" in served.get("/raw/nothing/month=2024-01/v1", 404)
    assert "does not exist" in served.get("/commits/99", 404)
    assert "single partition" in served.get("/raw/people/v1", 404)
    assert "Version" not in served.get("/raw/people/mo=nth=1/v1", 404)


def test_the_original_comes_back_exactly_and_runs_nowhere(served: Site) -> None:
    (one,) = served.json(f"{JANUARY}/v2")["downloads"]
    answer = served.client.get(one["link"])
    assert answer.content == CSV.encode()
    headers = answer.headers
    assert headers["content-type"] == "application/octet-stream"
    name = "people%20of%20%E2%80%9CAnn%E2%80%9D.csv"
    assert headers["content-disposition"] == f"attachment; filename*=UTF-8''{name}"
    assert headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert int(headers["content-length"]) == len(CSV)
    head = served.client.head(one["link"])
    assert (head.headers["content-length"], head.content) == (str(len(CSV)), b"")
    assert "no such file" in served.get(f"{JANUARY}/v2?download=_lake/lake.json", 404)


def test_a_damaged_file_is_told_with_both_hashes_and_never_given_whole(
    people: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKE_CACHE", str(tmp_path / "cache"))
    lk = new_lake(tmp_path)
    land(lk, "raw.zones", "SELECT 7 AS id")
    path = next(Path(lk.url.removeprefix("file://")).glob("raw/zones/*/*.parquet"))
    whole = path.read_bytes()
    with site(lk) as pages:
        assert "verified" in pages.get("/raw/zones/v1?verify=1")
    path.write_bytes(whole[:-1] + b"?")
    with site(lk) as pages:
        said = pages.json("/raw/zones/v1?verify=1")
        (file,) = said["files"]["shown"]
        assert (said["damaged"], file["state"]) == (1, "damaged")
        assert file["found"] == hashlib.sha256(path.read_bytes()).hexdigest() != file["sha256"]
        text = pages.get("/raw/zones/v1?verify=1")
        assert "the rest of the dataset is unaffected" in text
        assert file["found"] in text
        assert pages.json("/raw/zones/v1")["files"]["shown"][0]["state"] == "damaged"
        path.write_bytes(whole)
        assert pages.json("/raw/zones/v1?verify=1")["damaged"] == 0
        assert pages.json("/raw/zones/v1")["files"]["shown"][0]["state"] == "not checked"
        path.write_bytes(whole[:-1] + b"?")
        with pytest.raises(Exception, match=r"peer closed|incomplete|disconnected"):
            pages.client.get(said["downloads"][0]["link"])
        path.write_bytes(whole + b"more")
        assert "A file is damaged" in pages.get(said["downloads"][0]["link"], 502)
        path.unlink()
        assert "No such version" in pages.get(said["downloads"][0]["link"], 404)
    with site(lk) as pages:
        assert pages.json("/raw/zones/v1?verify=1")["files"]["shown"][0]["state"] == "missing"


def test_a_collected_version_says_so_and_keeps_what_the_log_says(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    for number in (1, 2):
        land(lk, "raw.zones", f"SELECT {number} AS id")
    lk.gc(keep=timedelta(0), delete=True)
    with site(again(lk)) as pages:
        said = pages.json("/raw/zones/v1")
        assert (said["state"]["text"], said["collected"]) == ("collected", 3)
        assert {one["name"] for one in said["facts"]} > {"SHA-256 as sent", "Commit", "Run"}
        assert (said["downloads"], said["check"]) == ([], "")
        assert "The garbage collector took its files away" in pages.get("/raw/zones/v1")
        assert "No longer kept" in pages.get("/raw/zones/v2/diff/v1", 410)


def test_a_lost_receipt_and_lost_rejects_are_told_on_the_page(people: Lake, tmp_path: Path) -> None:
    lk = copy_of(people, tmp_path / "copy")
    for path in Path(lk.url.removeprefix("file://")).glob("raw/people/*/*/_re*"):
        path.unlink()
    with site(lk) as pages:
        said = pages.json(f"{JANUARY}/v2")
        assert said["receipt_problem"] == "its object is missing"
        assert (said["rejects"], said["unknown"]) == ([], "The object with these rows is missing.")
        assert {one["name"] for one in said["facts"]} > {"SHA-256 as sent", "Commit", "Run"}


def test_a_version_of_many_files_is_shown_a_page_at_a_time(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    things = tmp_path / "things"
    things.mkdir()
    for number in range(130):
        (things / f"{number:03}.txt").write_text(f"{number}", encoding="utf-8")
    lk.land(things, dataset="raw.things", read={"format": "objects"})
    with site(lk) as pages:
        first = pages.json("/raw/things/v1")["files"]
        assert (first["total"], len(first["shown"]), first["newer"]) == (131, 100, "")
        rest = pages.json(first["older"])["files"]
        assert (len(rest["shown"]), rest["older"]) == (31, "")
        keys = [one["key"] for one in (*first["shown"], *rest["shown"])]
        assert len(set(keys)) == 131


def test_checks_of_a_model_stand_with_its_version(pages: Site) -> None:
    said = pages.json("/curated/revenue/v1")
    assert {one["failed"] for one in said["checks"]} <= {0}
    facts = [(one["name"], one["text"]) for one in said["facts"]]
    assert any(name == "Made from" and "raw.trips" in text for name, text in facts)


def test_versions_of_one_commit_each_have_their_own_receipt(tmp_path: Path) -> None:
    lk = new_lake(tmp_path, load=("totals",))
    for month in ("2024-01", "2024-02"):
        land(lk, "raw.trips", f"SELECT '{month}' AS m", month=month)
    words = ('description = "Trips"', 'owner = "me"')
    header = ('partition_by = "month"', 'reads.trips = "same"', *words)
    model(lk, "totals", "SELECT month, count(*) AS n FROM raw.trips GROUP BY ALL", *header)
    lk.transform()
    lk.load()
    with site(lk) as pages:
        builds = []
        for month in ("2024-01", "2024-02"):
            said = pages.json(f"/curated/totals/month={month}/v1")
            facts = {one["name"]: one["text"] for one in said["facts"]}
            receipt = next(one["link"] for one in said["facts"] if one["name"] == "Receipt")
            parts = pages.json(receipt)["preview"]["tree"]["parts"]
            assert facts["Build"] in {part["text"].strip('"') for part in parts}
            assert facts["Made from"] == f"raw.trips month={month}"
            builds.append(facts["Build"])
        assert len(set(builds)) == 2
        (run,) = pages.json("/runs")["runs"]
        assert [(one["table"], one["partitions"]) for one in run["loads"]] == [("totals", 2)]
        (load,) = pages.json("/runs")["loads"]
        assert (load["dataset"], load["rows"], load["warehouse"]) == ("curated.totals", 2, "duckdb")
        assert str(tmp_path) not in pages.get("/runs")


def test_parts_that_are_called_alike_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    for part in ("1", "2"):
        land(lk, "raw.parts", f"SELECT 'all' AS whole, {part} AS n", part=part)
    header = ('partition_by = "whole"', 'reads.parts = "each"')
    model(lk, "joined", "SELECT whole, n FROM raw.parts", *header)
    lk.transform()
    with site(lk) as pages:
        said = pages.json("/curated/joined/whole=all/v1")
        names = [one["name"] for one in said["files"]["shown"]]
        assert len(set(names)) == 2
        assert all(name.startswith("version=") for name in names)
        assert said["downloads"] == []


def test_a_version_of_several_parts_leads_to_the_receipt_of_each(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    header = ('partition_by = "whole"', 'reads.parts = "each"')
    model(lk, "joined", "SELECT whole, n FROM raw.parts", *header)
    for part in ("1", "a/b"):
        select = f"SELECT 'all' AS whole, '{part}' AS n FROM range({len(part)})"
        land(lk, "raw.parts", select, part=part)
        lk.transform()
    with site(lk) as pages:
        said = pages.json("/curated/joined/whole=all/v2")
        parts = said["parts"]["shown"]
        assert [(one["name"], one["rows"], one["is_newest"]) for one in parts] == [
            ("part=1", 1, False),
            ("part=a%2Fb", 3, True),
        ]
        for one in parts:
            receipt = pages.get(one["link"])
            assert "_receipt.json" in receipt
            assert f"<bdi>&#34;{one['name']}&#34;</bdi>" in receipt
        text = pages.get("/curated/joined/whole=all/v2")
        assert "One of 2 receipts" in text
        assert "part=a/b</bdi>" in text
        assert pages.json("/curated/joined/whole=all/v1")["parts"]["total"] == 1
        assert "receipts:" not in pages.get("/curated/joined/whole=all/v1")


def test_what_a_rollback_brought_back_keeps_its_origin(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    for number in (1, 2):
        land(lk, "raw.zones", f"SELECT {number} AS id")
    lk.rollback("raw.zones")
    with site(again(lk)) as pages:
        first, third = (
            {one["name"]: one["text"] for one in pages.json(f"/raw/zones/v{n}")["facts"]}
            for n in (1, 3)
        )
        assert (third["SHA-256 as sent"], third["How"]) == (first["SHA-256 as sent"], "rollback")
        assert "Same rows" in pages.get("/raw/zones/v3/diff/v1")
        keys = {pages.json(f"/raw/zones/v{n}")["files"]["shown"][0]["key"] for n in (1, 3)}
        assert len(keys) == 1
        assert pages.json(f"/bucket/object?key={quote(keys.pop(), safe='')}")["of"] == "v3"


def test_a_removed_partition_leads_to_the_version_that_removed_it(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    for number in (1, 2):
        land(lk, "raw.trips", f"SELECT {number} AS id", month=f"2024-0{number}")
    lk.remove("raw.trips/month=2024-01")
    with site(again(lk)) as pages:
        answer = pages.client.get("/raw/trips/month=2024-01")
        assert answer.headers["location"] == "/raw/trips/month=2024-01/v2"
        said = pages.json("/raw/trips/month=2024-01/v2")
        assert (said["version"], said["state"]["text"], said["difference"]) == (2, "removed", "")
        assert "the versions before stay" in pages.get("/raw/trips/month=2024-01/v2")
        assert pages.json("/raw/trips/month=2024-01/v1")["state"]["text"] == "replaced"


def test_runs_group_commits_and_find_one_by_its_id(served: Site, people: Lake) -> None:
    said = served.json("/runs")
    (run,) = said["runs"]
    assert (run["run"], run["commits"], run["versions"]) == (people.run, people.commit, 5)
    assert run["datasets"] == ["raw.odd", "raw.people", "raw.zones"]
    assert run["rows"] == 2 + 2 + 0 + 1 + 1
    assert served.json(f"/runs?run={people.run}")["runs"][0]["run"] == people.run
    assert "No run is called so." in served.get("/runs?run=x%27)--")
    assert people.run in served.get("/runs")
