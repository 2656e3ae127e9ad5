"""Ten gigabytes of PostgreSQL landed, and loaded again: the memory a process ever had resident."""

import os
import shutil
import subprocess
from pathlib import Path

import psycopg

from benchmarks import places
from benchmarks.measure import LAKE, Figure, Missing
from lake.opening import init
from tests import servers

GIGABYTES = 10
_BOUND_MB = 512
_ROW_BYTES = 24 + 12 * 8
"""Of a tuple's head and its columns, as PostgreSQL keeps them."""
_COLUMNS = ", ".join(f"hashint8extended(i, {number}) AS c{number}" for number in range(12))
_TABLE = f"CREATE UNLOGGED TABLE large AS SELECT {_COLUMNS} FROM generate_series(1::bigint, %s) i"
_TOML = """
[lake]
url = "{lake}"
[sources.large]
database = "${{WAREHOUSE_URL}}"
table = "large"
[warehouse]
url = "${{WAREHOUSE_URL}}"
load = ["again"]
"""
_MODEL = """-- /// lake
-- description = "All of it"
-- owner = "benchmarks"
-- ///
FROM raw.large
"""


def figures() -> list[Figure | Missing]:
    what = f"memory to {{}} {GIGABYTES} GB of PostgreSQL"
    with places.scratch() as folder, servers.running("postgres") as told:
        # The table there, its rows in work, in the lake, published and loaded, and room to breathe.
        if shutil.disk_usage(folder).free < 6 * GIGABYTES * 1e9:
            return [
                Missing(what.format("land"), f"{6 * GIGABYTES} GB must be free on the cache's disk")
            ]
        os.environ |= told
        _fill(told["WAREHOUSE_URL"])
        lake = folder / "lake"
        init(str(lake))
        (folder / "lake.toml").write_text(_TOML.format(lake=lake))
        (folder / "models").mkdir()
        (folder / "models" / "again.sql").write_text(_MODEL)
        landed = _peak_mb(folder, "land")
        _run(told["WAREHOUSE_URL"], "DROP TABLE large")
        _peak_mb(folder, "transform")
        return [
            Figure(what.format(verb), _BOUND_MB, found, found, unit="MB")
            for verb, found in (("land", landed), ("load", _peak_mb(folder, "load")))
        ]


def _fill(url: str) -> None:
    _run(url, _TABLE.replace("%s", str(GIGABYTES * 10**9 // _ROW_BYTES)))


def _run(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def _peak_mb(folder: Path, verb: str) -> float:
    """Run a verb; return the most memory that its process had resident, in MB."""
    with subprocess.Popen([LAKE, verb], cwd=folder, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"lake {verb} ended with {process.returncode}"
    return used.ru_maxrss / 1024
