"""A load that is killed anywhere is completed by the next run, never doubled."""

import dataclasses
import pickle
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TypeAlias

import duckdb
import pytest

from lake.warehouse.load import TableLoad, load

URL = "duckdb:///w.duckdb"
Publish: TypeAlias = Callable[..., TableLoad]
Rows: TypeAlias = list[tuple[object, ...]]
Kill: TypeAlias = Callable[[TableLoad, Path, int], int]

HELD = (
    "SELECT * FROM marts.daily ORDER BY ALL",
    "SELECT * EXCLUDE (loaded_at) FROM _lake_tables ORDER BY ALL",
    "SELECT * EXCLUDE (loaded_at) FROM _lake_loads ORDER BY ALL",
)

# Runs one load per request, each in a process of its own that kills itself at one call of the
# statement hook, and answers with its exit status. It forks: to import DuckDB anew for each of a
# hundred kills would take longer than all the rest.
KILLER = """
import os, pickle, signal, sys
from lake.warehouse.load import load

def run(job, root, at):
    calls = 0
    def hook(statement):
        nonlocal calls
        if calls == at:
            os.kill(os.getpid(), signal.SIGKILL)
        calls += 1
    load("duckdb:///w.duckdb", job, root=root, statement_hook=hook)

while True:
    try:
        job, root, at = pickle.load(sys.stdin.buffer)
    except EOFError:
        break
    child = os.fork()
    if not child:
        try:
            run(job, root, at)
        except BaseException as exc:
            print(repr(exc), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def kill() -> Iterator[Kill]:
    """Return a function that loads and dies at a call of the hook; it returns the exit status."""
    with subprocess.Popen(
        [sys.executable, "-c", KILLER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        requests, answers = _pipes(process)

        def kill(job: TableLoad, root: Path, at: int) -> int:
            requests.write(pickle.dumps((job, root, at)))
            requests.flush()
            return int(answers.readline())

        yield kill
        requests.close()


def _pipes(process: "subprocess.Popen[bytes]") -> tuple[IO[bytes], IO[bytes]]:
    assert process.stdin
    assert process.stdout
    return process.stdin, process.stdout


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
        status = kill(job, folder, kills)
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
    months = publish(2, {"2024-01": [3, 3], "2024-03": [8]})
    partitions = (
        dataclasses.replace(p, select=f"SELECT *, trips AS fee FROM ({p.select})")
        for p in months.partitions
    )
    columns = (*months.columns, ("fee", "BIGINT"))
    job = dataclasses.replace(months, columns=columns, partitions=tuple(partitions))
    assert sweep(kill, job, start, tmp_path) >= 40


def test_a_newer_load_after_a_kill_completes_it_too(
    tmp_path: Path, publish: Publish, kill: Kill
) -> None:
    first, second = publish(1, {"2024-01": [3]}), publish(2, {"2024-01": [4], "2024-02": [5]})
    for at in range(1, 40, 7):
        folder = tmp_path / str(at)
        folder.mkdir()
        kill(first, folder, at)
        load(URL, second, root=folder)
        assert [row[1:] for row in held(folder)[:2]] == [(4, "2024-01"), (5, "2024-02")]
