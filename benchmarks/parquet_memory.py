"""Ten gigabytes of Parquet landed: how much memory the whole process ever had resident."""

import resource
import shutil
import subprocess
from pathlib import Path

import duckdb

from benchmarks import places
from benchmarks.measure import LAKE, Figure, Missing
from lake.opening import init

GIGABYTES = 10
_BOUND_MB = 300
_BYTES_PER_ROW = 8 * 12
# Hashes do not compress, so that what is written is what is landed.
_ROWS = "SELECT {columns} FROM range({count}) t(n)"


def figures() -> list[Figure | Missing]:
    what = f"memory to land {GIGABYTES} GB of Parquet"
    with places.scratch() as folder:
        # The file, its copy in the lake, and room to breathe.
        if _free(folder) < 2.5 * GIGABYTES * 1e9:
            return [Missing(what, f"{2.5 * GIGABYTES:g} GB must be free on the disk of the cache")]
        source = _made(folder / "large.parquet")
        lake = folder / "lake"
        init(str(lake))
        words = [str(word) for word in (LAKE, "--lake", lake, "land", source, "--as", "raw.large")]
        subprocess.run(words, check=True, capture_output=True)
        found = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        note = f"{source.stat().st_size / 1e9:.1f} GB"
        return [Figure(what, _BOUND_MB, found, found, unit="MB", note=note)]


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def _made(path: Path) -> Path:
    columns = ", ".join(f"hash(n, {number}) AS c{number}" for number in range(12))
    rows = _ROWS.format(columns=columns, count=GIGABYTES * 10**9 // _BYTES_PER_ROW)
    with duckdb.connect(config={"memory_limit": "1GB"}) as connection:
        connection.execute(f"COPY ({rows}) TO '{path}' (FORMAT parquet, COMPRESSION uncompressed)")
    return path
