"""A real Chromium, found on this machine or installed; and what a page did in it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Error, Page, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_OF_MACOS = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
_SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
Theme = Literal["light", "dark"]


def found() -> str | None:
    """Return where Chromium is; where Debian's packages can be had by us, it is installed."""
    for name in _NAMES:
        if place := shutil.which(name):
            return place
    if _OF_MACOS.exists():
        return str(_OF_MACOS)
    if shutil.which("apt-get") and os.geteuid() == 0:
        quick = ["-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20"]
        install = ["apt-get", *quick, "install", "-y", "-qq", "--no-install-recommends", "chromium"]
        for command in (install, ["apt-get", *quick, "update", "-qq"], install):
            if not shutil.which("chromium"):
                with suppress(subprocess.TimeoutExpired):
                    subprocess.run(command, stdout=sys.stderr, check=False, timeout=240)
    return shutil.which("chromium")


@contextmanager
def started() -> Iterator[Browser]:
    """Run a Chromium.

    Skips the test where there is none and none can be installed.
    """
    place = _place()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=place, args=_SWITCHES)
        try:
            yield browser
        finally:
            browser.close()


def _place() -> str:
    place = found()
    if place is None:
        pytest.skip("there is no Chromium here: install one (Debian: apt install chromium)")
    return place


@dataclass(slots=True)
class Tab:
    """A page in Chromium, and all that it said and asked for."""

    page: Page
    url: str
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        """Open a page of the site, and wait until it is there."""
        self.page.goto(f"{self.url}{path}", wait_until="load")

    def complaints(self) -> list[str]:
        """Return what axe-core finds."""
        found: list[dict[str, Any]] = Axe().run(self.page).response["violations"]
        return [f"{one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"]]

    def is_calm(self) -> None:
        """Assert that nothing was said on the console, and nobody else was asked."""
        assert self.said == []
        assert [url for url in self.asked if not url.startswith(f"{self.url}/")] == []

    @property
    def spills(self) -> int:
        """By how many pixels the page is wider than its window."""
        width: int = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return width


@contextmanager
def tab(browser: Browser, url: str, *, theme: Theme = "light", width: int = 1300) -> Iterator[Tab]:
    """Open a tab, in a profile of its own."""
    context = browser.new_context(
        color_scheme=theme, viewport={"width": width, "height": 900}, accept_downloads=True
    )
    try:
        yield _watched(Tab(context.new_page(), url))
    finally:
        context.close()


@contextmanager
def storing_nothing(browser: Browser, url: str, profile: Path) -> Iterator[Tab]:
    """Open a tab in a profile whose settings refuse pages cookies and storage."""
    settings = {"profile": {"default_content_setting_values": {"cookies": 2}}}
    (profile / "Default").mkdir()
    (profile / "Default" / "Preferences").write_text(json.dumps(settings))
    context = browser.browser_type.launch_persistent_context(
        profile, executable_path=_place(), args=_SWITCHES
    )
    try:
        it = _watched(Tab(context.pages[0], url))
        it.go("/")
        with pytest.raises(Error, match="Access is denied"):
            it.page.evaluate("localStorage")
        yield it
    finally:
        context.close()


def _watched(made: Tab) -> Tab:
    made.page.on("console", lambda message: made.said.append(message.text))
    made.page.on("pageerror", lambda error: made.said.append(str(error)))
    made.page.on("dialog", lambda dialog: _surprised(made, dialog))
    made.page.on("request", lambda request: made.asked.append(request.url))
    return made


def _surprised(made: Tab, dialog: Any) -> None:
    made.said.append(f"dialog: {dialog.message}")
    dialog.dismiss()
