"""Convert text that a test writes, and read back all that came of it."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from lake.config.types import AS_IT_COMES, Reading
from lake.convert.converted import Converted
from lake.convert.csv.convert import convert_csv

Rows = list[tuple[Any, ...]]
Reject = tuple[int, str, str]


def convert(
    folder: Path,
    data: bytes | str,
    reading: Reading = AS_IT_COMES,
    *,
    by: Callable[..., Converted] = convert_csv,
) -> tuple[Converted, Rows, list[Reject]]:
    """Convert a source; give the result, the rows, and line, reason and text of each reject."""
    path, out, rejects = folder / "in.txt", folder / "out.parquet", folder / "rejects"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    rejects.unlink(missing_ok=True)
    done = by(path, out, name="in.txt", reading=reading, rejects=rejects)
    rows = duckdb.read_parquet(str(out)).fetchall()
    rejected = [(one["line"], one["reason"], one["raw"]) for one in read_rejects(rejects)]
    assert (done.rows, done.rejected) == (len(rows), len(rejected))
    assert not [left for left in folder.iterdir() if left.is_dir()]
    return done, rows, rejected


def read_rejects(path: Path) -> list[dict[str, Any]]:
    """Return the rejected rows in a file, none if it is not there."""
    lines = gzip.decompress(path.read_bytes()).decode().splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def types(folder: Path) -> list[str]:
    """Return the types of what was converted last."""
    return [str(one) for one in duckdb.read_parquet(str(folder / "out.parquet")).types]
