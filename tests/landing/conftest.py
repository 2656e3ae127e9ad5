from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from lake.query.sql import literal

Parquet = Callable[[str, str], Path]


@pytest.fixture
def parquet(tmp_path: Path) -> Parquet:
    """Return what writes the answer to a SELECT into a file of this name."""

    def write(name: str, select: str) -> Path:
        path = tmp_path / name
        duckdb.sql(f"COPY ({select}) TO {literal(str(path))} (FORMAT parquet)")
        return path

    return write
