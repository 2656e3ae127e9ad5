"""Ten gigabytes of a PostgreSQL table landed: how much memory the process ever had resident."""

import os
import resource
import shutil
import subprocess

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
"""


def figures() -> list[Figure | Missing]:
    what = f"memory to land a table of {GIGABYTES} GB in PostgreSQL"
    with places.scratch() as folder, servers.running("postgres") as told:
        # The table there, its rows in work and in the lake, and room to breathe.
        if shutil.disk_usage(folder).free < 3.5 * GIGABYTES * 1e9:
            return [Missing(what, f"{3.5 * GIGABYTES:g} GB must be free on the disk of the cache")]
        os.environ |= told
        size = _filled(told["WAREHOUSE_URL"])
        lake = folder / "lake"
        init(str(lake))
        (folder / "lake.toml").write_text(_TOML.format(lake=lake))
        subprocess.run([LAKE, "land"], check=True, capture_output=True, cwd=folder)
        found = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        return [Figure(what, _BOUND_MB, found, found, unit="MB", note=f"{size / 1e9:.1f} GB")]


def _filled(url: str) -> int:
    """Make the table, and return its bytes."""
    rows = GIGABYTES * 10**9 // _ROW_BYTES
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_TABLE.replace("%s", str(rows)).encode())
        found = connection.execute("SELECT pg_table_size('large')").fetchone()
    assert found
    return int(found[0])
