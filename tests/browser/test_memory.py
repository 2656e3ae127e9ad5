"""What the server keeps is bounded by its bytes, however it is asked."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product

import pytest

from lake.browser import snapshot
from lake.browser.kept import weight
from lake.browser.pages.asking import charted
from lake.browser.snapshot import Snapshot
from lake.browser.sql.limits import Limits
from lake.browser.sql.runner import Job, Question, Runner
from lake.browser.sql.sources import of_names
from lake.lake import Lake

MANY = "SELECT range AS n, range * 2 AS m, range % 7 AS k FROM range(1000)"


@dataclass(frozen=True, slots=True)
class _Held:
    text: str
    rows: list[tuple[str, int]]


@pytest.mark.parametrize(
    ("value", "least"),
    [
        ("x" * 10_000, 10_000),
        (b"x" * 10_000, 10_000),
        (["x" * 100] * 1000, 100_000),
        (dict.fromkeys(range(1000), "x" * 100), 100_000),
        (_Held("x" * 50_000, [("x" * 50, 1)] * 1000), 100_000),
        ([[["x" * 100] * 10] * 10] * 10, 100_000),
    ],
    ids=["text", "bytes", "list", "mapping", "dataclass", "nested"],
)
def test_a_weight_is_about_the_bytes_that_a_value_holds(value: object, least: int) -> None:
    assert least <= weight(value) < 5 * least


def test_a_weight_of_nothing_and_of_a_loop_is_small() -> None:
    loop: list[object] = []
    loop.append(loop)
    assert weight(None) == weight(object()) == weight([]) == 64
    assert weight(loop) < 1000


@pytest.fixture
def shot(looked_at: Lake, monkeypatch: pytest.MonkeyPatch) -> Snapshot:
    monkeypatch.setattr(snapshot, "_KEPT_BYTES", 100_000)
    return Snapshot(looked_at)


class _Asked:
    """Notes what a snapshot works out."""

    def __init__(self, shot: Snapshot) -> None:
        self.shot = shot
        self.made: list[str] = []

    def ask(self, name: str, size: int) -> None:
        def make() -> str:
            self.made.append(name)
            return "x" * size

        self.shot.memo(name, make)


def test_a_snapshot_keeps_what_was_asked_for_last_and_has_room(shot: Snapshot) -> None:
    asked = _Asked(shot)
    for name in "abcadacb":
        asked.ask(name, 40_000)
    assert "".join(asked.made) == "abcdb"


def test_a_snapshot_keeps_what_is_light_before_what_is_heavy(shot: Snapshot) -> None:
    asked = _Asked(shot)
    for name, size in (("light", 10), ("heavy", 150_000), ("other", 1), ("light", 10)):
        asked.ask(name, size)
    asked.ask("heavy", 150_000)
    assert asked.made == ["light", "heavy", "other", "heavy"]


def test_a_snapshot_keeps_one_value_that_has_no_room(shot: Snapshot) -> None:
    asked = _Asked(shot)
    for name, size in (("a", 200_000), ("a", 200_000), ("b", 1), ("a", 200_000), ("b", 1)):
        asked.ask(name, size)
    assert "".join(asked.made) == "aba"


@pytest.fixture
def job(looked_at: Lake) -> Iterator[Job]:
    """An answer with a thousand rows of numbers."""
    runner, shot = Runner(Limits()), Snapshot(looked_at)
    found = runner.ask(Question(shot, MANY, partial(of_names, shot)))
    found.future.result()
    yield found
    runner.close()


def test_few_charts_of_an_answer_are_kept(job: Job) -> None:
    for kind, x, y in product(("line", "bar", "scatter"), "123", "123"):
        charted(job, kind=kind, x=x, y=y)
        assert len(job.drawn) <= 8
    assert charted(job, kind="scatter", x="1", y="2")[1]
    assert charted(job, kind=kind, x=x, y=y) is charted(job, kind=kind, x=x, y=y)


def test_an_answer_of_many_bytes_is_not_turned_into_objects_for_a_chart(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert charted(job, kind="", x="", y="")[1]
    monkeypatch.setattr("lake.browser.pages.asking._CHARTED_BYTES", job.weight - 1)
    assert charted(job, kind="line", x="1", y="2") == (None, None, [])
