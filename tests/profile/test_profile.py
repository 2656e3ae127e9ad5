import json
import math
import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lake import layout
from lake.catalog.state import data_files
from lake.errors import SourceUnreadable
from lake.lake import Lake
from lake.operations.profiles import column_profiles
from lake.parquet.inspect import inspect_parquet
from lake.profile.grid import BINS, coarsened, edge, fitted, scaled
from lake.profile.merge import has_every_text, merged
from lake.profile.profile import (
    ColumnProfile,
    Profile,
    profile,
    profile_document,
    profiles_of,
)
from tests.lakes import new_lake, parquet


def profiled(path: Path, **options: Any) -> Profile:
    inspected = inspect_parquet(path, name="f")
    return profile(path, key="k", name="f", inspected=inspected, **options)


def of(folder: Path, values: Any, kind: pa.DataType | None = None, **options: Any) -> ColumnProfile:
    path = folder / "file.parquet"
    pq.write_table(pa.table({"c": pa.array(values, kind)}), path)
    return profiled(path, **options).columns[0]


def bin_of(value: float, grid: str) -> int:
    """Find the last edge that is not above a value, by the edges alone."""
    guess = math.floor(value / edge(grid, 1))
    return max(b for b in range(guess - 2, guess + 3) if edge(grid, b) <= value)


def count(values: Any, name_of: Any) -> tuple[tuple[Any, int], ...]:
    found: dict[Any, int] = {}
    for value in values:
        found[name_of(value)] = found.get(name_of(value), 0) + 1
    return tuple(sorted(found.items()))


def test_every_kind_of_column_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "file.parquet"
    columns = {
        "i": pa.array([-11, -10, 0, None], pa.int8()),
        "f": pa.array([0.29, float("nan"), float("inf"), 0.3]),
        "d": pa.array([Decimal("1.50"), None, Decimal("-2.25"), None], pa.decimal128(10, 2)),
        "day": pa.array([date(2024, 1, 31), date(2024, 3, 1), date(2024, 3, 1), None]),
        "at": pa.array([datetime(2024, 1, 1, 5, 7, tzinfo=UTC)] * 4, pa.timestamp("us", "UTC")),
        "far": pa.array([2**30, 0, 1, 2], pa.date32()),
        "t": pa.array(["b", "", "b", None]),
        "b": pa.array([True, False, True, None]),
        "n": pa.array([[1], None, [], [2]], pa.list_(pa.int64())),
        "never": pa.array([None] * 4, pa.string()),
        "name": pa.array(["Ann", "Bob", "Cy", "Di"]),
    }
    pq.write_table(pa.table(columns), path)
    found = json.loads(profile_document([profiled(path, personal=frozenset({"name"}))]))
    two_in_march = [["2024-01-31", 1], ["2024-03-01", 2]]
    assert found == {
        "format": 1,
        "files": [{"key": "k", "rows": 4, "profiled": 4, "columns": found["files"][0]["columns"]}],
    }
    assert found["files"][0]["columns"] == [
        {"name": "i", "type": "TINYINT", "family": "number", "nulls": 1, "min": -11, "max": 0}
        | {"distinct": 3, "grid": "1e0", "counts": [[-11, 1], [-10, 1], [0, 1]]},
        {"name": "f", "type": "DOUBLE", "family": "number", "min": 0.29, "distinct": 4}
        | {"grid": "1e-4", "counts": [[2900, 1], [3000, 1]], "nan": 1, "beyond": 1},
        {"name": "d", "type": "DECIMAL(10,2)", "family": "number", "nulls": 2}
        | {"min": "-2.25", "max": "1.50", "distinct": 2, "grid": "1e-2"}
        | {"counts": [[-225, 1], [150, 1]]},
        {"name": "day", "type": "DATE", "family": "time", "nulls": 1, "min": "2024-01-31"}
        | {"max": "2024-03-01", "distinct": 2, "grid": "day", "counts": two_in_march},
        {"name": "at", "type": "TIMESTAMP WITH TIME ZONE", "family": "time", "distinct": 1}
        | {"min": "2024-01-01T05:07:00Z", "max": "2024-01-01T05:07:00Z", "grid": "minute"}
        | {"counts": [["2024-01-01T05:07", 4]]},
        {"name": "far", "type": "DATE", "family": "time", "min": "1970-01-01"}
        | {"max": "2941775-04-07", "distinct": 4, "grid": "day", "beyond": 1}
        | {"counts": [["1970-01-01", 1], ["1970-01-02", 1], ["1970-01-03", 1]]},
        {"name": "t", "type": "VARCHAR", "family": "text", "nulls": 1, "min": "", "max": "b"}
        | {"distinct": 2, "grid": "1e0", "counts": [[0, 1], [1, 2]], "top": [["b", 2], ["", 1]]},
        {"name": "b", "type": "BOOLEAN", "family": "boolean", "nulls": 1, "distinct": 2}
        | {"counts": [["false", 1], ["true", 2]]},
        {"name": "n", "type": "BIGINT[]", "family": "other", "nulls": 1},
        {"name": "never", "type": "VARCHAR", "family": "text", "nulls": 4, "grid": "1e0"},
        {"name": "name", "type": "VARCHAR", "personal": True},
    ]


def test_a_profile_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = parquet(tmp_path / "f", "SELECT n, n::VARCHAR t, n % 2 = 0 b FROM range(500) s(n)")
    one = profiled(path)
    data = profile_document([one, one])
    assert profiles_of(data) == (one, one)
    assert data == profile_document([profiled(path)] * 2)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"format":2,"files":[]}', b'{"format":1}'])
def test_what_cannot_be_read_says_nothing(data: bytes) -> None:
    assert profiles_of(data) == ()


@pytest.mark.parametrize("seed", range(8))
def test_merged_counts_of_numbers_are_those_of_all_values(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    files: list[list[float]] = []
    for number in range(3):
        scale, digits = 10 ** rng.randint(-3, 6), rng.randint(0, 4)
        size = rng.randint(1, 3000)
        if number == 1:
            files.append([rng.randint(-int(scale) - 9, int(scale) + 9) for _ in range(size)])
        else:
            files.append([round(rng.gauss(0, scale), digits) for _ in range(size)])
    parts = [of(tmp_path, values) for values in files]
    one = merged("c", "DOUBLE", parts)
    everything = [value for values in files for value in values]
    assert one.counts == count(everything, lambda value: bin_of(value, one.grid))
    assert len(one.counts) <= BINS
    assert (one.min, one.max) == (min(everything), max(everything))
    assert one == merged("c", "DOUBLE", [parts[2], parts[0], parts[1]])
    assert sum(n for _, n in merged("c", "X", [one, parts[0]]).counts) == sum(
        map(len, [*files, files[0]])
    )


@pytest.mark.parametrize("spans", [(30, 300, 3), (40_000, 1, 200), (700_000, 10, 10)])
def test_merged_counts_of_times_are_those_of_all_values(
    tmp_path: Path, spans: tuple[int, ...]
) -> None:
    rng = random.Random(0)
    first = datetime(1900, 1, 1)
    files = [[first + timedelta(hours=rng.random() * span) for _ in range(200)] for span in spans]
    one = merged("c", "TIMESTAMP", [of(tmp_path, values) for values in files])
    length = len(str(one.counts[0][0]))
    texts = [value.isoformat()[:length] for values in files for value in values]
    assert one.counts == count(texts, str)
    assert len(one.counts) <= BINS


def test_values_just_beside_an_edge_are_on_their_side_of_it(tmp_path: Path) -> None:
    edges = [b / 100 for b in range(-300, 300)]
    values = [v for e in edges for v in (math.nextafter(e, -9), e, math.nextafter(e, 9))]
    one = of(tmp_path, values)
    assert one.counts == count(values, lambda value: bin_of(value, one.grid))


def test_integers_of_every_size_are_counted_exactly(tmp_path: Path) -> None:
    for kind, values in (
        (pa.uint64(), [0, 2**64 - 1, 2**63]),
        (pa.int64(), [-(2**63), 2**63 - 1, -1, 0]),
        (pa.int32(), [-(2**31), 2**31 - 1]),
        (pa.uint8(), [0, 255]),
    ):
        one = of(tmp_path, values, kind)
        assert one.counts == count(values, lambda v, g=one.grid: v // int(edge(g, 1)))
        assert (one.min, one.max, one.beyond) == (min(values), max(values), 0)


def test_an_outlier_does_not_blur_the_rest(tmp_path: Path) -> None:
    one = of(tmp_path, [*(n % 50 for n in range(5000)), 10**9, -(10**12)])
    assert one.grid == "1e0"
    assert len(one.counts) == 52


def test_of_a_large_file_some_rows_are_counted_and_all_are_accounted_for(tmp_path: Path) -> None:
    path = parquet(
        tmp_path / "f", "SELECT n, CASE WHEN n % 4 > 0 THEN 'x' END t FROM range(300000) s(n)"
    )
    one = profiled(path, at_most=4000)
    number, text = one.columns
    assert (one.rows, one.profiled) == (300_000, 4000)
    assert (number.min, number.max) == (0, 299_999)
    assert len(number.counts) == 6
    assert sum(n for _, n in number.counts) == 300_000
    assert (text.nulls, text.top) == (75_000, (("x", 225_000),))


def test_of_texts_the_most_frequent_are_kept_and_never_a_long_one(tmp_path: Path) -> None:
    values = [f"t{n % 30}" for n in range(100)] + ["x" * 101] * 50 + ["é" * 100] * 2
    one = of(tmp_path, values)
    assert one.top[0] == ("t0", 4)
    assert len(one.top) == 20
    assert ("é" * 100, 2) not in one.top
    assert one.counts[-2:] == ((100, 2), (101, 50))
    assert one.max == "é" * 100
    assert of(tmp_path, [str(n) for n in range(1000)]).top == ()


def test_merged_top_counts_are_lower_bounds(tmp_path: Path) -> None:
    parts = [of(tmp_path, ["a"] * 3 + ["b"]), of(tmp_path, ["b"] * 4)]
    assert merged("c", "VARCHAR", parts).top == (("b", 5), ("a", 3))


def test_a_limit_that_is_unknown_in_one_file_is_unknown(tmp_path: Path) -> None:
    parts = [of(tmp_path, [1.0, float("inf")]), of(tmp_path, [5.0])]
    one = merged("c", "DOUBLE", parts)
    assert (one.min, one.max, one.beyond) == (1.0, None, 1)


def test_families_that_differ_leave_nulls_alone(tmp_path: Path) -> None:
    numbers, texts = of(tmp_path, [1, None]), of(tmp_path, ["a", None])
    nothing = of(tmp_path, [None, None], pa.int64())
    assert merged("c", "VARCHAR", [numbers, texts]) == ColumnProfile("c", "VARCHAR", nulls=2)
    assert merged("c", "VARCHAR", [texts, nothing]).counts == ((1, 1),)
    assert merged("c", "X", [numbers, ColumnProfile("c", "X", personal=True)]) == ColumnProfile(
        "c", "X", personal=True
    )


def test_a_grid_moves_to_multiples_only() -> None:
    assert coarsened("2e0", ((-1, 1), (4, 2), (5, 3)), "1e1") == ((-1, 1), (0, 2), (1, 3))
    with pytest.raises(ValueError, match=r"^counts on the grid '2e0' do not add up to '5e0'"):
        coarsened("2e0", (), "5e0")
    with pytest.raises(ValueError, match=r"^counts on the grid 'day' do not add up to 'hour'"):
        coarsened("day", (), "hour")
    assert fitted("1e0", ((0, 1), (3, 1), (9, 1)), bins=1) == ("1e1", ((0, 3),))
    assert scaled([1, 1, 1], 10) == [4, 3, 3]
    assert scaled([1, 5], 7) == [1, 6]


def test_wide_files_and_large_values_are_counted_in_part(tmp_path: Path) -> None:
    wide = tmp_path / "wide.parquet"
    pq.write_table(pa.table({f"c{n}": pa.array([n] * 500) for n in range(60)}), wide)
    one = profiled(wide, at_most=800)
    assert one.profiled == 266
    assert one.columns[0].counts == ((0, 500),)
    assert (one.columns[50].counts, one.columns[50].max) == ((), 50)
    large = tmp_path / "large.parquet"
    pq.write_table(pa.table({"t": ["x" * 80_000_000]}), large, compression="zstd")
    assert profiled(large).profiled == 0


def test_a_file_without_rows_or_columns_has_a_profile(tmp_path: Path) -> None:
    assert of(tmp_path, [], pa.int64()) == ColumnProfile("c", "BIGINT", family="number")
    path = parquet(tmp_path / "f", "SELECT 1 AS file_row_number FROM range(9000)")
    assert profiled(path).columns[0].counts == ((1, 9000),)


def test_rows_that_cannot_be_read_are_found(tmp_path: Path) -> None:
    path = tmp_path / "f"
    pq.write_table(pa.table({"t": ["ab\u00e9c"] * 10}), path, use_dictionary=False)
    path.write_bytes(path.read_bytes().replace("\u00e9".encode(), b"\xff\xfe"))
    with pytest.raises(SourceUnreadable, match=r"^f is a damaged Parquet: its rows cannot be read"):
        profiled(path)


def with_profiles(lk: Lake, dataset: str, **options: Any) -> None:
    """Write the profiles of a dataset's current files, as landing does."""
    for part in lk.state.current(dataset):
        for file in data_files(part.current):
            key = layout.beside(file.key, layout.PROFILE)
            path = Path(lk.log.store.data_url(file.key))
            inspected = inspect_parquet(path, name="f")
            one = profile(path, key=file.key, name="f", inspected=inspected, **options)
            lk.log.store.delete(key)
            lk.log.store.put_new(key, profile_document([one]))


@pytest.fixture
def lk(tmp_path: Path) -> Lake:
    lk = new_lake(tmp_path)
    for month, select in (
        ("1", "SELECT n::INTEGER AS Fee, 'a' AS t FROM range(10) s(n)"),
        ("2", "SELECT n / 2 AS fee FROM range(4) s(n)"),
    ):
        path = parquet(tmp_path / f"{month}.parquet", select)
        lk.land(path, dataset="raw.x", partition={"month": month})
    return lk


def test_a_datasets_columns_are_those_of_its_files_together(lk: Lake) -> None:
    with_profiles(lk, "raw.x")
    found = column_profiles(lk, "raw.x")
    assert (found.rows, found.counted, found.files, found.missing) == (14, 14, 2, 0)
    fee, text = found.columns
    assert (fee.name, fee.type, fee.nulls, fee.min, fee.max) == ("fee", "DOUBLE", 0, 0, 9)
    assert fee.grid == "1e0"
    assert fee.counts == ((0, 3), (1, 3), *((n, 1) for n in range(2, 10)))
    assert (text.name, text.nulls, text.top) == ("t", 4, (("a", 10),))
    assert [c.name for c in column_profiles(lk, "raw.x/month=1").columns] == ["Fee", "t"]
    assert column_profiles(lk, "raw.x/month=2@v1").columns[0].max == 1.5
    last = column_profiles(lk, "raw.x", newest=1)
    assert (last.rows, last.files, last.columns[0].max) == (4, 1, 1.5)


def test_what_is_declared_personal_later_is_not_shown(lk: Lake) -> None:
    with_profiles(lk, "raw.x")
    said = {"columns": {"fare": {"from": ["Fee"], "personal": True}}}
    lk.state.declarations["source"] = {"x": json.dumps(said)}
    for address, name in (("raw.x", "fare"), ("raw.x/month=1", "Fee")):
        found = column_profiles(lk, address).columns
        assert [c.name for c in found if c == ColumnProfile(c.name, c.type, personal=True)] == [
            name
        ]


def test_a_file_without_a_profile_is_counted_as_missing(lk: Lake) -> None:
    (part, _) = lk.state.current("raw.x")
    with_profiles(lk, "raw.x")
    for file in data_files(part.current):
        lk.log.store.delete(layout.beside(file.key, layout.PROFILE))
    found = column_profiles(lk, "raw.x")
    assert (found.rows, found.files, found.missing) == (4, 1, 1)


def test_a_zoned_time_is_counted_in_utc_whatever_the_connection_says(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'America/New_York'")
        moments = [datetime(2024, 1, 1, 0, 30, tzinfo=UTC)]
        one = of(tmp_path, moments, pa.timestamp("us", "UTC"), connection=connection)
        assert connection.execute("SELECT 1").fetchall() == [(1,)]
    assert one.counts == (("2024-01-01T00:30", 1),)


@pytest.mark.parametrize(
    "kind", ["DECIMAL(4,2)[]", "DECIMAL(4,2)[][]", "MAP(VARCHAR, DECIMAL(4,2))"]
)
def test_a_nested_decimal_lands(tmp_path: Path, kind: str) -> None:
    lk = new_lake(tmp_path)
    value = {"DECIMAL(4,2)[]": "[1.5]", "DECIMAL(4,2)[][]": "[[1.5], []]"}.get(
        kind, "MAP {'a': 1.5}"
    )
    lk.land(
        parquet(tmp_path / "a.parquet", f"SELECT CAST({value} AS {kind}) AS x"), dataset="raw.x"
    )
    assert lk.sql("SELECT count(x) FROM raw.x").fetchall() == [(1,)]


def test_texts_that_are_all_known_are_counted_exactly(tmp_path: Path) -> None:
    texts = [
        profiled(parquet(tmp_path / name, f"SELECT unnest({some}) AS t")).columns[0]
        for name, some in (("a", "['x', 'y', NULL]"), ("b", "['y', 'z', 'z']"))
    ]
    one = merged("t", "VARCHAR", texts)
    assert (one.distinct, has_every_text(one)) == (3, True)
    many = profiled(parquet(tmp_path / "c", "SELECT range::VARCHAR AS t FROM range(500)")).columns[
        0
    ]
    assert not has_every_text(merged("t", "VARCHAR", [one, many]))
    long = profiled(parquet(tmp_path / "d", "SELECT repeat('x', 500) AS t")).columns[0]
    assert not has_every_text(long)
