import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lake.errors import FileDamaged
from lake.lake import Lake
from tests.lakes import again, land, model, new_lake, rows

MODEL = "SELECT n, month FROM raw.x"
HEADER = ('description = "All"', 'owner = "me"')


@pytest.fixture
def lk(tmp_path: Path) -> Lake:
    lk = new_lake(tmp_path, load=("all_x",))
    land(lk, "raw.x", "SELECT range AS n FROM range(60)", month="2024-01")
    land(lk, "raw.x", "SELECT range AS n FROM range(40)", month="2024-02")
    land(lk, "raw.sound", "SELECT 1 AS n")
    model(lk, "all_x", MODEL, *HEADER)
    lk.transform()
    return lk


def file_of(lk: Lake, partition: str = "month=2024-01", dataset: str = "raw.x") -> Path:
    (key,) = (f.key for f in lk.state.data_files(dataset) if f.partition == partition)
    return Path(lk.log.store.data_url(key))


def swapped(path: Path, count: int, *, same_size: bool = False) -> str:
    """Put a sound Parquet of `count` rows in the place of a file; return the file's own name."""
    table, size, pad = pa.table({"n": pa.array(range(count))}), path.stat().st_size, 0
    path.unlink()
    while not path.exists() or (same_size and path.stat().st_size != size):
        with pq.ParquetWriter(path, table.schema, compression="none", store_schema=False) as writer:
            writer.write_table(table)
            writer.add_key_value_metadata({"pad": "x" * pad})
        pad += size - path.stat().st_size
    return path.name


def refused(lk: Lake, ask: Callable[[], Any], said: str) -> None:
    """See that `ask` is refused for the file of January, and what is said of it."""
    (key,) = (f.key for f in lk.state.data_files("raw.x") if f.partition == "month=2024-01")
    what = rf"{re.escape(key)} {said}, so raw\.x cannot be read: restore it from a copy of the lake"
    with pytest.raises(FileDamaged, match=f"^(models/all_x.sql could not be built: )?{what}$"):
        ask()


ASKS: dict[str, Callable[[Lake], Any]] = {
    "sql": lambda lk: lk.sql("SELECT count(*) FROM raw.x"),
    "sql by another name": lambda lk: lk.sql("FROM query('SELECT count(*) FROM raw.x')"),
    "table": lambda lk: lk.table("raw.x"),
    "table of a partition": lambda lk: lk.table("raw.x/month=2024-01"),
    "table of a version": lambda lk: lk.table("raw.x/month=2024-01@v1"),
    "at": lambda lk: lk.at(2).sql("SELECT count(*) FROM raw.x"),
    "connect": lambda lk: lk.connect(),
}


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
def test_a_file_of_another_size_is_an_error_and_never_an_answer(
    lk: Lake, ask: Callable[[Lake], Any]
) -> None:
    before = file_of(lk).stat().st_size
    swapped(file_of(lk), 159)
    now = file_of(lk).stat().st_size
    refused(lk, lambda: ask(again(lk)), f"has {now:,} bytes, the log says {before:,}")


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
def test_a_file_of_the_same_size_with_other_rows_is_an_error(
    lk: Lake, ask: Callable[[Lake], Any], tmp_path: Path
) -> None:
    path, size = file_of(lk), file_of(lk).stat().st_size
    swapped(path, 19, same_size=True)
    assert path.stat().st_size == size
    refused(lk, lambda: ask(again(lk)), "has 19 rows, the log says 60")


@pytest.mark.parametrize("same_size", [False, True])
def test_a_model_is_not_built_from_a_swapped_file(lk: Lake, same_size: bool) -> None:
    swapped(file_of(lk), 19, same_size=same_size)
    model(lk, "all_x", "SELECT n + 1 AS n, month FROM raw.x", *HEADER)
    commit = lk.commit
    refused(lk, again(lk).transform, r"has [0-9]+ (rows|bytes), the log says [0-9,]+")
    assert again(lk).commit == commit


def test_a_swapped_file_is_not_loaded(lk: Lake) -> None:
    swapped(file_of(lk, "", "curated.all_x"), 100, same_size=False)
    with pytest.raises(FileDamaged, match=r"^curated/all_x/.*has .* bytes, the log says .*"):
        lk.load()


def test_a_file_that_is_swapped_between_two_statements_is_seen(lk: Lake) -> None:
    assert rows(lk, "SELECT count(*) FROM raw.x") == [(100,)]
    swapped(file_of(lk), 19, same_size=True)
    refused(lk, lambda: lk.sql("SELECT count(*) FROM raw.x"), "has 19 rows, the log says 60")
    lk.session().connection.execute("USE raw")
    refused(lk, lambda: lk.sql("SELECT count(*) FROM x"), "has 19 rows, the log says 60")


def test_what_is_no_parquet_any_more_is_named(lk: Lake) -> None:
    path = file_of(lk)
    path.write_bytes(b"x" * path.stat().st_size)
    refused(lk, lambda: again(lk).sql("FROM raw.x"), r"is no whole Parquet \(.*\)")


def test_other_datasets_are_read_nevertheless(lk: Lake) -> None:
    swapped(file_of(lk), 159)
    assert rows(lk, "SELECT n FROM raw.sound") == [(1,)]
    assert rows(again(lk), "FROM query('SELECT n FROM raw.sound')") == [(1,)]
    assert len(lk.table("raw.x/month=2024-02").fetchall()) == 40
    with pytest.raises(duckdb.CatalogException, match="nope does not exist"):
        lk.sql("FROM raw.nope")


def test_a_file_that_came_back_is_read_again(lk: Lake, tmp_path: Path) -> None:
    path = file_of(lk)
    kept = path.rename(tmp_path / "kept")
    swapped_in = path
    swapped_in.write_bytes(b"")
    refused(lk, lambda: lk.sql("FROM raw.x"), r"has 0 bytes, the log says [0-9,]+")
    kept.rename(path)
    assert rows(lk, "SELECT count(*) FROM raw.x") == [(100,)]


def test_a_schema_file_that_says_other_types_is_an_error(lk: Lake) -> None:
    land(lk, "raw.y", "SELECT 1.5::DOUBLE AS n", month="1")
    (leader,) = {
        path
        for path in (lk.config.root / ".lake" / "_lake" / "schemas").iterdir()
        if duckdb.read_parquet(str(path)).types == ["DOUBLE"]
    }
    leader.unlink()
    duckdb.sql("SELECT 1::BIGINT AS n LIMIT 0").write_parquet(str(leader))
    message = (
        rf"^_lake/schemas/{leader.name} is not the file that it is named after, so raw\.y cannot be"
        " read: restore it from a copy of the lake$"
    )
    with pytest.raises(FileDamaged, match=message):
        again(lk).sql("FROM raw.y")


def test_a_copy_of_the_lake_with_other_times_is_the_same_lake(lk: Lake) -> None:
    assert rows(lk, "SELECT count(*) FROM raw.x") == [(100,)]
    file_of(lk).touch()
    assert rows(lk, "SELECT count(*) FROM raw.x") == [(100,)]
