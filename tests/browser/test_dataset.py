"""A dataset's pages: partitions, columns, drift, lineage, versions, checks."""

import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import duckdb
import jsonschema
import pytest

from lake import layout
from lake.browser import pages as known
from lake.browser.ask import Ask
from lake.browser.document import schema
from lake.browser.pages import dataset
from lake.browser.routes import resolve
from lake.browser.snapshot import Snapshot
from lake.catalog.entries import Declare
from lake.catalog.ids import commit_id
from lake.catalog.publish import Draft, publish
from lake.cli import main
from lake.config import Config, load
from lake.errors import VersionHeld
from lake.lake import Lake
from lake.opening import init, open_lake
from tests.browser.site import Site, site
from tests.lakes import again, land, model, new_lake, shared_lake

HEAVIEST = 150_000
ODD = """
SELECT range AS "שלום", '<script>alert(1)</script>' AS "<b>bold</b>", 'a' || range AS "x\u202ey",
  NULL::INTEGER AS nothing, CASE WHEN range < 6 THEN NULL ELSE range / 4 END AS some,
  DATE '2024-01-01' + (range * 40)::INTEGER AS day, range % 2 = 0 AS even,
  {'a': [range], 'b': repeat('x', 99)} AS nested, '' AS blank FROM range(10)
"""
BROKEN = "-- /// lake\n-- owner = nonsense\n-- ///\nSELECT 1 AS x"
SOURCES = """
[lake]
url = "./.lake"
[sources.people]
url = "people_{month}.csv"
partition.month = { every = "month", since = "2024-01" }
expect_every = "1 hour"
description = "Who came"
owner = "desk"
[sources.people.columns]
name = { personal = true, description = "As written" }
age = { between = [0, 150], required = true }
"""


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A declared source with a contract, a held version, odd columns, a model that is none."""
    root = tmp_path_factory.mktemp("people")
    (root / "lake.toml").write_text(SOURCES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAKE_CACHE", str(tmp_path_factory.mktemp("cache")))
        url = init(str(root / ".lake")).url
        config: Config = load(None, env=None, environ={}, cwd=root)
        lk = open_lake(url, config=config)
        lk.apply()
        land(lk, "raw.people", "SELECT 'Ann Secret' AS name, 30 AS age", month="2024-01")
        with pytest.raises(VersionHeld, match="between"):
            land(lk, "raw.people", "SELECT 'Bob' AS name, 200 AS age", month="2024-01")
        land(lk, "raw.odd", ODD, city="Köln/West", kind="a b")
        land(lk, "raw.gone", "SELECT 1 AS id")
        lk.drop("raw.gone")
        model(lk, "days", "SELECT day FROM raw.odd")
        lk.transform()
        _declare(lk, "days", BROKEN)
        _declare(lk, "broken", BROKEN)
        with site(lk) as served:
            yield served


def _declare(lk: Lake, name: str, text: str) -> None:
    """Publish a model's text as another version of the lake, with another grammar, might."""
    change = Declare("model", name, text)
    publish(lk.log, lk.state, lambda head: Draft([change]), commit_id=commit_id(lk.log.clock()))


def test_the_overview_counts_what_the_log_counts(pages: Site, looked_at: Lake) -> None:
    head = pages.json("/raw/trips")["head"]
    dataset = looked_at.state.datasets["raw.trips"]
    assert (head["rows"], head["bytes"], head["files"]) == (
        dataset.rows,
        dataset.bytes,
        dataset.files,
    )
    assert (head["partitions"], head["versions"], head["again"], head["missing"]) == (3, 4, 1, 1)
    assert head["state"] == {"kind": "warn", "text": "drifted"}
    assert pages.json("/curated/revenue")["head"]["owner"] == "money"


def test_the_calendar_tells_what_is_there_again_and_missing(pages: Site) -> None:
    said = pages.json("/raw/trips")["calendar"]
    (year,) = said["years"]
    assert (said["unit"], year["name"]) == ("month", "2024")
    assert [cell["kind"] for cell in year["cells"]] == ["again", "ok", "missing", "ok"] + [
        "soon"
    ] * 8
    text = pages.get("/raw/trips")
    assert 'href="/raw/trips/month=2024-01"' in text
    assert "now v2" in text
    assert "never landed" in text


def test_every_link_of_a_former_commit_stays_there(pages: Site) -> None:
    for path in ("/raw/trips", "/raw/trips/columns", "/raw/trips/versions", "/raw/trips/checks"):
        text = pages.get(f"{path}?at=2")
        inside = text.partition("<main")[2].partition("</main>")[0]
        links = [part.partition('"')[0] for part in inside.split('href="')[1:]]
        assert links
        for link in links:
            assert link.startswith("#") or "at=2" in link, link


def test_a_histogram_counts_every_row_and_its_bars_lead_to_them(pages: Site) -> None:
    columns = {one["name"]: one for one in pages.json("/raw/trips")["columns"]}
    fare = columns["fare"]["picture"]
    assert fare["kind"] == "number"
    assert sum(bar["rows"] for bar in fare["bars"]) == fare["rows"] - fare["nulls"] == 6
    assert columns["zone"]["picture"]["top"][0] == {"text": "A", "rows": 3}
    text = pages.get("/raw/trips").replace("&amp;", "&")
    bar = next(bar for bar in fare["bars"] if bar["rows"])
    link = f"/raw/trips/rows?column=fare&from={bar['low']}&to={bar['high']}"
    assert f'href="{link}"' in text
    assert 'href="/raw/trips/rows?column=zone&is=A"' in text


def test_a_drifting_column_has_a_cell_per_type_and_the_view_s_rule(pages: Site) -> None:
    said = pages.json("/raw/trips/columns")["drift"]
    lines = {one["column"]: one for one in said["lines"]}
    assert list(lines) == ["id", "fare"]
    line = lines["id"]
    assert [(one["type"], one["span"]) for one in line["segments"]] == [
        ("INTEGER", 2),
        ("DECIMAL(2,1)", 1),
    ]
    assert (line["since"], line["was"]) == (4, "INTEGER")
    assert said["same"] == 1
    text = pages.get("/raw/trips")
    assert 'class="seg t-int" colspan="2"' in text
    assert "The other 1 column had one type in all 3 partitions." in text
    assert 'id="drift"' not in pages.get("/raw/zones")


def test_lineage_leads_from_raw_to_curated(pages: Site) -> None:
    said = pages.json("/raw/trips")["lineage"]
    assert said["arrows"] == [["raw.trips", "curated.revenue"]]
    assert {node["id"] for node in said["nodes"]} == {"raw.trips", "curated.revenue"}
    assert 'class="node me"' in pages.get("/curated/revenue")
    assert "Nothing is declared" in pages.get("/raw/zones")


def test_models_that_no_longer_parse_are_named_and_the_rest_is_shown(people: Site) -> None:
    said = people.json("/raw/people")["lineage"]
    assert said["invalid"] == ["broken", "days"]
    assert [node["name"] for node in said["nodes"]] == ["raw.people", "people"]
    assert "cannot be told: they are no valid models" in people.get("/raw/people")
    assert people.json("/")["datasets"] == 3
    assert "nonsense" in people.get("/curated/days")
    assert "What is declared cannot be told" in people.get("/curated/days/checks")


def test_versions_come_newest_first_each_beside_the_one_before(pages: Site) -> None:
    said = pages.json("/raw/trips/versions")["versions"]
    assert [(one["partition"], one["version"], one["before"]) for one in said] == [
        ("month=2024-04", 1, 0),
        ("month=2024-01", 2, 1),
        ("month=2024-02", 1, 0),
        ("month=2024-01", 1, 0),
    ]
    assert [one["current"] for one in said] == [True, True, True, False]
    text = pages.get("/raw/trips/versions")
    assert 'href="/raw/trips/month=2024-01/v2/diff/v1"' in text
    assert 'href="/raw/trips/month=2024-01/v1"' in text
    only = pages.json("/raw/trips/versions?partition=month%3D2024-01")["versions"]
    assert [one["version"] for one in only] == [2, 1]


def test_a_held_version_says_why_and_is_marked_in_the_calendar(people: Site) -> None:
    held = people.json("/raw/people/versions")["versions"][0]
    assert (held["held"], held["current"], held["rejected"]) == (True, False, 1)
    assert "between" in held["reason"]
    cell = people.json("/raw/people")["calendar"]["years"][0]["cells"][0]
    assert (cell["kind"], cell["version"]) == ("held", 2)
    assert 'href="/raw/people/month=2024-01/v2"' in people.get("/raw/people")


def test_nothing_is_shown_of_a_personal_column(people: Site) -> None:
    for path in ("/raw/people", "/raw/people/columns", "/raw/people.json"):
        text = people.get(path)
        assert "Secret" not in text
    name = people.json("/raw/people")["columns"][0]
    assert (name["picture"]["kind"], name["least"], name["distinct"]) == ("personal", None, None)
    assert "personal: not shown" in people.get("/raw/people")


def test_a_source_s_contract_is_told_in_words(people: Site) -> None:
    said = people.json("/raw/people/checks")
    assert {one["column"]: one["says"] for one in said["contract"]} == {
        "name": "personal: its values are never shown",
        "age": "never NULL; lies between 0 and 150",
    }
    assert [(one["version"], one["rejected"]) for one in said["rejected"]] == [(2, 1)]
    assert "raw data land as they come" in people.get("/raw/odd/checks")


def test_every_kind_of_column_has_its_picture_and_odd_names_are_only_text(people: Site) -> None:
    said = {
        one["name"]: one["picture"]["kind"] for one in people.json("/raw/odd/columns")["columns"]
    }
    assert said == {
        "שלום": "number",
        "<b>bold</b>": "text",
        "x\u202ey": "different",
        "nothing": "all_null",
        "some": "number",
        "day": "time",
        "even": "text",
        "nested": "other",
        "blank": "text",
        "city": "key",
        "kind": "key",
    }
    text = people.get("/raw/odd") + people.get("/raw/odd/columns")
    for never in ("<script>alert", "<b>bold", "\u202e", "style="):
        assert never not in text
    assert "<bdi>&lt;b&gt;bold&lt;/b&gt;</bdi>" in text
    assert "all 10 values are null" in text
    assert "Köln/West" in text
    assert 'href="/raw/odd/city=K%C3%B6ln%2FWest/kind=a%20b"' in text


def test_what_was_not_profiled_says_so(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    land(lk, "raw.trips", "SELECT 1 AS id, 'a' AS zone")
    for file in lk.state.data_files("raw.trips"):
        lk.log.store.delete(layout.beside(file.key, layout.PROFILE))
    with site(lk) as pages:
        said = pages.json("/raw/trips")
        assert {one["picture"]["kind"] for one in said["columns"]} == {"none"}
        assert "not profiled yet" in pages.get("/raw/trips")
        assert 'class="mini"' not in pages.get("/raw/trips/rows")


def test_what_a_model_builds_is_profiled_as_what_lands_is(pages: Site) -> None:
    said = pages.json("/curated/revenue")
    assert "none" not in {one["picture"]["kind"] for one in said["columns"]}
    assert "not profiled yet" not in pages.get("/curated/revenue")


@pytest.mark.parametrize("name", ["raw/gone", "raw/never", "curated/broken", "raw/Not-A-Name"])
def test_a_dataset_that_is_not_there_is_a_page_that_says_so(people: Site, name: str) -> None:
    for tab in ("", "/columns", "/versions", "/checks"):
        assert "No such dataset" in people.get(f"/{name}{tab}", 404)


def test_a_partition_that_was_taken_away_is_missing_and_says_so(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    land(lk, "raw.trips", "SELECT 1 AS id", month="2024-01")
    lk.remove("raw.trips/month=2024-01")
    with site(lk) as served:
        said = served.json("/raw/trips")
        assert (said["head"]["partitions"], said["head"]["again"]) == (0, 0)
        cell = said["calendar"]["years"][0]["cells"][0]
        assert (cell["kind"], cell["text"]) == ("missing", "taken away (remove)")
        line = served.json("/raw/trips/versions")["versions"][0]
        assert (line["action"], line["is_gone"], line["before"]) == ("remove", True, 0)
        assert 'href="/raw/trips/month=2024-01/v2"' not in served.get("/raw/trips/versions")


def test_a_late_source_is_marked_behind_its_newest_month(people: Site) -> None:
    ask = Ask(
        "/raw/people", {}, datetime.now(UTC) + timedelta(hours=50), "", {"dataset": "raw.people"}
    )
    page = dataset.make(Snapshot(people.lake), ask)
    assert page.head.late == "2 days"
    assert page.calendar
    late = page.calendar.years[0].cells[1]
    assert (late.period, late.kind, late.text) == ("2024-02", "late", "2 d late")
    assert people.json("/raw/people")["head"]["late"] == ""


def test_a_dropped_dataset_is_still_there_at_its_commit(people: Site) -> None:
    before = next(
        one["commit"] for one in people.json("/commits?dataset=raw.gone")["commits"][::-1]
    )
    assert people.json(f"/raw/gone?at={before}")["head"]["rows"] == 1


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with shared_lake(tmp_path_factory) as lk:
        land(lk, "raw.trips", "FROM (VALUES (1, 5), (2, -5)) t(id, fare)")
        lines = (
            'checks = [{ not_null = "id" }, { between = "fare", min = 0, severity = "warn" },',
            '  { sql = "SELECT 1 FROM curated.fares WHERE id > 9", name = "few" }]',
        )
        model(lk, "fares", "SELECT id, fare FROM raw.trips", *lines)
        lk.transform()
        land(lk, "raw.trips", "FROM (VALUES (1, 5), (2, 6)) t(id, fare)")
        lk.transform()
        with site(lk) as served:
            yield served


def test_checks_say_what_they_demand_and_what_they_found_each_time(checked: Site) -> None:
    said = {one["name"]: one for one in checked.json("/curated/fares/checks")["checks"]}
    assert list(said) == ["not_null_id", "between_fare", "few"]
    fare = said["between_fare"]
    assert (fare["says"], fare["severity"], fare["failed"]) == ("fare is at least 0", "warn", 0)
    assert [one["failed"] for one in fare["history"]] == [1, 0]
    first = checked.json("/curated/fares/checks?at=2")["checks"][1]
    assert (first["failed"], first["runs"]) == (1, 1)
    text = checked.get("/curated/fares/checks")
    assert "2 runs: 1 found rows" in text
    assert "nothing is published" in text
    assert "SELECT 1 FROM curated.fares WHERE id &gt; 9" in text
    assert "SELECT</span> id, fare" in checked.get("/curated/fares")


def test_a_check_that_is_no_longer_declared_keeps_its_results(checked: Site) -> None:
    lk = again(checked.lake)
    _declare(lk, "fares", "SELECT id, fare FROM raw.trips")
    with site(lk) as served:
        said = {one["name"]: one for one in served.json("/curated/fares/checks")["checks"]}
    assert (said["between_fare"]["says"], said["between_fare"]["runs"]) == (
        "no longer declared",
        2,
    )


def test_snippets_run_as_they_stand(
    pages: Site,
    looked_at: Lake,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    place = urlsplit(looked_at.url).path
    snippets = {one["tool"]: one["text"] for one in pages.json("/raw/trips")["snippets"]}
    assert place not in pages.get("/raw/trips")
    monkeypatch.chdir(place)
    monkeypatch.setenv("LAKE_URL", looked_at.url)
    for line in snippets["DuckDB"].split(";\n"):
        found = duckdb.sql(line)
    assert found.fetchall() == [(5.5, "D", 3.0, "2024-04")]
    for tool in ("Python", "pandas"):
        exec(snippets[tool], {})
    monkeypatch.chdir(tmp_path)
    for line in snippets["Command line"].split("\n"):
        assert main(shlex.split(line)[1:]) == 0
    assert "2024-04" in capsys.readouterr().out
    assert list((tmp_path / "originals").iterdir())


@pytest.mark.parametrize(
    "path",
    ["/raw/trips", "/raw/zones", "/raw/trips/columns", "/raw/trips/versions", "/raw/trips/checks"],
)
def test_the_json_of_a_dataset_s_pages_is_as_its_schema_says(pages: Site, path: str) -> None:
    route = resolve(path)
    assert route
    jsonschema.validate(pages.json(path), schema(known.PAGES[route.name].document))


def test_two_thousand_columns_are_paged_and_each_page_is_light(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    names = ", ".join(f'range * {n} AS "列_{n:04}"' for n in range(2000))
    land(lk, "raw.wide", f"SELECT {names} FROM range(200)")
    with site(lk) as served:
        for path in ("/raw/wide", "/raw/wide/columns", "/raw/wide/columns?from=1920"):
            assert len(served.get(path).encode()) < HEAVIEST
        said = served.json("/raw/wide/columns?from=1920")
        assert [one["name"] for one in said["columns"]][::79] == ["列_1920", "列_1999"]
        found = served.json("/raw/wide/columns?column=%E5%88%97_0150")
        assert (found["column"], found["columns"][0]["name"]) == ("列_0150", "列_0080")
        older = parse_qs(urlsplit(found["older"]).query)
        assert older == {"from": ["160"]}
