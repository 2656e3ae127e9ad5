from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from lake.errors import NoSuchVersion
from lake.lake import Lake
from lake.operations.history import Span, commits, versions
from tests.lakes import land, new_lake, shared_lake


@pytest.fixture(scope="module")
def lk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """A lake in which all that a log can hold happened; nobody changes it."""
    with shared_lake(tmp_path_factory) as made:
        land(made, "raw.trips", "SELECT 1 AS id", month="2024-01")
        land(made, "raw.trips", "SELECT 2 AS id", month="2024-01")
        made.tag("two", when=2)
        made.rollback("raw.trips/month=2024-01")
        made.rename("raw.trips", "raw.rides")
        made.remove("raw.rides/month=2024-01")
        made.untag("two")
        made.gc(keep=timedelta(0), delete=True)
        made.drop("raw.rides")
        yield made


def test_every_commit_says_what_it_did(lk: Lake) -> None:
    assert [(one["commit"], one["message"], one["changes"]) for one in commits(lk)] == [
        (9, "drop raw.rides", "1 drop"),
        (8, "gc 6 objects", "1 doom"),
        (7, "tag two deleted", "1 tag"),
        (6, "remove raw.rides/month=2024-01", "1 remove"),
        (5, "rename raw.trips to raw.rides", "1 rename"),
        (4, "rollback raw.trips/month=2024-01 to commit 1", "1 replace"),
        (3, "tag two at commit 2", "1 tag"),
        (2, "land raw.trips/month=2024-01", "1 replace"),
        (1, "land raw.trips/month=2024-01", "1 replace"),
    ]


def test_a_dataset_has_one_history_under_all_of_its_names(lk: Lake) -> None:
    found = versions(lk, "raw.rides@8")
    assert [(one["commit"], one["version"], one["action"]) for one in found] == [
        (6, 4, "remove"),
        (5, None, "rename"),
        (4, 3, "rollback"),
        (2, 2, "landing"),
        (1, 1, "landing"),
    ]


@pytest.mark.parametrize(
    ("span", "wanted"),
    [
        (Span(limit=2), [9, 8]),
        (Span(since="8"), [9, 8]),
        (Span(until="2"), [2, 1]),
        (Span(since="2", until="4", limit=1), [4]),
        (Span(since="2020-01-01", until="2"), [2, 1]),
        (Span(since="2020-01-01T00:00:00Z", until="1"), [1]),
        (Span(since="2999-12-31"), []),
        (Span(limit=0), []),
    ],
)
def test_a_span_picks_commits(lk: Lake, span: Span, wanted: list[int]) -> None:
    assert [one["commit"] for one in commits(lk, span)] == wanted


def test_a_span_picks_versions(lk: Lake) -> None:
    found = versions(lk, "raw.rides/month=2024-01@8", Span(since="2", until="5"))
    assert [one["commit"] for one in found] == [5, 4, 2]
    assert [one["commit"] for one in versions(lk, "raw.rides@8", Span(limit=1))] == [6]


def test_a_limit_that_is_no_commit_is_an_error(lk: Lake) -> None:
    with pytest.raises(NoSuchVersion, match=r"^there is no tag 'soon' at commit 9; tags: none$"):
        commits(lk, Span(since="soon"))


def test_a_tag_is_made_moved_and_deleted(tmp_path: Path) -> None:
    lk = new_lake(tmp_path)
    land(lk, "raw.x", "SELECT 1 AS id")
    assert lk.tag("now") == 1
    assert lk.tag("now", when=2) == 2
    assert lk.tag("now", when=2) == 2
    assert (lk.commit, lk.state.tags) == (3, {"now": 2})
    assert lk.untag("now") == 2
    assert lk.untag("now") is None
    assert (lk.commit, lk.state.tags) == (4, {})
