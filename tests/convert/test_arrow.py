import datetime as dt
import io
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from lake.convert.arrow.convert import convert_arrow, is_stream
from lake.errors import SourceUnreadable
from lake.parquet.inspect import inspect_parquet
from tests.faults.refusal import exactly

New = Callable[..., Any]
KINDS = (pa.ipc.new_file, pa.ipc.new_stream)


def written(table: pa.Table, new: New = pa.ipc.new_file, compression: str | None = None) -> bytes:
    target = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with new(target, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=100)
    return target.getvalue()


def one(values: Any, kind: Any = None) -> pa.Table:
    array = values if isinstance(values, pa.Array) else pa.array(values, kind)
    return pa.table({"v": array})


def converted(tmp_path: Path, data: bytes) -> tuple[str, list[Any]]:
    path, out = tmp_path / "x.arrow", tmp_path / f"{len(list(tmp_path.iterdir()))}.rows"
    path.write_bytes(data)
    done = convert_arrow(path, out, name="x.arrow")
    schema = inspect_parquet(out, name="x.arrow").schema
    rows = duckdb.read_parquet(str(out)).fetchall()
    assert (done.rows, done.rejected) == (len(rows), 0)
    return schema[0].type, [row[0] for row in rows]


@pytest.mark.parametrize("new", KINDS)
@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
def test_files_and_streams_are_read_batch_by_batch(
    tmp_path: Path, new: New, compression: str | None
) -> None:
    data = written(one(list(range(1000))), new, compression)
    assert converted(tmp_path, data) == ("BIGINT", list(range(1000)))
    (tmp_path / "x").write_bytes(data)
    assert is_stream(tmp_path / "x") == (new is pa.ipc.new_stream)


NS = pa.array([1_700_000_000_123_456_789], pa.timestamp("ns"))
REPEATED = pa.RunEndEncodedArray.from_arrays([2, 3], ["a", None])
MOMENT = dt.datetime(2024, 1, 2, 3, 4, 5)


@pytest.mark.parametrize(
    ("values", "kind", "type_", "rows"),
    [
        ([2**64 - 1], pa.uint64(), "UBIGINT", [2**64 - 1]),
        ([1.5, None], pa.float16(), "FLOAT", [1.5, None]),
        ([Decimal("1.50")], pa.decimal256(20, 2), "DECIMAL(20,2)", [Decimal("1.50")]),
        ([Decimal("100")], pa.decimal128(5, -1), "DECIMAL(6,0)", [Decimal("100")]),
        ([dt.date(2024, 1, 2)], pa.date64(), "DATE", [dt.date(2024, 1, 2)]),
        ([dt.time(1, 2, 3)], pa.time32("s"), "TIME", [dt.time(1, 2, 3)]),
        ([MOMENT], pa.timestamp("s"), "TIMESTAMP", [MOMENT]),
        (["a", None], pa.dictionary(pa.int8(), pa.string()), "VARCHAR", ["a", None]),
        (["a"], pa.string_view(), "VARCHAR", ["a"]),
        ([b"\xff"], pa.binary_view(), "BLOB", [b"\xff"]),
        ([[1, 2], None], pa.list_(pa.int32(), 2), "INTEGER[]", [[1, 2], None]),
        ([[1], [], None, [2, 3]], pa.list_view(pa.int32()), "INTEGER[]", [[1], [], None, [2, 3]]),
        (
            [{"a": None}, None],
            pa.struct({"a": pa.int8()}),
            "STRUCT(a TINYINT)",
            [{"a": None}, None],
        ),
        (REPEATED, None, "VARCHAR", ["a", "a", None]),
        ([None], pa.null(), "INTEGER", [None]),
    ],
)
def test_types_go_over_exactly(
    tmp_path: Path, values: Any, kind: Any, type_: str, rows: list[Any]
) -> None:
    for new in KINDS:
        assert converted(tmp_path, written(one(values, kind), new)) == (type_, rows)


def test_nanoseconds_without_a_zone_are_kept(tmp_path: Path) -> None:
    assert converted(tmp_path, written(one(NS)))[0] == "TIMESTAMP_NS"
    out = next(tmp_path.glob("*.rows"))
    text = duckdb.sql(f"SELECT v::VARCHAR FROM read_parquet('{out}')").fetchone()
    assert text == ("2023-11-14 22:13:20.123456789",)


def refused(tmp_path: Path, data: bytes, message: str) -> None:
    path, out = tmp_path / "x.arrow", tmp_path / "out.rows"
    path.write_bytes(data)
    with pytest.raises(SourceUnreadable, match=exactly(message)):
        convert_arrow(path, out, name="x.arrow")
    assert not out.exists()


LENGTH = "no length of time is kept in Parquet"
UNION = pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])])


@pytest.mark.parametrize(
    ("values", "kind", "what"),
    [
        ([1], pa.decimal256(76, 2), "decimal256(76, 2), and a decimal has at most 38 digits here"),
        ([1], pa.duration("s"), f"duration[s], and {LENGTH}"),
        ([(1, 2, 3)], pa.month_day_nano_interval(), f"month_day_nano_interval, and {LENGTH}"),
        (UNION, None, "sparse_union<0: int64=0>, and no union is kept in Parquet"),
        ([{}], pa.struct([]), "struct<>, and a struct needs fields, each of another name"),
    ],
)
def test_types_that_no_parquet_holds_are_refused(
    tmp_path: Path, values: Any, kind: Any, what: str
) -> None:
    message = f"x.arrow has a column 'v' of type {what}: cast it where it is made"
    refused(tmp_path, written(one(values, kind)), message)


def test_values_that_would_change_are_refused(tmp_path: Path) -> None:
    zoned = one(pa.array([1001], pa.timestamp("ns", "UTC")))
    message = (
        "x.arrow has a column 'v' of type timestamp[ns, tz=UTC] with a value that timestamp[us,"
        " tz=UTC] does not hold (Casting from timestamp[ns, tz=UTC] to timestamp[us, tz=UTC] would"
        " lose data: 1001): cast it where it is made"
    )
    refused(tmp_path, written(zoned), message)
    message = (
        "x.arrow is a damaged or truncated Arrow file (In column 0: Invalid: date64[ms] 86400001"
        " does not represent a whole number of days): fetch it again"
    )
    refused(tmp_path, written(one(pa.array([86400001], pa.date64()))), message)


def test_names_that_cannot_be_columns_are_refused(tmp_path: Path) -> None:
    twice = pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])
    refused(tmp_path, written(twice), "x.arrow has two columns 'a': rename one where it is made")
    none = pa.table([pa.array([1])], names=[""])
    message = "x.arrow has no name for column 1 of 1: name it where it is made"
    refused(tmp_path, written(none), message)
    message = "x.arrow has no columns: look at what its source sends"
    refused(tmp_path, written(pa.table({})), message)


def test_a_stream_must_end_where_it_says(tmp_path: Path) -> None:
    data = written(one(list(range(1000))), pa.ipc.new_stream)
    message = "x.arrow is an Arrow stream with no end mark: fetch it again"
    refused(tmp_path, data[:-8], message)
    message = "x.arrow is an Arrow stream with more behind its end mark: fetch it again"
    refused(tmp_path, data + data, message)


@pytest.mark.parametrize("kept", [-1, -100, 200])
@pytest.mark.parametrize("new", KINDS)
def test_what_is_cut_off_is_refused(tmp_path: Path, new: New, kept: int) -> None:
    path, out = tmp_path / "x.arrow", tmp_path / "out.rows"
    path.write_bytes(written(one(list(range(1000))), new)[:kept])
    with pytest.raises(
        SourceUnreadable,
        match=r"^x\.arrow is (a damaged or truncated Arrow file \(.*\)|an Arrow stream with no end"
        r" mark): fetch it again$",
    ):
        convert_arrow(path, out, name="x.arrow")
    assert not out.exists()


def test_text_that_is_no_utf_8_is_refused(tmp_path: Path) -> None:
    bad = pa.array([b"\xff"]).view(pa.string())
    message = (
        "x.arrow is a damaged or truncated Arrow file (In column 0: Invalid: Invalid UTF8 sequence"
        " at string index 0): fetch it again"
    )
    refused(tmp_path, written(one(bad)), message)
