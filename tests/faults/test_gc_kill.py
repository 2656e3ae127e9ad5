"""SIGKILL before and after every request of a collection: nothing that is kept is ever lost.

The project was walked twice and rolled back once, so there is something to collect; one snapshot is
tagged, and a landing left its bytes behind. After every kill all that is kept must be there, the
next collection completes what was begun, and the one after it finds nothing.
"""

import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import lake as clearlake
from lake import layout
from lake.lake import Lake
from lake.operations.verify import verify
from tests.faults import example
from tests.faults.example import Project, config_of
from tests.faults.walker import Walker

ORPHAN = (
    "raw/trips/month=2024-02/version=20240101T000000Z-00000000-0000/x.parquet",
    "raw/trips/month=2024-02/version=20240101T000000Z-00000000-0000/_receipt.json",
)
QUERIES = (
    "SELECT * FROM raw.trips ORDER BY ALL",
    "SELECT * FROM curated.daily ORDER BY ALL",
    "SELECT * FROM raw.zones ORDER BY ALL",
)


def answers(lk: Lake) -> list[Any]:
    return [lk.sql(query).fetchall() for query in QUERIES]


@dataclass(frozen=True, slots=True)
class Case:
    """A project with garbage, a copy to start from, and what must be read from it for ever."""

    walker: Walker
    root: Path
    start: Path
    head: list[Any]
    tagged: list[Any]
    calls: list[str]

    def kill(self, at: int) -> None:
        self.reset()
        killed = self.walker.run(self.root, ["gc"], kill_at=at)
        assert killed == {"status": -signal.SIGKILL}

    def reset(self) -> None:
        shutil.rmtree(self.root)
        shutil.copytree(self.start, self.root)

    def open(self) -> Lake:
        return clearlake.open(config=config_of(self.root))

    def remains(self) -> list[tuple[str, int]]:
        """Return what lies in the lake."""
        files = sorted(path for path in (self.root / ".lake").rglob("*") if path.is_file())
        return [(str(path), path.stat().st_size) for path in files]

    def wrong(self) -> list[str]:
        """Return what is wrong after a kill, and after the two collections that follow."""
        lk = self.open()
        found = [] if answers(lk) == self.head else ["the head is another"]
        found += [] if answers(lk.at("kept")) == self.tagged else ["the tag is another"]
        found += self._damage("killed")
        lk.gc(keep=timedelta(0), delete=True)
        found += self._damage("completed")
        again = self.open()
        if again.gc(keep=timedelta(0), delete=True).objects:
            found.append("the second collection still found something")
        orphans = [key for key in ORPHAN if (self.root / ".lake" / key).exists()]
        kept = answers(again) == self.head and answers(again.at("kept")) == self.tagged
        return found + orphans + ([] if kept else ["what is kept is another"])

    def _damage(self, when: str) -> list[str]:
        found = verify(self.open(), told=lambda count: None)
        damage = [f"{when}: {one}" for one in found.damage]
        return damage + (
            [f"{when}: {found.orphans}"] if when == "completed" and found.orphans else []
        )


def garbage(root: Path) -> None:
    """Walk twice, tag in between, go back once, and leave an orphan."""
    project = Project(example.make(root))
    project.init()
    project.walk().tag("kept")
    example.publish_again(root)
    project.walk()
    lk = project.open()
    lk.rollback("raw.trips/month=2024-02")
    lk.transform()
    for key in ORPHAN:
        lk.log.store.put_new(key, b"left behind")


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    base = tmp_path_factory.mktemp("gc")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAKE_CACHE", "")
        garbage(base / "case")
        start = Path(shutil.copytree(base / "case", base / "start"))
        lk = clearlake.open(config=config_of(base / "case"))
        head, tagged = answers(lk), answers(lk.at("kept"))
        walker = Walker()
        done = walker.run(base / "case", ["gc"])
        assert "did" in done, done
        yield Case(walker, base / "case", start, head, tagged, done["calls"])
        walker.close()


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKE_CACHE", "")  # who looks afterwards relies on nothing but the bucket


def test_a_collection_lists_dooms_and_deletes_in_this_order(case: Case) -> None:
    asked = case.calls[::2]
    entry = next(n for n, call in enumerate(asked) if call.startswith(f"put_new {layout.LOG}"))
    deletes = [n for n, call in enumerate(asked) if call.startswith("delete ")]
    lists = [asked.index(f"list {zone}/") for zone in layout.ZONES]
    reads = [n for n, call in enumerate(asked) if call.startswith(f"get {layout.LOG}")]
    assert max(lists) < max(n for n in reads if n < entry) < entry < min(deletes)
    assert len(deletes) >= 4


def test_nothing_kept_is_lost_wherever_a_collection_is_killed(case: Case) -> None:
    wrong = {}
    before: tuple[object, list[str]] = (None, [])
    for at, call in enumerate(case.calls):
        case.kill(at)
        remains = case.remains()
        # Mostly nothing is written between two requests: what follows is the same.
        found = before[1] if remains == before[0] else case.wrong()
        before = (remains, found)
        if found:
            wrong[f"{at} {'after' if at % 2 else 'before'} {call}"] = found
    assert wrong == {}
