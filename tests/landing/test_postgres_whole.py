"""A table or a query of PostgreSQL lands whole, out of one snapshot, and only if it changed."""

from threading import Event, Thread

import pytest

from lake.config.types import Database
from lake.operations.get import get
from lake.sources.postgres.connect import connected
from lake.sources.postgres.duck import opening
from lake.sources.postgres.read import read, snapshot
from tests.databases import Shop, landed, rows

pytestmark = pytest.mark.xdist_group("postgres")

WIDE = (
    "SELECT n AS id, repeat('x', 500)::{pad} AS pad, 0 AS account FROM generate_series(1, 40000) n"
)
PADS = ["text", "char(500)"]
"""Scanned by DuckDB; asked for in two streams, for no blank is to be lost."""


def test_the_same_rows_in_another_order_are_nothing_new(shop: Shop) -> None:
    shop.run("CREATE TABLE orders AS SELECT n AS id, 'x' AS what FROM generate_series(1, 100) n")
    lk = shop.lake()
    assert landed(lk).rows == 100
    shop.run(
        "CREATE INDEX backwards ON orders (id DESC)",
        "CLUSTER orders USING backwards",
    )
    assert landed(lk).outcome == "unchanged"
    shop.run("UPDATE orders SET what = 'y' WHERE id = 7")
    assert (landed(lk).version, rows(lk, "SELECT count(*) FROM raw.orders")) == (2, [(100,)])


def test_a_url_may_name_the_driver_of_others(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.run("CREATE TABLE orders AS SELECT 1 AS id")
    monkeypatch.setenv("SHOP_URL", shop.url.replace("postgresql://", "postgresql+psycopg2://"))
    assert landed(shop.lake()).rows == 1


def test_a_table_without_rows_has_its_columns(shop: Shop) -> None:
    shop.run("CREATE TABLE orders (id int, at timestamptz, price numeric)")
    lk = shop.lake()
    assert landed(lk).outcome == "landed"
    assert lk.sql("FROM raw.orders").columns == ["id", "at", "price"]


def test_views_and_partitioned_tables_land(shop: Shop) -> None:
    shop.run(
        "CREATE TABLE base (id int, month int) PARTITION BY LIST (month)",
        "CREATE TABLE base_1 PARTITION OF base FOR VALUES IN (1)",
        "CREATE TABLE base_2 PARTITION OF base FOR VALUES IN (2)",
        "INSERT INTO base VALUES (1, 1), (2, 2)",
        "CREATE VIEW orders AS SELECT id FROM base",
    )
    lk = shop.lake()
    assert landed(lk).rows == 2
    assert landed(shop.lake(table="base")).rows == 2


@pytest.mark.parametrize("pad", PADS)
def test_a_large_table_is_one_moment_of_it(shop: Shop, pad: str) -> None:
    """Several connections read it, while money moves from its first row to its last."""
    shop.run(f"CREATE TABLE orders AS {WIDE.format(pad=pad)}")
    enough = Event()

    def move() -> None:
        with shop.other(autocommit=True) as busy:
            while not enough.is_set():
                busy.execute(
                    "UPDATE orders SET account = account + CASE id WHEN 1 THEN -1 ELSE 1 END"
                    " WHERE id IN (1, 40000)"
                )

    moving = Thread(target=move)
    moving.start()
    try:
        lk = shop.lake()
        assert landed(lk).rows == 40000
    finally:
        enough.set()
        moving.join()
    (found,) = rows(lk, "SELECT count(DISTINCT id), sum(account)::INT FROM raw.orders")
    assert found == (40000, 0)


@pytest.mark.parametrize("pad", PADS)
def test_all_that_is_asked_sees_the_same_snapshot(shop: Shop, pad: str) -> None:
    shop.run(f"CREATE TABLE orders AS {WIDE.format(pad=pad)}")
    database = Database("${SHOP_URL}", "orders")
    with opening() as opened, connected(database) as server, snapshot(server) as seen:
        shop.run("INSERT INTO orders VALUES (0, '', 0)")
        found = read(opened, seen, '"orders"', shop.root / "read")
    assert found.rows == 40000


def test_rows_that_are_too_wide_for_the_usual_memory_land(shop: Shop) -> None:
    wide = "SELECT n AS id, repeat(md5(n::text), 4500) AS t FROM generate_series(1, 2100) AS n"
    lk = shop.lake(query=wide)
    landed(lk)
    assert rows(lk, "SELECT count(*), min(length(t)) FROM raw.orders") == [(2100, 32 * 4500)]


def test_the_original_of_a_table_is_its_parquet(shop: Shop) -> None:
    shop.run("CREATE TABLE orders AS SELECT 1 AS id")
    lk = shop.lake()
    landed(lk)
    (path,) = get(lk, "raw.orders", shop.root / "got")
    assert path.name == "orders.parquet"


def test_a_column_whose_type_fits_no_more_is_held(shop: Shop) -> None:
    shop.run("CREATE TABLE orders AS SELECT 1 AS id, true AS paid")
    lk = shop.lake()
    landed(lk)
    shop.run("ALTER TABLE orders ALTER id TYPE date USING '2024-01-01'")
    assert landed(lk).outcome == "landed"  # all of it was replaced, so nothing is to be joined


def test_another_process_lands_by_what_the_log_declares(shop: Shop) -> None:
    shop.run("CREATE TABLE orders AS SELECT 1 AS id")
    landed(shop.lake(query="SELECT id FROM orders", key=["id"]))
    shop.run("INSERT INTO orders VALUES (2)")
    from lake.opening import open_lake

    lk = open_lake(str(shop.root / ".lake"))
    assert landed(lk).rows == 2
    assert "clearlake-on-loopback" not in str(dict(lk.state.declared("source")))
