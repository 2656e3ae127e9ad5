"""What may be wrong with a database as a source, each told in one line without a secret."""

import sys
import traceback
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from lake.errors import (
    InvalidConfig,
    LakeError,
    MissingExtra,
    SchemaConflict,
    SourceIncomplete,
    SourceUnreadable,
)
from tests import servers
from tests.databases import Shop, landed, rows, without_password

pytestmark = pytest.mark.xdist_group("postgres")

ORDERS = "CREATE TABLE orders (id int, what text, updated_at timestamptz)"
ROW = "INSERT INTO orders VALUES (1, 'a', '2026-01-01 12:00+00')"


def refusal(shop: Shop, kind: type[LakeError] = SourceUnreadable, **said: object) -> str:
    """Return the one line that a landing ends with; nothing was landed by it."""
    lk = shop.lake(**said)
    before = lk.state.partition("raw.orders", "").versions
    with pytest.raises(kind, match=r"^[^\n]+$") as told:
        landed(lk)
    assert lk.state.partition("raw.orders", "").versions == before
    assert "clearlake-on-loopback" not in str(told.value)
    return str(told.value).replace(without_password(shop.url), "URL")


def test_a_wrong_password(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = urlsplit(shop.url)
    monkeypatch.setenv("SHOP_URL", shop.url.replace(str(parts.password), "hunter2"))
    said = refusal(shop)
    assert said == (
        "URL refuses the connection: password authentication failed for user"
        ' "clearlake"; look at the URL that public.orders of ${SHOP_URL} names'
    )


def test_no_such_database(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_URL", f"{shop.url}x")
    assert "does not exist; look at the URL that" in refusal(shop)


def test_nobody_answers(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_URL", f"postgresql://a:b@127.0.0.1:{servers.free_port()}/shop")
    assert "cannot be reached: " in refusal(shop, SourceIncomplete)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("mysql://a:hunter2@db/x", "mysql:// is not supported by this version, which reads"),
        ("db/x", "it is no URL: write postgresql://USER:PASSWORD@HOST/DATABASE"),
        ("postgresql://a:hunter2@db", "its postgresql:// URL names no database: write"),
        ("postgresql://a:hun/ter2@db", "its postgresql:// URL names no database: write"),
    ],
)
def test_a_url_that_is_none(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, url: str, why: str
) -> None:
    monkeypatch.setenv("SHOP_URL", url)
    said = refusal(shop, InvalidConfig)
    assert said.startswith(f"public.orders of ${{SHOP_URL}}: {why}")
    assert "ter2" not in said


def test_a_parameter_that_libpq_does_not_know(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_URL", "postgresql://a:hunter2@db/x?colour=red")
    assert refusal(shop, InvalidConfig) == (
        "public.orders of ${SHOP_URL}, postgresql://db/x: libpq knows no parameter 'colour': take"
        " it out of the URL"
    )


def test_a_parameter_that_cannot_be(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_URL", f"{shop.url}?connect_timeout=soon")
    assert "connect_timeout" in refusal(shop, InvalidConfig)


def test_a_server_that_has_no_room_for_another_is_asked_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, at = shop.url.rpartition("/")[2], shop.url.rpartition("@")[2]
    shop.run(f"CREATE ROLE {name} LOGIN PASSWORD 'x' CONNECTION LIMIT 0")
    monkeypatch.setenv("SHOP_URL", f"postgresql://{name}:x@{at}")
    assert "too many connections for role" in refusal(shop, SourceIncomplete)
    shop.run(f"DROP ROLE {name}")


def test_a_password_with_any_sign_is_taken_and_never_shown(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, at = shop.url.rpartition("/")[2], shop.url.rpartition("@")[2]
    shop.run(ORDERS, ROW, f"CREATE ROLE {name} LOGIN PASSWORD 'hun/zzq@2?#'")
    shop.run(f"GRANT SELECT ON orders TO {name}")
    monkeypatch.setenv("SHOP_URL", f"postgresql://{name}:hun/zzq@2?#@{at}")
    assert landed(shop.lake()).rows == 1
    monkeypatch.setenv("SHOP_URL", f"postgresql://{name}:hun/zzq@3?#@{at}")
    said = refusal(shop)
    assert "refuses the connection" in said
    assert "zzq" not in said
    shop.run(f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def test_a_variable_that_is_not_set(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_URL")
    assert "the environment variable SHOP_URL is not set" in refusal(shop, InvalidConfig)


def test_a_table_that_is_gone(shop: Shop) -> None:
    shop.run(ORDERS, ROW)
    landed(shop.lake())
    shop.run("ALTER TABLE orders RENAME TO bestellungen")
    assert refusal(shop) == (
        'public.orders of URL cannot be read: relation "public.orders" does not exist; look at the'
        " name (capitals need quotes), or whether it was dropped or renamed"
    )


def test_a_table_that_this_user_may_not_read(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    name = shop.url.rpartition("/")[2]
    shop.run(ORDERS, f"CREATE ROLE {name} LOGIN PASSWORD 'reader'")
    at = shop.url.rpartition("@")[2]
    monkeypatch.setenv("SHOP_URL", f"postgresql://{name}:reader@{at}")
    assert "permission denied for table orders; grant SELECT on it to this user" in refusal(shop)
    shop.run(f"DROP ROLE {name}")


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("SELEC 1", "syntax error at or near"),
        ("SELECT 1 AS id, 2 AS ID", "two columns 'id' (capitals aside): write a query that gives"),
        ("SELECT 1/(n - 5) AS id FROM generate_series(1, 9) n", "division by zero"),
        ("DELETE FROM orders RETURNING id", "syntax error"),
        ("SELECT setval('ids', 7) AS id", "in a read-only transaction"),
    ],
)
def test_a_query_that_cannot_be_run(shop: Shop, query: str, why: str) -> None:
    shop.run(ORDERS, ROW, "CREATE SEQUENCE ids")
    assert why in refusal(shop, query=query)
    assert shop.connection.execute("SELECT count(*) FROM orders").fetchone() == (1,)


def test_a_cursor_that_is_null(shop: Shop) -> None:
    shop.run(ORDERS, ROW, "INSERT INTO orders VALUES (2, 'b', NULL)")
    assert refusal(shop, cursor="updated_at") == (
        "public.orders of URL: its cursor 'updated_at' is NULL in 1 row(s), which would never"
        " land: fill it there, leave them out with a query, or take cursor out"
    )


def test_a_cursor_that_goes_backwards(shop: Shop) -> None:
    shop.run(ORDERS, ROW, "INSERT INTO orders VALUES (2, 'b', '2026-01-02 12:00+00')")
    lk = shop.lake(cursor="updated_at")
    landed(lk)
    shop.run("DELETE FROM orders WHERE id = 2", ROW.replace("1,", "3,"))
    assert refusal(shop, cursor="updated_at") == (
        "public.orders of URL: its cursor 'updated_at' went backwards: 2026-01-01 12:00:00+00 is"
        " the newest now, and 2026-01-02 12:00:00+00 was landed: if rows were deleted or the table"
        " was restored, `lake land NAME --force`, with this source's name, goes on from what is"
        " there"
    )
    assert landed(lk, force=True).rows == 1
    assert rows(lk, "SELECT id FROM raw.orders ORDER BY id") == [(1,), (2,), (3,)]
    assert landed(lk).outcome == "unchanged"
    shop.run("TRUNCATE orders")
    assert "nothing is the newest now" in refusal(shop, cursor="updated_at")


def test_a_cursor_that_is_gone_or_of_another_type(shop: Shop) -> None:
    shop.run(ORDERS, ROW)
    landed(shop.lake(cursor="updated_at"))
    shop.run("ALTER TABLE orders ALTER updated_at TYPE int USING 7")
    assert "where the last landing ended, is no value of its cursor" in refusal(
        shop, cursor="updated_at"
    )
    shop.run("ALTER TABLE orders DROP updated_at")
    assert 'column "updated_at" does not exist; correct the column' in refusal(
        shop, cursor="updated_at"
    )


@pytest.mark.parametrize(
    ("cursor", "why"),
    [
        ("what", "is of type text: name a column of integers, numerics, dates or timestamps"),
        ("spot", "is of type point: name a column of integers, numerics, dates or timestamps"),
        ("infinite", "holds infinity, behind which nothing is newer"),
    ],
)
def test_a_column_that_cannot_be_a_cursor(shop: Shop, cursor: str, why: str) -> None:
    shop.run(ORDERS, ROW, "ALTER TABLE orders ADD infinite date DEFAULT 'infinity'")
    shop.run("ALTER TABLE orders ADD spot point")
    assert why in refusal(shop, cursor=cursor)


def test_a_lookback_that_does_not_fit_the_cursor(shop: Shop) -> None:
    shop.run(ORDERS, ROW)
    assert "lookback = '2 hours' does not fit its cursor, of type integer: write a number" in (
        refusal(shop, cursor="id", lookback="2 hours")
    )


def test_a_key_that_is_gone(shop: Shop) -> None:
    shop.run(ORDERS, ROW)
    landed(shop.lake(key=["id"]))
    shop.run("ALTER TABLE orders RENAME id TO number")
    assert "has no column 'id', which is its key: correct key in lake.toml" in refusal(
        shop, key=["id"]
    )


def test_a_column_whose_type_fits_no_more_is_not_appended(shop: Shop) -> None:
    shop.run(ORDERS, ROW)
    landed(shop.lake(cursor="updated_at"))
    shop.run(
        "ALTER TABLE orders ALTER id TYPE date USING '2024-01-01'", ROW.replace("1,", "now(),")
    )
    said = refusal(shop, SchemaConflict, cursor="updated_at")
    assert said.startswith(
        "raw.orders: nothing was appended: column 'id' is INTEGER in what was landed before and"
        " DATE in what came now: "
    )


def test_an_array_whose_bounds_differ_says_what_to_do(shop: Shop) -> None:
    shop.run("CREATE TABLE orders (id int, a int[])", "INSERT INTO orders VALUES (1, '{1}')")
    landed(shop.lake(cursor="id"))
    shop.run("INSERT INTO orders VALUES (2, '[0:0]={1}')")
    assert refusal(shop, SchemaConflict, cursor="id").endswith(
        "no type holds the values of both exactly; give it its former type with a query, or land"
        " it under another name"
    )


TEXT = "CREATE TABLE orders AS SELECT 'hunter2' AS what"


@pytest.mark.parametrize("said", [{}, {"cursor": "id"}])
def test_a_value_that_a_query_cannot_take_is_shown_to_nobody_else(
    shop: Shop, said: dict[str, object]
) -> None:
    shop.run(TEXT)
    lk = shop.lake(query="SELECT what::int AS id FROM orders", **said)
    with pytest.raises(SourceUnreadable, match=r'integer: "hunter2"; mend it there, or') as told:
        landed(lk)
    assert told.value.public.replace(without_password(shop.url), "URL") == (
        "the query of URL cannot be read: the server refuses a value; mend it there, or the source"
        " in lake.toml"
    )


VOLATILE = [
    ("numeric", "1", "1.5"),
    ("numeric", "1.5", "10"),
    ("numeric", "12345678901234567890.5", "0.25"),
    ("numeric", "1", "'NaN'"),
    ("numeric(10,2)", "1", "'NaN'"),
    ("int[]", "'{1}'", "'{{1}}'"),
    ("int[]", "'{1}'", "'[0:0]={1}'"),
]


@pytest.mark.parametrize("is_view", [False, True])
@pytest.mark.parametrize(("kind", "first", "second"), VOLATILE)
def test_a_query_that_gives_other_rows_the_second_time(
    shop: Shop, kind: str, first: str, second: str, is_view: bool
) -> None:
    value = f"CASE WHEN application_now() > 1 THEN {second}::{kind} ELSE {first}::{kind} END"
    query = f"SELECT {value} AS v"
    shop.run(
        "CREATE FUNCTION application_now() RETURNS bigint LANGUAGE sql VOLATILE AS"
        " $$SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'clearlake'$$",
        f"CREATE VIEW orders AS {query}",
    )
    said = refusal(shop) if is_view else refusal(shop, query=query)
    assert said.endswith(
        "cannot be read: it gives other rows each time that it is run; nothing was landed: order"
        " all its rows, or name those that it wants"
    )


@pytest.mark.parametrize("said", [{}, {"cursor": "id"}])
def test_a_query_that_takes_too_long_for_the_server(shop: Shop, said: dict[str, Any]) -> None:
    name = shop.url.rpartition("/")[2]
    shop.run(f"ALTER DATABASE {name} SET statement_timeout = '300ms'")
    query = "SELECT length(pg_sleep(9)::text) AS id"
    assert refusal(shop, query=query, **said) == (
        "the query of URL cannot be read: canceling statement due to statement timeout; raise"
        " statement_timeout for this user there"
    )


def test_text_that_is_no_utf8(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"{shop.url.rpartition('/')[2]}_ascii"
    shop.run(f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    url = shop.url.replace(name.removesuffix("_ascii"), name)
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("CREATE TABLE orders (id int, what text)")
        other.execute(rb"INSERT INTO orders VALUES (1, E'caf\xe9')")
    monkeypatch.setenv("SHOP_URL", url)
    both: list[dict[str, Any]] = [{}, {"query": "SELECT what FROM orders"}]
    for said in both:
        assert 'UTF8": 0xe9; mend the text there, or leave its column out' in refusal(shop, **said)
    shop.run(f"DROP DATABASE {name}")


def test_a_further_connection_that_is_refused_shows_no_secret(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, at = shop.url.rpartition("/")[2], shop.url.rpartition("@")[2]
    shop.run(ORDERS, ROW, f"CREATE ROLE {name} LOGIN PASSWORD 'x' CONNECTION LIMIT 1")
    shop.run(f"GRANT SELECT ON orders TO {name}")
    monkeypatch.setenv("SHOP_URL", f"postgresql://{name}:x@{at}?sslpassword=hunter2")
    with pytest.raises(SourceIncomplete) as told:
        landed(shop.lake())
    assert str(told.value).replace(without_password(shop.url), "URL") == (
        "public.orders of URL broke off: no further connection is to be had: too many connections"
        f' for role "{name}"; nothing was landed: run the same command again'
    )
    assert "hunter2" not in "".join(traceback.format_exception(told.value))
    shop.run(f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def test_an_option_that_the_server_does_not_know(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_URL", f"{shop.url}?options=-cfoo=off")
    assert refusal(shop) == (
        'URL refuses the connection: unrecognized configuration parameter "foo"; correct options'
        " in the URL that public.orders of ${SHOP_URL} names"
    )


def test_a_server_that_goes_while_it_is_read(shop: Shop) -> None:
    shop.run(
        "CREATE TABLE orders AS SELECT 1 AS id",
        "CREATE FUNCTION leave() RETURNS int LANGUAGE sql VOLATILE AS"
        " 'SELECT pg_terminate_backend(pg_backend_pid())::int'",
    )
    assert "broke off: " in refusal(
        shop, SourceIncomplete, query="SELECT leave() AS id FROM orders"
    )


def test_without_psycopg_the_extra_is_named(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert refusal(shop, MissingExtra) == (
        "PostgreSQL needs psycopg: pip install 'clearlake[postgres]'"
    )
