"""A sample of the sweep over every request and every fault; and that it would find what it seeks.

`python -m tests.faults.http_sweep` runs as much of it as is wanted.
"""

import re
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import lake
from lake.errors import FileDamaged
from tests.faults import example
from tests.faults.example import config_of
from tests.faults.http_sweep import SCHEMES, Case, Sweep, cases, sample, swept
from tests.faults.oracle import violations
from tests.faults.planted import PLANTED
from tests.faults.proxy import Rule
from tests.faults.walker import VERBS

BEHIND_S = timedelta(minutes=4).total_seconds()
FIXTURES = {"minio": "minio", "gcs": "fake_gcs", "azurite": "azurite"}
# Azurite is asked three times as much in a walk, and takes as much longer.
SHARES = {"minio": slice(0, None, 2), "gcs": slice(1, None, 4), "azurite": slice(3, None, 4)}
LANDING, UPLOAD = r"_lake/log/0*1\.json", r"\.parquet"
SIMPLE = {
    "skip the own-id check": (LANDING, "reset-after"),
    "already exists counts as done": (LANDING, "412"),
    "acknowledge before commit": (LANDING, "503-before"),
    "publish from a block that raised": (UPLOAD, "403"),
}


@pytest.fixture(scope="module", params=list(SCHEMES))
def sweep(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sweep]:
    told = request.getfixturevalue(FIXTURES[request.param])
    with swept(request.param, told, tmp_path_factory.mktemp("sweep")) as sweep:
        yield sweep


@pytest.fixture(autouse=True)
def _found_there(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in sweep.told.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LAKE_CACHE", "")


def number(sweep: Sweep, pattern: str) -> int:
    """Return which write is the first to a key like this."""
    found = [
        at
        for at, seen in enumerate(sweep.requests(), 1)
        if seen.method in ("PUT", "POST") and re.search(pattern, seen.path)
    ]
    return found[0]


def test_a_walk_is_completed_whatever_befell_any_request(sweep: Sweep) -> None:
    """Of each fault one case, each at one of the servers."""
    known = list(cases(sweep.requests()))
    assert known[-1].request >= 60
    chosen = sample(known, 1, seed=20)[SHARES[sweep.service]]
    wrong = {str(case): sweep.wrong_after(case) for case in chosen}
    assert {case: found for case, found in wrong.items() if found} == {}
    assert sweep.onlooker.looks >= len(wrong) / 2


@pytest.mark.parametrize("sweep", ["minio"], indirect=True)
@pytest.mark.parametrize("plant", list(SIMPLE))
def test_the_sweep_finds_a_planted_bug(sweep: Sweep, plant: str) -> None:
    where, fault = SIMPLE[plant]
    at = number(sweep, where)
    # One walk may ask once more, or once less, than another.
    near = [Case(at + by, fault) for by in (0, 1, -1)]
    assert sweep.wrong_after(near[0]) == []
    assert any(sweep.wrong_after(case, plant=plant) for case in near)


@pytest.mark.parametrize("sweep", ["minio"], indirect=True)
@pytest.mark.parametrize("plant", ["", "order by time"])
def test_a_publication_by_a_host_whose_clock_is_behind_is_the_newest(
    sweep: Sweep, plant: str
) -> None:
    root, told = sweep.project(), {"plant": plant} if plant else {}
    sweep.walker.run(root, VERBS, **told)
    example.publish_again(root)
    sweep.walker.run(root, VERBS, behind_s=BEHIND_S, **told)
    assert bool(violations_by(sweep, root, told)) == bool(plant)


def violations_by(sweep: Sweep, root: Path, told: dict[str, str]) -> list[str]:
    """Return what is wrong as one sees it who has the bug, too."""
    with pytest.MonkeyPatch.context() as patch:
        if told:
            PLANTED[told["plant"]](patch)
        return violations(root, is_again=True)


@pytest.mark.parametrize("sweep", ["minio"], indirect=True)
@pytest.mark.parametrize("plant", ["", "delete on unknown"])
def test_what_an_unknown_commit_names_stays_until_that_is_known(sweep: Sweep, plant: str) -> None:
    root, told = sweep.project(), {"plant": plant} if plant else {}
    asked = [seen.method for seen in sweep.requests() if re.search(LANDING, seen.path)]
    opened = asked[: asked.index("PUT")].count("GET")  # to see where the log ends
    rules = [
        Rule("reset-after", LANDING, ("PUT",), times=99),
        Rule("403", LANDING, ("GET",), first=opened + 1, times=99),
    ]
    job: dict[str, Any] = {"proxy": sweep.proxy.url, "rules": [asdict(rule) for rule in rules]}
    failed = sweep.walker.run(root, ["land"], **job, **told).get("failed", "")
    assert "gave no clear answer" in failed
    sweep.proxy.fail()
    again = sweep.walker.run(root, VERBS)
    assert ("failed" in again or bool(violations(root, is_again=False))) == bool(plant)


@pytest.mark.parametrize("plant", ["", "clean-up without doom"])
def test_a_commit_that_comes_after_a_collection_names_nothing_that_is_gone(
    sweep: Sweep, plant: str
) -> None:
    root, told = sweep.project(), {"plant": plant} if plant else {}
    commit = number(sweep, LANDING)
    rules = [Rule("late", first=commit), Rule("kill-before", first=commit + 1)]
    job: dict[str, Any] = {"proxy": sweep.proxy.url, "rules": [asdict(rule) for rule in rules]}
    assert sweep.walker.run(root, ["land"], **job)["status"] < 0
    sweep.proxy.fail()
    assert sweep.walker.run(root, ["gc"], **told)["did"]
    sweep.proxy.wait_for_late()
    again = sweep.walker.run(root, VERBS)
    assert ("failed" in again or bool(violations(root, is_again=False))) == bool(plant)


@pytest.mark.parametrize("plant", ["", "no hash check"])
def test_what_was_swapped_behind_our_back_is_never_given(
    sweep: Sweep, plant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = sweep.project()
    sweep.walker.run(root, VERBS)
    lk = lake.open(config=config_of(root))
    ((key,),) = lk.sql(
        "SELECT key FROM meta.files WHERE dataset = 'raw.zones' AND key LIKE '%.csv'"
    ).fetchall()
    lk.log.store.put(key, lk.log.store.get(key).replace(b"Bronx", b"Bronz"))
    if plant:
        PLANTED[plant](monkeypatch)
        assert lk.get("raw.zones", tmp_path / "out")
    else:
        with pytest.raises(FileDamaged, match="not the file that the log names"):
            lk.get("raw.zones", tmp_path / "out")
