"""The pages in a real Chromium: nothing on the console, nobody else asked, axe-core content."""

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import Theme, tab
from tests.browser.site import Site

PAGES = ["/", "/search?q=trips", "/commits", "/commits/3", "/?at=2"]

pytestmark = pytest.mark.xdist_group("chromium")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_calm_and_axe_finds_nothing(
    chromium: Browser, pages: Site, path: str, theme: Theme
) -> None:
    with tab(chromium, pages.url, theme=theme) as it:
        it.go(path)
        assert it.complaints() == []
        it.is_calm()


@pytest.mark.parametrize("path", PAGES)
def test_a_page_fits_a_phone(chromium: Browser, pages: Site, path: str) -> None:
    with tab(chromium, pages.url, width=390) as it:
        it.go(path)
        assert it.spills == 0


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
