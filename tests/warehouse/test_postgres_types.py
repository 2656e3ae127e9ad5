"""Values and types in PostgreSQL: what arrives exactly, what is widened, what is refused."""

import re
from pathlib import Path
from typing import Any

import pytest

from lake.errors import (
    LoadRefused,
)
from lake.warehouse.load import describe, load, reconcile
from tests.warehouse.loads import Publish, one_row
from tests.warehouse.places import Place


@pytest.fixture
def warehouse(postgres_warehouse: Place) -> Place:
    return postgres_warehouse


TYPES = [
    ("BOOLEAN", "true", "boolean", "true"),
    ("TINYINT", "-128", "smallint", "-128"),
    ("UTINYINT", "255", "smallint", "255"),
    ("USMALLINT", "65535", "integer", "65535"),
    ("UINTEGER", "4294967295", "bigint", "4294967295"),
    ("UBIGINT", "18446744073709551615", "numeric(20,0)", "18446744073709551615"),
    ("BIGINT", "-9223372036854775808", "bigint", "-9223372036854775808"),
    ("FLOAT", "0.1", "real", "0.1"),
    ("DOUBLE", "'-inf'", "double precision", "-Infinity"),
    ("DOUBLE", "5e-324", "double precision", "5e-324"),
    ("DECIMAL(38,10)", "'-1234567890123456789012345678.0123456789'", "numeric(38,10)", None),
    ("VARCHAR", "'it''s é 💡\n\\'", "text", "it's é 💡\n\\"),
    ("BLOB", "'\\x00\\xFF'", "bytea", "\\x00ff"),
    ("DATE", "'infinity'", "date", "infinity"),
    ("DATE", "'0044-03-15 (BC)'", "date", "0044-03-15 BC"),
    ("TIME", "'23:59:59.999999'", "time without time zone", "23:59:59.999999"),
    ("TIMESTAMP", "'1969-12-31 23:59:59.999999'", "timestamp without time zone", None),
    ("TIMESTAMP_MS", "'2024-01-01 00:00:00.5'", "timestamp without time zone", None),
    (
        "TIMESTAMP WITH TIME ZONE",
        "'2024-01-01 00:00:00+00'",
        "timestamp with time zone",
        "2024-01-01 00:00:00+00",
    ),
    ("UUID", "'0b5e0000-0000-4000-8000-000000000001'", "uuid", None),
    ("INTERVAL", "'14 months 3 days 00:00:01'", "interval", "1 year 2 mons 3 days 00:00:01"),
    ("ENUM('a', 'b')", "'b'", "text", "b"),
    ("INTEGER[]", "[1, NULL, 3]", "integer[]", "{1,NULL,3}"),
    ("VARCHAR[]", "['a,b', '']", "character varying[]", '{"a,b",""}'),
    ("DECIMAL(20,2)[]", "['123456789012345678.25']", "jsonb", "[123456789012345678.25]"),
    ("INTEGER[][]", "[[1], [2, 3]]", "jsonb", "[[1], [2, 3]]"),
    ("STRUCT(a INTEGER, b VARCHAR[])", "{'a': 1, 'b': ['x']}", "jsonb", '{"a": 1, "b": ["x"]}'),
    ("MAP(VARCHAR, BIGINT)", "MAP {'k': 9007199254740993}", "jsonb", '{"k": 9007199254740993}'),
]


def test_every_type_arrives_exactly(tmp_path: Path, warehouse: Place, publish: Publish) -> None:
    columns: dict[str, Any] = {
        f"c{i}": (type_, value) for i, (type_, value, *_) in enumerate(TYPES)
    }
    columns |= {f"n{i}": (type_, "NULL") for i, (type_, *_) in enumerate(TYPES)}
    load(warehouse.url, one_row(publish, **columns), root=tmp_path)
    names = [f"c{i}" for i in range(len(TYPES))]
    found = warehouse.run(
        "SET timezone = 'UTC'; SELECT 1",
        f"SELECT {', '.join(f'{n}::text' for n in names)} FROM t",
        f"SELECT count(*) FROM t WHERE num_nonnulls({', '.join(f'n{n[1:]}' for n in names)}) = 0",
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attnum > 0"
        " AND attrelid = 't'::regclass AND attname LIKE 'c%' ORDER BY attnum",
    )
    wanted = tuple(said if said is not None else value.strip("'") for _, value, _, said in TYPES)
    assert found[-len(TYPES) - 2] == wanted
    assert found[-len(TYPES) - 1] == (1,)
    assert [row[0] for row in found[-len(TYPES) :]] == [type_ for _, _, type_, _ in TYPES]


@pytest.mark.parametrize(
    ("type_", "value", "cast"),
    [
        ("HUGEINT", "1", 'CAST("n" AS DECIMAL(38,0))'),
        ("UHUGEINT", "1", 'CAST("n" AS VARCHAR)'),
        ("TIMESTAMP_NS", "'2024-01-01'", 'CAST("n" AS TIMESTAMP)'),
        ("TIME WITH TIME ZONE", "'10:00+01'", 'CAST("n" AS TIME)'),
        ("BIT", "'101'", 'CAST("n" AS VARCHAR)'),
    ],
)
def test_a_type_without_an_exact_one_is_refused_with_the_cast_to_write(
    tmp_path: Path, warehouse: Place, publish: Publish, type_: str, value: str, cast: str
) -> None:
    message = (
        f"column n of curated.daily is {type_}, for which PostgreSQL has no exact type: nothing"
        f" was changed; write {cast} in the model"
    )
    with pytest.raises(LoadRefused, match=f"^{re.escape(message)}$"):
        load(warehouse.url, one_row(publish, n=(type_, value)), root=tmp_path)


@pytest.mark.parametrize(
    ("type_", "value"), [("VARCHAR", "'x' || chr(0)"), ("VARCHAR[]", "['x' || chr(0)]")]
)
def test_nul_in_a_text_is_named(
    tmp_path: Path, warehouse: Place, publish: Publish, type_: str, value: str
) -> None:
    bad = one_row(publish, a=("VARCHAR", "'fine'"), b=(type_, value))
    with pytest.raises(LoadRefused) as refused:
        load(warehouse.url, bad, root=tmp_path)
    assert str(refused.value) == (
        "column b of curated.daily at commit 1 holds a NUL character in 1 rows, which no text of"
        ' PostgreSQL can: nothing was changed; take it out in the model with replace("b",'
        " chr(0), '')"
    )
    assert describe(warehouse.url, root=tmp_path) == ()


def test_a_text_that_is_too_long_for_its_column_is_not_cut(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    load(warehouse.url, one_row(publish, n=("VARCHAR", "'é💡'")), root=tmp_path)
    warehouse.run("ALTER TABLE t ALTER COLUMN n TYPE varchar(3)")
    fits = one_row(publish, 2, N=("VARCHAR", "'é💡 '"))
    load(warehouse.url, fits, root=tmp_path)
    blanks = one_row(publish, 3, N=("VARCHAR", "'é💡   '"))
    statement = 'ALTER TABLE "public"."t" ALTER COLUMN "n" TYPE text'
    said = (
        "column N of curated.daily at commit 3 holds a text of more than 3 signs in 1 rows, which"
        " the table's column cannot: nothing was changed; shorten it in the model, or run"
        f" {statement}"
    )
    with pytest.raises(LoadRefused, match=f"^{re.escape(said)}$"):
        load(warehouse.url, blanks, root=tmp_path)
    with pytest.raises(LoadRefused, match=f"^{re.escape(said)}$"):
        reconcile(warehouse.url, blanks, root=tmp_path, mend=False)
    assert warehouse.run("SELECT n FROM t") == [("é💡 ",)]
    warehouse.run(statement)
    load(warehouse.url, blanks, root=tmp_path)
    assert warehouse.run("SELECT n FROM t") == [("é💡   ",)]


@pytest.mark.parametrize(
    ("type_", "value", "what", "write"),
    [
        ("STRUCT(x VARCHAR)", "{'x': 'y' || chr(0)}", "a NUL character", "take it out"),
        ("MAP(VARCHAR, INTEGER)", "MAP {chr(0): 1}", "a NUL character", "take it out"),
        ("STRUCT(x DOUBLE)", "{'x': 'nan'}", "NaN or infinity", "write NULL in its place"),
        ("STRUCT(x FLOAT)[]", "[{'x': '-inf'}]", "NaN or infinity", "write NULL in its place"),
    ],
)
def test_what_no_json_of_postgres_holds_is_named(
    tmp_path: Path,
    warehouse: Place,
    publish: Publish,
    type_: str,
    value: str,
    what: str,
    write: str,
) -> None:
    quoted = ("STRUCT(x VARCHAR, y BIGINT[])", r"{'x': '\u0000 \\u0000 NaN \"Infinity', 'y': [1]}")
    bad = one_row(publish, a=quoted, b=(type_, value))
    with pytest.raises(LoadRefused) as refused:
        load(warehouse.url, bad, root=tmp_path)
    assert str(refused.value) == (
        f"column b of curated.daily at commit 1 holds {what} in 1 rows, which no jsonb of"
        f" PostgreSQL can: nothing was changed; {write} in the model"
    )
    assert describe(warehouse.url, root=tmp_path) == ()
    load(warehouse.url, one_row(publish, a=quoted), root=tmp_path)
    assert warehouse.run("SELECT a->>'x' FROM t") == [(r"\u0000 \\u0000 NaN \"Infinity",)]


def test_a_number_is_widened_where_that_writes_nothing_anew(
    tmp_path: Path, warehouse: Place, publish: Publish
) -> None:
    load(warehouse.url, one_row(publish, n=("DECIMAL(4,2)", "1.5")), root=tmp_path)
    before = warehouse.run("SELECT pg_relation_filenode('t')")
    load(warehouse.url, one_row(publish, 2, n=("DECIMAL(9,2)", "1234567.25")), root=tmp_path)
    assert warehouse.run("SELECT n::text FROM t") == [("1234567.25",)]
    assert warehouse.run("SELECT pg_relation_filenode('t')") == before
    load(warehouse.url, one_row(publish, 3, n=("DECIMAL(3,1)", "2.5")), root=tmp_path)
    assert warehouse.run("SELECT n::text FROM t") == [("2.50",)]


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (
            "CREATE VIEW totals AS SELECT n FROM t",
            'rule _RETURN on view totals depends on column "n"',
        ),
        (
            "CREATE RULE also AS ON INSERT TO t WHERE NEW.n > 5 DO ALSO SELECT 1",
            'rule also on table t depends on column "n"',
        ),
        (
            "ALTER TABLE t ADD COLUMN twice NUMERIC GENERATED ALWAYS AS (n * 2) STORED",
            'Column "n" is used by generated column "twice"',
        ),
    ],
    ids=["view", "rule", "generated"],
)
def test_what_keeps_a_number_from_being_widened_is_named(
    tmp_path: Path, warehouse: Place, publish: Publish, make: str, why: str
) -> None:
    load(warehouse.url, one_row(publish, n=("DECIMAL(4,2)", "1.5")), root=tmp_path)
    warehouse.run(make)
    with pytest.raises(LoadRefused) as refused:
        load(warehouse.url, one_row(publish, 2, n=("DECIMAL(9,2)", "1")), root=tmp_path)
    statement = 'ALTER TABLE "public"."t" ALTER COLUMN "n" TYPE numeric(9,2)'
    assert str(refused.value) == (
        f"column n of table t in {warehouse.shown} is to become numeric(9,2), and {why}: nothing"
        f" was changed; drop what depends on it, run {statement}, and make it again"
    )


@pytest.mark.parametrize(
    ("before", "held", "given", "wanted", "value"),
    [
        ("INTEGER", "integer", "BIGINT", "bigint", "5000000000"),
        ("INTEGER", "integer", "VARCHAR", "text", "n/a"),
        ("TIMESTAMPTZ", "timestamp with time zone", "VARCHAR", "text", "n/a"),
        ("STRUCT(a INTEGER)", "jsonb", "VARCHAR", "text", "n/a"),
    ],
)
def test_a_type_that_needs_a_rewrite_is_refused_with_the_statement_to_run(
    tmp_path: Path,
    warehouse: Place,
    publish: Publish,
    before: str,
    held: str,
    given: str,
    wanted: str,
    value: str,
) -> None:
    load(warehouse.url, one_row(publish, n=(before, "NULL")), root=tmp_path)
    wide = one_row(publish, 2, n=(given, f"'{value}'"))
    with pytest.raises(LoadRefused) as refused:
        load(warehouse.url, wide, root=tmp_path)
    statement = 'ALTER TABLE "public"."t" ALTER COLUMN "n" TYPE ' + wanted
    assert str(refused.value) == (
        f"column n of table t in {warehouse.shown} is {held}, and in curated.daily at commit 2 it"
        f" is {wanted}: nothing was changed; to widen it PostgreSQL writes the table anew, so run"
        f" yourself: {statement}"
    )
    warehouse.run(statement)
    load(warehouse.url, wide, root=tmp_path)
    assert warehouse.run("SELECT n::text FROM t") == [(value,)]
