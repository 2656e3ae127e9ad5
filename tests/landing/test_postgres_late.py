"""What is committed late, or while others land, is landed by its cursor: each row once."""

import subprocess
import sys
from contextlib import closing
from threading import Event, Thread

import pytest

from tests.databases import Counting, Shop, landed
from tests.landing.orders import NOON, ONE, ORDERS, add, by_time, ids

pytestmark = pytest.mark.xdist_group("postgres")


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
