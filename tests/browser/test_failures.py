"""Pages for what cannot be shown: like others as far as they need nothing of the lake."""

import shutil
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from lake.browser import comparing, failures
from lake.browser.former import Former
from lake.browser.guard import guarded
from lake.browser.pages import PAGES
from lake.errors import StoreUnavailable
from lake.lake import Lake
from tests.browser.chromium import Theme, tab
from tests.browser.site import Site, site
from tests.lakes import again, land, new_lake

MISSING = [
    ("/nowhere", 404, "No such page"),
    ("/assets/nothing.css", 404, "No such page"),
    ("/raw/nope", 404, "No such dataset"),
    ("/raw/trips/month=1999-01/v1", 404, "No such partition"),
    ("/raw/trips/month=2024-01/v9", 404, "No such version or commit"),
    ("/raw/Trips/v1", 404, "No such name"),
    ("/raw/trips/rows?sort=99", 400, "The address says what cannot be"),
]


@pytest.mark.parametrize(("path", "status", "title"), MISSING)
def test_a_failure_says_what_happened_and_leads_on_at_the_same_commit(
    pages: Site, path: str, status: int, title: str
) -> None:
    text = pages.get(f"{path}{'&' if '?' in path else '?'}at=2", status)
    assert f"<title>{title} · Clearlake</title>" in text
    for link in ("/?at=2", "/bucket?at=2", "/commits?at=2", "/runs?at=2", "/sql?at=2"):
        assert f'href="{link}"' in text
    assert '<form role="search" action="/search"><input type="hidden" name="at" value="2">' in text
    assert f'href="{path}">back to now</a>' in text
    assert len(text) < 5000


@pytest.mark.parametrize("at", ["99", "nope", "2024-99-99"])
def test_a_commit_that_is_not_there_is_in_no_link(pages: Site, at: str) -> None:
    text = pages.client.get(f"/commits?at={at}").text
    assert 'href="/commits"' in text
    assert f"?at={at}" not in text


def test_a_fault_of_ours_is_told_in_the_form_that_was_asked_for(
    pages: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("no one is told of this")

    monkeypatch.setitem(PAGES, "commits", replace(PAGES["commits"], make=broken))
    answer = pages.client.get("/commits.json?author=nobody")
    assert (answer.status_code, answer.json()["title"]) == (500, "That went wrong")
    text = pages.get("/commits?author=nobody&at=2", 500)
    assert "That went wrong" in text
    assert 'href="/bucket?at=2"' in text
    assert "no one" not in answer.text + text


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_what_writes_is_refused_with_a_page(pages: Site, method: str) -> None:
    answer = pages.client.request(method, "/raw/trips?at=2", headers={"Origin": pages.url})
    assert answer.status_code == 405
    assert "<title>Only to look at · Clearlake</title>" in answer.text
    assert 'href="/commits?at=2"' in answer.text


def test_a_damaged_file_is_told_and_no_place(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    for number in (1, 2):
        land(lk, "raw.trips", f"SELECT {number} AS id")
    (key,) = (one.key for one in lk.state.data_files("raw.trips"))
    with site(lk) as pages:
        (Path(lk.url.removeprefix("file://")) / key).unlink()
        text = pages.get("/raw/trips/v2/diff/v1", 502)
    assert "<title>A file is damaged · Clearlake</title>" in text
    assert str(tmp_path) not in text


def test_a_version_that_was_collected_is_gone(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    for number in (1, 2):
        land(lk, "raw.trips", f"SELECT {number} AS id")
    lk.gc(keep=timedelta(0), delete=True)
    with site(lk) as pages:
        text = pages.get("/raw/trips/v2/diff/v1", 410)
    assert "<title>No longer kept · Clearlake</title>" in text


def test_a_lake_that_cannot_be_reached_is_told_with_the_ways_to_go_on(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    shutil.rmtree(lk.url.removeprefix("file://"))
    with site(lk) as pages:
        answer = pages.client.get("/raw/trips?at=2")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    assert "<title>No lake here · Clearlake</title>" in answer.text
    assert 'href="/commits?at=2"' in answer.text
    assert str(tmp_path) not in answer.text


def test_a_lake_that_cannot_be_opened_is_tried_once_for_a_request(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    shutil.rmtree(lk.url.removeprefix("file://"))
    tried: list[str] = []

    def opened() -> Lake:
        tried.append(lk.url)
        return again(lk)

    with site(lk, opened=opened) as pages:
        pages.get("/raw/trips", 503)
    assert len(tried) == 1


def test_what_became_of_a_dataset_is_left_out_where_it_cannot_be_read(
    pages: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unread(*_: object) -> Former:
        raise StoreUnavailable("the log cannot be read now")

    monkeypatch.setattr("lake.browser.app.former", unread)
    assert "<title>No such dataset" in pages.get("/raw/nope", 404)


def test_what_passes_says_when_to_ask_again(
    looked_at: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "_WAIT_S", 0.01)
    lock = threading.Lock()
    monkeypatch.setattr(comparing, "_ONE", lock)
    path = "/raw/trips/month=2024-01/v2/diff/v1"
    with site(looked_at) as pages, lock:
        answer = pages.client.get(f"{path}?at=3&key=id")
        twin = pages.client.get(f"{path}.json?at=3&key=id")
    assert (twin.status_code, twin.headers["content-type"]) == (503, "application/json")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    assert "<title>Another comparison is running · Clearlake</title>" in answer.text
    assert f'href="{path}?at=3&amp;key=id">Try again</a>' in answer.text
    assert 'data-retry="10"' in answer.text
    assert '<noscript><meta http-equiv="refresh" content="10"></noscript>' in answer.text


@pytest.mark.parametrize("path", ["/nowhere.json", "/raw/nope.json?at=2"])
def test_json_gets_json(pages: Site, path: str) -> None:
    answer = pages.client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/json")
    assert answer.json().keys() == {"status", "title", "text", "ways"}


@pytest.mark.parametrize("path", ["//evil.example/x", "/\\evil.example/x", "/\\/evil.example"])
def test_no_link_leads_to_another_host(pages: Site, path: str) -> None:
    asked = pages.client.build_request("GET", f"{pages.url}{path}?at=2")
    text = pages.client.send(asked).text
    assert 'href="/evil.example' in text
    assert 'href="//' not in text
    assert 'href="/\\' not in text


def test_a_long_address_is_not_repeated(pages: Site) -> None:
    assert len(pages.get(f"/nowhere?at={'9' * 9000}&x={'<' * 9000}", 404)) < 5000


def test_the_pages_before_the_token_tell_nothing_of_the_lake(looked_at: Lake) -> None:
    guard = guarded("0.0.0.0", token="x" * 32, header="", proxies=[], hostnames=["127.0.0.1"])
    with site(looked_at, guard) as pages:
        text = pages.get("/assets/nothing", 404)
        assert looked_at.url.rpartition("/")[2] not in text
        assert pages.get("/nowhere", 401).count("<title>Clearlake: token</title>") == 1


@pytest.mark.xdist_group("chromium")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_failure_is_used_by_keyboard_and_on_a_phone(
    chromium: Browser, pages: Site, theme: Theme
) -> None:
    with tab(chromium, pages.url, theme=theme, width=390) as it:
        it.go("/raw/nope?at=2")
        assert it.complaints() == []
        assert it.spills == 0
        it.page.keyboard.press("y")
        assert it.page.url.endswith("/raw/nope?at=2")
        it.page.keyboard.press("g")
        it.page.keyboard.press("r")
        it.page.wait_for_url("**/runs?at=2")


@pytest.mark.xdist_group("chromium")
def test_a_page_about_what_passes_asks_again_until_it_has(
    chromium: Browser, looked_at: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "_WAIT_S", 0.01)
    monkeypatch.setitem(failures._RETRY_S, 503, 1)
    lock = threading.Lock()
    monkeypatch.setattr(comparing, "_ONE", lock)
    with site(looked_at) as pages, tab(chromium, pages.url) as it:
        with lock:
            it.go("/raw/trips/month=2024-01/v2/diff/v1?key=zone")
            assert it.page.title() == "Another comparison is running · Clearlake"
        it.page.wait_for_selector("text=What changed from v1 to v2")
