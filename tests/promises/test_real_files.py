"""What is promised of the real files: two months whose columns differ, read as one table."""

import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

import lake
from lake.lake import Lake
from lake.query.sql import literal
from tests.promises.conftest import Walked

TOTAL = "sum(total_amount::decimal(18,2))"
SUM = Decimal("2739786.85")
ROWS = 111_127
MONTHS = [("2023-11", 4), ("2023-12", 64_211), ("2025-10", 8), ("2025-11", 46_891), ("2025-12", 13)]
BY_MONTH = "SELECT month, count(*) FROM curated.trips GROUP BY ALL ORDER BY ALL"


def ask(lk: Lake, query: str) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = lk.sql(query).fetchall()
    return found


def test_two_months_with_other_columns_are_read_as_one_table(taxi: Walked) -> None:
    missing = "count(*) FILTER (WHERE cbd_congestion_fee IS NULL)"
    found = ask(taxi.open(), f"SELECT count(*), {TOTAL}, {missing} FROM raw.green_trips")
    assert found[0][:2] == (ROWS, SUM)
    assert found[0][2] >= 64_215


def test_integers_that_became_doubles_are_read_as_doubles(taxi: Walked) -> None:
    found = ask(
        taxi.open(),
        "SELECT type, file_type FROM meta.columns WHERE dataset = 'raw.green_trips'"
        " AND \"column\" = 'passenger_count' ORDER BY first_version",
    )
    assert found == [("DOUBLE", "BIGINT"), ("DOUBLE", "DOUBLE")]


def test_each_trip_is_in_the_month_of_its_pickup(taxi: Walked) -> None:
    """The November file holds 13 rows of December and 8 of October."""
    lk = taxi.open()
    assert ask(lk, BY_MONTH) == MONTHS
    assert ask(lk, f"SELECT count(*), {TOTAL} FROM curated.trips") == [(ROWS, SUM)]
    outside = (
        "SELECT count(*) FROM curated.trips WHERE month <> lpep_pickup_datetime.strftime('%Y-%m')"
    )
    assert ask(lk, outside) == [(0,)]


def test_daily_revenue_has_each_day_once(taxi: Walked) -> None:
    found = ask(
        taxi.open(),
        "SELECT count(*) = count(DISTINCT day), sum(trips)::BIGINT, sum(revenue)"
        " FROM curated.daily_revenue",
    )
    assert found == [(True, ROWS, SUM)]


def test_the_zones_land_with_all_rows(taxi: Walked) -> None:
    lk = taxi.open()
    assert ask(lk, 'SELECT count(*), min("LocationID") FROM raw.taxi_zones') == [(265, 1)]


def test_the_sources_bytes_are_given_back(taxi: Walked, tmp_path: Path) -> None:
    lk = taxi.open()
    for address, name in (
        ("raw.green_trips/month=2023-12", "green_tripdata_2023-12.parquet"),
        ("raw.green_trips/month=2025-11", "green_tripdata_2025-11.parquet"),
        ("raw.taxi_zones", "taxi_zone_lookup.csv"),
    ):
        (path,) = lk.get(address, tmp_path)
        assert path.name == name
        assert path.read_bytes() == taxi.source(name).read_bytes()


def test_a_stock_duckdb_gets_the_same_sums(taxi: Walked) -> None:
    with duckdb.connect() as stock:
        path = literal(str(taxi.root / ".lake" / "catalog.duckdb"))
        stock.execute(f"ATTACH {path} AS acme (READ_ONLY)")
        raw = stock.execute(f"SELECT count(*), {TOTAL} FROM acme.raw.green_trips").fetchall()
        daily = stock.execute("SELECT sum(revenue) FROM acme.curated.daily_revenue").fetchall()
        months = stock.execute(BY_MONTH.replace("curated.", "acme.curated.")).fetchall()
    assert (raw, daily, months) == ([(ROWS, SUM)], [(SUM,)], MONTHS)


def test_the_warehouse_holds_what_was_published(taxi: Walked) -> None:
    with duckdb.connect(taxi.root / "warehouse.duckdb", read_only=True) as warehouse:
        found = warehouse.execute(
            "SELECT sum(revenue), sum(trips)::BIGINT, count(*) = count(DISTINCT day)"
            " FROM daily_revenue"
        ).fetchall()
    assert found == [(SUM, ROWS, True)]


def test_publishing_one_month_again_rebuilds_only_what_it_touches(
    taxi: Walked, tmp_path: Path
) -> None:
    mine = taxi.copy(tmp_path / "mine")
    path = mine.source("green_tripdata_2025-11.parquet")
    again = tmp_path / "again.parquet"
    with duckdb.connect() as con:
        con.execute(
            f"COPY (SELECT * FROM read_parquet({literal(str(path))})"
            " WHERE lpep_pickup_datetime <> TIMESTAMP '2025-11-03 08:00:27'"
            " QUALIFY row_number() OVER (PARTITION BY month(lpep_pickup_datetime)) > 1"
            " OR month(lpep_pickup_datetime) <> 11)"
            f" TO {literal(str(again))} (FORMAT parquet)"
        )
    shutil.copyfile(again, path)
    lk = mine.open()
    assert [one.outcome for one in lk.land_sources() if one.outcome != "not yet"] == [
        "unchanged",
        "landed",
        "unchanged",
    ]
    trips, daily = lk.transform().runs
    assert (trips.built, trips.changed, trips.removed) == (1, ("month=2025-11",), ())
    assert (daily.built, daily.changed, daily.removed) == (1, ("month=2025-11",), ())
    assert [one.loaded for one in lk.load()] == [("month=2025-11",)]
    assert [row for row in ask(lk, BY_MONTH) if row[0] != "2025-11"] == [
        row for row in MONTHS if row[0] != "2025-11"
    ]


def test_a_copy_of_the_folder_is_the_same_lake(taxi: Walked, tmp_path: Path) -> None:
    home = shutil.copytree(taxi.root / ".lake", tmp_path / "elsewhere")
    lk = lake.open(str(home))
    assert ask(lk, f"SELECT count(*), {TOTAL} FROM raw.green_trips") == [(ROWS, SUM)]
    assert all(str(home) in url for url in lk.files("raw.green_trips"))
