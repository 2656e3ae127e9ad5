"""A lake verified on all cores, beside `hashlib` over the same files with as many threads."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks import places
from benchmarks.measure import Figure, faster, interleaved, timed
from lake.opening import init
from lake.operations.verify import verify

ROUNDS = 5
COPIES = 8


def figures() -> list[Figure]:
    with places.scratch() as folder:
        lake = init(str(folder / "lake"))
        for number in range(COPIES):
            partition = {"part": str(number)}
            lake.land(places.taxi_parquet(), dataset="raw.trips", partition=partition)
        paths = [Path(url) for url in lake.files("raw.trips")]
        ours, plain = interleaved(
            ROUNDS, lambda: timed(lambda: verify(lake)), lambda: timed(lambda: _hashed(paths))
        )
    return [faster("verify, times as fast as hashlib on all cores", 0.8, ours, plain)]


def _hashed(paths: list[Path]) -> None:
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        assert all(pool.map(_digest, paths))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
