from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lake.catalog.entries import Bounds, Column
from lake.errors import SourceUnreadable
from lake.parquet.inspect import check_partition_column, inspect_parquet

DATA = Path(__file__).parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="shared/data is not beside the repository"
)
WIDE = 2**53 + 1


@pytest.fixture(params=[True, False], ids=["statistics", "no statistics"])
def statistics(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def write(folder: Path, columns: dict[str, pa.Array], *, statistics: bool = True) -> Path:
    path = folder / "file.parquet"
    pq.write_table(pa.table(columns), path, write_statistics=statistics, row_group_size=1)
    return path


def facts(folder: Path, columns: dict[str, pa.Array], *, statistics: bool) -> dict[str, list[str]]:
    found = inspect_parquet(write(folder, columns, statistics=statistics), name="f")
    return {column.name: list(column.facts) for column in found.schema}


def test_facts_are_those_of_the_values_with_and_without_statistics(
    tmp_path: Path, statistics: bool
) -> None:
    columns = {
        "edge": pa.array([2**53, -(2**53)]),
        "wide": pa.array([1, WIDE]),
        "low": pa.array([-WIDE, None]),
        "unsigned": pa.array([0, 2**64 - 1], pa.uint64()),
        "nothing": pa.array([None, None], pa.float64()),
        "untyped": pa.nulls(2),
        "texts": pa.array([None, None], pa.string()),
        "far": pa.array([0, 10**15], pa.timestamp("ms")),
        "early": pa.array([-(10**6), 0], pa.date32()),
        "never": pa.array([2**30, 0], pa.date32()),
        "nanos": pa.array([0, 2**63 - 2], pa.timestamp("ns")),
    }
    assert facts(tmp_path, columns, statistics=statistics) == {
        "edge": [],
        "wide": ["wide"],
        "low": ["wide"],
        "unsigned": ["wide"],
        "nothing": ["null"],
        "untyped": ["null"],
        "texts": ["null"],
        "far": ["beyond_ns"],
        "early": ["beyond_ns"],
        "never": ["beyond_ns", "beyond_us"],
        "nanos": [],
    }


def test_nested_leaves_have_their_path(tmp_path: Path, statistics: bool) -> None:
    inner = pa.struct([("x", pa.list_(pa.int64())), ("d", pa.date32())])
    columns = {
        "l": pa.array([[WIDE], None], pa.list_(pa.int64())),
        "s": pa.array([{"a": 1}, {"a": WIDE}]),
        "deep": pa.array([[{"x": [1, WIDE], "d": 10**6}], []], pa.list_(inner)),
        "m": pa.array([[("k", WIDE)], None], pa.map_(pa.string(), pa.int64())),
        "null_list": pa.array([None, None], pa.list_(pa.string())),
        "empty_list": pa.array([[], None], pa.list_(pa.int64())),
        "null_struct": pa.array([None, None], pa.struct([("a", pa.int64())])),
        "empty_struct": pa.array([{"a": None}, None], pa.struct([("a", pa.int64())])),
        "last": pa.array([1, 2]),
    }
    assert facts(tmp_path, columns, statistics=statistics) == {
        "l": ["element:wide"],
        "s": ["a:wide"],
        "deep": ["element.d:beyond_ns", "element.x.element:wide"],
        "m": ["value:wide"],
        "null_list": ["null"],
        "empty_list": ["element:null"],
        "null_struct": ["null"],
        "empty_struct": ["a:null"],
        "last": [],
    }


def test_bounds_are_numeric_or_temporal_and_fit_into_json(tmp_path: Path, statistics: bool) -> None:
    columns = {
        "i": pa.array([3, -1]),
        "f": pa.array([float("nan"), 1.5]),
        "endless": pa.array([float("-inf"), float("inf")]),
        "d": pa.array([Decimal("1.5"), Decimal("-10.25")], pa.decimal128(10, 2)),
        "t": pa.array([1, None], pa.timestamp("us")),
        "z": pa.array([0, 1], pa.timestamp("us", "Europe/Paris")),
        "text": pa.array(["secret", "name"]),
        "blob": pa.array([b"secret", None]),
        "flag": pa.array([True, False]),
    }
    path = write(tmp_path, columns, statistics=statistics)
    assert inspect_parquet(path, name="f").bounds == {
        "i": Bounds(0, -1, 3),
        "f": Bounds(0, 1.5, 1.5),
        "endless": Bounds(0, None, None),
        "d": Bounds(0, "-10.25", "1.50"),
        "t": Bounds(1, "1970-01-01T00:00:00.000001", "1970-01-01T00:00:00.000001"),
        "z": Bounds(0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000001Z"),
    }


def test_a_file_without_rows_has_columns_of_nothing(tmp_path: Path) -> None:
    found = inspect_parquet(write(tmp_path, {"a": pa.array([], pa.int64())}), name="f")
    assert (found.rows, found.schema) == (0, (Column("a", "BIGINT", ("null",)),))


def test_names_are_the_files_own(tmp_path: Path) -> None:
    path = write(tmp_path, {" Fee ": pa.array([1]), "fee": pa.array([2]), "FEE": pa.array([WIDE])})
    found = inspect_parquet(path, name="f").schema
    assert [(c.name, c.facts) for c in found] == [(" Fee ", ()), ("fee", ()), ("FEE", ("wide",))]


def test_a_folder_that_looks_partitioned_adds_no_column(tmp_path: Path) -> None:
    folder = tmp_path / "version=1"
    folder.mkdir()
    found = inspect_parquet(write(folder, {"a": pa.array([1])}), name="f")
    assert [column.name for column in found.schema] == ["a"]


@pytest.mark.parametrize(
    ("names", "message"),
    [(["a", "a"], "^f has two columns 'a'"), (["a", " "], "^f has no name for column 2 of 2")],
)
def test_names_that_cannot_be_are_refused(tmp_path: Path, names: list[str], message: str) -> None:
    path = tmp_path / "file.parquet"
    pq.write_table(pa.table([pa.array([1]), pa.array([2])], names=names), path)
    with pytest.raises(SourceUnreadable, match=message):
        inspect_parquet(path, name="f")


def test_decimals_that_duckdb_reads_wrongly_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, {"d": pa.array([Decimal("1.5")], pa.decimal256(40, 2))})
    with pytest.raises(SourceUnreadable, match=r"^f has a column 'd' of 40 decimal digits"):
        inspect_parquet(path, name="f")


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, {"a": pa.array(range(100))})
    data = path.read_bytes()
    footer = 8 + int.from_bytes(data[-8:-4], "little")
    for damaged, message in (
        (data[:-1], "is a truncated Parquet: "),
        (data[:500] + data[-footer:], "its footer names .* bytes of data"),
        (data[:-footer] + b"\xff" * (footer - 8) + data[-8:], "its footer cannot be read"),
        (b"PARE" + data[4:-4] + b"PARE", "is an encrypted Parquet"),
    ):
        path.write_bytes(damaged)
        with pytest.raises(SourceUnreadable, match=f"^f is a.*{message}|^f {message}"):
            inspect_parquet(path, name="f")


@needs_data
def test_the_real_files_show_their_drift() -> None:
    old = inspect_parquet(DATA / "green_tripdata_2023-12.parquet", name="old")
    new = inspect_parquet(DATA / "green_tripdata_2025-11.parquet", name="new")
    assert (old.rows, len(old.schema), new.rows, len(new.schema)) == (64_215, 20, 46_912, 21)
    before = {column.name: column for column in old.schema}
    changed = {c.name: c.type for c in new.schema if before.get(c.name) != c}
    four = ("RatecodeID", "passenger_count", "payment_type", "trip_type")
    assert changed == {**dict.fromkeys(four, "DOUBLE"), "cbd_congestion_fee": "DOUBLE"}
    assert before["trip_type"] == Column("trip_type", "BIGINT", ())
    assert before["ehail_fee"] == Column("ehail_fee", "DOUBLE", ("null",))
    assert new.bounds["payment_type"] == Bounds(5_569, 1.0, 5.0)


def test_a_column_of_a_partition_keys_name_must_agree_row_by_row(tmp_path: Path) -> None:
    path = tmp_path / "file.parquet"
    duckdb.sql(
        "SELECT * FROM (VALUES ('2024-01', 7), ('2024-01', 7)) t(\" Month\", n)"
    ).write_parquet(str(path))
    assert check_partition_column(path, "month", "2024-01") is None
    assert check_partition_column(path, "day", "x") is None
    assert check_partition_column(path, "n", "7") is None
    assert check_partition_column(path, "n", "07") == (
        "column 'n' must be '07' as its partition is, but 2 rows disagree, the first: '7'"
    )


def test_a_null_does_not_agree_with_a_partition(tmp_path: Path) -> None:
    path = write(tmp_path, {"month": pa.array(["2024-01", None])})
    assert check_partition_column(path, "month", "2024-01") == (
        "column 'month' must be '2024-01' as its partition is, but 1 row disagrees, the first: NULL"
    )


def test_an_open_connection_gives_the_same_whatever_its_time_zone(tmp_path: Path) -> None:
    moment = pa.array([datetime(2024, 1, 1, tzinfo=UTC)], pa.timestamp("us", "UTC"))
    path = write(tmp_path, {"a": moment}, statistics=False)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'America/New_York'")
        found = inspect_parquet(path, name="f", connection=connection)
        assert connection.execute("SELECT 1").fetchall() == [(1,)]
    assert found == inspect_parquet(path, name="f")
