"""A table of orders that is read by its cursor, and what a lake has of it."""

from lake.lake import Lake
from tests.databases import Shop, rows

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
