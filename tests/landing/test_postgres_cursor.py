"""What is newer than a cursor is appended: each row once, whenever it was committed."""

import subprocess
import sys
from contextlib import closing
from threading import Event, Thread

import pytest

from lake.errors import SourceUnreadable
from lake.lake import Lake
from lake.operations.verify import verify
from tests.databases import Counting, Shop, landed, rows

pytestmark = pytest.mark.xdist_group("postgres")

ORDERS = "CREATE TABLE orders (id int PRIMARY KEY, what text, updated_at timestamptz NOT NULL)"
NOON, ONE = "2026-01-01 12:00+00", "2026-01-01 13:00+00"
IDS = "SELECT id FROM raw.orders ORDER BY ALL"


def by_time(shop: Shop, **said: object) -> Lake:
    return shop.lake(**{"cursor": "updated_at", "key": ["id"], **said})


def add(shop: Shop, *values: tuple[int, str, str]) -> None:
    for number, what, at in values:
        shop.run(f"INSERT INTO orders VALUES ({number}, '{what}', '{at}')")


def ids(lk: Lake) -> list[int]:
    return [row[0] for row in rows(lk, IDS)]


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


@pytest.mark.parametrize("column", ["timestamptz", "timestamp", "date"])
def test_a_transaction_that_began_earlier_and_writes_later_is_not_lost(
    shop: Shop, column: str
) -> None:
    shop.run(f"CREATE TABLE orders (id int, updated_at {column} DEFAULT now())")
    late = shop.other()
    late.execute("SELECT now()")  # begun: what it writes will be stamped so
    shop.run("INSERT INTO orders VALUES (1)")
    lk = by_time(shop)
    landed(lk)
    late.execute("INSERT INTO orders VALUES (2)")
    shop.run("INSERT INTO orders VALUES (3)")
    assert landed(lk).rows == 1
    late.commit()
    assert landed(lk).rows == 1
    assert landed(lk).outcome == "unchanged"
    assert ids(lk) == [1, 2, 3]
    late.close()


def test_a_number_that_was_drawn_first_and_committed_last_is_not_lost(shop: Shop) -> None:
    shop.run("CREATE TABLE orders (id bigserial, what text)")
    shop.run("INSERT INTO orders (what) VALUES ('first')")
    lk = shop.lake(cursor="id")
    landed(lk)
    late = shop.other()
    late.execute("SAVEPOINT inner_one")
    late.execute("INSERT INTO orders (what) VALUES ('late')")
    shop.run("INSERT INTO orders (what) VALUES ('quick')")
    assert landed(lk).rows == 1
    shop.run("INSERT INTO orders (what) VALUES ('quicker')")
    assert landed(lk).rows == 1
    late.commit()
    assert landed(lk).rows == 1
    assert landed(lk).outcome == "unchanged"
    assert ids(lk) == [1, 2, 3, 4]
    late.close()


def test_a_number_that_was_drawn_before_anything_was_written_is_not_lost(shop: Shop) -> None:
    shop.run("CREATE TABLE orders (id bigint, what text)", "CREATE SEQUENCE ids")
    lk = shop.lake(cursor="id")
    shop.run("INSERT INTO orders VALUES (nextval('ids'), 'first')")
    landed(lk)
    late = shop.other()
    late.execute("SELECT nextval('ids')")
    for what in ("quick", "quicker"):
        shop.run(f"INSERT INTO orders VALUES (nextval('ids'), '{what}')")
        assert landed(lk).rows == 1
    late.execute("INSERT INTO orders VALUES (currval('ids'), 'late')")
    late.commit()
    late.close()
    assert landed(lk).rows == 1
    assert landed(lk).outcome == "unchanged"
    assert ids(lk) == [1, 2, 3, 4]


def test_a_number_that_is_drawn_while_a_landing_begins_is_not_lost(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.run("CREATE TABLE orders (id bigint, what text)", "CREATE SEQUENCE ids")
    shop.run("INSERT INTO orders VALUES (nextval('ids'), 'first')")
    late = shop.other()
    drawn: list[object] = []

    def overtake(statement: bytes) -> None:
        if statement.startswith(b"SET TRANSACTION ISOLATION") and not drawn:
            drawn.extend(late.execute("SELECT nextval('ids')"))
            shop.run("INSERT INTO orders VALUES (nextval('ids'), 'quick')")

    with closing(Counting(shop.url, overtake)) as between:
        monkeypatch.setenv("SHOP_URL", between.url)
        lk = shop.lake(cursor="id")
        assert landed(lk).rows == 2
        shop.run("INSERT INTO orders VALUES (nextval('ids'), 'quicker')")
        assert landed(lk).rows == 1
        late.execute("INSERT INTO orders VALUES (currval('ids'), 'late')")
        late.commit()
        late.close()
        assert landed(lk).rows == 1
        assert landed(lk).outcome == "unchanged"
    assert ids(lk) == [1, 2, 3, 4]


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


def test_a_transaction_that_is_prepared_is_not_lost(shop: Shop) -> None:
    shop.run("CREATE TABLE orders (id int, updated_at timestamptz DEFAULT now())")
    shop.run("INSERT INTO orders VALUES (1)")
    lk = by_time(shop)
    landed(lk)
    name = shop.url.rpartition("/")[2]
    with shop.other() as late:
        late.execute("INSERT INTO orders VALUES (2)")
        late.execute(f"PREPARE TRANSACTION '{name}'".encode())
    late.close()
    try:
        shop.run("INSERT INTO orders VALUES (3)")
        assert landed(lk).rows == 1
    finally:
        shop.run(f"COMMIT PREPARED '{name}'")
    assert landed(lk).rows == 1
    assert ids(lk) == [1, 2, 3]


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


def test_a_reader_who_does_not_see_others_loses_nothing_either(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.run("CREATE TABLE orders (id int, updated_at timestamptz DEFAULT now())")
    name = shop.url.rpartition("/")[2]
    shop.run(
        f"CREATE ROLE {name} LOGIN PASSWORD 'reader' CONNECTION LIMIT 10",
        f"GRANT SELECT ON orders TO {name}",
    )
    at = shop.url.rpartition("@")[2]
    monkeypatch.setenv("SHOP_URL", f"postgresql://{name}:reader@{at}")
    shop.run("INSERT INTO orders VALUES (1)")
    lk = by_time(shop)
    landed(lk)
    late = shop.other()
    late.execute("INSERT INTO orders VALUES (2)")
    shop.run("INSERT INTO orders VALUES (3)")
    landed(lk)
    late.commit()
    assert landed(lk).rows == 1
    assert ids(lk) == [1, 2, 3]
    late.close()
    shop.run(f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def test_a_clock_that_runs_behind_is_looked_back_for(shop: Shop) -> None:
    shop.run(ORDERS)
    add(shop, (1, "a", NOON))
    lk = by_time(shop, lookback="2 hours")
    landed(lk)
    add(shop, (2, "late", "2026-01-01 10:30+00"), (3, "too late", "2026-01-01 09:00+00"))
    assert landed(lk).rows == 1
    assert ids(lk) == [1, 2]


def test_rows_written_while_others_land_come_once(shop: Shop) -> None:
    shop.run("CREATE TABLE orders (id serial, updated_at timestamptz DEFAULT now())")
    enough = Event()

    def write() -> None:
        with shop.other() as writer, shop.other() as slow:
            while not enough.is_set():
                slow.execute("INSERT INTO orders DEFAULT VALUES")
                for _ in range(5):
                    writer.execute("INSERT INTO orders SELECT FROM generate_series(1, 20)")
                    writer.commit()
                slow.commit()

    writing = Thread(target=write)
    writing.start()
    try:
        lk = by_time(shop)
        while lk.commit < 4:
            landed(lk)
    finally:
        enough.set()
        writing.join()
    landed(lk)
    (wanted,) = shop.connection.execute("SELECT array_agg(id ORDER BY id) FROM orders").fetchall()
    assert ids(lk) == wanted[0]


def test_who_was_overtaken_appends_only_what_is_left(shop: Shop) -> None:
    shop.run(ORDERS)
    add(shop, (1, "a", NOON))
    slow, quick = by_time(shop), by_time(shop)
    assert landed(quick).rows == 1
    assert landed(slow).outcome == "unchanged"
    add(shop, (2, "b", ONE))
    assert landed(quick).rows == 1
    add(shop, (3, "c", ONE))
    assert landed(slow).rows == 1
    assert ids(slow) == [1, 2, 3]


_KILLED = """
import os, sys
from pathlib import Path
from lake.catalog import publish
from tests.databases import Shop, landed
publish._settle = lambda *_: os.kill(os.getpid(), 9)
root, said = Path(sys.argv[1]), {"cursor": "updated_at", "key": ["id"]} if sys.argv[2] else {}
landed(Shop(os.environ["SHOP_URL"], root, None).lake(**said))
"""


@pytest.mark.parametrize("is_by_cursor", [True, False])
def test_killed_between_upload_and_commit_nothing_is_lost_or_doubled(
    shop: Shop, is_by_cursor: bool
) -> None:
    shop.run(ORDERS)
    add(shop, (1, "a", NOON))
    lk = by_time(shop) if is_by_cursor else shop.lake()
    landed(lk)
    add(shop, (2, "b", NOON), (3, "c", ONE))
    words = [str(shop.root), "by cursor" if is_by_cursor else ""]
    killed = subprocess.run([sys.executable, "-c", _KILLED, *words], capture_output=True)
    assert killed.returncode == -9, killed.stderr.decode()
    uploaded = list((shop.root / ".lake/raw/orders").rglob("orders.parquet"))
    assert len(uploaded) == 2
    landed(lk)
    assert landed(lk).outcome == "unchanged"
    assert ids(lk) == [1, 2, 3]


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
