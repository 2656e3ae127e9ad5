"""Processes that land into one partition at the same time, and one that reads meanwhile."""

import subprocess
import sys
from pathlib import Path

import duckdb

from lake.lake import Lake
from lake.query.sql import literal
from tests.faults.lander import ROWS, write

ROOT = Path(__file__).resolve().parents[2]
WRITERS = ("a", "b", "c", "d")
TURNS = 10
WHOLE = """
SELECT count(*), count(DISTINCT (writer, turn)) FROM raw.x WHERE k = 'shared' HAVING count(*) > 0
"""


def start(lk: Lake, folder: Path, writer: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.faults.lander", lk.url, str(folder), writer, str(TURNS)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def test_four_processes_land_into_one_partition_and_no_version_is_lost(
    lk: Lake, tmp_path: Path
) -> None:
    processes = [start(lk, tmp_path, writer) for writer in WRITERS]
    seen = set()
    while any(process.poll() is None for process in processes):
        seen.add(lk.refresh())
        if lk.state.datasets:
            assert lk.sql(WHOLE).fetchall() in ([], [(ROWS, 1)])
    for process in processes:
        _, said = process.communicate()
        assert (process.returncode, said) == (0, "")
    assert len(seen) > 1
    lk.refresh()
    every_version_is_there_once(lk)
    catalog_file_is_whole_after_the_next_verb(lk, tmp_path)


def every_version_is_there_once(lk: Lake) -> None:
    versions = lk.sql(
        "SELECT version, source FROM meta.versions WHERE partition = 'k=shared' ORDER BY version"
    ).fetchall()
    assert [number for number, _ in versions] == list(range(1, len(WRITERS) * TURNS + 1))
    sources = {Path(source).name for _, source in versions}
    assert sources == {f"{writer}-{turn}.parquet" for writer in WRITERS for turn in range(TURNS)}
    order = [Path(source).stem.split("-") for _, source in versions]
    for writer in WRITERS:
        turns = [int(turn) for name, turn in order if name == writer]
        assert turns == sorted(turns), "older bytes followed newer ones"
    own = lk.sql("SELECT count(*), max(version) FROM meta.versions WHERE partition <> 'k=shared'")
    assert own.fetchall() == [(8, 2)]
    assert lk.commit == 48


def catalog_file_is_whole_after_the_next_verb(lk: Lake, tmp_path: Path) -> None:
    """Of two that wrote it, the slower may have been behind: any verb notices."""
    path = write(tmp_path / "last.parquet", "a", 5)
    lk.land(path, dataset="raw.x", partition={"k": "a"})
    with duckdb.connect() as stock:
        stock.execute(f"ATTACH {literal(str(tmp_path / 'lake' / 'catalog.duckdb'))} AS acme")
        assert stock.execute("SELECT max(commit) FROM acme.meta.commits").fetchall() == [(48,)]
        assert stock.execute("SELECT count(*) FROM acme.raw.x").fetchall() == [(5 * ROWS,)]


def test_two_processes_that_land_the_same_bytes_make_one_version(lk: Lake, tmp_path: Path) -> None:
    path = write(tmp_path / "same.parquet", "a", 1)
    code = "import lake, sys; lake.open(sys.argv[1]).land(sys.argv[2], dataset='raw.x')"
    processes = [
        subprocess.Popen([sys.executable, "-c", code, lk.url, str(path)], cwd=ROOT)
        for _ in range(3)
    ]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert lk.refresh() == 1
    assert lk.sql("SELECT count(*) FROM raw.x").fetchall() == [(ROWS,)]
