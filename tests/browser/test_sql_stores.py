"""Questions to lakes in every store, and the wall that stands behind the look at a query."""

from functools import partial
from pathlib import Path

import duckdb
import pytest

from lake.browser.snapshot import Snapshot
from lake.browser.sql import child
from lake.browser.sql.limits import Limits
from lake.browser.sql.runner import Question, Runner
from lake.browser.sql.sources import first, of_names
from lake.config import Config
from lake.opening import init, open_lake
from storage_backends import Store
from tests.lakes import land, parquet

ASK = {"threads": 1, "memory": 64 << 20}


def test_a_lake_in_any_store_answers_and_credentials_are_told_to_no_spare(
    store: Store, tmp_path: Path
) -> None:
    init(store.url)
    lk = open_lake(store.url, config=Config(root=tmp_path))
    for month in ("2024-01", "2024-02"):
        land(lk, "raw.trips", "SELECT range AS id, 'a' AS zone FROM range(3)", month=month)
    shot, runner = Snapshot(lk), Runner(Limits())
    try:
        sql = "SELECT month, count(*) AS rows FROM raw.trips GROUP BY ALL ORDER BY 1"
        for text in (sql, f"{sql} -- by a spare process"):
            job = runner.ask(Question(shot, text, partial(of_names, shot)))
            job.future.result()
            assert job.answer, job.failure
            assert job.answer.every() == [["2024-01", 3], ["2024-02", 3]]
    finally:
        runner.close()
    assert not any("SECRET" in statement for statement in first(lk.log.store))


@pytest.mark.parametrize("table", ["raw.trips", "raw.trips__rows"])
def test_a_lake_whose_own_place_looks_like_a_pattern_answers(tmp_path: Path, table: str) -> None:
    url = init(str(tmp_path / "lake[1]*?")).url
    lk = open_lake(url, config=Config(root=tmp_path))
    land(lk, "raw.trips", "SELECT range AS id FROM range(3)", month="2024-01")
    shot, runner = Snapshot(open_lake(lk.url)), Runner(Limits())
    try:
        sql = f"SELECT sum(id)::INT AS n FROM {table}"
        job = runner.ask(Question(shot, sql, partial(of_names, shot)))
        job.future.result()
        assert job.answer, job.failure
        assert job.answer.every() == [[3]]
    finally:
        runner.close()


@pytest.fixture
def locked(tmp_path: Path) -> duckdb.DuckDBPyConnection:
    """A connection as a query has it: one file may be read, through a view."""
    inside = parquet(tmp_path / "inside.parquet", "SELECT 1 AS x")
    parquet(tmp_path / "other.parquet", "SELECT 'secret' AS x")
    connection = duckdb.connect()
    connection.execute(f"CREATE VIEW seen AS FROM read_parquet('{inside}')")
    child.lock(connection, ASK, [str(inside)])
    return connection


def test_behind_the_lock_a_view_is_read(locked: duckdb.DuckDBPyConnection) -> None:
    assert locked.sql("FROM seen").fetchall() == [(1,)]


@pytest.mark.parametrize(
    "sql",
    [
        "FROM '{folder}/other.parquet'",
        "FROM read_text('{folder}/other.parquet')",
        "FROM read_parquet('{folder}/inside.parquet/../other.parquet')",
        "FROM glob('{folder}/*')",
        "FROM read_csv('/etc/passwd')",
        "COPY (SELECT 1) TO '{folder}/new.csv'",
        "ATTACH '{folder}/new.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET memory_limit = '9GB'",
        "SET allowed_paths = ['/etc/passwd']",
        "RESET lock_configuration",
        "EXPORT DATABASE '{folder}/new'",
        "FROM read_csv('http://127.0.0.1:1/x.csv')",
        "FROM tmp_path",
    ],
)
def test_behind_the_lock_nothing_else_can_be_done(
    locked: duckdb.DuckDBPyConnection, tmp_path: Path, sql: str
) -> None:
    before = sorted(tmp_path.iterdir())
    with pytest.raises(
        duckdb.Error, match=r"(?i)permission|disabled|locked|cannot|not exist|allow"
    ) as error:
        locked.execute(sql.format(folder=tmp_path))
    assert "secret" not in str(error.value)
    assert sorted(tmp_path.iterdir()) == before
