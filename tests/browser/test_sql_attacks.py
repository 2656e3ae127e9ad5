"""Queries that want more than an answer: each is refused or stopped, and the pages go on."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from lake.browser.sql.limits import Limits
from lake.lake import Lake
from tests.browser.site import Site, site

SMALL = Limits(seconds=30, grace_s=9, memory=64 << 20, rows=1000, bytes=1 << 20, running=2)
SHORT = replace(SMALL, seconds=0.5)
HERE = {"Sec-Fetch-Site": "none"}
SECRET = "not-for-others"


@pytest.fixture(scope="module")
def asked(looked_at: Lake) -> Iterator[Site]:
    with site(looked_at, limits=SMALL) as served:
        yield served


@pytest.fixture(scope="module")
def hurried(looked_at: Lake) -> Iterator[Site]:
    """A site whose queries have half a second: nothing that must succeed is asked of it."""
    with site(looked_at, limits=SHORT) as served:
        yield served


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("secret") / "secret.csv"
    path.write_text(f"{SECRET}\n1\n")
    return path


def ask(served: Site, sql: str) -> httpx.Response:
    return served.client.get("/sql.json", params={"sql": sql}, headers=HERE)


def refusal(served: Site, sql: str) -> str:
    """Return the one line that says why there is no answer."""
    answer = ask(served, sql)
    said: dict[str, str] = answer.json()
    assert answer.status_code in (400, 422, 500), said
    assert said["state"] == "failed"
    error = said["error"]
    assert error
    assert "\n" not in error
    assert SECRET not in answer.text
    assert "/tmp/" not in error.replace(sql, "")
    return error


FILES = (
    "SELECT * FROM read_csv('{secret}')",
    "SELECT * FROM read_csv_auto('{secret}')",
    "SELECT * FROM read_text('{secret}')",
    "SELECT * FROM read_blob('{secret}')",
    "SELECT * FROM read_json('{secret}')",
    "SELECT * FROM read_parquet('{secret}')",
    "SELECT * FROM parquet_metadata('{secret}')",
    "SELECT * FROM parquet_schema('{secret}')",
    "SELECT * FROM sniff_csv('{secret}')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM '{secret}'",
    "FROM '{secret}'",
    "SUMMARIZE '{secret}'",
    "DESCRIBE '{secret}'",
    'SELECT * FROM "{secret}"',
    'SELECT * FROM raw."{secret}"',
    'SELECT * FROM memory.raw."{secret}"',
    "SELECT (SELECT content FROM read_text('{secret}'))",
    "SELECT * FROM (VALUES ('{secret}')) t(f), LATERAL (SELECT * FROM read_text(f))",
    "SELECT 1 WHERE EXISTS (FROM read_text('{secret}'))",
    "WITH a AS (FROM read_text('{secret}')) SELECT * FROM a",
    "WITH a AS MATERIALIZED (SELECT * FROM '{secret}') SELECT * FROM a",
    'SELECT * FROM (WITH "{secret}" AS (SELECT 1) SELECT 1) t, "{secret}"',
    'WITH "{secret}" AS (SELECT 1 AS x) SELECT * FROM "{secret}"',
    "SELECT list_transform([1], x -> (SELECT content FROM read_text('{secret}')))",
    "SELECT * FROM query('SELECT * FROM read_text(''{secret}'')')",
    "SELECT * FROM query_table('{secret}')",
    "SELECT * FROM raw.trips UNION ALL BY NAME SELECT * FROM read_csv('{secret}')",
    "SELECT * FROM raw.trips ORDER BY (SELECT content FROM read_text('{secret}'))",
    "SELECT count(*) FILTER (WHERE 'a' IN (SELECT content FROM read_text('{secret}')))",
    "SELECT * FROM (PIVOT (FROM read_csv('{secret}')) ON a IN (1) USING sum(b))",
    "SELECT * FROM read_json_objects('{secret}')",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('FROM ''{secret}'''))",
    "SELECT json_serialize_plan('SELECT * FROM read_csv(''{secret}'')')",
    "SELECT * FROM 's3://bucket/key.parquet'",
    "SELECT * FROM 'http://127.0.0.1:1/x.csv'",
)


@pytest.mark.parametrize("sql", FILES)
def test_no_file_but_the_lakes_is_read(asked: Site, secret: Path, sql: str) -> None:
    error = refusal(asked, sql.format(secret=secret))
    assert "is not run" in error or "There is no" in error or "is none here" in error


OTHERS = (
    ("COPY (SELECT 1) TO '/tmp/x.csv'", "Only a SELECT is run"),
    ("COPY raw.trips TO '/dev/stdout'", "Only a SELECT is run"),
    ("ATTACH '/tmp/x.db'", "Only a SELECT is run"),
    ("INSTALL httpfs", "Only a SELECT is run"),
    ("LOAD httpfs", "Only a SELECT is run"),
    ("SET memory_limit = '100GB'", "Only a SELECT is run"),
    ("RESET memory_limit", "Only a SELECT is run"),
    ("PRAGMA database_list", "There is no table"),
    ("PRAGMA enable_profiling", "Only a SELECT is run"),
    ("CALL pragma_version()", "is run"),
    ("CREATE TABLE x AS SELECT 1", "Only a SELECT is run"),
    ("DROP VIEW raw.trips", "Only a SELECT is run"),
    ("INSERT INTO raw.trips VALUES (1)", "Only a SELECT is run"),
    ("CREATE SECRET (TYPE s3, KEY_ID 'a')", "Only a SELECT is run"),
    ("EXPLAIN ANALYZE SELECT 1", "Only a SELECT is run"),
    ("EXPORT DATABASE '/tmp/x'", "is run"),
    ("SELECT 1; SELECT 2", "these are 2 statements"),
    ("SELECT 1; COPY (SELECT 1) TO '/tmp/x'", "these are 2 statements"),
    ("-- nothing", "there is nothing to run"),
    ("PIVOT raw.trips ON zone USING sum(fare)", "PIVOT … ON column IN"),
    ("SHOW TABLES", "SHOW is not run"),
    ("SELECT * FROM duckdb_secrets()", "duckdb_secrets() is not run"),
    ("SELECT * FROM duckdb_views()", "duckdb_views() is not run"),
    ("SELECT * FROM duckdb_settings()", "duckdb_settings() is not run"),
    ("SELECT * FROM which_secret('s3://a/b', 's3')", "which_secret() is not run"),
    ("SELECT getenv('HOME')", "getenv() is not run"),
    ("SELECT GetEnv('HOME')", "getenv() is not run"),
    ("SELECT current_setting('allowed_paths')", "current_setting() is not run"),
    ("SELECT pg_get_viewdef('raw.trips')", "pg_get_viewdef() is not run"),
    ("SELECT * FROM pg_catalog.pg_views", "There is no pg_catalog.pg_views"),
    ("SELECT * FROM information_schema.tables", "There is no information_schema.tables"),
    ("SELECT sql FROM sqlite_master", "There is no table"),
    ("SELECT * FROM meta._history", "There is no meta._history"),
    ("SELECT * FROM histogram(raw.trips, fare)", "histogram() is not run"),
    ("SELECT * FROM duckdb_views", "There is no table"),
    (
        "SELECT v.* FROM (WITH duckdb_views AS (SELECT 1) SELECT 1) t, duckdb_views v",
        "There is no table",
    ),
    (
        "WITH a AS (WITH sqlite_master AS (SELECT 1) SELECT 1) SELECT * FROM sqlite_master",
        "There is no table",
    ),
    ("SELECT * FROM main.duckdb_settings", "There is no main.duckdb_settings"),
    ("SELECT * FROM connection", "There is no table"),
    ("SELECT * FROM os", "There is no table"),
    ("SELECT write_log('x')", "write_log() is not run"),
    ("SELECT nextval('s')", "nextval() is not run"),
)


@pytest.mark.parametrize(("sql", "why"), OTHERS)
def test_nothing_but_one_select_over_the_lake_is_run(asked: Site, sql: str, why: str) -> None:
    assert why in refusal(asked, sql)


BOMBS = (
    "SELECT count(*) FROM range(1000000000) a, range(1000000000) b",
    "SELECT list(range) FROM range(1000000000)",
    "SELECT string_agg(range, ',') FROM range(300000000)",
    "SELECT repeat('x', 2000000000)",
    "SELECT range(1000000000)",
    "SELECT count(DISTINCT range) FROM range(1000000000)",
    "SELECT range FROM range(100000000) ORDER BY hash(range)",
    "WITH RECURSIVE a(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM a) SELECT count(*) FROM a",
    "WITH RECURSIVE a(n) AS (SELECT 'x' UNION ALL SELECT n || n FROM a) SELECT max(n) FROM a",
    "SELECT * FROM range(500) a, range(100000) b, range(100000) c WHERE a.range + c.range < 0",
)


@pytest.mark.parametrize("sql", BOMBS)
def test_what_takes_too_much_is_stopped_in_time(hurried: Site, sql: str) -> None:
    error = refusal(hurried, sql)
    assert "Stopped after 0.5 s" in error or "It needed more than 64.0 MiB" in error, error
    hurried.get("/")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT " + "(" * 3900 + "1" + ")" * 3900,
        "SELECT " + "1+" * 3900 + "1",
        "SELECT " + "NOT " * 1900 + "true",
        "SELECT " + "[" * 3900 + "]" * 3900,
        "SELECT * FROM " + "(SELECT * FROM " * 480 + "range(1)" + ")" * 480,
        "SELECT " + "-" + " -" * 3900 + "1",
        "SELECT CASE " + "WHEN true THEN CASE " * 380 + "END" + " END" * 379,
    ],
    ids=["brackets", "sums", "nots", "lists", "selects", "signs", "cases"],
)
def test_what_is_nested_too_deep_ends_with_a_line(asked: Site, sql: str) -> None:
    answer = ask(asked, sql)
    assert answer.status_code in (200, 400, 422, 500)
    assert "\n" not in answer.json()["error"]
    assert asked.client.get("/").status_code == 200


def test_a_huge_answer_is_cut(asked: Site) -> None:
    said = ask(asked, "SELECT * FROM range(100000000)").json()
    assert (said["state"], said["cut"], said["total"]) == ("done", "rows", 1000)
    said = ask(asked, "SELECT repeat('x', 100000) AS x FROM range(100)").json()
    assert (said["state"], said["cut"]) == ("done", "bytes"), said


def test_the_files_beside_a_datasets_own_are_not_read_through_its_views(
    asked: Site, looked_at: Lake
) -> None:
    root = looked_at.url.removeprefix("file://")
    for path in (f"{root}/raw/../_lake/lake.json", f"{root}/_lake/lake.json"):
        assert "is not run" in refusal(asked, f"SELECT * FROM read_text('{path}')")


def test_views_work_after_all_that(asked: Site) -> None:
    said = ask(
        asked, "SELECT zone, sum(fare) AS fare FROM raw.trips GROUP BY ALL ORDER BY 1"
    ).json()
    assert [row[0] for row in said["rows"]] == ["A", "B", "C", "D"]
