"""Sixteen processes that land 25 times each, and two that read meanwhile."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import lake
from lake.lake import Lake
from lake.operations.verify import verify
from storage_backends import Store
from tests.faults.one_of_many import places, rows_of
from tests.faults.proxy import WRITES, Proxy, Rule

ROOT = Path(__file__).resolve().parents[2]
WRITERS, TURNS, READERS = 16, 25, 2
BUCKET_TURNS = int(os.environ.get("BUCKET_TURNS") or 4)
"""With 25 of them, every server and every kind: `BUCKET_TURNS=25 pytest -k into_a_bucket`."""
IS_ALL = BUCKET_TURNS >= TURNS
SERVERS = ["minio", "fake_gcs", "azurite"] if IS_ALL else ["minio"]
KINDS = [("one", False), ("mixed", False), ("one", True), ("mixed", True)]
STORM = (
    Rule("reset-after", r"_lake/log/\d+\.json", WRITES, times=10**6, chance=0.05, seed=1),
    Rule("503-before", times=10**6, chance=0.1, seed=2),
)
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
    land_all(lk, tmp_path, kind, TURNS)
    all_are_landed(lk, tmp_path, kind, TURNS)
    assert verify(lake.open(lk.url)).orphans == ()


@pytest.mark.parametrize("proxied", SERVERS, indirect=True)
@pytest.mark.parametrize(("kind", "is_stormy"), KINDS if IS_ALL else KINDS[-1:])
def test_sixteen_processes_land_into_a_bucket_without_a_gap(
    proxied: tuple[Proxy, Store], tmp_path: Path, kind: str, is_stormy: bool
) -> None:
    """In a storm a tenth of all requests fails, and of the commits every 20th loses its answer."""
    proxy, store = proxied
    lk = lake.init(store.url)
    proxy.fail(*(STORM if is_stormy else ()))
    land_all(lk, tmp_path, kind, BUCKET_TURNS)
    if is_stormy:
        fired = proxy.counts()
        assert fired["503-before"] > WRITERS * BUCKET_TURNS / 10
        assert fired["reset-after"]
    proxy.fail()
    all_are_landed(lk, tmp_path, kind, BUCKET_TURNS)


def land_all(lk: Lake, tmp_path: Path, kind: str, turns: int) -> None:
    readers = [start("read", lk, tmp_path, n, WRITERS * turns, kind) for n in range(READERS)]
    try:
        end([start("write", lk, tmp_path, n, turns, kind) for n in range(WRITERS)])
        end(readers)
    finally:
        for reader in readers:
            reader.kill()


def all_are_landed(lk: Lake, tmp_path: Path, kind: str, turns: int) -> None:
    lk = lake.open(lk.url)
    acknowledged = told(tmp_path, "write")
    assert lk.commit == WRITERS * turns
    the_log_says_what_was_acknowledged(lk, acknowledged)
    everything_went_where_it_should(acknowledged, turns, mixed=kind == "mixed")
    readers_saw_whole_versions(told(tmp_path, "read"), acknowledged)
    assert verify(lk).damage == ()


def the_log_says_what_was_acknowledged(lk: Lake, acknowledged: Told) -> None:
    logged = lk.sql(
        "SELECT parse_filename(source, true)::INT, dataset, partition, commit, version"
        " FROM meta.versions ORDER BY commit"
    ).fetchall()
    assert logged == sorted(map(tuple, acknowledged), key=lambda one: one[3])
    assert [commit for *_, commit, _ in logged] == list(range(1, lk.commit + 1))
    versions: dict[tuple[str, str], list[int]] = {}
    for _, dataset, partition, _, version in logged:
        versions.setdefault((dataset, partition), []).append(version)
    for numbers in versions.values():
        assert numbers == list(range(1, len(numbers) + 1))


def everything_went_where_it_should(acknowledged: Told, turns: int, *, mixed: bool) -> None:
    asked = Counter(
        places(writer, turn, mixed=mixed)[0] for writer in range(WRITERS) for turn in range(turns)
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
