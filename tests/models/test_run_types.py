import time
from datetime import date

import duckdb
import pytest

from lake.errors import (
    BuildFailed,
    ModelInvalid,
)
from lake.lake import Lake
from lake.query.sql import file_list
from tests.lakes import land, model, rows
from tests.models.months import (
    MARCH,
    each,
    remove,
    same,
    settled,
)


def test_a_sum_beyond_double_is_exact_in_the_file_and_in_the_view(lk: Lake) -> None:
    land(lk, "raw.large", "FROM (VALUES (9007199254740993::BIGINT), (2)) t(n)")
    model(lk, "large", "SELECT sum(n) AS n FROM raw.large")
    lk.transform()
    assert rows(lk, "SELECT n, typeof(n) FROM curated.large") == [(9007199254740995, "BIGINT")]
    with duckdb.connect() as stock:
        found = stock.sql(
            f"SELECT n FROM read_parquet({file_list(lk.files('curated.large'))})"
        ).fetchall()
    assert found == [(9007199254740995,)]


def test_a_sum_beyond_bigint_is_refused_with_the_cast_to_write(lk: Lake) -> None:
    land(lk, "raw.large", "FROM (VALUES (9223372036854775807::BIGINT), (2)) t(n)")
    model(lk, "large", "SELECT sum(n) AS n FROM raw.large")
    with pytest.raises(ModelInvalid, match=r"cannot hold exactly: write CAST\(\"n\" AS DECIMAL"):
        lk.transform()


def test_a_key_that_is_null_is_refused(lk: Lake) -> None:
    model(lk, "a", "SELECT nullif(id, 1) AS id, fare FROM raw.trips", 'partition_by = "id"')
    with pytest.raises(BuildFailed, match="column 'id' is NULL in 1 of 4 rows: filter them out"):
        lk.transform()


def test_keys_keep_their_types(lk: Lake) -> None:
    model(lk, "a", "SELECT id, day, fare > 15 AS dear, 'x' AS x FROM raw.trips",
          'partition_by = ["day", "id", "dear"]')  # fmt: skip
    lk.transform()
    query = "SELECT day, id, dear, typeof(day), typeof(id), typeof(dear) FROM curated.a ORDER BY id"
    assert rows(lk, query)[0] == (date(2024, 1, 5), 1, False, "DATE", "INTEGER", "BOOLEAN")
    assert len(rows(lk, "FROM curated.a WHERE day >= DATE '2024-02-01'")) == 1
    assert rows(lk, "SELECT partition FROM meta.versions WHERE dataset = 'curated.a' LIMIT 1") == [
        ("day=2024-01-05/id=1/dear=false",)
    ]


ODD = ["a b", "100%", "a=b", "é日🚕", "a/b", "'quoted'", " ", "%20", "NULL", "x\ty"]


def test_a_keys_text_may_hold_anything(lk: Lake) -> None:
    values = ", ".join(
        f"({n}, '{text.replace(chr(39), chr(39) * 2)}')" for n, text in enumerate(ODD)
    )
    land(lk, "raw.odd", f"FROM (VALUES {values}) t(n, city)")
    model(lk, "a", "SELECT n, city FROM raw.odd", 'partition_by = "city"')
    lk.transform()
    assert rows(lk, "SELECT city FROM curated.a ORDER BY n") == [(text,) for text in ODD]
    with duckdb.connect(lk.log.store.data_url("catalog.duckdb"), read_only=True) as stock:
        assert stock.sql("SELECT city FROM curated.a ORDER BY n").fetchall() == [(t,) for t in ODD]
    assert settled(lk)


def test_types_that_drift_between_runs_end_at_the_same_place(lk: Lake) -> None:
    each(lk)
    same(lk)
    lk.transform()
    march = "SELECT 9 AS id, DATE '2024-03-01' AS day, 0.5::DOUBLE AS fare, 'b' AS more"
    land(lk, "raw.trips", march, month="2024-03")
    lk.transform()
    query = "SELECT month, fare, typeof(fare) FROM curated.totals ORDER BY month"
    assert rows(lk, query) == [
        ("2024-01", 30, "DOUBLE"),
        ("2024-02", 70, "DOUBLE"),
        ("2024-03", 0.5, "DOUBLE"),
    ]
    assert settled(lk)
    remove(lk, "raw.trips", MARCH)
    lk.transform()
    assert rows(lk, query)[0] == ("2024-01", 30, "BIGINT")
    assert settled(lk)


def test_many_partitions_come_from_one_query_in_seconds(lk: Lake) -> None:
    land(lk, "raw.many", "SELECT i % 60 AS k, i AS n FROM range(3000) t(i)")
    model(lk, "many", "SELECT k, n FROM raw.many", 'partition_by = "k"')
    started = time.monotonic()
    assert len(lk.transform().runs[0].changed) == 60
    assert time.monotonic() - started < 10
    assert rows(lk, "SELECT count(DISTINCT k), count(*) FROM curated.many") == [(60, 3000)]
