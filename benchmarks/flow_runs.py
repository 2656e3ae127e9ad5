"""What Prefect costs: a run over 100 partitions beside `lake elt`, and deploying 50 deployments."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks import places
from benchmarks.measure import LAKE, Figure, interleaved, process, ratio, seconds
from lake.opening import init
from tests.flows.prefect_server import started
from tests.http_server import Server

PARTITIONS = 100
DEPLOYMENTS = 50
ROUNDS = 3
_TOML = """
[lake]
url = "./.lake"
[sources.days]
url = "{server}/{{day}}.csv"
partition.day = {{ values = [{days}] }}
[warehouse]
load = ["totals"]
"""
_MODEL = """-- /// lake
-- description = "What came in, by day"
-- owner = "bench"
-- partition_by = "day"
-- reads.days = "same"
-- ///
SELECT day, count(*) AS n, sum(fare) AS fare FROM raw.days GROUP BY ALL
"""
_DEPLOYMENT = """
[deployments.d{number}]
flow = "elt"
schedule = {{ cron = "{minute} 6 * * *", timezone = "Europe/Paris" }}
parameters = {{ since = "2024-01-{day:02}" }}
tags = ["bench"]
"""


def figures() -> list[Figure]:
    with places.scratch() as folder, started(folder / "server") as server, Server() as web:
        os.environ |= {key: text for key, text in server.environ.items() if "PREFECT" in key}
        os.environ["PREFECT_HOME"] = str(folder / "home")
        days = [f"2024-{month:02}-{day:02}" for month in range(1, 6) for day in range(1, 21)]
        for day in days[:PARTITIONS]:
            rows = "".join(f"{number},{number % 70}\n" for number in range(1000))
            web.pages[f"/{day}.csv"] = f"id,fare\n{rows}".encode()
        toml = _TOML.format(
            server=web.url().rstrip("/"), days=", ".join(f'"{day}"' for day in days[:PARTITIONS])
        )
        return [*_runs(folder, toml), *_deployed(folder)]


class _Timed(NamedTuple):
    """The first run of a project, and the next, which finds nothing to do."""

    first: float
    again: float


def _runs(folder: Path, toml: str) -> Iterator[Figure]:
    flow = [sys.executable, "-m", "lake_flows.elt"]
    taken: list[tuple[_Timed, _Timed]] = []
    for _ in range(ROUNDS):
        plain = _project(folder / "plain", toml, LAKE, "elt")
        prefect = _project(folder / "prefect", toml, *flow)
        taken.append((plain, prefect))
    what = f"`elt` over {PARTITIONS} partitions as a Prefect run : `lake elt`"
    for title, plus_s, name in ((what, 5, "first"), (f"{what}, nothing to do", 4, "again")):
        theirs = [getattr(plain, name) for plain, _ in taken]
        ours = [getattr(prefect, name) for _, prefect in taken]
        yield ratio(title, 1, ours, theirs, plus_s=plus_s)


def _project(root: Path, toml: str, *command: str | Path) -> _Timed:
    """Run a command twice in a new project, whose lake is empty."""
    places.emptied(root)
    (root / "models").mkdir()
    (root / "lake.toml").write_text(toml)
    (root / "models" / "totals.sql").write_text(_MODEL)
    init(str(root / ".lake"))
    with _inside(root):
        return _Timed(process(*command), process(*command))


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _deployed(folder: Path) -> Iterator[Figure]:
    root = places.emptied(folder / "deployed")
    init(str(root / ".lake"))
    deployments = [
        _DEPLOYMENT.format(number=number, minute=number, day=1 + number % 28)
        for number in range(DEPLOYMENTS)
    ]
    (root / "lake.toml").write_text('[lake]\nurl = "./.lake"\n' + "".join(deployments))
    deploy = partial(process, LAKE, "deploy")
    with _inside(root):
        first = deploy()
        (again,) = interleaved(ROUNDS, deploy)
    yield seconds(f"`lake deploy` of {DEPLOYMENTS} deployments", 10, [first])
    yield seconds("the same again, which changes nothing", 5, again)
