"""A load that is killed anywhere is completed by the next run, never doubled."""

import dataclasses
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import duckdb
import pytest

from lake.config.period import Periods
from lake.warehouse.load import TableLoad, load
from tests.warehouse.killer import Kill, killer
from tests.warehouse.loads import Publish, later

URL = "duckdb:///w.duckdb"
Rows: TypeAlias = list[tuple[object, ...]]

HELD = (
    "SELECT * FROM marts.daily ORDER BY ALL",
    "SELECT * EXCLUDE (loaded_at) FROM _lake_tables ORDER BY ALL",
    "SELECT * EXCLUDE (loaded_at) FROM _lake_loads ORDER BY ALL",
)


@pytest.fixture(scope="module")
def kill() -> Iterator[Kill]:
    with killer() as kill:
        yield kill


def held(root: Path) -> Rows:
    """Return the table's rows and the ledger's without its times; none of what is not there."""
    if not (root / "w.duckdb").exists():
        return []
    with duckdb.connect(root / "w.duckdb") as connection:
        return [row for query in HELD for row in _rows(connection, query)]


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> Rows:
    try:
        return connection.execute(query).fetchall()
    except duckdb.CatalogException:
        return []


def sweep(kill: Kill, job: TableLoad, start: Path, root: Path) -> int:
    """Kill `job` at every call of its hook, from the warehouse in `start`; return how many.

    After each kill the table is as it was or as it will be, and the same load completes it.
    """
    load(URL, job, root=shutil.copytree(start, root / "whole"))
    before, after = held(start), held(root / "whole")
    kills = 0
    while True:
        folder = shutil.copytree(start, root / str(kills))
        status = kill(URL, job, folder, kills)
        if status == 0:
            return kills
        assert status == -signal.SIGKILL
        assert held(folder) in (before, after), f"half a load was left by kill {kills}"
        load(URL, job, root=folder)
        assert held(folder) == after, f"kill {kills} was not completed"
        kills += 1


def test_a_first_load_that_was_killed_anywhere_is_completed(
    tmp_path: Path, publish: Publish, kill: Kill
) -> None:
    start = tmp_path / "start"
    start.mkdir()
    assert sweep(kill, publish(1, {"2024-01": [3, 4]}), start, tmp_path) >= 30


def test_a_later_load_that_was_killed_anywhere_is_completed(
    tmp_path: Path, publish: Publish, kill: Kill
) -> None:
    start = tmp_path / "start"
    start.mkdir()
    load(URL, publish(1, {"2024-01": [3], "2024-02": [5]}), root=start)
    assert sweep(kill, later(publish), start, tmp_path) >= 36


def test_a_load_of_some_periods_that_was_killed_anywhere_is_completed_and_so_is_the_rest(
    tmp_path: Path, publish: Publish, kill: Kill
) -> None:
    start, whole = tmp_path / "start", later(publish)
    start.mkdir()
    load(URL, publish(1, {"2024-01": [3], "2024-02": [5]}), root=start)
    part = dataclasses.replace(whole, periods=Periods(since="2024-02"))
    kills = sweep(kill, part, start, tmp_path)
    assert kills >= 36
    rest = tmp_path / "rest"
    rest.mkdir()
    assert sweep(kill, whole, tmp_path / str(kills), rest) >= 30
    assert [row[1:] for row in held(rest / "0")[:3]] == [
        (3, "2024-01", 3),
        (3, "2024-01", 3),
        (8, "2024-03", 8),
    ]


def test_a_newer_load_after_a_kill_completes_it_too(
    tmp_path: Path, publish: Publish, kill: Kill
) -> None:
    first, second = publish(1, {"2024-01": [3]}), publish(2, {"2024-01": [4], "2024-02": [5]})
    for at in range(1, 40, 7):
        folder = tmp_path / str(at)
        folder.mkdir()
        kill(URL, first, folder, at)
        load(URL, second, root=folder)
        assert [row[1:] for row in held(folder)[:2]] == [(4, "2024-01"), (5, "2024-02")]
