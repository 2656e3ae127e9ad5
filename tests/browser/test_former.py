"""Datasets that were dropped or renamed: their addresses say so, and lead on."""

from collections.abc import Iterator

import pytest

from tests.browser.site import Site, site
from tests.lakes import land, shared_lake

TABS = ["", "/rows", "/columns", "/versions", "/checks", "/month=2024-01"]


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Commit 4 drops `raw.gone`, commit 5 renames `raw.old` to `raw.new`."""
    with shared_lake(tmp_path_factory) as lk:
        land(lk, "raw.gone", "SELECT 1 AS id", month="2024-01")
        land(lk, "raw.gone", "SELECT 1 AS id", month="2024-02")
        land(lk, "raw.old", "SELECT 1 AS id", month="2024-01")
        lk.drop("raw.gone")
        lk.rename("raw.old", "raw.new")
        with site(lk) as served:
            yield served


@pytest.mark.parametrize("tab", TABS)
def test_a_dropped_dataset_leads_to_the_commit_and_to_what_was(moved: Site, tab: str) -> None:
    text = moved.get(f"/raw/gone{tab}", 404)
    assert "raw.gone was dropped in commit 4." in text
    for link in ("/commits/4", "/raw/gone?at=3"):
        assert f'href="{link}"' in text
        moved.get(link)


@pytest.mark.parametrize("tab", TABS)
def test_a_renamed_dataset_leads_to_its_new_name(moved: Site, tab: str) -> None:
    text = moved.get(f"/raw/old{tab}", 404)
    assert "raw.old was renamed to raw.new in commit 5." in text
    for link in ("/raw/new", "/commits/5", "/raw/old?at=4"):
        assert f'href="{link}"' in text
        moved.get(link)


def test_before_it_was_renamed_a_dataset_is_found_under_its_former_name(moved: Site) -> None:
    text = moved.get("/raw/new?at=4", 404)
    assert "raw.new was called raw.old at commit 4." in text
    assert 'href="/raw/old?at=4"' in text


def test_a_drop_is_told_in_json_too_and_only_once_it_was(moved: Site) -> None:
    said = moved.client.get("/raw/gone.json").json()
    assert (said["status"], said["text"]) == (404, "raw.gone was dropped in commit 4.")
    assert [one["link"] for one in said["ways"]] == ["/commits/4", "/raw/gone?at=3"]
    assert moved.client.get("/raw/never.json").json()["ways"] == []
    assert "ways" not in moved.json("/raw/gone?at=3")


def test_versions_of_a_dropped_dataset_keep_their_pages(moved: Site) -> None:
    assert moved.json("/commits/4")["versions"][0]["dataset"] == "raw.gone"
    assert moved.json("/raw/gone/month=2024-01/v1")["state"]["text"] == "replaced"
