import io
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pandas as pd
import pyarrow as pa
import pytest

import lake
from lake.errors import InvalidName, SourceIncomplete, SourceUnreadable
from lake.sources.copy import Fetched
from lake.sources.python import PythonSource, is_given, write_given


def written(folder: Path, data: Any) -> tuple[Fetched, dict[str, str], list[tuple[Any, ...]]]:
    """Write what is given; return the file, its columns' types, and its rows."""
    to = folder / f"{len(list(folder.iterdir()))}.parquet"
    fetched = write_given(data, to, name="x")
    table = duckdb.read_parquet(str(to))
    assert (fetched.path, fetched.bytes) == (to, to.stat().st_size)
    return fetched, dict(zip(table.columns, map(str, table.types), strict=True)), table.fetchall()


@lake.source
def orders(since: str = "2024", pages: int = 2) -> Iterator[dict[str, Any]]:
    for page in range(pages):
        yield {"id": page, "since": since}


def test_a_generator_is_a_source_and_a_call_binds_its_arguments(tmp_path: Path) -> None:
    assert (orders.name, orders.dataset, orders.partition) == ("orders", "raw.orders", {})
    assert written(tmp_path, orders)[2] == [(0, "2024"), (1, "2024")]
    bound = orders("2025", pages=1)
    fetched, _, rows = written(tmp_path, bound)
    assert (fetched.name, fetched.url, rows) == ("orders.parquet", "-", [(0, "2025")])
    assert written(tmp_path, bound)[0].sha256 == fetched.sha256


def test_a_source_says_where_it_lands() -> None:
    @lake.source(dataset="raw.sales", partition={"month": "2024-01"}, key="id")
    def monthly() -> list[dict[str, int]]:
        return [{"id": 1}]

    assert isinstance(monthly, PythonSource)
    assert (monthly.name, monthly.dataset) == ("monthly", "raw.sales")
    assert (monthly.partition, monthly.key) == ({"month": "2024-01"}, ("id",))


@pytest.mark.parametrize(
    "items",
    [
        [{"a": 1}, {"a": 2}, {"a": 3}],
        [[{"a": 1}, {"a": 2}], [], {"a": 3}],
        [pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"a": [3]})],
        [pa.table({"a": [1]}), pa.record_batch({"a": [2, 3]})],
    ],
)
def test_every_kind_of_chunk_gives_the_same_bytes(tmp_path: Path, items: list[Any]) -> None:
    fetched, _, rows = written(tmp_path, iter(items))
    assert rows == [(1,), (2,), (3,)]
    assert fetched.sha256 == written(tmp_path, pa.table({"a": [1, 2, 3]}))[0].sha256


def test_a_source_may_return_one_table(tmp_path: Path) -> None:
    @lake.source
    def frame() -> pd.DataFrame:
        return pd.DataFrame({"a": [1], "b": ["x"]})

    assert written(tmp_path, frame)[2] == [(1, "x")]


def test_an_error_at_row_1_000_001_names_the_row_and_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[dict[str, int]]:
        yield from ({"id": number} for number in range(1_000_000))
        raise ValueError("no such page: 41\nand more")

    with pytest.raises(SourceUnreadable, match="failed at record") as caught:
        write_given(lake.source(broken), tmp_path / "out", name="x")
    assert str(caught.value) == (
        "broken failed at record 1,000,001: ValueError: no such page: 41; nothing was published"
    )
    assert caught.value.public == (
        "broken failed at record 1,000,001: ValueError; nothing was published"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_lost_connection_is_worth_a_retry(tmp_path: Path) -> None:
    def lost() -> Iterator[pa.Table]:
        yield pa.table({"a": [1, 2]})
        raise ConnectionResetError("peer")

    said = "^x failed at record 3: ConnectionResetError: peer; nothing was published$"
    with pytest.raises(SourceIncomplete, match=said):
        write_given(lost(), tmp_path / "out", name="x")
    assert list(tmp_path.iterdir()) == []


def test_a_frame_keeps_its_types_and_missing_values_are_null(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "n": [1, 2],
            "x": [1.5, float("nan")],
            "s": ["a", None],
            "t": pd.Series([pd.Timestamp("2024-01-01 00:00:00.123456789"), pd.NaT]),
            "c": pd.Categorical(["p", "q"]),
            "o": [Decimal("1.50"), None],
            "i": pd.array([2**62, None], dtype="Int64"),
        }
    )
    _, types, rows = written(tmp_path, frame)
    assert list(types.items()) == [
        ("n", "BIGINT"),
        ("x", "DOUBLE"),
        ("s", "VARCHAR"),
        ("t", "TIMESTAMP_NS"),
        ("c", "VARCHAR"),
        ("o", "DECIMAL(3,2)"),
        ("i", "BIGINT"),
    ]
    assert rows[1] == (2, None, None, None, "q", None, None)
    assert rows[0][6] == 2**62


def test_a_named_index_is_kept_and_row_numbers_are_not(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
    assert list(written(tmp_path, frame)[1]) == ["a", "b"]
    assert written(tmp_path, frame[frame.a > 1])[2] == [(2, 4)]
    assert written(tmp_path, frame.set_index("b"))[2] == [(3, 1), (4, 2)]


def test_arrow_data_keep_their_exact_types(tmp_path: Path) -> None:
    table = pa.table(
        {
            "u": pa.array([2**64 - 1], pa.uint64()),
            "f": pa.array([1.5], pa.float32()),
            "d": pa.array([Decimal("1.50")], pa.decimal256(30, 2)),
            "z": pa.array([1_000], pa.timestamp("ns", "UTC")),
            "e": pa.array(["x"]).dictionary_encode(),
            "l": pa.array([[{"a": 1}]], pa.list_(pa.struct([("a", pa.int8())]))),
            "n": pa.nulls(1),
        }
    )
    expected = [
        "UBIGINT",
        "FLOAT",
        "DECIMAL(30,2)",
        "TIMESTAMP WITH TIME ZONE",
        "VARCHAR",
        "STRUCT(a TINYINT)[]",
        "VARCHAR",
    ]
    for given in (table, table.to_batches()[0], table.to_reader()):
        assert list(written(tmp_path, given)[1].values()) == expected


def test_the_bytes_do_not_depend_on_how_the_rows_came(tmp_path: Path) -> None:
    table = pa.table({"a": range(25_000), "b": ["x", "y"] * 12_500})
    whole = written(tmp_path, table)[0].sha256
    assert written(tmp_path, iter(table.to_batches(max_chunksize=777)))[0].sha256 == whole
    assert written(tmp_path, duckdb.from_arrow(table))[0].sha256 == whole


def test_a_relation_keeps_what_duckdb_would_round(tmp_path: Path) -> None:
    relation = duckdb.sql("SELECT sum(x) AS s FROM (VALUES (9007199254740993), (2)) t(x)")
    _, types, rows = written(tmp_path, relation)
    assert (types, rows) == ({"s": "DECIMAL(38,0)"}, [(Decimal(9007199254740995),)])


def test_a_dlt_resource_lands_as_its_items_come(tmp_path: Path) -> None:
    @dlt.resource(name="Order-Lines")
    def lines() -> Iterator[Any]:
        yield [{"Id": 1, "nested": {"a": [1]}}, {"Id": 2}]
        yield {"Id": 3}

    found = lake.from_dlt(lines)
    assert (found.name, found.dataset) == ("Order-Lines", "raw.order_lines")
    assert written(tmp_path, found)[2] == [(1, {"a": [1]}), (2, None), (3, None)]
    with pytest.raises(
        InvalidName, match=r"^a int is no dlt resource: give one that @dlt\.resource"
    ):
        lake.from_dlt(5)


def test_data_are_told_from_paths_and_streams(tmp_path: Path) -> None:
    table = pa.table({"a": [1]})
    given = [
        orders,
        [{}],
        iter([{}]),
        table,
        table.to_reader(),
        pd.DataFrame(),
        duckdb.sql("FROM range(1)"),
    ]
    others = [
        "x.csv",
        "https://example.org/x",
        tmp_path,
        io.BytesIO(b""),
        b"a,b",
        {"a": 1},
        5,
        None,
    ]
    assert [is_given(one) for one in given] == [True] * len(given)
    assert [is_given(one) for one in others] == [False] * len(others)


INEXACT = (
    "which no Parquet that DuckDB reads holds exactly: cast it to another type; nothing was"
    " published"
)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            pa.table({"d": pa.array([1], pa.duration("us"))}),
            f"x has a column 'd' of type duration[us], {INEXACT}",
        ),
        (
            pa.table({"d": pa.array([1], pa.timestamp("ns", "UTC"))}),
            f"x has a column 'd' of type timestamp[ns, tz=UTC], {INEXACT}",
        ),
        (
            pa.table({"d": pa.array([Decimal(1)], pa.decimal256(50, 2))}),
            f"x has a column 'd' of type decimal256(50, 2), {INEXACT}",
        ),
        (
            pa.table({"d": pa.array([{}], pa.struct([]))}),
            f"x has a column 'd' of type struct<>, {INEXACT}",
        ),
        (
            pd.DataFrame({"a": [1, "x"]}),
            "x has a column 'a' of mixed objects (int and str): give it one type, as with"
            " df['a'].astype(str)",
        ),
        (
            pd.DataFrame({"a": [1]}, index=["p"]),
            "x has an index of values without a name: name it, as with df.index.name = …, or leave"
            " it out by df.reset_index(drop=True)",
        ),
        (
            pd.DataFrame({"a": [1]}).set_index("a", drop=False),
            "x has 'a' both as a column and in its index: leave the index out by"
            " df.reset_index(drop=True)",
        ),
        (
            pd.DataFrame({("a", "b"): [1]}),
            "x has a column ('a', 'b'), whose name is no text: rename it, as with df.columns = …",
        ),
        (
            pd.DataFrame([[1, 2]], columns=["a", "A"]),
            "x has two keys 'a' and 'A', which differ only in case or blanks: rename one",
        ),
        (
            iter([{"a": 1}, pa.table({"a": [1]})]),
            "x gives both dicts and tables: have it give one kind; nothing was published",
        ),
        (
            iter([pa.table({"a": [1]}), {"a": 1}]),
            "x gives both tables and dict: have it give one kind; nothing was published",
        ),
        (
            iter([pa.table({"a": [1, 2]}), pa.table({"a": ["x"]})]),
            "x gives column 'a' as int64 and, from record 3 on, as string: give it one type;"
            " nothing was published",
        ),
        (
            iter([pa.table({"a": [1]}), pa.table({"b": [1]})]),
            "x gives tables of unlike columns: 'a', 'b' is not in all, from record 2 on; nothing"
            " was published",
        ),
        ([], "x gave nothing, so its columns are unknown; nothing was published"),
    ],
)
def test_what_cannot_be_kept_exactly_is_refused_and_named(
    tmp_path: Path, data: Any, message: str
) -> None:
    with pytest.raises(SourceUnreadable, match=r"^x ") as caught:
        write_given(data, tmp_path / "out", name="x")
    assert str(caught.value) == message
    assert list(tmp_path.iterdir()) == []


def test_a_relation_of_an_inexact_type_is_refused(tmp_path: Path) -> None:
    for query, kind in (("'101'::BIT", "BIT"), ("INTERVAL 1 DAY", "month_day_nano_interval")):
        said = f"^x has a column 'd' of type {kind}, {INEXACT}$"
        with pytest.raises(SourceUnreadable, match=said):
            write_given(duckdb.sql(f"SELECT {query} AS d"), tmp_path / "out", name="x")
