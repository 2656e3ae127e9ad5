"""dlt, run as its documentation says; it lies in the dependency group of `make compare`."""

import shutil
from importlib.util import find_spec
from pathlib import Path

from benchmarks.measure import Figure, Missing, Timed, faster, python

ARROW = """
import pyarrow.parquet as pq
def rows(source):
    yield from pq.ParquetFile(source).iter_batches(100_000)
"""
CSV = """
from pathlib import Path
from dlt.sources.filesystem import filesystem as files, read_csv_duckdb
def rows(source):
    where = Path(source)
    found = files(bucket_url=where.parent.as_uri(), file_glob=where.name)
    yield from found | read_csv_duckdb(use_pyarrow=True)
"""
_LOAD = """
import sys, dlt
from dlt.destinations import filesystem
source, folder = sys.argv[1:]
made = dlt.pipeline("bench", destination=filesystem(folder + "/out"), dataset_name="raw",
                    pipelines_dir=folder + "/state")
trips = dlt.resource(rows(source), name="trips", write_disposition="append")
made.run(trips, loader_file_format="parquet")
"""


def dlt(source: Path, folder: Path, rows: str) -> list[Timed]:
    """Give dlt as a contender, loading what the Python of `rows` gives; none if not there."""

    def run() -> float:
        shutil.rmtree(folder / "dlt", ignore_errors=True)
        return python(rows + _LOAD, source, folder / "dlt")

    return [run] if find_spec("dlt") else []


def beside(
    what: str, bound: float, ours: list[float], theirs: list[list[float]]
) -> Figure | Missing:
    """Return how many times as fast as dlt we were."""
    if not theirs:
        return Missing(what, "needs dlt: `make compare` installs it")
    return faster(what, bound, ours, theirs[0])
