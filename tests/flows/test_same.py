"""The flow lands what the verb lands, from every kind of source."""

import os
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from lake.config import load
from lake.lake import Lake
from lake.opening import init, open_lake
from lake_flows.land import commit_staged, land, orders_of, stage_partition
from lake_flows.report import RunFailed
from lake_flows.where import Asked, Where

pytestmark = [pytest.mark.usefixtures("prefect_server"), pytest.mark.xdist_group("prefect")]

TOML = """
[lake]
url = "./.lake"
[sources.book]
url = "book.xlsx"
sheet = "*"
[sources.days]
url = "day={date}.csv"
partition.date = { every = "day" }
[sources.made]
url = "python:made_here:rows"
[sources.strict]
url = "strict.csv"
"""
MADE = """
import lake

@lake.source(key=["id"])
def rows():
    yield {"id": 1, "name": "a"}
    yield {"id": 2, "name": "b"}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    book = openpyxl.Workbook()
    for name in ("Trips", "Zones"):
        book.create_sheet(name).append(["id"])
        book[name].append([1])
    del book["Sheet"]
    book.save(tmp_path / "book.xlsx")
    for day in ("2024-01-01", "2024-01-02"):
        (tmp_path / f"day={day}.csv").write_text("id\n1\n")
    (tmp_path / "made_here.py").write_text(MADE)
    (tmp_path / "strict.csv").write_text("a,b\n1,2\n3\n")
    (tmp_path / "lake.toml").write_text(TOML)
    init(str(tmp_path / ".lake"))
    return tmp_path


def opened(root: Path) -> Lake:
    return open_lake(config=load(None, env=None, environ=os.environ, cwd=root))


def by_flow(root: Path) -> dict[str, str]:
    state = land(project=str(root), return_state=True)
    found: Any = state.result(raise_on_failure=False)
    found = found.document if isinstance(found, RunFailed) else found
    return {row["name"]: row["outcome"] for row in found["rows"]}


def test_all_that_a_source_has_is_landed_with_its_key_and_what_was_held(root: Path) -> None:
    assert by_flow(root) == {
        "raw.book_trips": "landed",
        "raw.book_zones": "landed",
        "raw.days/date=2024-01-01": "landed",
        "raw.days/date=2024-01-02": "landed",
        "raw.made": "landed",
        "raw.strict": "held",
    }
    lk = opened(root)
    assert lk.sql("SELECT id FROM raw.made__current ORDER BY id").fetchall() == [(1,), (2,)]
    assert {one.outcome for one in lk.land_sources(["book", "days", "made"])} == {"unchanged"}
    commit = lk.commit
    (root / "lake.toml").write_text(TOML + "max_rejects = 1\n")
    assert by_flow(root)["raw.strict"] == "landed"
    lk = opened(root)
    assert lk.sql("SELECT a FROM raw.strict").fetchall() == [(1,)]
    assert lk.commit == commit + 1


def test_a_folder_that_changes_while_a_run_goes_on_loses_nothing(root: Path) -> None:
    where, at = Where(None, None, str(root), "run"), "2024-02-20T00:00:00+00:00"
    asked = Asked()
    names = list(orders_of(where, "days", asked, at)[1])
    staged = [stage_partition.fn(where, "days", name, asked, at) for name in names]
    orders_of.cache_clear()  # as in another process, which goes on with the run
    (root / "day=2024-01-01.csv").unlink()
    (root / "day=2024-01-03.csv").write_text("id\n3\n")
    done = commit_staged.fn(where, "days", staged, asked, at)
    assert {one["partition"]: one["outcome"] for one in done["landings"]} == {
        "date=2024-01-02": "landed",
        "date=2024-01-03": "landed",
    }
