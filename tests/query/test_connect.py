import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from lake.catalog.entries import Drop, Remove
from lake.catalog.publish import Draft, publish
from lake.lake import Lake
from lake.query.connect import named_datasets
from tests.lakes import again, land, new_lake, rows, shared_lake


@pytest.fixture
def lk(tmp_path: Path) -> Lake:
    return fill(new_lake(tmp_path, timezone="America/New_York"))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    with shared_lake(tmp_path_factory, timezone="America/New_York") as lk:
        yield fill(lk)


@pytest.fixture
def still(shared: Lake) -> Lake:
    """A lake to read, with a session of its own."""
    return Lake(shared.log, shared.state, shared.config)


def fill(lk: Lake) -> Lake:
    land(lk, "raw.trips", "FROM (VALUES (1, 'a'), (2, 'b')) t(id, zone)", month="2024-01")
    land(lk, "raw.zones", "FROM (VALUES ('a', 'Astoria'), ('b', 'Bronx')) t(code, name)")
    land(lk, "raw.other", "SELECT TIMESTAMPTZ '2024-01-31 12:00:00+00' AS moment")
    return lk


def views(lk: Lake) -> set[str]:
    found = lk.session().connection.sql(
        "SELECT schema_name || '.' || view_name FROM duckdb_views() WHERE NOT internal"
    )
    return {name for (name,) in found.fetchall() if not name.startswith("meta.")}


def test_only_the_views_that_a_query_names_are_made(still: Lake) -> None:
    assert rows(still, "SELECT count(*) FROM raw.trips") == [(2,)]
    assert views(still) == {"raw.trips"}
    assert rows(still, "SELECT count(*) FROM raw.trips JOIN raw.zones ON code = zone") == [(2,)]
    assert views(still) == {"raw.trips", "raw.zones"}


QUERIES = [
    "FROM raw.trips",
    "SELECT * FROM RAW.TRIPS",
    'SELECT * FROM "raw"."trips"',
    "SELECT * FROM memory.raw.trips",
    "WITH t AS (FROM raw.trips) FROM t",
    "SELECT (SELECT max(id) FROM raw.trips)",
    "SELECT 1 WHERE EXISTS (FROM raw.trips)",
    "SELECT 1 UNION ALL SELECT id FROM raw.trips",
    "SELECT 1; SELECT * FROM raw.trips;",
    "DESCRIBE raw.trips",
    "DESCRIBE SELECT * FROM raw.trips",
    "SUMMARIZE raw.trips",
    "PIVOT raw.trips ON zone USING sum(id)",
    "UNPIVOT raw.trips ON id",
    "EXPLAIN FROM raw.trips",
    "FROM query('FROM raw.trips')",
    "FROM query_table('raw.trips')",
    "SELECT * FROM raw.trips -- a comment; with a semicolon",
]


def test_every_form_of_query_finds_its_views(still: Lake) -> None:
    for query in QUERIES:
        fresh = Lake(still.log, still.state, still.config)
        assert fresh.sql(query).fetchall(), query


def test_a_query_that_duckdb_does_not_serialise_makes_no_talk(
    still: Lake, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        still.sql("DESCRIBE raw.trips")
        still.sql("PRAGMA version")
        still.sql("SUMMARIZE raw.trips")
    assert (caplog.records, capfd.readouterr().err) == ([], "")


def test_copy_and_create_read_views(still: Lake, tmp_path: Path) -> None:
    still.sql(f"COPY (FROM raw.trips) TO '{tmp_path}/out.csv'")
    assert (tmp_path / "out.csv").read_text() == "id,zone,month\n1,a,2024-01\n2,b,2024-01\n"
    assert still.sql("CREATE TABLE mine AS FROM raw.zones") is None
    assert rows(still, "SELECT count(*) FROM mine") == [(2,)]
    still.sql("USE raw")
    assert rows(still, "SELECT count(*) FROM trips") == [(2,)]


def test_a_wrong_query_gives_duckdbs_own_error(still: Lake) -> None:
    for query, error, message in (
        ("FROM raw.tripz", duckdb.CatalogException, "Table with name tripz does not exist"),
        ("FROM nothing.here", duckdb.CatalogException, 'schema "nothing" does not exist'),
        ("SELECT nope FROM raw.trips", duckdb.BinderException, "nope"),
        ("SELEC 1", duckdb.ParserException, "syntax error"),
    ):
        with pytest.raises(error, match=message):
            still.sql(query)
    assert still.sql("") is None


def test_names_are_read_from_the_statement(still: Lake) -> None:
    connection = still.session().connection
    query = "SELECT 'raw.zones' FROM raw.trips, meta.files"
    assert named_datasets(connection, query, still.state) == ["meta", "raw.trips"]


def test_metadata_are_tables_of_the_same_connection(still: Lake) -> None:
    query = "SELECT t.id, f.rows FROM raw.trips t, meta.files f WHERE dataset = 'raw.trips'"
    assert sorted(rows(still, query)) == [(1, 2), (2, 2)]
    assert rows(still, "SELECT count(*) FROM meta.commits") == [(3,)]


def test_times_are_shown_in_the_lakes_zone(still: Lake) -> None:
    assert rows(still, "SELECT moment::VARCHAR, current_setting('TimeZone') FROM raw.other") == [
        ("2024-01-31 07:00:00-05", "America/New_York")
    ]
    assert rows(still, "SELECT moment FROM raw.other")[0][0] == datetime(
        2024, 1, 31, 12, tzinfo=UTC
    )


def test_a_connection_has_every_view(still: Lake) -> None:
    connection = still.connect()
    assert connection.execute("SELECT count(*) FROM raw.zones").fetchall() == [(2,)]
    assert connection.execute("SELECT count(*) FROM meta.datasets").fetchall() == [(3,)]


def test_a_lake_that_moved_answers_from_where_it_is(lk: Lake) -> None:
    other = again(lk)
    land(other, "raw.zones", "SELECT 'c' AS code, 'Corona' AS name")
    assert rows(lk, "SELECT count(*) FROM raw.zones") == [(2,)]
    before = lk.at(3)
    lk.refresh()
    assert rows(lk, "SELECT count(*) FROM raw.zones") == [(1,)]
    assert rows(before, "SELECT count(*) FROM raw.zones") == [(2,)]
    assert rows(lk.at(1), "SELECT count(*) FROM meta.datasets") == [(1,)]


def test_a_relation_outlives_the_commit_that_it_was_made_at(lk: Lake) -> None:
    relation = lk.sql("SELECT * FROM raw.zones")
    land(lk, "raw.zones", "SELECT 'c' AS code, 'Corona' AS name")
    assert rows(lk, "SELECT count(*) FROM raw.zones") == [(1,)]
    assert len(relation.fetchall()) == 2


def change(lk: Lake, one: Remove | Drop) -> None:
    publish(lk.log, lk.state, lambda state: Draft([one]), commit_id=lk.new_id())


def test_a_dataset_whose_partitions_are_all_gone_keeps_its_columns(lk: Lake) -> None:
    change(lk, Remove("raw.trips", "month=2024-01"))
    assert lk.sql("FROM raw.trips").columns == ["id", "zone", "month"]
    assert rows(lk, "FROM raw.trips") == []
    land(lk, "raw.trips", "SELECT [1] AS id", day="2024-01-31")
    assert rows(lk, "FROM raw.trips") == [([1], "2024-01-31")]


def test_a_dropped_dataset_is_no_view(lk: Lake) -> None:
    change(lk, Drop("raw.trips"))
    with pytest.raises(duckdb.CatalogException, match="trips does not exist"):
        lk.sql("FROM raw.trips")
    assert rows(lk.at(3), "SELECT count(*) FROM raw.trips") == [(2,)]


def test_the_lakes_own_path_may_hold_anything(tmp_path: Path) -> None:
    root = tmp_path / "month=1 %41 [x]* 'é'"
    root.mkdir()
    lk = new_lake(root)
    land(lk, "raw.x", "SELECT 1 AS n", month="100% é/=")
    assert rows(lk, "FROM raw.x") == [(1, "100% é/=")]
    with duckdb.connect(str(root / ".lake" / "catalog.duckdb"), read_only=True) as connection:
        assert connection.sql("FROM raw.x").fetchall() == [(1, "100% é/=")]
