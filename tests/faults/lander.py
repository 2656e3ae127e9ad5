"""One of several processes that land at the same time; see `test_two_at_once`.

Lands a number of files, each of a hundred rows that name the process and the turn, into one
partition that all share, and every fifth into a partition of its own, too.
"""

import sys
from pathlib import Path

import duckdb

import lake
from lake.query.sql import literal

ROWS = 100


def write(path: Path, writer: str, turn: int) -> Path:
    """Write one file."""
    with duckdb.connect(config={"threads": 1}) as con:
        con.execute(
            f"COPY (SELECT {literal(writer)} AS writer, {turn} AS turn, range AS n"
            f" FROM range({ROWS})) TO {literal(str(path))} (FORMAT parquet)"
        )
    return path


def main(url: str, folder: str, writer: str, turns: int) -> None:
    """Land, turn by turn."""
    lk = lake.open(url)
    for turn in range(turns):
        path = write(Path(folder) / f"{writer}-{turn}.parquet", writer, turn)
        lk.land(path, dataset="raw.x", partition={"k": "shared"})
        if turn % 5 == 0:
            lk.land(path, dataset="raw.x", partition={"k": writer})


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
