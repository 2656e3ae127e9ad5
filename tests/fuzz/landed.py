"""What came of a file of texts, held against what its rows mean."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb

from lake.config.types import Reading
from lake.convert.converted import Converted
from tests.fuzz.says import says, type_of

Texts = Sequence[tuple[str | None, ...]]


def landed(
    path: Path, folder: Path, convert: Callable[..., Converted], reading: Reading
) -> tuple[Converted, list[tuple[Any, ...]], dict[str, str]]:
    """Convert a file; return what was said of it, its rows, and the types by name."""
    out = folder / "out.parquet"
    done = convert(path, out, name="in", reading=reading, rejects=folder / "rejects")
    with duckdb.connect() as con:
        found = con.read_parquet(str(out), hive_partitioning=False)
        types = dict(zip(found.columns, map(str, found.types), strict=True))
        rows = found.fetchall()
    assert done.rows == len(rows)
    return done, rows, types


def landed_texts(
    path: Path,
    folder: Path,
    convert: Callable[..., Converted],
    reading: Reading,
    meant: Texts,
    *,
    rejected: int = 0,
) -> None:
    """Convert a file, and hold rows, rejects, types and every value against what was meant."""
    done, rows, types = landed(path, folder, convert, reading)
    assert (done.rows, done.rejected) == (len(meant), rejected), done
    for at, dtype in enumerate(types.values()):
        assert dtype == type_of([row[at] for row in meant])
    wrong = {
        (value, text, dtype)
        for row, texts in zip(rows, meant, strict=True)
        for value, text, dtype in zip(row, texts, types.values(), strict=True)
        if not says(value, text, dtype)
    }
    assert not wrong, f"value, text and type: {sorted(wrong, key=repr)[:5]}"
