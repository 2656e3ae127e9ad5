"""`lake init --example nyc-taxi`: from an empty folder to a query in PostgreSQL."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import duckdb
import pytest

from lake.cli import main
from tests.databases import Shop
from tests.http_server import Server

REAL = Path(__file__).parents[2] / "shared" / "data"
PUBLISHED = "https://d37ci6vzurychx.cloudfront.net"
# What drifts in the real files: int32 or int64, int64 or double, and a column that is new.
_TRIPS = """
SELECT TIMESTAMP '{month}-01 00:00:00' + i * INTERVAL 6 HOUR AS {p}_pickup_datetime,
  {p}_pickup_datetime + INTERVAL 10 MINUTE AS {p}_dropoff_datetime,
  (1 + i % 263)::{int} AS PULocationID, (1 + i % 7)::{int} AS DOLocationID,
  nullif(i % 5, 0)::{count} AS passenger_count, i / 2 AS trip_distance, 1.25::DOUBLE AS tip_amount,
  ({total} + i)::DOUBLE AS total_amount{more} FROM range({rows}) r(i)
"""
_ZONES = "SELECT i AS LocationID, 'Queens' AS Borough, 'Zone ' || i AS Zone FROM range(1, 266) r(i)"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command of `lake` in an empty folder."""
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        return (main(list(words)), *capsys.readouterr())

    return run


def trips(folder: Path, color: str, month: str, *, total: int = 10, late: bool = False) -> bytes:
    """Return a small file as the TLC publishes them: later ones have other types."""
    path = folder / f"{color}-{month}-{total}.parquet"
    sql = _TRIPS.format(
        month=month,
        p="tpep" if color == "yellow" else "lpep",
        int="INTEGER" if late else "BIGINT",
        count="DOUBLE" if late else "BIGINT",
        total=total,
        more=", 0.75::DOUBLE AS cbd_congestion_fee" if late else "",
        rows=100,
    )
    duckdb.sql(sql).write_parquet(str(path))
    return path.read_bytes()


def published(folder: Path, server: Server) -> None:
    """Put two months and the zones where the project looks for them; real ones if they are here."""
    duckdb.sql(_ZONES).write_csv(str(folder / "zones.csv"))
    zones, green = folder / "zones.csv", {}
    if REAL.is_dir():
        zones = REAL / "taxi_zone_lookup.csv"
        green = {"2026-02": (REAL / "green_tripdata_2025-11.parquet").read_bytes()}
    server.pages["/misc/taxi_zone_lookup.csv"] = zones.read_bytes()
    for month, late in (("2026-01", False), ("2026-02", True)):
        yellow = trips(folder, "yellow", month, late=late)
        server.pages[f"/trip-data/yellow_tripdata_{month}.parquet"] = yellow
        there = green.get(month) or trips(folder, "green", month, late=late)
        server.pages[f"/trip-data/green_tripdata_{month}.parquet"] = there


@pytest.mark.xdist_group("postgres")
def test_it_lands_versions_and_fills_postgres_exactly_once(
    run: Run, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("init", "--example", "nyc-taxi")[0] == 0
    where = urlsplit(shop.url)
    for name, text in {
        "PGUSER": where.username,
        "PGPASSWORD": unquote(where.password or ""),
        "PGHOST": where.hostname,
        "PGPORT": str(where.port),
        "PGDATABASE": where.path[1:],
        "LAKE_ENV": "postgres",
    }.items():
        monkeypatch.setenv(name, text or "")
    with Server() as server:
        published(tmp_path, server)
        text = Path("lake.toml").read_text()
        assert text.count(PUBLISHED) == 3
        Path("lake.toml").write_text(text.replace(PUBLISHED, server.url().rstrip("/")))
        code, out, err = run("elt", "--until", "2026-02")
        assert (code, err) == (0, ""), err
        assert rows(shop, "SELECT count(*), sum(total_amount) FROM yellow_trips") == [
            (200, 2 * (1000 + 99 * 50))
        ]
        assert rows(shop, "SELECT sum(trips) FROM daily_revenue WHERE taxi = 'yellow'") == [(200,)]
        green = server.pages["/trip-data/green_tripdata_2026-02.parquet"]
        assert isinstance(green, bytes)
        (tmp_path / "green.parquet").write_bytes(green)
        count = duckdb.read_parquet(str(tmp_path / "green.parquet")).count("*").fetchall()[0][0]
        found = rows(
            shop, "SELECT sum(trips), sum(revenue) > 0 FROM daily_revenue WHERE taxi='green'"
        )
        assert found == [(100 + count, True)]
        assert rows(shop, _COMMENTS) == [
            ("Trips and revenue per day, kind of taxi and zone of pickup", "In US dollars")
        ]

        code, out, _ = run("elt", "--until", "2026-02", "--json")
        assert code == 0
        assert '"landed"' not in out.replace('"landed": []', "")
        again = trips(tmp_path, "yellow", "2026-01", total=20)
        server.pages["/trip-data/yellow_tripdata_2026-01.parquet"] = again
        assert run("elt", "--until", "2026-02")[0] == 0
    assert rows(
        shop, "SELECT month, min(total_amount) FROM yellow_trips GROUP BY 1 ORDER BY 1"
    ) == [
        ("2026-01", 20),
        ("2026-02", 10),
    ]
    raw = "FROM meta.versions WHERE dataset = 'raw.yellow_trips'"
    _, out, _ = run(
        "sql", f"SELECT partition, version {raw} ORDER BY partition, version", "--format", "csv"
    )
    assert out.split() == [
        "partition,version",
        "month=2026-01,1",
        "month=2026-01,2",
        "month=2026-02,1",
    ]


_COMMENTS = """
SELECT obj_description('daily_revenue'::regclass), col_description('daily_revenue'::regclass, (
  SELECT attnum FROM pg_attribute
  WHERE attrelid = 'daily_revenue'::regclass AND attname = 'revenue'))
"""


def rows(shop: Shop, query: str) -> list[tuple[Any, ...]]:
    return shop.connection.execute(query.encode()).fetchall()
