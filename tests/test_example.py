"""`lake init --example nyc-taxi`: from an empty folder to rows in PostgreSQL."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lake.cli import main
from lake.config import load
from lake.lake import Lake
from lake.opening import open_lake
from tests.databases import Shop
from tests.http_server import Server
from tests.taxis import MONTHS, PUBLISHED, published, told, trips

JANUARY = "/trip-data/yellow_tripdata_2026-01.parquet"
Run = Callable[..., tuple[int, str, str]]
_YELLOW = """
SELECT tpep_pickup_datetime, tpep_dropoff_datetime, PULocationID::INTEGER, DOLocationID::INTEGER,
  passenger_count::INTEGER, trip_distance::DOUBLE, tip_amount::DECIMAL(18, 2),
  total_amount::DECIMAL(18, 2), strftime(tpep_pickup_datetime, '%Y-%m')
FROM read_parquet(?, union_by_name = true) ORDER BY ALL
"""
_REVENUE = """
SELECT {p}_pickup_datetime::DATE, "Zone", count(*), sum(total_amount::DECIMAL(18, 2))
FROM read_parquet(?, union_by_name = true)
LEFT JOIN read_csv(?) ON "LocationID" = PULocationID GROUP BY ALL
"""
_LOADED = "SELECT day, zone, trips, revenue FROM daily_revenue WHERE taxi = '{color}'"
_COMMENTS = """
SELECT relname, attname, obj_description(c.oid), col_description(c.oid, attnum)
FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid
WHERE relname IN ('yellow_trips', 'daily_revenue') AND relkind = 'r' AND attnum > 0
"""
_WRITTEN = "SELECT DISTINCT month, xmin::text::bigint FROM yellow_trips ORDER BY month"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command of `lake` in a folder that holds the example."""
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        return (main(list(words)), *capsys.readouterr())

    assert run("init", "--example", "nyc-taxi")[0] == 0
    return run


@pytest.mark.xdist_group("postgres")
def test_the_example_fills_postgres_and_reloads_only_what_is_published_again(
    run: Run, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server() as server:
        for name, text in told(shop, server.url()).items():
            monkeypatch.setenv(name, text)
        published(tmp_path, server)
        assert run("elt", "--until", "2026-02")[::2] == (0, "")
        check(shop, server, tmp_path)
        comments = rows(shop, _COMMENTS)
        assert len(comments) == 9 + 8
        assert [one for one in comments if None in one] == []

        before, commit = rows(shop, _WRITTEN), lake().commit
        assert [month for month, _ in before] == list(MONTHS)
        assert run("elt", "--until", "2026-02")[0] == 0
        assert (rows(shop, _WRITTEN), lake().commit) == (before, commit)

        server.pages[JANUARY] = trips(tmp_path, "yellow", "2026-01", total=20)
        assert run("elt", "--until", "2026-02")[0] == 0
        check(shop, server, tmp_path)
    after = rows(shop, _WRITTEN)
    assert after[0] != before[0]
    assert after[1] == before[1]
    versions = "SELECT partition, version FROM meta.versions WHERE dataset = 'raw.yellow_trips'"
    assert lake().sql(f"{versions} ORDER BY ALL").fetchall() == [
        ("month=2026-01", 1),
        ("month=2026-01", 2),
        ("month=2026-02", 1),
    ]


def check(shop: Shop, server: Server, folder: Path) -> None:
    """Compare what PostgreSQL holds with the files that are published now."""
    files: dict[str, list[str]] = {"yellow": [], "green": [], "misc": []}
    for page, body in server.pages.items():
        path = folder / "now" / page.strip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        assert isinstance(body, bytes)
        path.write_bytes(body)
        files[path.name.partition("_")[0] if "trip-data" in page else "misc"].append(str(path))
    found = rows(shop, "SELECT * FROM yellow_trips")
    by_pickup = sorted(found, key=lambda row: row[1])
    assert by_pickup == duckdb.execute(_YELLOW, [files["yellow"]]).fetchall()
    for color, prefix in (("yellow", "tpep"), ("green", "lpep")):
        wanted = duckdb.execute(_REVENUE.format(p=prefix), [files[color], files["misc"][0]])
        loaded = rows(shop, _LOADED.format(color=color))
        assert per_zone(loaded) == per_zone(wanted.fetchall())


def per_zone(found: list[tuple[Any, ...]]) -> dict[tuple[Any, Any], tuple[int, Any]]:
    """Add up zones of one name: `Corona` and three others have several ids."""
    summed: dict[tuple[Any, Any], tuple[int, Any]] = {}
    for day, zone, count, revenue in found:
        before = summed.get((day, zone), (0, 0))
        summed[day, zone] = (before[0] + count, before[1] + revenue)
    return summed


def lake() -> Lake:
    """Return the lake of this folder, as a new process opens it."""
    return open_lake(config=load(None, env="", environ={}, cwd=Path.cwd()))


def rows(shop: Shop, query: str) -> list[tuple[Any, ...]]:
    return shop.connection.execute(query.encode()).fetchall()


def test_a_mirror_differs_from_what_is_published_only_in_where_it_is(run: Run) -> None:
    config = {
        env: load(None, env=env, environ={}, cwd=Path.cwd(), as_written=True)
        for env in ("postgres", "mirror")
    }
    urls = {env: [one.url for one in said.sources.values()] for env, said in config.items()}
    assert [url.replace("${TLC_MIRROR}", PUBLISHED) for url in urls["mirror"]] == urls["postgres"]
    assert config["mirror"].warehouse == config["postgres"].warehouse


def test_a_mirror_may_be_a_folder(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server() as server:
        published(tmp_path, server)
    for page, body in server.pages.items():
        path = tmp_path / "mirror" / page.strip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        assert isinstance(body, bytes)
        path.write_bytes(body)
    for name in ("PGUSER", "PGPASSWORD", "PGHOST", "PGPORT", "PGDATABASE"):
        monkeypatch.setenv(name, "unused")
    monkeypatch.setenv("TLC_MIRROR", str(tmp_path / "mirror"))
    assert run("land", "--env", "mirror", "--until", "2026-02")[0] == 0
    assert lake().sql("SELECT count(*) FROM raw.yellow_trips").fetchall() == [(200,)]


def test_an_unset_variable_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGPASSWORD", "PGHOST", "PGPORT", "PGDATABASE"):
        monkeypatch.setenv(name, "unused")
    monkeypatch.delenv("PGUSER", raising=False)
    code, _, err = run("--env", "postgres", "load")
    assert (code, err.count("\n")) == (1, 1)
    assert "the environment variable PGUSER is not set: export PGUSER first" in err
