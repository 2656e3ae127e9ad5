"""A lake that the server cannot look at any more: pages say why, and work again once it can."""

import json
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from lake import layout
from lake.browser.window import Away, Window
from lake.catalog.log import Log
from lake.catalog.snapshot import resolve
from lake.catalog.state import State
from lake.config import Config
from lake.lake import Lake
from lake.opening import init, open_lake
from tests.browser.site import Site, site
from tests.lakes import again, land, new_lake
from tests.servers import BUCKET, signed

REFUSED = "The lake&#39;s store refuses this server&#39;s credentials since"
ASK = "/sql.json?sql=" + quote("SELECT count(*) FROM raw.n")
HERE = {"Sec-Fetch-Site": "none"}


@pytest.fixture(autouse=True)
def _looks_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lake.browser.window.FRESH_S", 0.0)


def test_credentials_that_end_are_told_and_pages_work_again_with_new_ones(
    azurite: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (name, whole), *_ = azurite.items()
    monkeypatch.setenv(name, whole)
    lk = open_lake(init(f"az://{BUCKET}/{uuid.uuid4().hex}").url, config=Config(root=tmp_path))
    for many in (3, 4):
        land(lk, "raw.n", f"SELECT range AS id FROM range({many})")
    monkeypatch.setenv(name, signed(whole, "rl", lasts=timedelta(seconds=25)))
    with site(lk) as pages:
        for path in ("/raw/n/rows", "/raw/n/rows?at=1"):
            pages.get(path)
        assert pages.client.get(ASK, headers=HERE).json()["rows"] == [[4]]
        until = time.monotonic() + 120
        while REFUSED not in (text := pages.get("/")):
            assert "strip-note bad" not in text
            assert time.monotonic() < until
        _see_that_nothing_is_read(pages)
        monkeypatch.setenv(name, signed(whole, "rl"))
        assert REFUSED not in pages.get("/")
        assert len(pages.json("/raw/n/rows?sort=1")["rows"]) == 4
        assert len(pages.json("/raw/n/rows?at=1&sort=1")["rows"]) == 3
        assert pages.client.get(ASK, headers=HERE).json()["rows"] == [[4]]


def _see_that_nothing_is_read(pages: Site) -> None:
    """What is known of commits is shown; what must be fetched is refused, without a secret."""
    assert "as it is known here" in pages.get("/commits")
    for path in ("/raw/n/rows?sort=-1", "/raw/n/v2?verify=1", "/bucket"):
        text = pages.get(path, 503)
        assert "sig=" not in text
    asked = pages.client.get(ASK.replace("count", "max"), headers=HERE)
    assert (asked.status_code, "sig=" in asked.text) == (503, False)


@pytest.fixture
def newer(tmp_path: Path) -> tuple[Lake, str, bytes]:
    """A lake, and its next entry as a later version would write it."""
    lk = new_lake(tmp_path)
    land(lk, "raw.n", "SELECT 1 AS id")
    return lk, layout.commit(2), json.dumps({"format": 99, "commit": 2}).encode()


def test_a_lake_of_a_newer_format_is_a_page_that_says_so(newer: tuple[Lake, str, bytes]) -> None:
    lk, key, entry = newer
    lk.log.store.put_new(key, entry)
    with site(lk) as pages:
        for path in ("/", "/raw/n", "/sql?sql=SELECT%201", "/bucket", "/nowhere.json"):
            answer = pages.client.get(path)
            assert (answer.status_code, "a newer Clearlake" in answer.text) == (
                (404, False) if "nowhere" in path else (503, True)
            )
        assert "pip install --upgrade clearlake" in pages.client.get("/index.json").json()["text"]


def test_what_was_known_before_a_newer_format_stays(newer: tuple[Lake, str, bytes]) -> None:
    lk, key, entry = newer
    with site(lk) as pages:
        assert "strip-note" not in pages.get("/")
        lk.log.store.put_new(key, entry)
        assert "Only a newer Clearlake can read the lake since" in pages.get("/")
        assert len(pages.json("/raw/n/rows")["rows"]) == 1


def test_a_log_that_is_damaged_is_told_as_that(newer: tuple[Lake, str, bytes]) -> None:
    lk, key, _ = newer
    with site(lk) as pages:
        pages.get("/")
        lk.log.store.put_new(key, b"no entry")
        assert "The lake&#39;s log is damaged since" in pages.get("/")


def test_what_was_opened_before_credentials_were_renewed_is_not_kept(
    newer: tuple[Lake, str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    lk, *_ = newer
    land(lk, "raw.n", "SELECT 2 AS id")
    looked = Window(lambda: again(lk))
    old = looked.head()

    def renewed_meanwhile(log: Log, state: State, when: str) -> int:
        if looked.head() is old:
            looked.away = Away("refused", datetime.now(UTC))
            looked.head()
        return resolve(log, state, when)

    monkeypatch.setattr("lake.browser.window.resolve", renewed_meanwhile)
    assert looked.at("1").lake.log is old.lake.log
    assert looked.at("1").lake.log is looked.head().lake.log is not old.lake.log
