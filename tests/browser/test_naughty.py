"""Text from data is never markup: naughty strings everywhere, in a real Chromium."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Browser

from lake.browser.ask import dataset_path
from tests.browser.chromium import Tab, tab
from tests.browser.naughty import STRINGS
from tests.browser.site import Site, site
from tests.lakes import shared_lake

pytestmark = pytest.mark.xdist_group("chromium")
_MARKUP = (
    "[onerror],[onload],[onfocus],[ontoggle],[onmouseover],iframe,base,img[src=x],math,template"
)


@pytest.fixture(scope="module")
def naughty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with shared_lake(tmp_path_factory) as lk:
        folder = tmp_path_factory.mktemp("given")
        texts = [text for text in STRINGS if text.strip()]
        columns = {text: [text, "a", None] for text in dict.fromkeys(texts)}
        lk.land(_parquet(folder / "columns.parquet", columns), dataset="raw.columns")
        cells = {"id": list(range(len(STRINGS))), "text": STRINGS}
        lk.land(_parquet(folder / "cells.parquet", cells), dataset="raw.cells")
        few = _parquet(folder / "<img src=x onerror=alert(1)>'\".parquet", {"id": [1]})
        for text in texts:
            if len(quote(text, safe="")) < 150:
                lk.land(few, dataset="raw.cut", partition={"what": text})
        for text in ("<svg onload=alert(1)>", "a'b\"c", "ab\u202ec", "%2e%2e", "x.html", "x.svg"):
            lk.log.store.put_new(f"raw/odd/{text}", b"<script>alert(1)</script>")
        with site(lk) as served:
            yield served


def _parquet(path: Path, columns: dict[str, Any]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def _is_only_text(it: Tab) -> None:
    it.is_calm()
    assert it.page.query_selector_all(_MARKUP) == []
    scripts = [one.get_attribute("src") or "" for one in it.page.query_selector_all("script")]
    assert all(src.startswith("/assets/") for src in scripts)
    assert it.spills == 0


PAGES = [
    "/",
    "/commits",
    "/raw/columns",
    "/raw/columns/columns",
    "/raw/columns/rows",
    "/raw/columns/v1",
    "/raw/cells",
    "/raw/cells/rows",
    "/raw/cells/v1",
    "/raw/cut",
    "/raw/cut/versions",
    "/bucket?prefix=raw/odd/",
    "/bucket?prefix=raw/cut/",
    "/sql?sql=" + quote('SELECT text AS "<svg onload=alert(1)>" FROM raw.cells'),
]


@pytest.mark.parametrize("path", PAGES)
def test_naughty_data_is_only_text(chromium: Browser, naughty: Site, path: str) -> None:
    with tab(chromium, naughty.url) as it:
        it.go(path)
        _is_only_text(it)


@pytest.mark.parametrize("text", STRINGS, ids=range(len(STRINGS)))
def test_naughty_questions_are_only_text(naughty: Site, text: str) -> None:
    for path in ("/search?q=", "/commits?author=", "/sql?sql=", "/bucket?prefix="):
        said = naughty.client.get(f"{path}{quote(text)}")
        assert said.status_code in (200, 400, 404), (path, text, said.status_code)
        assert "<script>alert" not in said.text
        assert "onerror=alert(1)>" not in said.text


def test_naughty_partitions_have_pages_of_their_own(chromium: Browser, naughty: Site) -> None:
    lines = naughty.json("/raw/cut/versions")["versions"]
    assert len(lines) > 50
    with tab(chromium, naughty.url) as it:
        for line in lines[::7]:
            it.go(dataset_path("raw.cut", line["partition"], line["version"]))
            assert it.page.title().endswith("lake")
            _is_only_text(it)


@pytest.mark.parametrize("name", ["x.html", "x.svg", "<svg onload=alert(1)>", "a'b\"c"])
def test_what_could_run_is_only_given_as_a_download(naughty: Site, name: str) -> None:
    path = f"/bucket/object?key={quote(f'raw/odd/{name}')}"
    assert "<script>alert" not in naughty.get(path)
    answer = naughty.client.get(f"{path}&download=1")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.content == b"<script>alert(1)</script>"
