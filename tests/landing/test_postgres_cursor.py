"""What is newer than a cursor is appended: each row once, whenever it was committed."""

from contextlib import closing

import pytest

from lake.errors import SourceUnreadable
from lake.operations.verify import verify
from tests.databases import Counting, Shop, landed, rows
from tests.landing.orders import NOON, ONE, ORDERS, add, by_time, ids

pytestmark = pytest.mark.xdist_group("postgres")


def test_what_is_newer_is_appended_and_the_newest_per_key_is_current(shop: Shop) -> None:
    shop.run(ORDERS)
    add(shop, (1, "new", NOON), (2, "new", NOON))
    lk = by_time(shop)
    first = landed(lk)
    shop.run(f"UPDATE orders SET what = 'sent', updated_at = '{ONE}' WHERE id = 1")
    second = landed(lk)
    assert (first.outcome, first.rows, second.outcome, second.rows) == ("landed", 2, "landed", 1)
    assert rows(lk, "SELECT id, what FROM raw.orders ORDER BY ALL") == [
        (1, "new"),
        (1, "sent"),
        (2, "new"),
    ]
    assert rows(lk, "SELECT id, what FROM raw.orders__current ORDER BY ALL") == [
        (1, "sent"),
        (2, "new"),
    ]


def test_ties_at_the_boundary_are_neither_lost_nor_doubled(shop: Shop) -> None:
    shop.run(ORDERS)
    add(shop, (1, "a", NOON), (2, "b", NOON))
    lk = by_time(shop)
    landed(lk)
    add(shop, (3, "c", NOON))
    assert landed(lk).rows == 1
    add(shop, (4, "d", NOON), (5, "e", ONE))
    assert landed(lk).rows == 2
    assert landed(lk).outcome == "unchanged"
    assert ids(lk) == [1, 2, 3, 4, 5]


def test_rows_that_are_alike_come_as_often_as_they_are_there(shop: Shop) -> None:
    shop.run("CREATE TABLE orders (x int, day date)", "INSERT INTO orders VALUES (1, '2026-01-01')")
    lk = shop.lake(cursor="day")
    landed(lk)
    shop.run("INSERT INTO orders VALUES (1, '2026-01-01'), (1, '2026-01-01')")
    assert landed(lk).rows == 2
    assert landed(lk).outcome == "unchanged"
    assert rows(lk, "SELECT count(*) FROM raw.orders") == [(3,)]


def test_a_row_that_changed_and_changed_back_within_a_tick_is_current(shop: Shop) -> None:
    shop.run(ORDERS)
    add(shop, (1, "a", NOON))
    lk = by_time(shop)
    for what in ("a", "b", "a"):
        shop.run(f"UPDATE orders SET what = '{what}'")
        landed(lk)
    assert rows(lk, "SELECT what FROM raw.orders__current") == [("a",)]


def test_nothing_new_asks_the_server_one_statement(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.run(ORDERS)
    add(shop, (1, "a", NOON))
    with closing(Counting(shop.url)) as counting:
        monkeypatch.setenv("SHOP_URL", counting.url)
        lk = by_time(shop)
        landed(lk)
        counting.statements.clear()
        assert landed(lk).outcome == "unchanged"
        assert len(counting.statements) == 1


def test_a_table_that_was_emptied_begins_anew_with_force(shop: Shop) -> None:
    shop.run(ORDERS)
    add(shop, (1, "a", ONE))
    lk = by_time(shop)
    landed(lk)
    shop.run("DELETE FROM orders")
    with pytest.raises(SourceUnreadable, match="went backwards"):
        landed(lk)
    assert landed(lk, force=True).outcome == "unchanged"
    assert landed(lk).outcome == "unchanged"
    add(shop, (2, "b", NOON))
    assert landed(lk).rows == 1
    assert ids(lk) == [1, 2]


def test_a_table_that_landed_whole_goes_on_by_its_cursor(shop: Shop) -> None:
    shop.run(ORDERS)
    add(shop, (1, "a", NOON), (2, "b", ONE))
    landed(shop.lake())
    add(shop, (3, "c", NOON))  # behind the newest, and not landed yet
    lk = by_time(shop)
    assert landed(lk).rows == 1
    add(shop, (4, "d", ONE))
    assert landed(lk).rows == 1
    assert ids(lk) == [1, 2, 3, 4]


def test_where_the_lake_has_all_rows_only_the_cursor_is_kept(shop: Shop) -> None:
    shop.run(ORDERS)
    add(shop, (1, "a", NOON))
    landed(shop.lake())
    lk = by_time(shop)
    before = lk.state.current("raw.orders")[0].current
    assert landed(lk).outcome == "unchanged"
    commit, after = lk.commit, lk.state.current("raw.orders")[0].current
    assert before
    assert after
    assert (after.content, after.files, after.cursor != "") == (before.content, before.files, True)
    assert landed(lk).outcome == "unchanged"
    assert (lk.commit, verify(lk).damage) == (commit, ())
    add(shop, (2, "b", NOON))
    assert landed(lk).rows == 1


def test_rows_that_break_the_contract_are_rejected_once(shop: Shop) -> None:
    shop.run(ORDERS)
    add(shop, (1, "a", NOON), (-1, "bad", NOON))
    contract = {"columns": {"id": {"between": [0, 100]}}, "max_rejects": 1}
    lk = by_time(shop, **contract)
    assert landed(lk).rejected == 1
    add(shop, (2, "b", NOON))
    again = landed(lk)
    assert (again.rows, again.rejected, ids(lk)) == (1, 0, [1, 2])
    add(shop, (-2, "bad", NOON), (-3, "bad", NOON))
    with pytest.raises(ValueError, match=r"^raw.orders: nothing was appended: 2 rows"):
        landed(lk)


def test_a_rolled_back_batch_stays_out_until_others_come(shop: Shop) -> None:
    shop.run(ORDERS)
    add(shop, (1, "a", NOON))
    lk = by_time(shop)
    landed(lk)
    add(shop, (2, "b", ONE))
    landed(lk)
    lk.rollback("raw.orders")
    assert landed(lk).outcome == "unchanged"
    assert ids(lk) == [1]
    add(shop, (3, "c", ONE))
    assert landed(lk).rows == 2
    assert ids(lk) == [1, 2, 3]


def test_only_files_that_reach_the_window_are_read_again(shop: Shop) -> None:
    shop.run(ORDERS)
    lk = by_time(shop)
    for number in range(3):
        add(shop, (number, "a", f"2026-01-0{number + 1} 12:00+00"))
        landed(lk)
    there = (shop.root / ".lake/raw/orders").rglob("orders.parquet")
    first = min(there, key=lambda path: path.stat().st_mtime_ns)
    first.write_bytes(b"nobody reads this")
    add(shop, (9, "tie", "2026-01-03 12:00+00"))
    assert landed(lk).rows == 1


def test_a_history_whose_key_repeats_within_a_tick_comes_once(shop: Shop) -> None:
    shop.run(ORDERS.replace("PRIMARY KEY", ""))
    add(shop, (1, "a", NOON), (1, "b", NOON), (1, "b", NOON))
    lk = by_time(shop)
    assert landed(lk).rows == 3
    add(shop, (1, "c", NOON))
    assert landed(lk).rows == 1
    add(shop, (2, "x", NOON), (1, "b", NOON))
    assert landed(lk).rows == 2
    add(shop, (3, "late", ONE))
    assert landed(lk).rows == 1
