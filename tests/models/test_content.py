from pathlib import Path

import duckdb
import pytest

from lake.models.columns import OutputColumn
from lake.models.content import build_key, content_hex, content_id, same_engine


def content(rows: str) -> str:
    return content_id(duckdb.connect(), f"(SELECT * FROM (VALUES {rows}) AS v(a, b))")


def test_the_order_of_rows_does_not_count() -> None:
    assert content("(1, 'x'), (2, 'y'), (3, NULL)") == content("(3, NULL), (2, 'y'), (1, 'x')")


@pytest.mark.parametrize(
    "rows",
    [
        "(1, 'x'), (2, 'y'), (2, 'y')",
        "(1, 'x'), (1, 'x'), (2, 'y')",
        "(1, 'y'), (2, 'x')",
        "(1, 'x')",
        "(1::BIGINT, 'x'), (2, 'y')",
        "(1, 'x'), (2, NULL)",
        "(1, 'x'), (2, '')",
    ],
)
def test_every_other_difference_counts(rows: str) -> None:
    assert content(rows) != content("(1, 'x'), (2, 'y')")


def test_rows_that_are_there_twice_count_twice() -> None:
    assert content("(1, 'x'), (1, 'x')") != content("(2, 'y'), (2, 'y')")


def test_the_names_of_columns_count_and_no_rows_have_a_content_too() -> None:
    connection = duckdb.connect()
    assert content_id(connection, "(SELECT 1 AS a LIMIT 0)") != content_id(
        connection, "(SELECT 1 AS b LIMIT 0)"
    )


def test_two_files_of_the_same_rows_have_one_content(tmp_path: Path) -> None:
    connection = duckdb.connect()
    for name, order in (("a", "ASC"), ("b", "DESC")):
        query = f"SELECT range AS x, range::VARCHAR AS y FROM range(5000) ORDER BY x {order}"
        connection.execute(f"COPY ({query}) TO '{tmp_path / name}' (FORMAT parquet)")
    ids = {content_id(connection, f"read_parquet('{tmp_path / name}')") for name in "ab"}
    assert len(ids) == 1


def test_an_id_names_the_engine_that_hashed() -> None:
    found = content("(1, 2)")
    assert found == f"duckdb-{duckdb.__version__}:{content_hex(found)}"
    assert len(content_hex(found)) == 64
    assert same_engine(found)
    assert not same_engine("duckdb-1.4.0:00")


def test_a_build_key_changes_with_each_of_its_parts_and_with_nothing_else() -> None:
    config = {"partition_by": ("month",), "reads": {}}
    inputs = {"raw.a": "1", "raw.b": "2"}
    columns = {"raw.a": (OutputColumn("x", "BIGINT"),)}
    key = build_key("SELECT 1", config=config, inputs=inputs, columns=columns)
    turned = dict(reversed(inputs.items()))
    assert key == build_key("SELECT 1", config=dict(config), inputs=turned, columns=columns)
    others = {
        build_key("SELECT 2", config=config, inputs=inputs, columns=columns),
        build_key(
            "SELECT 1", config={**config, "reads": {"a": "same"}}, inputs=inputs, columns=columns
        ),
        build_key("SELECT 1", config=config, inputs={**inputs, "raw.b": "3"}, columns=columns),
        build_key(
            "SELECT 1",
            config=config,
            inputs=inputs,
            columns={"raw.a": (OutputColumn("x", "DOUBLE"),)},
        ),
    }
    assert len(others | {key}) == 5
