"""A thousand small files landed as partitions of one dataset, beside one after the other.

What bounds it is Python: of each file the footer is asked for with four small queries, and the file
and its receipt are linked and fsynced. One after the other, each pays for a commit and the view.
"""

from pathlib import Path

import duckdb

from benchmarks import places
from benchmarks.measure import LAKE, Figure, interleaved, process, python
from lake.opening import init

FILES = 1000
ONE_BY_ONE = 100
_LOOP = """
import sys, lake
url, folder, count = sys.argv[1:]
lk = lake.open(url)
for n in range(int(count)):
    lk.land(f"{folder}/part-{n:04}.parquet", dataset="raw.x", partition={"part": f"{n:04}"})
"""


def figures() -> list[Figure]:
    with places.scratch() as folder:
        files = _files(folder / "files")
        together, alone = interleaved(
            3, lambda: _together(files, folder), lambda: _one_by_one(files, folder)
        )
    each = [seconds * FILES / ONE_BY_ONE for seconds in alone]
    note = f"{min(together):.2f} s : {min(each):.2f} s, from {ONE_BY_ONE} of them"
    best, median = min(each) / min(together), sorted(each)[1] / sorted(together)[1]
    what = "1,000 files of 100 KB, times as fast as one after the other"
    return [Figure(what, 4, best, median, is_at_least=True, note=note)]


def _together(files: Path, folder: Path) -> float:
    project = places.emptied(folder / "together")
    values = ", ".join(f'"{n:04}"' for n in range(FILES))
    (project / "lake.toml").write_text(
        '[lake]\nurl = "./lake"\n[sources.x]\n'
        f'url = "{files}/part-{{part}}.parquet"\npartition.part = {{ values = [{values}] }}\n'
    )
    init(str(project / "lake"))
    return process("env", "-C", project, LAKE, "land", "x")


def _one_by_one(files: Path, folder: Path) -> float:
    """Land in a loop of one process, which is kinder than a command each."""
    lake = places.emptied(folder / "alone")
    init(str(lake))
    return python(_LOOP, lake, files, str(ONE_BY_ONE))


def _files(folder: Path) -> Path:
    folder.mkdir()
    with duckdb.connect() as connection:
        for number in range(FILES):
            rows = (
                "SELECT n::INTEGER AS id, hash(n, $1) % 1000 / 4 AS fare,"
                " md5((n * $1)::VARCHAR) AS h"
                " FROM range(4000) t(n)"
            ).replace("$1", str(number + 1))
            target = folder / f"part-{number:04}.parquet"
            connection.execute(f"COPY ({rows}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
    return folder
