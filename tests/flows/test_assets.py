from pathlib import Path

import pytest
from prefect.assets import Asset

from lake.config.types import Database, Source
from lake_flows.assets import of_source, of_table


@pytest.mark.parametrize(
    ("source", "key"),
    [
        (Source("t", "https://me:pw@h.example/t_{month}.csv?sig=1"), "https://h.example/t_*.csv"),
        (Source("t", "${BASE}/t_{month}.csv", root=Path("/p")), "environment://BASE/t_*.csv"),
        (Source("t", "in/t {month}.csv", root=Path("/p")), "file:///p/in/t_*.csv"),
        (Source("t", "/data/t.csv"), "file:///data/t.csv"),
        (Source("t", "s3://bucket/t/{day}.parquet"), "s3://bucket/t/*.parquet"),
        (Source("t", "python:package.module:name"), "python://package.module/name"),
        (
            Source("t", "", database=Database("${SHOP_URL}", "public.orders")),
            "database://SHOP_URL/public.orders",
        ),
        (
            Source("t", "", database=Database({"block": "shop"}, query="SELECT 1")),
            "database://block/shop/t",
        ),
    ],
)
def test_a_source_is_one_key_without_secrets_that_prefect_takes(source: Source, key: str) -> None:
    assert of_source(source) == key
    assert Asset(key=key).key == key


@pytest.mark.parametrize(
    ("url", "key"),
    [
        (
            "postgresql+psycopg2://me:pw@db:5432/shop?sslmode=require",
            "postgresql://db:5432/shop/a.b",
        ),
        ("duckdb:////data/w.duckdb", "duckdb:////data/w.duckdb/a.b"),
    ],
)
def test_a_table_is_named_by_its_warehouse_without_secrets(url: str, key: str) -> None:
    assert of_table(url, "a.b") == key
    assert Asset(key=key).key == key
