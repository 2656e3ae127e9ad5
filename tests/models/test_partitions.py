import re
from datetime import date

import duckdb
import pytest

from lake.errors import BuildFailed, ModelInvalid
from lake.models.columns import OutputColumn
from lake.models.partitions import (
    Leak,
    OutputPartition,
    inside,
    leak,
    output_partitions,
    validate_keys,
)

PATH = "models/m.sql"


def partitions(rows: str, *keys: str) -> tuple[OutputPartition, ...]:
    relation = f"(SELECT * FROM (VALUES {rows}) AS v(a, b))"
    return output_partitions(duckdb.connect(), relation, keys, path=PATH)


def test_a_result_is_cut_by_the_text_of_its_values() -> None:
    found = partitions(
        "(DATE '2024-01-31', true), (DATE '2024-01-31', true), (DATE '2024-02-01', false)", "a", "b"
    )
    assert found == (
        OutputPartition("a=2024-01-31/b=true", {"a": "2024-01-31", "b": "true"}, 2),
        OutputPartition("a=2024-02-01/b=false", {"a": "2024-02-01", "b": "false"}, 1),
    )


def test_odd_values_are_percent_encoded() -> None:
    assert [item.text for item in partitions("('a/b =%é😀', 1)", "a")] == [
        "a=a%2Fb%20%3D%25%C3%A9%F0%9F%98%80"
    ]


def test_without_keys_there_is_one_partition_even_without_rows() -> None:
    relation = "(SELECT 1 AS a LIMIT 0)"
    assert output_partitions(duckdb.connect(), relation, (), path=PATH) == (
        OutputPartition("", {}, 0),
    )


def test_a_result_without_rows_has_no_partitions() -> None:
    assert output_partitions(duckdb.connect(), "(SELECT 1 AS a LIMIT 0)", ("a",), path=PATH) == ()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            "(NULL, 1), (NULL, 2), ('x', 3)",
            "column 'a' is NULL in 2 of 3 rows: filter them out or give them a value",
        ),
        ("('', 1), ('x', 3)", "partition_by column 'a' is empty in 1 of 2 rows"),
        ("(repeat('x', 300), 1)", "partition value of 'a' is too long: 300 bytes"),
    ],
)
def test_a_value_that_names_no_partition_is_refused_with_the_count(rows: str, message: str) -> None:
    with pytest.raises(BuildFailed, match=re.escape(message)):
        partitions(rows, "a")


def test_the_partitions_condition_finds_exactly_its_rows() -> None:
    connection = duckdb.connect()
    connection.execute(
        "CREATE TABLE t AS SELECT range % 3 AS a, 'it''s ' || range % 2 AS b FROM range(12)"
    )
    found = output_partitions(connection, "t", ("a", "b"), path=PATH)
    counted = [
        connection.execute(f"SELECT count(*) FROM t WHERE {inside(p.values)}").fetchone()
        for p in found
    ]
    assert counted == [(item.rows,) for item in found]
    assert sum(item.rows for item in found) == 12


def test_rows_outside_the_partition_that_was_built_are_counted_and_shown() -> None:
    rows = "(DATE '2024-01-01', 1), (DATE '2024-02-01', 2), (NULL, 3)"
    relation = f"(SELECT * FROM (VALUES {rows}) AS v(d, n))"
    found = leak(duckdb.connect(), relation, {"d": "2024-01-01"})
    assert found == Leak(2, ("d", "n"), ((date(2024, 2, 1), 2), (None, 3)))


def test_without_rows_outside_there_is_no_leak() -> None:
    assert leak(duckdb.connect(), "(SELECT 'x' AS a)", {"a": "x"}) == Leak(0)


def test_keys_are_output_columns_of_a_type_that_names_a_partition() -> None:
    columns = [
        OutputColumn("a", "BIGINT"),
        OutputColumn("b", "DATE"),
        OutputColumn("c", "DECIMAL(20,0)"),
        OutputColumn("d", "HUGEINT"),
    ]
    validate_keys(columns, ("a", "b", "c", "d"), path=PATH)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("mont", "partition_by names no output column 'mont'; did you mean month?"),
        (
            "at",
            "partition_by column 'at' is TIMESTAMP: a partition's value is a text, an integer, a"
            ' date or a boolean; write CAST("at" AS VARCHAR) or AS DATE',
        ),
        ("fare", "partition_by column 'fare' is DOUBLE"),
    ],
)
def test_other_keys_are_refused(key: str, message: str) -> None:
    columns = [
        OutputColumn("month", "VARCHAR"),
        OutputColumn("at", "TIMESTAMP"),
        OutputColumn("fare", "DOUBLE"),
    ]
    with pytest.raises(ModelInvalid, match=re.escape(f"{PATH}: {message}")):
        validate_keys(columns, (key,), path=PATH)
