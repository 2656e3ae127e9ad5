"""A Parquet file landed, beside a copy and a hash of the same file, and beside dlt."""

import hashlib
from pathlib import Path

from benchmarks import peers, places
from benchmarks.measure import LAKE, Figure, Missing, interleaved, process, ratio, timed
from lake.opening import init


def figures() -> list[Figure | Missing]:
    source = places.taxi_parquet()
    with places.scratch() as folder:
        ours, plain, *peer = interleaved(
            9,
            lambda: landed(source, folder),
            lambda: _copied_and_hashed(source, folder),
            *peers.dlt(source, folder, peers.ARROW),
        )
    return [
        ratio("Parquet landed : cp + hashlib", 1.2, ours, plain, plus_s=0.25),
        peers.beside("Parquet landed, times as fast as dlt (Arrow batches)", 5, ours, peer),
    ]


def landed(source: Path, folder: Path) -> float:
    """Land a file into a new lake, as one process."""
    lake = places.emptied(folder / "lake")
    init(str(lake))
    return process(LAKE, "--lake", lake, "land", source, "--as", "raw.trips")


def _copied_and_hashed(source: Path, folder: Path) -> float:
    copy = folder / "copy.parquet"
    copy.unlink(missing_ok=True)
    return process("cp", source, copy) + timed(lambda: _hash(copy))


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
