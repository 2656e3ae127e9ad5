from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from lake.convert.records.convert import write_records
from lake.errors import SourceUnreadable

PARIS = timezone(timedelta(hours=1))


def types(tmp_path: Path, *values: Any) -> tuple[str, list[Any]]:
    """Write values as the column `a` of a record each; return its type and what is read back."""
    out = tmp_path / "out.parquet"
    rows = write_records([{"a": value} for value in values], out, name="x")
    table = duckdb.read_parquet(str(out))
    found = [row[0] for row in table.fetchall()]
    assert rows == len(values) == len(found)
    return str(table.types[0]), found


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, "BOOLEAN"),
        (-(2**63), "BIGINT"),
        (2**63 - 1, "BIGINT"),
        (Decimal(2**63), "DECIMAL(19,0)"),
        (0.1, "DOUBLE"),
        (float("inf"), "DOUBLE"),
        (Decimal("1.50"), "DECIMAL(3,2)"),
        (Decimal("0.001"), "DECIMAL(3,3)"),
        ("2024-01-01", "VARCHAR"),
        ("x\0y", "VARCHAR"),
        (b"\0\xff", "BLOB"),
        (date(1, 1, 1), "DATE"),
        (datetime(9999, 12, 31, 23, 59, 59, 999999), "TIMESTAMP"),
        (time(1, 2, 3, 4), "TIME"),
        ([1, None, 3], "BIGINT[]"),
        ([], "VARCHAR[]"),
        ({"x": 1, "y": [{"z": "u"}]}, "STRUCT(x BIGINT, y STRUCT(z VARCHAR)[])"),
    ],
)
def test_a_value_comes_back_as_it_was(tmp_path: Path, value: Any, kind: str) -> None:
    assert types(tmp_path, value, None) == (kind, [value, None])


@pytest.mark.parametrize(
    ("values", "kind", "texts"),
    [
        ((1, 2**63), "DECIMAL(19,0)", [1, 2**63]),
        ((1, 10**38), "VARCHAR", ["1", "1" + "0" * 38]),
        ((2**53, 0.5), "DOUBLE", [2.0**53, 0.5]),
        ((2**53 + 1, 0.5), "VARCHAR", ["9007199254740993", "0.5"]),
        ((1, Decimal("0.5")), "DECIMAL(2,1)", [1, Decimal("0.5")]),
        ((0.5, Decimal("0.1")), "VARCHAR", ["0.5", "0.1"]),
        ((Decimal("1E+30"), Decimal("1E-30")), "VARCHAR", ["1E+30", "1E-30"]),
        ((Decimal("NaN"), Decimal(1)), "VARCHAR", ["NaN", "1"]),
        ((True, 1), "VARCHAR", ["true", "1"]),
        ((1, "x"), "VARCHAR", ["1", "x"]),
        ((date(2024, 1, 1), datetime(2024, 1, 1, 5)), "TIMESTAMP", [datetime(2024, 1, 1), None]),
        (
            (datetime(2024, 1, 1), datetime(2024, 1, 1, tzinfo=PARIS)),
            "VARCHAR",
            ["2024-01-01 00:00:00", "2023-12-31 23:00:00Z"],
        ),
        ((1, [1.5]), "VARCHAR", ["1", "[1.5]"]),
        (({"a": 1}, [True]), "VARCHAR", ['{"a":1}', "[true]"]),
        (({"a": 1}, {"A": 2}), "VARCHAR", ['{"a":1}', '{"A":2}']),
        (({}, None), "VARCHAR", ["{}", None]),
        ((UUID(int=1), None), "VARCHAR", ["00000000-0000-0000-0000-000000000001", None]),
    ],
)
def test_unlike_values_lose_nothing(
    tmp_path: Path, values: tuple[Any, ...], kind: str, texts: list[Any]
) -> None:
    found, back = types(tmp_path, *values)
    assert found == kind
    assert back[0] == texts[0]
    assert texts[1] in (None, back[1])


def test_zoned_times_keep_their_instant(tmp_path: Path) -> None:
    kind, found = types(tmp_path, datetime(2024, 1, 1, tzinfo=PARIS))
    assert kind == "TIMESTAMP WITH TIME ZONE"
    assert found == [datetime(2023, 12, 31, 23, tzinfo=UTC)]


def test_values_of_numpy_and_pandas_are_those_of_python(tmp_path: Path) -> None:
    import pandas as pd

    values = [np.int64(2**62), np.int32(1), pd.NA, pd.NaT]
    assert types(tmp_path, *values) == ("BIGINT", [2**62, 1, None, None])
    assert types(tmp_path, np.array([1, 2]), (3,)) == ("BIGINT[]", [[1, 2], [3]])
    assert types(tmp_path, pd.Timestamp("2024-01-01")) == ("TIMESTAMP", [datetime(2024, 1, 1)])


def test_a_late_row_decides_the_type_of_all(tmp_path: Path) -> None:
    kind, found = types(tmp_path, *range(25_000), "x")
    assert kind == "VARCHAR"
    assert found[24_999:] == ["24999", "x"]


def test_columns_come_in_the_order_of_their_first_appearance(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    write_records([{"b": 1}, {"a": 2, "b": None}, {"c": 3}], out, name="x")
    table = duckdb.read_parquet(str(out))
    assert table.columns == ["b", "a", "c"]
    assert table.fetchall() == [(1, None, None), (None, 2, None), (None, None, 3)]


def test_the_same_records_are_the_same_bytes(tmp_path: Path) -> None:
    made = []
    for number in range(2):
        out = tmp_path / f"{number}.parquet"
        # Of the second run no two values are one object.
        texts = [f"text {i % 7}" if number else "text " + str(i % 7) for i in range(30_000)]
        write_records(({"id": i, "t": t, "n": [i, 0.5]} for i, t in enumerate(texts)), out, name="")
        made.append(out.read_bytes())
    assert made[0] == made[1]


def test_a_record_that_is_changed_later_is_kept_as_it_came(tmp_path: Path) -> None:
    def reused() -> Iterator[dict[str, Any]]:
        record: dict[str, Any] = {}
        for number in range(3):
            record["a"], record["l"] = number, [number]
            yield record

    write_records(reused(), tmp_path / "out.parquet", name="x")
    found = duckdb.read_parquet(str(tmp_path / "out.parquet")).fetchall()
    assert found == [(0, [0]), (1, [1]), (2, [2])]


def test_an_object_of_over_two_hundred_keys_is_text(tmp_path: Path) -> None:
    at_most = {f"k{i}": i for i in range(200)}
    assert types(tmp_path, at_most)[0].startswith("STRUCT(")
    kind, found = types(tmp_path, at_most, {"other": 1})
    assert (kind, found[1]) == ("VARCHAR", '{"other":1}')


def test_big_values_are_written_in_bounded_groups(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    assert write_records(({"a": str(i % 10) * 1_000_000} for i in range(100)), out, name="x") == 100
    groups = pq.ParquetFile(out).metadata.num_row_groups
    assert groups == 2


def itself() -> dict[str, Any]:
    record: dict[str, Any] = {}
    record["a"] = record
    return record


@pytest.mark.parametrize(
    ("records", "message"),
    [
        (
            [{"a": 1}, {"a": {1, 2}}],
            "x cannot be landed: record 2: column 'a' holds a set, which is no value of a table;"
            " nothing was published",
        ),
        (
            [{"a": [{"b": timedelta(1)}]}],
            "x cannot be landed: record 1: column 'a.element.b' holds a timedelta, which is no"
            " value of a table; nothing was published",
        ),
        (
            [{"a": lambda: 1}],
            "x cannot be landed: record 1: column 'a' holds a function, which is no value of a"
            " table; nothing was published",
        ),
        (
            [itself()],
            "x cannot be landed: record 1: it holds itself, or what cannot be copied; nothing was"
            " published",
        ),
        (
            [{"a": 1}, 5],
            "x cannot be landed: record 2: it is of type int, but must be a dict; nothing was"
            " published",
        ),
        (
            [{1: 2}],
            "x cannot be landed: record 1: it has the key 1, which is no text; nothing was"
            " published",
        ),
        (
            [{"a": 10**5000}],
            "x cannot be landed: record 1: column 'a' holds an integer of more than 4,000 digits;"
            " nothing was published",
        ),
        (
            [{"a": 1}, {"a": b"x"}],
            "x cannot be landed: column 'a' holds bytes and int: give all of one kind; nothing was"
            " published",
        ),
        (
            [{"a": "\ud800"}],
            "x cannot be landed: column 'a' holds what no VARCHAR can: 'utf-8' codec can't encode"
            " character '\\ud800' in position 0: surrogates not allowed; nothing was published",
        ),
        (
            [{"a": 1}, {"A ": 1}],
            "x has two keys 'a' and 'A ', which differ only in case or blanks: rename one",
        ),
        ([{"": 1}], "x has a key '', which names no column: rename it"),
        ([{}], "x has no record with a key: there is no column to land"),
    ],
)
def test_what_no_column_can_hold_is_named(tmp_path: Path, records: list[Any], message: str) -> None:
    with pytest.raises(SourceUnreadable, match=r"^x ") as caught:
        write_records(records, tmp_path / "out.parquet", name="x")
    assert str(caught.value) == message
    assert list(tmp_path.iterdir()) == []
