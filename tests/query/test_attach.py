import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from lake import layout
from lake.errors import InvalidConfig, StoreUnavailable
from lake.lake import Lake
from lake.query import meta
from lake.query.attach import refresh, write_file
from tests.lakes import land, new_lake, shared_lake

READ = """
import duckdb, sys
connection = duckdb.connect()
connection.execute(f"ATTACH '{sys.argv[1]}' AS acme (READ_ONLY)")
for query in sys.argv[2:]:
    print(connection.sql(query).fetchall())
"""


@pytest.fixture
def lk(tmp_path: Path) -> Lake:
    return fill(new_lake(tmp_path))


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """A lake to read."""
    with shared_lake(tmp_path_factory, timezone="America/New_York") as lk:
        yield fill(lk)


def fill(lk: Lake) -> Lake:
    land(lk, "raw.x", "SELECT 1::INTEGER AS n", month="2024-01")
    land(lk, "raw.x", "SELECT 0.5::DOUBLE AS n, 'b' AS more", month="2024-02")
    return lk


def catalog(lk: Lake) -> Path:
    return Path(lk.log.store.data_url("catalog.duckdb"))


def stock(path: Path, query: str) -> list[tuple[object, ...]]:
    """Ask a DuckDB that knows nothing of us."""
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{path}' AS acme (READ_ONLY)")
        found: list[tuple[object, ...]] = connection.execute(query).fetchall()
    return found


def test_any_duckdb_reads_the_views_under_any_name(still: Lake) -> None:
    query = "SELECT * FROM acme.raw.x ORDER BY month"
    assert stock(catalog(still), query) == [(1.0, None, "2024-01"), (0.5, "b", "2024-02")]
    assert stock(catalog(still), "SELECT count(*) FROM acme.meta.versions WHERE current") == [(2,)]


def test_another_process_reads_it_too(still: Lake) -> None:
    queries = ("SELECT sum(n) FROM acme.raw.x", "SELECT rows FROM acme.meta.datasets")
    ran = subprocess.run(
        [sys.executable, "-c", READ, str(catalog(still)), *queries],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == "[(1.5,)]\n[(2,)]\n"


def test_metadata_read_alike_attached_and_here(still: Lake) -> None:
    for table in meta.TABLES:
        here = still.sql(f"SELECT * FROM meta.{table} ORDER BY ALL").fetchall()
        assert stock(catalog(still), f"SELECT * FROM acme.meta.{table} ORDER BY ALL") == here


def test_its_metadata_are_tables_for_an_old_duckdb_finds_no_view_behind_a_view(still: Lake) -> None:
    query = "SELECT view_name FROM duckdb_views() WHERE database_name = 'acme' AND NOT internal"
    found = {name for (name,) in stock(catalog(still), query)}
    assert found == {"x", "x__rejected", "x__rows"}


def test_it_is_fresh_after_every_landing(lk: Lake) -> None:
    land(lk, "raw.x", "SELECT 9::INTEGER AS n", month="2024-01")
    assert stock(catalog(lk), "SELECT sum(n) FROM acme.raw.x") == [(9.5,)]
    land(lk, "raw.y", "SELECT 1 AS id")
    assert stock(catalog(lk), "SELECT count(*) FROM acme.raw.y") == [(1,)]


def test_a_reader_that_has_it_open_reads_on_and_finds_the_new_one_later(lk: Lake) -> None:
    with duckdb.connect(str(catalog(lk)), read_only=True) as reader:
        land(lk, "raw.x", "SELECT 9::INTEGER AS n", month="2024-01")
        assert reader.execute("SELECT sum(n) FROM raw.x").fetchall() == [(1.5,)]
    assert stock(catalog(lk), "SELECT sum(n) FROM acme.raw.x") == [(9.5,)]


def test_its_storage_is_that_of_duckdb_1_0(still: Lake) -> None:
    header = catalog(still).read_bytes()[:20]
    assert header[8:12] == b"DUCK"
    assert int.from_bytes(header[12:20], "little") == 64


def test_a_file_of_a_former_commit_can_be_written_anywhere(still: Lake, tmp_path: Path) -> None:
    path = still.at(1).attach(tmp_path / "then.duckdb")
    assert stock(path, "SELECT * FROM acme.raw.x") == [(1, "2024-01")]
    assert still.attach(path) == path
    assert stock(path, "SELECT count(*) FROM acme.raw.x") == [(2,)]
    assert [item.name for item in tmp_path.glob("*then*")] == ["then.duckdb"]


def test_a_file_that_cannot_be_written_says_so(still: Lake, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"cannot write .*nowhere.*choose another place"):
        still.attach(tmp_path / "nowhere" / "x.duckdb")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InvalidConfig, match=r"folder is there and is no lake's catalog"):
        write_file(still.log, still.state, tmp_path / "folder")
    assert list(tmp_path.glob(".*.part*")) == []


def test_a_landing_is_not_undone_by_a_file_that_is_damaged(lk: Lake) -> None:
    damaged = Path(lk.files("raw.x")[0])
    damaged.chmod(0o644)
    damaged.write_bytes(b"no Parquet at all")
    land(lk, "raw.y", "SELECT 1 AS id")
    assert lk.sql("SELECT count(*) FROM raw.y").fetchall() == [(1,)]


def test_an_empty_lake_can_be_attached(tmp_path: Path) -> None:
    path = new_lake(tmp_path).attach(tmp_path / "empty.duckdb")
    assert stock(path, "SELECT count(*) FROM acme.meta.commits") == [(0,)]


def test_attach_never_takes_the_place_of_something_else(still: Lake, tmp_path: Path) -> None:
    precious = tmp_path / "lake.toml"
    precious.write_text("[lake]\n")
    with pytest.raises(
        InvalidConfig, match=r"lake\.toml is there and is no lake's catalog: choose"
    ):
        still.attach(precious)
    assert precious.read_text() == "[lake]\n"


def made_at(lk: Lake, *seconds: int) -> list[bool]:
    """Tell at which of these times, counted from the first, the catalog is made."""
    catalog = Path(lk.log.store.data_url(layout.CATALOG))
    now = datetime.now(UTC)
    times = iter([now + timedelta(seconds=one) for one in seconds])
    lk.log.clock = lambda: next(times)
    made = []
    for _ in seconds:
        catalog.unlink(missing_ok=True)
        refresh(lk.log, lk.state)
        made.append(catalog.exists())
    return made


def test_the_catalog_of_a_large_lake_is_made_once_a_minute(lk: Lake) -> None:
    lk.state.datasets["raw.x"].files = 20_001
    assert made_at(lk, 0, 59, 60) == [True, False, True]


def test_the_catalog_of_a_small_lake_is_made_however_long_it_takes(lk: Lake) -> None:
    assert made_at(lk, 0, 5, 59) == [True, True, True]
