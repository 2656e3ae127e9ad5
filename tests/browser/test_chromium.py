"""The pages in a real Chromium: nothing on the console, nobody else asked, axe-core content."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser

from lake.browser.sql.limits import Limits
from lake.lake import Lake
from tests.browser.addresses import EVERY
from tests.browser.chromium import Theme, storing_nothing, tab
from tests.browser.site import Site, site
from tests.lakes import land, shared_lake

pytestmark = pytest.mark.xdist_group("chromium")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", EVERY)
def test_a_page_is_calm_and_axe_finds_nothing(
    chromium: Browser, pages: Site, path: str, theme: Theme
) -> None:
    with tab(chromium, pages.url, theme=theme) as it:
        it.go(path)
        assert it.complaints() == []
        it.is_calm()


@pytest.mark.parametrize("width", [721, 800, 1001])
@pytest.mark.parametrize("path", ["/", "/raw/trips", "/raw/trips/rows", "/sql", "/nowhere?at=2"])
def test_a_page_fits_a_tablet(chromium: Browser, pages: Site, path: str, width: int) -> None:
    with tab(chromium, pages.url, width=width) as it:
        it.go(path)
        assert it.spills == 0


@pytest.mark.parametrize("path", EVERY)
def test_a_page_fits_a_phone(chromium: Browser, pages: Site, path: str) -> None:
    with tab(chromium, pages.url, width=390) as it:
        it.go(path)
        assert it.spills == 0


@pytest.fixture(scope="module")
def long_names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    name = "a_dataset_with_a_name_that_somebody_chose_" * 2 + "one_day"
    kind = "{'vendor': 'v', 'nested': {'a_long_name': 1}} AS said_at_last"
    row = f"1 AS id, {kind}, 'x' AS \"{'שם ' * 20}"
    with shared_lake(tmp_path_factory) as lk:
        land(lk, f"raw.{name}", f'SELECT {row}"', city="ירושלים/north" * 3)
        with site(lk) as pages:
            yield pages


@pytest.mark.parametrize("tab_of", ["", "/rows", "/rows?row=1", "/columns", "/versions", "/checks"])
def test_long_names_fit_a_phone(chromium: Browser, long_names: Site, tab_of: str) -> None:
    name = long_names.json("/")["zones"][0]["datasets"][0]["name"].replace(".", "/")
    with tab(chromium, long_names.url, width=390) as it:
        for path in (f"/{name}{tab_of}", "/", "/commits", "/commits/1", "/runs", "/search?q=a"):
            it.go(path)
            assert (path, it.spills) == (path, 0)
        it.is_calm()


@pytest.mark.parametrize("width", [390, 1300])
def test_a_long_type_leaves_room_for_the_names_beside_the_editor(
    chromium: Browser, long_names: Site, width: int
) -> None:
    name = long_names.json("/")["zones"][0]["datasets"][0]["name"]
    with tab(chromium, long_names.url, width=width) as it:
        it.go(f"/sql?sql=FROM%20{name}")
        assert it.spills == 0
        tree = it.page.locator("#tree").bounding_box()
        for line in it.page.locator("#tree li").all():
            column, kind = (line.locator(of).bounding_box() for of in ("bdi", "span"))
            assert tree
            assert column
            assert kind
            assert column["width"] >= 0.4 * (column["width"] + kind["width"])
            assert kind["x"] + kind["width"] <= tree["x"] + tree["width"]


def test_the_keyboard_leads_everywhere(chromium: Browser, pages: Site) -> None:
    with tab(chromium, pages.url) as it:
        it.go("/")
        it.page.keyboard.press("/")
        it.page.keyboard.type("zones")
        it.page.keyboard.press("Enter")
        it.page.wait_for_url("**/search?q=zones")
        it.page.keyboard.press("g")
        it.page.keyboard.press("c")
        it.page.wait_for_url("**/commits")
        it.page.keyboard.press("j")
        it.page.keyboard.press("j")
        it.page.keyboard.press("Enter")
        it.page.wait_for_url("**/commits/5")
        it.page.keyboard.press("[")
        it.page.wait_for_url("**/commits/4")
        it.page.keyboard.press("y")
        it.page.wait_for_url("**/commits/4?at=6")
        it.page.keyboard.press("?")
        assert it.page.get_by_role("dialog").is_visible()
        it.is_calm()


def test_keys_of_one_character_are_switched_off_and_that_is_remembered(
    chromium: Browser, pages: Site
) -> None:
    with tab(chromium, pages.url) as it:
        it.go("/commits")
        it.page.get_by_role("link", name="keyboard: ?").click()
        switch = it.page.get_by_role("checkbox", name="Keys of a single character")
        assert it.complaints() == []
        assert switch.is_checked()
        switch.press("Space")
        it.page.keyboard.press("Escape")
        for path in ("/commits", "/runs"):
            it.go(path)
            for key in ("g", "l", "j", "y", "/", "?"):
                it.page.keyboard.press(key)
            assert it.page.url == f"{pages.url}{path}"
            assert it.page.evaluate("document.activeElement === document.body")
            assert it.page.get_by_role("dialog").count() == 0
        it.page.get_by_role("link", name="keyboard: ?").press("Enter")
        switch.check()
        it.page.get_by_role("button", name="Close").click()
        it.page.keyboard.press("g")
        it.page.keyboard.press("c")
        it.page.wait_for_url("**/commits")
        it.is_calm()


def test_keys_are_switched_off_for_a_page_where_nothing_may_be_stored(
    chromium: Browser, pages: Site, tmp_path: Path
) -> None:
    with storing_nothing(chromium, pages.url, tmp_path) as it:
        it.go("/commits")
        it.page.keyboard.press("?")
        it.page.get_by_role("checkbox").uncheck()
        it.page.keyboard.press("Escape")
        it.page.keyboard.press("?")
        assert not it.page.get_by_role("dialog").is_visible()
        it.go("/commits")
        it.page.keyboard.press("?")
        assert it.page.get_by_role("dialog").is_visible()
        it.is_calm()


LOOK = """() => {
  const it = document.activeElement, box = it.getBoundingClientRect(), look = getComputedStyle(it);
  return it === document.body ? null : {
    name: (it.getAttribute('aria-label') || it.textContent).trim().slice(0, 40),
    isSeen: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
    isMarked: look.outlineStyle !== 'none' && parseFloat(look.outlineWidth) >= 2,
    inMain: document.getElementById('main').contains(it),
  };
}"""


@pytest.mark.parametrize("width", [390, 1300])
@pytest.mark.parametrize(
    "path",
    ["/", "/raw/trips", "/raw/trips/rows", "/raw/trips/month=2024-01/v2/diff/v1", "/raw/nope"],
)
def test_tab_leads_through_a_page_and_shows_where_it_is(
    chromium: Browser, pages: Site, path: str, width: int
) -> None:
    with tab(chromium, pages.url, width=width) as it:
        it.go(path)
        stops = []
        for _ in range(40):
            it.page.keyboard.press("Tab")
            stop = it.page.evaluate(LOOK)
            if stop is None:
                break
            stops.append(stop)
        assert [one for one in stops if not (one["isSeen"] and one["isMarked"])] == []
        assert stops[0]["name"] == "Skip to content"
        order = [is_in for is_in, _ in groupby(one["inMain"] for one in stops)]
        assert order == [False, True, False][: len(order)]


def test_the_skip_link_leads_into_the_page(chromium: Browser, pages: Site) -> None:
    with tab(chromium, pages.url) as it:
        it.go("/raw/trips")
        it.page.keyboard.press("Tab")
        it.page.keyboard.press("Enter")
        it.page.keyboard.press("Tab")
        assert it.page.evaluate(LOOK)["inMain"]


def test_a_dialog_gives_the_focus_back(chromium: Browser, pages: Site) -> None:
    with tab(chromium, pages.url) as it:
        it.go("/")
        link = it.page.get_by_role("link", name="keyboard: ?")
        for how in ("Escape", "?"):
            link.press("Enter")
            assert it.page.get_by_role("dialog").is_visible()
            it.page.keyboard.press(how)
            assert not it.page.get_by_role("dialog").is_visible()
            assert it.page.evaluate("document.activeElement.id") == "help"


def test_a_bar_that_has_the_focus_looks_otherwise(chromium: Browser, pages: Site) -> None:
    with tab(chromium, pages.url) as it:
        it.go("/raw/trips")
        colour = "one => getComputedStyle(one.querySelector('.bar')).fill"
        bar = it.page.locator(".hist svg a").first
        before = bar.evaluate(colour)
        it.page.keyboard.press("Tab")
        bar.focus()
        assert bar.evaluate(colour) != before


def test_a_first_visit_leads_in_five_clicks_to_the_receipt_of_a_row(
    chromium: Browser, pages: Site
) -> None:
    with tab(chromium, pages.url) as it:
        it.go("/")
        it.page.get_by_role("link", name="trips", exact=True).click()
        it.page.get_by_role("link", name="Rows", exact=True).click()
        it.page.locator("tbody tr a").first.click()
        it.page.get_by_role("link", name="month=2024-01 v2").click()
        it.page.wait_for_url("**/raw/trips/month=2024-01/v2")
        assert it.page.get_by_text("SHA-256").first.is_visible()
        it.page.get_by_role("link", name="_receipt.json").first.click()
        assert "_receipt.json" in it.page.url
        it.is_calm()


def test_two_versions_are_compared(chromium: Browser, pages: Site) -> None:
    with tab(chromium, pages.url) as it:
        it.go("/raw/trips/versions")
        it.page.get_by_role("link", name="with v1").first.click()
        it.page.wait_for_url("**/raw/trips/month=2024-01/v2/diff/v1")
        assert it.page.get_by_role("heading", level=1).inner_text() == "What changed from v1 to v2"
        it.is_calm()


def test_a_question_its_chart_and_its_export(chromium: Browser, pages: Site) -> None:
    with tab(chromium, pages.url) as it:
        it.go("/sql")
        area = it.page.locator("textarea")
        area.fill("SELECT month, sum(fare) AS fare FROM raw.trips GROUP BY ALL ORDER BY ALL")
        area.press("Control+Enter")
        it.page.wait_for_selector("tbody td")
        assert it.page.locator(".chart svg").first.is_visible()
        with it.page.expect_download() as waiting:
            it.page.get_by_role("link", name="CSV", exact=True).click()
        assert waiting.value.path().read_text().splitlines() == [
            "month,fare",
            "2024-01,7.50",
            "2024-02,9.75",
            "2024-04,3.00",
        ]
        it.is_calm()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_who_waits_keeps_the_place_and_gets_the_answer_when_it_is_there(
    chromium: Browser, looked_at: Lake, monkeypatch: pytest.MonkeyPatch, theme: Theme
) -> None:
    monkeypatch.setattr("lake.browser.pages.asking.SOON_S", 0.01)
    slow = "SELECT max(range) FROM range(1000000000000)"
    with (
        site(looked_at, limits=Limits(running=1)) as pages,
        tab(chromium, pages.url, theme=theme) as first,
        tab(chromium, pages.url) as second,
    ):
        first.go(f"/sql?sql={quote(slow)}")
        first.page.locator("#cancel").focus()
        second.go(f"/sql?sql={quote('SELECT 41 + 1 AS answer')}")
        assert second.page.locator("[data-wait]").inner_text().startswith("First in line")
        first.page.wait_for_selector("[data-wait] >> text=/Running for ([2-9]|[1-9][0-9])/")
        assert first.page.evaluate("document.activeElement.id") == "cancel"
        assert first.complaints() == []
        first.page.keyboard.press("Escape")
        first.page.wait_for_selector("text=Stopped")
        second.page.wait_for_selector("tbody td >> text=42")
        second.is_calm()
