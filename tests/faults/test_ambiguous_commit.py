"""The answer to a commit is lost, or lies: by the real clients, in front of the real servers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import lake
from lake.errors import CommitRefused, CommitUnknown, LakeError
from lake.lake import Lake
from lake.operations.verify import verify
from storage_backends import Store, open_store
from tests.faults.proxy import WRITES, Mode, Proxy, Rule

# Google's SDK leaves the socket of a failed download open until it is collected.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

COMMIT = r"_lake/log/\d+\.json"
LOST: list[Mode] = ["500-after", "503-after", "reset-after", "hang-after"]
NOT_STORED: list[Mode] = [
    "500-before",
    "503-before",
    "reset-before",
    "409",
    "412",
    "200-error",
    "late",
]


@pytest.fixture
def lk(proxied: tuple[Proxy, Store]) -> Lake:
    proxy, store = proxied
    proxy.fail()
    lake.init(store.url)
    return lake.open(store.url)


@pytest.fixture
def proxy(proxied: tuple[Proxy, Store]) -> Iterator[Proxy]:
    yield proxied[0]
    proxied[0].fail()


def land(lk: Lake, folder: Path, number: int) -> str:
    path = folder / f"{number}.csv"
    path.write_text(f"n\n{number}\n")
    return lk.land(path, dataset="raw.x").outcome


def versions(lk: Lake) -> list[tuple[int, int, int]]:
    """Return commit, version and the one row's number, of every version; the lake is sound."""
    lk = lake.open(lk.url)
    assert verify(lk).damage == ()
    found = lk.sql("SELECT commit, version FROM meta.versions ORDER BY commit").fetchall()
    assert [commit for commit, _ in found] == list(range(1, lk.commit + 1))
    return [
        (commit, version, lk.at(commit).sql("SELECT n FROM raw.x").fetchall()[0][0])
        for commit, version in found
    ]


@pytest.mark.parametrize("mode", [*LOST, *NOT_STORED])
def test_what_stands_at_the_number_settles_a_commit(
    lk: Lake, proxy: Proxy, tmp_path: Path, mode: Mode
) -> None:
    proxy.fail(Rule(mode, COMMIT, WRITES))
    assert land(lk, tmp_path, 1) == "landed"
    assert proxy.counts() == {mode: 1}
    proxy.wait_for_late()
    assert land(lk, tmp_path, 2) == "landed"
    assert versions(lk) == [(1, 1, 1), (2, 2, 2)]


@pytest.mark.parametrize("mode", [*LOST, *NOT_STORED])
def test_a_rival_who_was_first_is_no_success(
    lk: Lake, proxy: Proxy, tmp_path: Path, mode: Mode
) -> None:
    """The rival's entry stands where ours was not stored, and ours is published behind it."""
    rival = lake.open(lk.url)
    land(rival, tmp_path, 1)
    proxy.fail(Rule(mode, COMMIT, WRITES))
    assert land(lk, tmp_path, 2) == "landed"
    proxy.wait_for_late()
    assert versions(lk) == [(1, 1, 1), (2, 2, 2)]


@pytest.mark.parametrize("before", ["reset-before", "late"])
def test_a_refusal_after_a_lost_answer_proves_nothing(
    lk: Lake, proxy: Proxy, tmp_path: Path, before: Mode
) -> None:
    proxy.fail(Rule(before, COMMIT, WRITES), Rule("403", COMMIT, WRITES, first=2))
    with pytest.raises(CommitUnknown):
        land(lk, tmp_path, 1)
    proxy.wait_for_late()
    assert land(lake.open(lk.url), tmp_path, 1) == ("unchanged" if before == "late" else "landed")
    assert versions(lk) == [(1, 1, 1)]


def test_a_refusal_of_the_first_attempt_is_one(lk: Lake, proxy: Proxy, tmp_path: Path) -> None:
    proxy.fail(Rule("403", COMMIT, WRITES))
    with pytest.raises(CommitRefused, match="nothing was published"):
        land(lk, tmp_path, 1)
    assert land(lk, tmp_path, 1) == "landed"
    assert versions(lk) == [(1, 1, 1)]


def test_a_store_that_never_says_leaves_it_open(lk: Lake, proxy: Proxy, tmp_path: Path) -> None:
    proxy.fail(Rule("503-before", COMMIT, WRITES, times=99))
    with pytest.raises(CommitUnknown):
        land(lk, tmp_path, 1)
    proxy.fail()
    assert land(lake.open(lk.url), tmp_path, 1) == "landed"
    assert versions(lk) == [(1, 1, 1)]


@pytest.mark.parametrize("what", [COMMIT, "dataset=raw.x|raw/x", ""])
def test_a_body_that_is_cut_on_its_way_is_never_taken_for_whole(
    lk: Lake, proxy: Proxy, tmp_path: Path, what: str
) -> None:
    proxy.fail(Rule("truncate", what, WRITES))
    try:
        land(lk, tmp_path, 1)
    except LakeError:
        assert land(lake.open(lk.url), tmp_path, 1) in ("landed", "unchanged")
    assert proxy.counts() == {"truncate": 1}
    assert versions(lk) == [(1, 1, 1)]


@pytest.mark.parametrize("mode", ["cut", "flip", "500-before", "503-before", "reset-before"])
def test_a_log_that_is_read_badly_once_is_read_again(
    lk: Lake, proxy: Proxy, tmp_path: Path, mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(lk, tmp_path, 1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another"))
    proxy.fail(Rule(mode, r"_lake/log/0*1\.json", ("GET",)))
    assert lake.open(lk.url).commit == 1
    assert proxy.counts() == {mode: 1}


def test_a_listing_without_the_newest_entry_hides_no_commit(
    lk: Lake, proxy: Proxy, tmp_path: Path
) -> None:
    land(lk, tmp_path, 1)
    proxy.fail(Rule("hide", r"prefix=[^&]*_lake/log/|list-type=2|comp=list", ("GET",), times=9))
    assert land(lake.open(lk.url), tmp_path, 2) == "landed"
    assert proxy.counts()["hide"]
    proxy.fail()
    assert versions(lk) == [(1, 1, 1), (2, 2, 2)]


@pytest.mark.parametrize("mode", ["cut", "flip"])
def test_a_file_that_is_fetched_badly_is_never_given(
    lk: Lake, proxy: Proxy, tmp_path: Path, mode: Mode
) -> None:
    land(lk, tmp_path, 1)
    proxy.fail(Rule(mode, r"\.csv|source|raw", ("GET",), times=1))
    target = tmp_path / "out"
    try:
        (given,) = lake.open(lk.url).get("raw.x", target)
    except LakeError:
        assert not [path for path in target.rglob("*") if path.is_file()]
    else:
        assert given.read_bytes() == b"n\n1\n"
    assert proxy.counts() == {mode: 1}


def test_the_store_of_the_fixture_goes_through_the_proxy(proxied: tuple[Proxy, Store]) -> None:
    proxy, store = proxied
    proxy.fail()
    store.put_new("a", b"b")
    assert [(one.method in WRITES, one.mode) for one in proxy.journal()] == [(True, "")]
    assert open_store(store.url).get("a") == b"b"
