import re
from pathlib import Path

import pytest

from lake.errors import InvalidConfig
from lake.warehouse.url import parse


def test_three_slashes_are_relative_to_the_root() -> None:
    assert parse("duckdb:///a/b.duckdb", root=Path("/lake")).path == Path("/lake/a/b.duckdb")


def test_four_slashes_are_absolute() -> None:
    assert parse("duckdb:////abs/b.duckdb", root=Path("/lake")).path == Path("/abs/b.duckdb")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("w.duckdb", "warehouse 'w.duckdb' is no URL: write duckdb:///FILE.duckdb"),
        (
            "postgresql://me:secret@db/taxi?password=secret",
            "warehouse 'postgresql://db/taxi' is of the kind 'postgresql', and this version loads"
            " into DuckDB files only: write duckdb:///FILE.duckdb",
        ),
        (
            "duckdb://w.duckdb",
            "warehouse 'duckdb://w.duckdb' names a host, and DuckDB has none: write three slashes"
            " before a relative path and four before an absolute one, as in duckdb:///FILE.duckdb",
        ),
        (
            "duckdb:///",
            "warehouse 'duckdb:///' names no file: write duckdb:///FILE.duckdb, without parameters",
        ),
        (
            "duckdb:///:memory:",
            "warehouse 'duckdb:///:memory:' names no file: write duckdb:///FILE.duckdb, without"
            " parameters",
        ),
    ],
)
def test_a_url_that_names_no_file_is_refused(url: str, message: str) -> None:
    with pytest.raises(InvalidConfig, match=f"^{re.escape(message)}$"):
        parse(url, root=Path("/lake"))
