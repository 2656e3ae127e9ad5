"""Every type of PostgreSQL lands exactly, or as the text that PostgreSQL shows."""

import json
import random
from contextlib import closing
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from lake.errors import SourceUnreadable
from tests.databases import Counting, Shop, landed, rows
from tests.lakes import again

pytestmark = pytest.mark.xdist_group("postgres")

_UUID = "0190c2a4-7b1e-7c3d-8e4f-a1b2c3d4e5f6"
EXACT: list[tuple[str, str, str, Any]] = [
    ("bool", "true", "BOOLEAN", True),
    ("smallint", "-32768", "SMALLINT", -32768),
    ("int", "2147483647", "INTEGER", 2147483647),
    ("bigint", "9223372036854775807", "BIGINT", 9223372036854775807),
    ("real", "0.1", "FLOAT", 0.10000000149011612),
    ("float8", "0.1", "DOUBLE", 0.1),
    ("float8", "'Infinity'", "DOUBLE", float("inf")),
    ("numeric(10,2)", "12345678.90", "DECIMAL(10,2)", Decimal("12345678.90")),
    ("numeric(38,10)", "0.0000000001", "DECIMAL(38,10)", Decimal("0.0000000001")),
    ("numeric", "9007199254740993.25", "DECIMAL(18,2)", Decimal("9007199254740993.25")),
    ("numeric", "0", "DECIMAL(1,0)", Decimal(0)),
    ("numeric", "1.500", "DECIMAL(4,3)", Decimal("1.500")),
    ("numeric", "5999 / 100.0", "DECIMAL(4,2)", Decimal("59.99")),
    ("numeric", "1.25::numeric(500,400) + 0", "DECIMAL(3,2)", Decimal("1.25")),
    ("numeric", "1 / 3.0", "DECIMAL(20,20)", Decimal("0." + "3" * 20)),
    ("numeric(5,-2)", "1234567", "DECIMAL(7,0)", Decimal(1234600)),
    ("numeric(2,4)", "0.0012", "DECIMAL(4,4)", Decimal("0.0012")),
    ("numeric", "1" + "0" * 38, "VARCHAR", "1" + "0" * 38),
    ("numeric(60,2)", "1.50", "DECIMAL(3,2)", Decimal("1.50")),
    ("numeric", "'Infinity'", "VARCHAR", "Infinity"),
    ("numeric(10,2)", "'NaN'", "VARCHAR", "NaN"),
    ("numeric", "'NaN'", "VARCHAR", "NaN"),
    ("money", "'-12.34'", "DECIMAL(4,2)", Decimal("-12.34")),
    ("text", "'é'", "VARCHAR", "é"),
    ("varchar(5)", "''", "VARCHAR", ""),
    ("char(4)", "'ab'", "VARCHAR", "ab  "),
    ("bytea", r"'\x00ff'", "BLOB", b"\x00\xff"),
    ("uuid", f"'{_UUID}'", "UUID", UUID(_UUID)),
    ("date", "'0044-03-15 BC'", "DATE", "0044-03-15 (BC)"),
    ("date", "'2024-02-29'", "DATE", date(2024, 2, 29)),
    ("date", "'infinity'", "VARCHAR", "infinity"),
    ("timestamp", "'2024-02-29 01:02:03.000004'", "TIMESTAMP", datetime(2024, 2, 29, 1, 2, 3, 4)),
    ("timestamp", "'-infinity'", "VARCHAR", "-infinity"),
    ("timestamp", "'294276-12-31 23:59:59'", "VARCHAR", "294276-12-31 23:59:59"),
    (
        "timestamptz",
        "'2024-06-01 02:00:00+02'",
        "TIMESTAMP WITH TIME ZONE",
        datetime(2024, 6, 1, tzinfo=UTC),
    ),
    ("timestamptz", "'infinity'", "VARCHAR", "infinity"),
    ("time", "'23:59:59.999999'", "TIME", time(23, 59, 59, 999999)),
    ("time", "'24:00:00'", "VARCHAR", "24:00:00"),
    ("timetz", "'12:00:00+02'", "VARCHAR", "12:00:00+02"),
    ("interval", "'1 month 2 days 00:00:00.000001'", "VARCHAR", "1 mon 2 days 00:00:00.000001"),
    ("json", """'{"a":1.0, "a": 2}'""", "VARCHAR", '{"a":1.0, "a": 2}'),
    ("jsonb", """'{"b": 1.10}'""", "VARCHAR", '{"b": 1.10}'),
    ("int[]", "'{1,NULL,3}'", "INTEGER[]", [1, None, 3]),
    ("int[]", "'{{1,2},{3,4}}'", "INTEGER[][]", [[1, 2], [3, 4]]),
    ("text[]", "ARRAY['a,\"b', 'NULL', '']", "VARCHAR[]", ['a,"b', "NULL", ""]),
    ("int[]", "'[0:1]={5,6}'", "VARCHAR", "[0:1]={5,6}"),
    ("float8[]", "'{0.1,NaN}'", "DOUBLE[]", "[0.1, nan]"),
    ("numeric[]", "'{1.10,2}'", "VARCHAR", "{1.10,2}"),
    ("mood", "'glad'", "VARCHAR", "glad"),
    ("positive", "7", "INTEGER", 7),
    ("pair", "'(1,\"a b\")'", "VARCHAR", '(1,"a b")'),
    ("int4range", "'[1,5)'", "VARCHAR", "[1,5)"),
    ("point", "'(1.5,2)'", "VARCHAR", "(1.5,2)"),
    ("inet", "'10.0.0.1'", "VARCHAR", "10.0.0.1"),
    ("bit(3)", "'101'", "VARCHAR", "101"),
    ("oid", "4294967295", "BIGINT", 4294967295),
    ("name", "'x'", "VARCHAR", "x"),
]


PLAIN = {"bool", "smallint", "int", "bigint", "real", "float8", "numeric(10,2)", "numeric(38,10)"}
PLAIN |= {"bytea", "uuid", "date", "timestamp", "timestamptz", "time"}


def _make(shop: Shop) -> None:
    shop.run(
        "CREATE TYPE mood AS ENUM ('sad', 'glad')",
        "CREATE DOMAIN positive AS int CHECK (VALUE > 0)",
        "CREATE TYPE pair AS (a int, b text)",
        *("SET extra_float_digits = 0", "SET timezone = 'Asia/Tokyo'"),
    )
    columns = ", ".join(f"c{n} {kind}" for n, (kind, *_) in enumerate(EXACT))
    shop.run(f"CREATE TABLE orders ({columns})")
    shop.run(f"INSERT INTO orders VALUES ({', '.join(value for _, value, *_ in EXACT)})")
    shop.run("INSERT INTO orders VALUES (NULL)")


@pytest.mark.parametrize("said", [{}, {"query": "SELECT * FROM orders -- all of it"}])
def test_every_type_keeps_its_values(shop: Shop, said: dict[str, object]) -> None:
    _make(shop)
    lk = shop.lake(**said)
    assert landed(lk).rows == 2
    types = {name: kind for name, kind, *_ in rows(lk, "DESCRIBE raw.orders")}
    shown = ", ".join(
        f"c{n}::VARCHAR"
        if isinstance(value, str) or kind == "TIMESTAMP WITH TIME ZONE"
        else f"c{n}"
        for n, (_, _, kind, value) in enumerate(EXACT)
    )
    row, nothing = rows(lk, f"SELECT {shown} FROM raw.orders ORDER BY c0 NULLS LAST")
    for n, (kind, written, wanted, value) in enumerate(EXACT):
        found = row[n]
        if isinstance(value, datetime) and value.tzinfo:
            found = datetime.fromisoformat(found)
        assert (types[f"c{n}"], found) == (wanted, value), f"{written}::{kind}"
    assert set(nothing) == {None}


@pytest.mark.parametrize("said", [{}, {"query": "SELECT id, p, d, row(id, NULL) AS r FROM orders"}])
def test_a_composite_whose_fields_are_null_is_none_itself(
    shop: Shop, said: dict[str, object]
) -> None:
    shop.run(
        "CREATE TYPE pair AS (a int, b text)",
        "CREATE DOMAIN couple AS pair",
        "CREATE TABLE orders (id int, p pair, d couple)",
        "INSERT INTO orders VALUES (1, ROW(1, NULL), ROW(NULL, 'x')), (2, ROW(NULL, NULL), NULL)",
    )
    lk = shop.lake(**said)
    landed(lk)
    records = (["(1,)"], ["(2,)"]) if said else ([], [])
    assert rows(lk) == [(1, "(1,)", "(,x)", *records[0]), (2, "(,)", None, *records[1])]


NAMES = ["bool", "int8", "date", "uuid", "json", "text", "time", "money", "numeric", "bytea", "oid"]


@pytest.mark.parametrize("said", [{}, {"query": "SELECT * FROM orders"}])
def test_a_type_of_ones_own_with_a_built_in_name_is_what_it_is(
    shop: Shop, said: dict[str, object]
) -> None:
    shop.run(
        "CREATE SCHEMA own",
        *(f"CREATE TYPE own.{name} AS ENUM ('sad', 'glad')" for name in NAMES),
        "CREATE TYPE own.int4 AS (a pg_catalog.int4)",
        f"CREATE TABLE orders ({', '.join(f'{name} own.{name}' for name in (*NAMES, 'int4'))},"
        " several own.int8[], pairs own.int4[])",
        f"INSERT INTO orders VALUES ({', '.join(['$$glad$$'] * len(NAMES))}, ROW(7),"
        " '{sad,glad}', ARRAY[ROW(7)::own.int4])",
    )
    lk = shop.lake(**said)
    landed(lk)
    assert rows(lk) == [(*["glad"] * len(NAMES), "(7)", "{sad,glad}", "{(7)}")]


@pytest.mark.parametrize("value", ["-infinity", "infinity"])
def test_a_small_table_that_is_read_a_second_time_lands(shop: Shop, value: str) -> None:
    shop.run(
        "CREATE TABLE orders (id int, ts timestamp)", f"INSERT INTO orders VALUES (1, '{value}')"
    )
    lk = shop.lake()
    landed(lk)
    assert rows(lk) == [(1, value)]


def test_a_table_of_plain_columns_is_scanned_to_the_same_values(shop: Shop) -> None:
    plain = [one for one in EXACT if one[0] in PLAIN and one[2] != "VARCHAR"]
    columns = ", ".join(f"c{n} {kind}" for n, (kind, *_) in enumerate(plain))
    values = ", ".join(value for _, value, *_ in plain)
    shop.run(f"CREATE TABLE orders ({columns}, j json, jb jsonb)")
    shop.run(f"""INSERT INTO orders VALUES ({values}, '{{"a":1.0}}', '{{"b": 1.10}}')""")
    lk = shop.lake()
    landed(lk)
    shown = "SELECT COLUMNS(*)::VARCHAR FROM raw.orders"
    scanned = rows(lk, shown), rows(lk, "DESCRIBE raw.orders")
    landed(shop.lake(query="SELECT * FROM orders"))
    lk = again(lk)
    asked = rows(lk, shown), rows(lk, "DESCRIBE raw.orders")
    assert scanned == asked
    assert [row[1] for row in scanned[1]][: len(plain)] == [kind for _, _, kind, _ in plain]


@pytest.mark.parametrize("said", [{}, {"query": "SELECT * FROM orders"}])
@pytest.mark.parametrize("digits", [(1, 9, 14, 15), (15, 16, 38)])
def test_a_numeric_without_limits_keeps_every_digit(
    shop: Shop, said: dict[str, object], digits: tuple[int, ...]
) -> None:
    """However it comes: up to 15 digits as a double that is rounded, else as a decimal."""
    chosen = random.Random(15)
    shapes = [(p, s) for p in digits for s in sorted({0, p // 2, p})]
    names = [f"n_{p}_{s}" for p, s in shapes]
    shop.run(f"CREATE TABLE orders ({', '.join(f'{name} numeric' for name in names)})")
    for sign in (1, -1, *[0] * 300):
        numbers = (sign * (10**p - 1) or chosen.randint(1 - 10**p, 10**p - 1) for p, _ in shapes)
        texts = (f"{n}e-{s}" for n, (_, s) in zip(numbers, shapes, strict=True))
        shop.run(f"INSERT INTO orders VALUES ({', '.join(texts)})")
    lk = shop.lake(**said)
    landed(lk)
    there = shop.connection.execute("SELECT * FROM orders ORDER BY n_15_0").fetchall()
    found = rows(lk, "FROM raw.orders ORDER BY n_15_0")
    columns = zip(names, zip(*found, strict=True), zip(*there, strict=True), strict=True)
    assert [name for name, ours, theirs in columns if ours != theirs] == []
    types = [kind for _, kind, *_ in rows(lk, "DESCRIBE raw.orders")]
    assert types == [f"DECIMAL({p},{s})" for p, s in shapes]


def test_a_table_of_domains_has_the_types_below_them(shop: Shop) -> None:
    shop.run(
        "CREATE DOMAIN positive AS int CHECK (VALUE > 0)",
        "CREATE DOMAIN price AS numeric",
        "CREATE TABLE orders (id positive, price price)",
        "INSERT INTO orders VALUES (1, 1.25)",
    )
    lk = shop.lake()
    landed(lk)
    assert [kind for _, kind, *_ in rows(lk, "DESCRIBE raw.orders")] == ["INTEGER", "DECIMAL(3,2)"]
    assert rows(lk) == [(1, Decimal("1.25"))]


def test_the_receipt_says_what_became_text_and_where_it_came_from(shop: Shop) -> None:
    shop.run(
        "CREATE TABLE orders (id int, price numeric(10,2), until date)",
        "INSERT INTO orders VALUES (1, 'NaN', '2024-01-01'), (2, 1.5, 'infinity')",
    )
    lk = shop.lake()
    landed(lk)
    (receipt,) = (shop.root / ".lake/raw/orders").rglob("_receipt.json")
    said = json.loads(receipt.read_text())["sources"][0]
    assert said["price as text"] == "1 NaN"
    assert said["until as text"] == "1 infinite or out of range"
    assert said["table"] == "public.orders"
    assert {"snapshot", "lsn", "server"} <= said.keys()
    assert rows(lk) == [(1, "NaN", "2024-01-01"), (2, "1.50", "infinity")]


def test_a_database_in_another_encoding_gives_its_text(shop: Shop) -> None:
    # Of a server that keeps Latin-1, a client gets Latin-1 unless it asks otherwise.
    name = shop.url.rpartition("/")[2]
    shop.run(f"ALTER DATABASE {name} SET client_encoding = 'latin1'")
    shop.run("CREATE TABLE orders (x text)", "INSERT INTO orders VALUES ('déjà')")
    lk = shop.lake()
    landed(lk)
    assert rows(lk) == [("déjà",)]


ODD_SETTINGS = {
    "TimeZone": "Asia/Tokyo",
    "DateStyle": "German",
    "IntervalStyle": "iso_8601",
    "extra_float_digits": "-3",
    "bytea_output": "escape",
    "standard_conforming_strings": "off",
    "idle_in_transaction_session_timeout": "1s",
}


@pytest.mark.parametrize("is_pooled", [False, True])
@pytest.mark.parametrize("said", [{}, {"cursor": "id"}])
def test_what_a_database_or_a_pooler_sets_changes_no_value(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, said: dict[str, object], is_pooled: bool
) -> None:
    texts = (r"ROW('\xff'::bytea, '1 day 02:00'::interval, '2024-02-29 12:00+00'::timestamptz)",)
    shop.run(
        "CREATE TYPE several AS (b bytea, i interval, t timestamptz)",
        "CREATE TABLE orders (id int, s several, floats float8[], what text[])",
        f"INSERT INTO orders VALUES (1, {texts[0]}, '{{0.30000000000000004}}', '{{a}}')",
    )
    name = shop.url.rpartition("/")[2]
    for setting, value in ODD_SETTINGS.items():
        shop.run(f"ALTER DATABASE {name} SET {setting} = '{value}'")
    with closing(Counting(shop.url, forgets=is_pooled)) as pooler:
        monkeypatch.setenv("SHOP_URL", pooler.url)
        lk = shop.lake(**said)
        landed(lk)
    wanted = r'("\\xff","1 day 02:00:00","2024-02-29 12:00:00+00")'
    assert rows(lk) == [(1, wanted, [0.30000000000000004], ["a"])]


@pytest.mark.parametrize("is_pooled", [False, True])
def test_a_snapshot_outlives_the_time_that_others_may_hold_one(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, is_pooled: bool
) -> None:
    name = shop.url.rpartition("/")[2]
    shop.run(f"ALTER DATABASE {name} SET idle_in_transaction_session_timeout = '200ms'")
    with closing(Counting(shop.url, forgets=is_pooled)) as pooler:
        monkeypatch.setenv("SHOP_URL", pooler.url)
        lk = shop.lake(query="SELECT 1 AS id, pg_sleep(1)::text AS waited")
        assert landed(lk).rows == 1


def test_a_pooler_that_drops_settings_lets_no_query_write(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.run("CREATE SEQUENCE ids")
    with closing(Counting(shop.url, forgets=True)) as pooler:
        monkeypatch.setenv("SHOP_URL", pooler.url)
        for said in ({}, {"cursor": "id"}):
            with pytest.raises(SourceUnreadable, match="take what writes out of the query"):
                landed(shop.lake(query="SELECT nextval('ids') AS id", **said))
    assert shop.connection.execute("SELECT is_called FROM ids").fetchone() == (False,)


def test_names_keep_their_spelling(shop: Shop) -> None:
    shop.run(
        'CREATE SCHEMA "My.Shop"',
        'CREATE TABLE "My.Shop"."Order" ("select" int, "It\'s ""é""" int)',
        'INSERT INTO "My.Shop"."Order" VALUES (1, 2)',
    )
    lk = shop.lake(table='"My.Shop"."Order"')
    landed(lk)
    found = lk.sql("FROM raw.orders")
    assert (found.columns, found.fetchall()) == (["select", 'It\'s "é"'], [(1, 2)])
