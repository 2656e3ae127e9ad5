"""`python -m benchmarks.csv_memory [GB]`: the resident memory of converting a large CSV file."""

import resource
import sys
from pathlib import Path

from benchmarks import places
from benchmarks.measure import Figure, Missing, python

GIGABYTES = 3.0
_BOUND_MB = 700
_CONVERT = """
import sys
from pathlib import Path
from lake.convert.csv.convert import convert_csv
source, out = map(Path, sys.argv[1:])
convert_csv(source, out, name=source.name)
"""


def figures(gigabytes: float = GIGABYTES) -> list[Figure | Missing]:
    with places.scratch() as folder:
        source = _repeated(folder / "large.csv", int(gigabytes * 1e9))
        taken = python(_CONVERT, source, folder / "out.parquet")
    # Of all children so far the largest; what made the source is no child.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
    what = f"MB of memory to convert a CSV of {gigabytes:g} GB"
    return [Figure(what, _BOUND_MB, peak, peak, unit="MB", note=f"{taken:.0f} s")]


def _repeated(path: Path, byte_count: int) -> Path:
    """Write the taxi rows again and again, under one header."""
    source = places.taxi_csv()
    with path.open("wb") as target:
        while target.tell() < byte_count:
            with source.open("rb") as file:
                header = file.readline()
                if not target.tell():
                    target.write(header)
                while chunk := file.read(1 << 20):
                    target.write(chunk)
    return path


if __name__ == "__main__":
    size = float(sys.argv[1]) if sys.argv[1:] else GIGABYTES
    for figure in figures(size):
        sys.stdout.write(f"{figure}\n")
