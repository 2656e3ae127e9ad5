"""Whatever a cursor holds and its clock does, each row lands once."""

import pytest

from tests.databases import Shop, landed, rows
from tests.landing.orders import NOON, ONE, ORDERS, add, by_time, ids

pytestmark = pytest.mark.xdist_group("postgres")


def test_a_column_may_be_called_as_our_statements_call_the_rows(shop: Shop) -> None:
    shop.run("CREATE TABLE orders (id int, what text, _lake_rows int DEFAULT 1)")
    shop.run("INSERT INTO orders VALUES (1, 'a')")
    lk = shop.lake(cursor="id", key=["id"])
    landed(lk)
    shop.run("UPDATE orders SET what = 'b'")
    assert landed(lk).rows == 1
    assert rows(lk, "SELECT what FROM raw.orders__current") == [("b",)]


@pytest.mark.parametrize("kind", ["timestamptz", "timestamp", "date"])
def test_a_row_ahead_of_the_clock_hides_none_that_come_after_it(shop: Shop, kind: str) -> None:
    shop.run(f"CREATE TABLE orders (id int, updated_at {kind} DEFAULT now())")
    shop.run("INSERT INTO orders VALUES (1, '2099-01-01')")
    lk = by_time(shop, key=[])
    landed(lk)
    for number in (2, 3):
        shop.run(f"INSERT INTO orders (id) VALUES ({number})")
        assert landed(lk).rows == 1
    assert landed(lk).outcome == "unchanged"
    assert ids(lk) == [1, 2, 3]


def test_a_clock_without_a_zone_may_go_back_where_summer_ends(shop: Shop) -> None:
    shop.run("CREATE TABLE orders (id int, updated_at timestamp)")
    add_naive = "INSERT INTO orders VALUES ({}, timestamp '2025-10-26 02:59' - interval '{}')"
    shop.run(add_naive.format(1, "0 minutes"))
    lk = by_time(shop, key=[])
    landed(lk)
    shop.run(add_naive.format(2, "50 minutes"))
    assert landed(lk).rows == 1
    assert ids(lk) == [1, 2]


def test_a_clock_without_a_zone_may_be_that_of_the_last_zone(shop: Shop) -> None:
    shop.run("CREATE TABLE orders (id int, updated_at timestamp DEFAULT now())")
    shop.run("SET timezone = 'UTC'")
    late = shop.other()
    late.execute("SET LOCAL timezone = 'Etc/GMT+12'")
    shop.run("INSERT INTO orders VALUES (1)")
    lk = by_time(shop, key=[])
    landed(lk)
    late.execute("INSERT INTO orders VALUES (2)")
    late.commit()
    assert landed(lk).rows == 1
    shop.run("INSERT INTO orders VALUES (3, '2099-01-01')")
    assert landed(lk).rows == 1
    late.execute("SET LOCAL timezone = 'Etc/GMT+12'")
    late.execute("INSERT INTO orders VALUES (4)")
    late.commit()
    late.close()
    assert landed(lk).rows == 1


def test_a_clock_that_runs_behind_is_looked_back_for(shop: Shop) -> None:
    shop.run(ORDERS)
    add(shop, (1, "a", NOON))
    lk = by_time(shop, lookback="2 hours")
    landed(lk)
    add(shop, (2, "late", "2026-01-01 10:30+00"), (3, "too late", "2026-01-01 09:00+00"))
    assert landed(lk).rows == 1
    assert ids(lk) == [1, 2]


def test_columns_may_come_and_grow(shop: Shop) -> None:
    shop.run(ORDERS)
    add(shop, (1, "a", NOON))
    lk = by_time(shop)
    landed(lk)
    shop.run(
        "ALTER TABLE orders ALTER id TYPE bigint, ADD paid numeric(10,2) DEFAULT 0",
        f"INSERT INTO orders VALUES (5000000000, 'b', '{NOON}', 1.50)",
    )
    assert landed(lk).rows == 1
    assert landed(lk).outcome == "unchanged"
    assert rows(lk, "SELECT paid FROM raw.orders WHERE id = 1") == [(None,)]
    shop.run("ALTER TABLE orders DROP what")
    shop.run(f"INSERT INTO orders VALUES (7, '{ONE}', 2)")
    assert landed(lk).rows == 1
    assert rows(lk, "SELECT what FROM raw.orders WHERE id = 7") == [(None,)]


@pytest.mark.parametrize("contract", [{}, {"columns": {"v": {"type": "VARCHAR"}}}])
@pytest.mark.parametrize("odd", ["'NaN'", "1.125"])
def test_a_number_is_itself_however_many_digits_it_landed_with(
    shop: Shop, contract: dict[str, object], odd: str
) -> None:
    shop.run("CREATE TABLE orders (id int, v numeric)")
    shop.run("INSERT INTO orders VALUES (1, 1.5), (1, 2.25), (1, 3), (1, 0), (1, -10)")
    lk = shop.lake(cursor="id", **contract)
    assert landed(lk).rows == 5
    for _ in range(2):
        shop.run(f"INSERT INTO orders VALUES (1, {odd})")
        assert landed(lk).rows == 1
    shop.run("DELETE FROM orders WHERE v = 'NaN' OR v = 3", "INSERT INTO orders VALUES (1, 4)")
    assert landed(lk).rows == 1


@pytest.mark.parametrize("kind", ["timestamptz", "timestamp", "date"])
def test_a_time_is_itself_though_its_column_became_text(shop: Shop, kind: str) -> None:
    times = ("2026-01-01 12:00:00.5", "0044-03-15 12:00 BC", "10000-01-01 00:00:00.000001")
    shop.run(f"CREATE TABLE orders (id int, at {kind})", "SET timezone = 'UTC'")
    shop.run(f"INSERT INTO orders SELECT 1, unnest('{{{','.join(times)}}}'::{kind}[])")
    lk = shop.lake(cursor="id")
    assert landed(lk).rows == 3
    for _ in range(2):
        shop.run("INSERT INTO orders VALUES (1, 'infinity')")
        assert landed(lk).rows == 1


def test_a_cursor_with_more_digits_than_any_type_has_comes_once(shop: Shop) -> None:
    shop.run("CREATE TABLE orders (n numeric)")
    more = f".{'0' * 38}1"
    shop.run(f"INSERT INTO orders VALUES (9{more})")
    lk = shop.lake(cursor="n")
    landed(lk)
    with shop.other() as late:
        late.execute("SELECT now()")
        for number in (10, 11):
            shop.run(f"INSERT INTO orders VALUES ({number}{more})")
            assert landed(lk).rows == 1
    late.close()


@pytest.mark.parametrize("kind", ["timestamptz", "timestamp"])
def test_a_time_beyond_any_type_comes_once(shop: Shop, kind: str) -> None:
    shop.run(f"CREATE TABLE orders (at {kind})")
    shop.run("INSERT INTO orders VALUES ('294270-01-01'), ('10000-01-01')")
    lk = shop.lake(cursor="at")
    assert landed(lk).rows == 2
    shop.run("INSERT INTO orders VALUES (now())")
    assert landed(lk).rows == 1


@pytest.mark.parametrize("kind", ["timestamptz", "timestamp", "date"])
def test_a_cursor_before_christ_is_one(shop: Shop, kind: str) -> None:
    shop.run(f"CREATE TABLE orders (at {kind})", "INSERT INTO orders VALUES ('0044-03-15 BC')")
    lk = shop.lake(cursor="at")
    landed(lk)
    shop.run("INSERT INTO orders VALUES ('0043-03-15 BC'), ('0044-03-15 BC')")
    assert landed(lk).rows == 2
    assert landed(lk).outcome == "unchanged"


def test_a_look_back_may_reach_below_what_the_cursors_type_holds_here(shop: Shop) -> None:
    shop.run("CREATE TABLE orders (n numeric)", "INSERT INTO orders VALUES (1.5)")
    lk = shop.lake(cursor="n", lookback=100_000)
    landed(lk)
    shop.run("INSERT INTO orders VALUES (2.5)")
    assert landed(lk).rows == 1
