import re
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from lake.errors import ModelInvalid
from lake.models.columns import OutputColumn, output_columns
from lake.models.parse import parse_model
from lake.models.types import published_columns, published_select, published_type, publishing_error

PATH = "models/m.sql"


def publish(sql: str, target: Path) -> list[tuple[Any, ...]]:
    """Write a model's result as it is published, and read it back."""
    connection = duckdb.connect()
    model = parse_model(sql, name="m", path=PATH)
    columns = output_columns(connection, model, (), {})
    select = published_select(columns, f"({model.sql}\n)", path=PATH)
    try:
        connection.execute(f"COPY ({select}) TO '{target}' (FORMAT parquet)")
    except duckdb.Error as exc:
        raise publishing_error(exc, path=PATH) or exc from exc
    return connection.execute(f"SELECT * FROM read_parquet('{target}')").fetchall()


def test_a_sum_of_integers_beyond_two_to_the_53_is_exact_in_the_file(tmp_path: Path) -> None:
    sql = "select sum(x) as total from (values (9007199254740993), (2)) v(x)"
    assert publish(sql, tmp_path / "x.parquet") == [(9007199254740995,)]
    assert str(pq.read_table(tmp_path / "x.parquet").schema.field("total").type) == "int64"


@pytest.mark.parametrize(
    ("kind", "published"),
    [
        ("HUGEINT", "BIGINT"),
        ("UHUGEINT", "BIGINT"),
        ("UBIGINT", "DECIMAL(20,0)"),
        ("UINTEGER", "BIGINT"),
        ("USMALLINT", "INTEGER"),
        ("UTINYINT", "SMALLINT"),
        ("TIMESTAMP_NS", "TIMESTAMP"),
        ("JSON", "VARCHAR"),
        ("UUID", "VARCHAR"),
        ("ENUM('a', 'b')", "VARCHAR"),
        ("DECIMAL(38,2)", "DECIMAL(38,2)"),
        ("TIMESTAMP WITH TIME ZONE", "TIMESTAMP WITH TIME ZONE"),
        ("HUGEINT[]", "BIGINT[]"),
        ("INTEGER[2]", "INTEGER[]"),
        ("MAP(VARCHAR, UTINYINT)", "MAP(VARCHAR, SMALLINT)"),
        ('STRUCT("a b" HUGEINT, l JSON[])', 'STRUCT("a b" BIGINT, "l" VARCHAR[])'),
    ],
)
def test_a_published_type_is_one_that_every_reader_gets_right(kind: str, published: str) -> None:
    assert published_type(kind) == published


def test_values_keep_their_value_in_their_published_type(tmp_path: Path) -> None:
    sql = """
        select 18446744073709551615::ubigint as u, 255::utinyint as t, '{"a": 1}'::json as j,
            timestamp_ns '2024-01-01 00:00:00.123456' as n, 'a'::enum('a', 'b') as e,
            {'x': [1::hugeint, null], 'y': null::uhugeint} as s, map {'k': 7::ubigint} as m,
            null::hugeint as h, '00000000-0000-0000-0000-000000000001'::uuid as i
    """
    assert publish(sql, tmp_path / "x.parquet") == [
        (
            Decimal(18446744073709551615),
            255,
            '{"a": 1}',
            datetime(2024, 1, 1, 0, 0, 0, 123456),
            "a",
            {"x": [1, None], "y": None},
            {"k": Decimal(7)},
            None,
            "00000000-0000-0000-0000-000000000001",
        )
    ]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (
            "select 9223372036854775807::hugeint + 1 as n",
            "models/m.sql: column 'n' is HUGEINT and holds 9223372036854775808, which BIGINT cannot"
            ' hold exactly: write CAST("n" AS DECIMAL(38,0)) in the model, or another type',
        ),
        (
            "select timestamp_ns '2024-01-01 00:00:00.123456789' as \"at's\"",
            'column "at\'s" is TIMESTAMP_NS and holds 2024-01-01 00:00:00.123456789, which'
            ' TIMESTAMP cannot hold exactly: write CAST("at\'s" AS TIMESTAMP)',
        ),
        (
            "select [{'a': -170141183460469231731687303715884105727::hugeint}] as l",
            "column 'l' is STRUCT(a HUGEINT)[]",
        ),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_the_cast_to_write(
    tmp_path: Path, sql: str, message: str
) -> None:
    with pytest.raises(ModelInvalid, match=re.escape(message)):
        publish(sql, tmp_path / "x.parquet")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (
            "INTERVAL",
            "column 'c' is of type INTERVAL, which not every reader of Parquet gets right: write"
            ' CAST("c" AS VARCHAR), or another type',
        ),
        (
            '"NULL"',
            "column 'c' is an untyped NULL, which not every reader of Parquet gets right: write"
            ' CAST("c" AS VARCHAR)',
        ),
        ('"NULL"[]', 'is an untyped NULL inside "NULL"[], which'),
        (
            "STRUCT(a INTERVAL, b HUGEINT)",
            "is of type INTERVAL inside STRUCT(a INTERVAL, b HUGEINT)",
        ),
        ("STRUCT(a INTERVAL, b HUGEINT)", 'write CAST("c" AS STRUCT("a" VARCHAR, "b" BIGINT))'),
        ("TIME WITH TIME ZONE", "is of type TIME WITH TIME ZONE"),
        ("UNION(a INTEGER)", "is of type UNION(a INTEGER)"),
    ],
)
def test_a_type_that_cannot_be_published_is_refused_with_the_cast_to_write(
    kind: str, message: str
) -> None:
    with pytest.raises(ModelInvalid, match=re.escape(message)):
        published_columns([OutputColumn("c", kind)], path=PATH)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "a"], "the output has two named 'a': rename one of them with AS"),
        (["a", "A"], "the output has 'a' and 'A': rename one of them with AS"),
        (["a", " "], "output column 2 has no name: give it one with AS"),
    ],
)
def test_output_names_that_are_empty_or_there_twice_are_refused(
    names: list[str], message: str
) -> None:
    with pytest.raises(ModelInvalid, match=re.escape(f"{PATH}: {message}")):
        published_columns([OutputColumn(name, "BIGINT") for name in names], path=PATH)


def test_an_error_of_something_else_is_not_translated() -> None:
    with pytest.raises(duckdb.Error, match="nope") as raised:
        duckdb.connect().execute("SELECT error('nope')")
    assert publishing_error(raised.value, path=PATH) is None
