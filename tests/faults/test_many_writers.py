"""Sixteen processes that land 25 times each, and two that read meanwhile."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import lake
from lake.lake import Lake
from lake.operations.verify import verify
from tests.faults.one_of_many import places, rows_of

ROOT = Path(__file__).resolve().parents[2]
WRITERS, TURNS, READERS = 16, 25, 2
LANDED = WRITERS * TURNS
Told = list[list[Any]]


def start(job: str, lk: Lake, folder: Path, *rest: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.faults.one_of_many", job, lk.url, str(folder)]
    command += map(str, rest)
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def end(processes: "list[subprocess.Popen[str]]") -> None:
    for process in processes:
        _, said = process.communicate()
        assert (process.returncode, said) == (0, "")


def told(folder: Path, job: str) -> Told:
    files = sorted(folder.glob(f"{job}-*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("kind", ["one", "mixed"])
def test_sixteen_processes_land_400_versions_without_a_gap(
    lk: Lake, tmp_path: Path, kind: str
) -> None:
    readers = [start("read", lk, tmp_path, n, LANDED, kind) for n in range(READERS)]
    try:
        end([start("write", lk, tmp_path, n, TURNS, kind) for n in range(WRITERS)])
        end(readers)
    finally:
        for reader in readers:
            reader.kill()
    lk = lake.open(lk.url)
    acknowledged = told(tmp_path, "write")
    assert lk.commit == LANDED
    the_log_says_what_was_acknowledged(lk, acknowledged)
    everything_went_where_it_should(acknowledged, mixed=kind == "mixed")
    readers_saw_whole_versions(told(tmp_path, "read"), acknowledged)
    sound = verify(lk)
    assert (sound.damage, sound.orphans) == ((), ())


def the_log_says_what_was_acknowledged(lk: Lake, acknowledged: Told) -> None:
    logged = lk.sql(
        "SELECT parse_filename(source, true)::INT, dataset, partition, commit, version"
        " FROM meta.versions ORDER BY commit"
    ).fetchall()
    assert logged == sorted(map(tuple, acknowledged), key=lambda one: one[3])
    assert [commit for *_, commit, _ in logged] == list(range(1, LANDED + 1))
    versions: dict[tuple[str, str], list[int]] = {}
    for _, dataset, partition, _, version in logged:
        versions.setdefault((dataset, partition), []).append(version)
    for numbers in versions.values():
        assert numbers == list(range(1, len(numbers) + 1))


def everything_went_where_it_should(acknowledged: Told, *, mixed: bool) -> None:
    asked = Counter(
        places(writer, turn, mixed=mixed)[0] for writer in range(WRITERS) for turn in range(TURNS)
    )
    assert Counter(dataset for _, dataset, *_ in acknowledged) == asked


def readers_saw_whole_versions(read: Told, acknowledged: Told) -> None:
    """Of each snapshot, its one version: the last one that was acknowledged up to it."""
    assert len({number for number, _ in read}) > 1
    shared = {one[3]: one[0] for one in acknowledged if one[2] == "k=shared"}
    for number, found in read:
        before = [commit for commit in shared if commit <= number]
        tag = shared[max(before)] if before else None
        rows = rows_of(tag) if tag is not None else 0
        whole = [tag // 1000, rows, tag, tag, rows * (rows - 1) // 2] if tag is not None else []
        assert found == ([whole] if whole else [])
