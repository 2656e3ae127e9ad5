"""SIGKILL before and after every request of the walk: the next run completes it, and says so.

The walk is `land`, `transform`, `load`, a process each, over an empty folder, and the same again
when a month was published once more. Each process is killed at every call of the hook, which comes
before and after every request to the store and every statement to the warehouse. The whole walk,
run again by nobody in particular, must leave what a walk leaves that was never killed; and once
more it must find nothing to do.
"""

import re
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults import example
from tests.faults.oracle import violations
from tests.faults.walker import NOTHING, VERBS, Walker

STAGES = [f"{time} {verb}" for time in ("first", "second") for verb in VERBS]
ENTRY = "put_new _lake/log/"


@dataclass(frozen=True, slots=True)
class Sweep:
    """What every kill starts from.

    Attributes:
        case: the project's folder, the same for every kill, as the lake's URL is.
        starts: copies of it, before each stage.
        calls: of the hook in each stage, if it is not killed: every request twice.
    """

    walker: Walker
    case: Path
    starts: dict[str, Path]
    calls: dict[str, list[str]]

    def kill(self, stage: str, at: int, *, is_late: bool = False) -> None:
        """Leave the project as a kill of `stage` leaves it."""
        shutil.rmtree(self.case)
        shutil.copytree(self.starts[stage], self.case)
        verb = stage.split()[1]
        killed = self.walker.run(self.case, [verb], kill_at=at, is_late=is_late)
        assert killed == {"status": -signal.SIGKILL}

    def wrong_after(self, stage: str) -> list[str]:
        """Run the walk again and once more, and return what is wrong then."""
        again = self.walker.run(self.case, VERBS)
        if "failed" in again:
            return [str(again["failed"])]
        found = violations(self.case, is_again=stage.startswith("second"))
        more = self.walker.run(self.case, VERBS)
        if (more.get("did"), more.get("commit")) != (NOTHING, again["commit"]):
            found.append(f"once more, it did {more}")
        return found

    def remains(self) -> list[tuple[str, int]]:
        """Return what lies in the project, names without times and ids, and how large it is."""
        files = sorted(path for path in self.case.rglob("*") if path.is_file())
        names = (path.relative_to(self.case).as_posix() for path in files)
        found = zip((_lasting(name) for name in names), files, strict=True)
        return [(name, path.stat().st_size) for name, path in found if name[:4] != "tmp/"]


def _lasting(name: str) -> str:
    name = re.sub(r"version=[0-9TZ]+-([0-9a-f]{8})-[0-9a-f]{4}", r"version=\1", name)
    return re.sub(r"[0-9a-f]{32}/", "", name)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sweep]:
    base = tmp_path_factory.mktemp("sweep")
    case, walker = example.make(base / "case"), Walker()
    starts: dict[str, Path] = {}
    calls: dict[str, list[str]] = {}
    for stage in STAGES:
        if stage == "second land":
            example.publish_again(case)
        starts[stage] = shutil.copytree(case, base / stage)
        done = walker.run(case, [stage.split()[1]])
        assert "did" in done, done
        calls[stage] = done["calls"]
    yield Sweep(walker, case, starts, calls)
    walker.close()


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKE_CACHE", "")  # who looks afterwards relies on nothing but the bucket


def test_the_walk_makes_at_least_forty_requests(sweep: Sweep) -> None:
    requests = {stage: len(calls) // 2 for stage, calls in sweep.calls.items()}
    total = sum(requests.values())
    print(f"N = {total}: {requests}")  # noqa: T201 - the number is asked for
    assert total >= 40
    assert all(calls[::2] == calls[1::2] for calls in sweep.calls.values())


def test_the_walk_that_is_not_killed_leaves_what_it_should(sweep: Sweep) -> None:
    shutil.rmtree(sweep.case)
    shutil.copytree(sweep.starts["second land"], sweep.case)
    assert sweep.wrong_after("second land") == []


@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.parametrize("stage", STAGES)
def test_what_was_killed_anywhere_is_completed_by_the_next_walk(
    sweep: Sweep, stage: str, half: int
) -> None:
    calls = sweep.calls[stage]
    middle = len(calls) // 4 * 2
    wrong: dict[str, list[str]] = {}
    before: tuple[object, list[str]] = (None, [])
    for at in range(middle) if half == 0 else range(middle, len(calls)):
        sweep.kill(stage, at)
        remains = sweep.remains()
        # Mostly nothing is written between two requests: one walk completes both kills.
        found = before[1] if remains == before[0] else sweep.wrong_after(stage)
        before = (remains, found)
        if found:
            wrong[f"{at} {'after' if at % 2 else 'before'} {calls[at]}"] = found
    assert wrong == {}


def test_the_sweep_finds_what_is_published_before_it_is_uploaded(sweep: Sweep) -> None:
    """With the first rule of the log broken, a kill behind the entry loses the bytes for good."""
    shutil.rmtree(sweep.case)
    shutil.copytree(sweep.starts["first land"], sweep.case)
    calls = sweep.walker.run(sweep.case, ["land"], is_late=True)["calls"]
    entry = next(at for at, call in enumerate(calls) if call.startswith(ENTRY))
    found = {}
    for at in (entry, entry + 1):
        sweep.kill("first land", at, is_late=True)
        found[at] = sweep.wrong_after("first land")
    assert found[entry] == []
    assert "FileDamaged" in found[entry + 1][0]
