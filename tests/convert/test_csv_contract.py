from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from lake.config.types import DeclaredColumn, Reading
from lake.convert.converted import Converted
from lake.errors import InvalidConfig
from tests.convert.converting import convert, types

FARES = Reading(
    columns={
        "fare": DeclaredColumn(type="DECIMAL(10,2)", former=("Fare_Amt",)),
        "n": DeclaredColumn(type="INTEGER", required=True, between=(0, 10)),
        "zone": DeclaredColumn(allowed=("A", "B")),
        "born": DeclaredColumn(type="DATE", format="%d/%m/%Y", personal=True),
        "code": DeclaredColumn(type="VARCHAR"),
    }
)
HEADER = "FARE_amt ,n,zone,born,code\n"


def one(text: str, declared: DeclaredColumn, folder: Path) -> object:
    """Return what a single value becomes, or why it is rejected."""
    lines = f'x,y\n"{text}",1\n'
    _, rows, rejected = convert(folder, lines, Reading(columns={"x": declared}))
    return rows[0][0] if rows else rejected[0][1]


@pytest.mark.parametrize("filler", [0, 40_000])
def test_rows_that_break_the_contract_are_kept_in_order_among_the_unreadable(
    tmp_path: Path, filler: int
) -> None:
    text = (
        f"{HEADER}1.5,1,A,1/2/2024,01\nabc,2,B,,02\n1,2\n\n1,11,B,,\n1,,B,,\n"
        + "1,3,A,,007\n" * filler
        + "1,1,C,,\n1,1,,32/1/2024,x\n1,+1.0,B,,9\n"
    )
    done, rows, rejected = convert(tmp_path, text, FARES)
    assert rejected == [
        (3, "column 'FARE_amt ': 'abc' is no DECIMAL(10,2)", "abc,2,B,,02"),
        (4, "2 fields where the header has 5", "1,2"),
        (6, "column 'n': '11' is not between 0 and 10", "1,11,B,,"),
        (7, "column 'n' is required and NULL", "1,,B,,"),
        (filler + 8, "column 'zone': 'C' is none of 'A', 'B'", "1,1,C,,"),
        (filler + 9, "column 'born' is no DATE of the format '%d/%m/%Y'", "1,1,,32/1/2024,x"),
    ]
    assert rows[0] == (Decimal("1.50"), 1, "A", date(2024, 2, 1), "01")
    assert rows[-1] == (Decimal("1.00"), 1, "B", None, "9")
    reason = "line 3: column 'FARE_amt ' is no DECIMAL(10,2)"
    assert done == Converted(filler + 2, 6, 1, reason)
    assert types(tmp_path) == ["DECIMAL(10,2)", "INTEGER", "VARCHAR", "DATE", "VARCHAR"]


@pytest.mark.parametrize("filler", [0, 40_000])
def test_what_keeps_to_its_contract_lands_whole(tmp_path: Path, filler: int) -> None:
    done, rows, _ = convert(tmp_path, HEADER + "1,2,A,,01\n" * (filler + 1), FARES)
    assert done == Converted(filler + 1)
    assert set(rows) == {(Decimal("1.00"), 2, "A", None, "01")}


@pytest.mark.parametrize(
    ("declared", "text", "value"),
    [
        ("INTEGER", " +007.0 ", 7),
        ("INTEGER", "1e+05", 100_000),
        ("BIGINT", "9223372036854775807", 9223372036854775807),
        ("HUGEINT", "99999999999999999999999999999999999999", Decimal("9" * 38)),
        ("DECIMAL(4,1)", "+0123.50", Decimal("123.5")),
        ("DOUBLE", "+.50", 0.5),
        ("DOUBLE", "1e-3", 0.001),
        ("BOOLEAN", "Y", True),
        ("DATE", "2024-02-29 00:00:00", date(2024, 2, 29)),
        ("TIMESTAMP", "2024-02-29", datetime(2024, 2, 29)),
        ("VARCHAR", " 01 ", " 01 "),
    ],
)
def test_a_declared_type_takes_every_form_of_a_value(
    tmp_path: Path, declared: str, text: str, value: object
) -> None:
    assert one(text, DeclaredColumn(type=declared), tmp_path) == value


@pytest.mark.parametrize(
    ("declared", "text"),
    [
        ("INTEGER", "1.5"),
        ("INTEGER", "2147483648"),
        ("INTEGER", "1_000"),
        ("INTEGER", "0x1F"),
        ("INTEGER", "1.5e0"),
        ("INTEGER", ""),
        ("DECIMAL(4,1)", "1.55"),
        ("DECIMAL(4,1)", "1234"),
        ("DOUBLE", "0.1234567890123456789"),
        ("DOUBLE", "1e999"),
        ("DOUBLE", "1e-999"),
        ("DOUBLE", "nan"),
        ("FLOAT", "16777217"),
        ("BOOLEAN", "maybe"),
        ("DATE", "2024-02-30"),
        ("DATE", "2024-02-01 10:00:00"),
        ("DATE", "infinity"),
        ("TIMESTAMP", "2024-02-01T10:00:00Z"),
        ("TIMESTAMP", "2024-02-01 10:00:00.1234567"),
        ("TIMESTAMPTZ", "2024-02-01 10:00:00"),
        ("TIME", "24:01"),
    ],
)
def test_what_a_declared_type_cannot_hold_is_rejected(
    tmp_path: Path, declared: str, text: str
) -> None:
    found = one(text, DeclaredColumn(type=declared), tmp_path)
    assert found == f"column 'x': {text!r} is no {declared}"


def test_a_decimal_comma_and_texts_for_null(tmp_path: Path) -> None:
    columns = {
        "a": DeclaredColumn(type="DOUBLE", decimal=","),
        "b": DeclaredColumn(null=("-", "")),
        "c": DeclaredColumn(type="DECIMAL(5,2)", decimal=",", null=("NA",)),
    }
    text = 'a;b;c\n1,5;-;1,25\n2;"";NA\n1.234,5;3;1\n'
    _, rows, rejected = convert(tmp_path, text, Reading(columns=columns))
    assert rows == [(1.5, None, Decimal("1.25")), (2.0, None, None)]
    assert rejected == [(4, "column 'a': '1.234,5' is no DOUBLE", "1.234,5;3;1")]


def test_zoned_times_keep_their_instant(tmp_path: Path) -> None:
    columns = {
        "a": DeclaredColumn(type="TIMESTAMPTZ"),
        "b": DeclaredColumn(type="TIMESTAMPTZ", format="%d.%m.%Y %H:%M %z"),
    }
    text = "a,b\n2024-01-01T10:00:00+02:00,01.01.2024 10:00 +0200\n"
    (row,) = convert(tmp_path, text, Reading(columns=columns))[1]
    assert [value.timestamp() for value in row] == [1704096000.0, 1704096000.0]


@pytest.mark.parametrize(
    ("declared", "text", "about"),
    [
        (DeclaredColumn(between=(0, 10)), "11", "is not between 0 and 10"),
        (DeclaredColumn(between=(0, 10)), "many", "is not between 0 and 10"),
        (DeclaredColumn(type="DOUBLE", between=(0.1, None)), "0.09", "is less than 0.1"),
        (DeclaredColumn(between=(None, "2024-01-01")), "2024-01-02", "is more than 2024-01-01"),
        (DeclaredColumn(type="DATE", between=(5, None)), "2024-01-02", "is less than 5"),
        (DeclaredColumn(allowed=(1, 2)), "3", "is none of 1, 2"),
        (
            DeclaredColumn(type="DATE", allowed=("2024-01-01",)),
            "2024-01-02",
            "is none of '2024-01-01'",
        ),
        (DeclaredColumn(allowed=tuple("abcdefg")), "A", "is none of 'a', 'b', 'c', 'd', 'e' or 2"),
    ],
)
def test_limits_hold_by_value(
    tmp_path: Path, declared: DeclaredColumn, text: str, about: str
) -> None:
    assert str(one(text, declared, tmp_path)).startswith(f"column 'x': {text!r} {about}")


@pytest.mark.parametrize(
    ("declared", "text"),
    [
        (DeclaredColumn(between=(0, 10)), "10.0"),
        (DeclaredColumn(type="DECIMAL(5,2)", between=(0.1, 0.1)), "0.10"),
        (DeclaredColumn(type="DATE", between=("2024-01-01", "2024-01-31")), "2024-01-31"),
        (DeclaredColumn(allowed=(1, "B")), "01"),
        (DeclaredColumn(allowed=("2024-01-01",)), "2024-01-01"),
        (DeclaredColumn(type="BOOLEAN", allowed=("true",)), "Y"),
    ],
)
def test_what_is_within_its_limits_lands(
    tmp_path: Path, declared: DeclaredColumn, text: str
) -> None:
    assert not str(one(text, declared, tmp_path)).startswith("column")


def test_a_file_that_lacks_a_required_column_says_so(tmp_path: Path) -> None:
    reading = Reading(columns={"a": DeclaredColumn(required=True), "y": DeclaredColumn()})
    done, rows, _ = convert(tmp_path, "x,y\n1,2\n", reading)
    assert (done, rows) == (Converted(1, flaw="column 'a' is required and missing"), [(1, 2)])


def test_undeclared_columns_break_the_contract_of_the_file(tmp_path: Path) -> None:
    reading = Reading(columns={"a": DeclaredColumn(former=("Y",))}, unknown_columns="reject")
    done = convert(tmp_path, "x,y,z\n1,2,3\n", reading)[0]
    assert done.flaw == "columns 'x', 'z' are not declared, and unknown_columns is 'reject'"
    assert convert(tmp_path, "y\n1\n", reading)[0].flaw == ""


def test_a_format_that_does_not_go_with_its_type_is_refused(tmp_path: Path) -> None:
    declared = DeclaredColumn(type="TIMESTAMPTZ", format="%Y-%m-%d")
    message = (
        r"^column 'x': format = '%Y-%m-%d' does not go with TIMESTAMP WITH TIME ZONE, a time with"
        r" one: write %z in it$"
    )
    with pytest.raises(InvalidConfig, match=message):
        one("2024-01-01", declared, tmp_path)


def test_a_long_value_is_cut_in_its_reason(tmp_path: Path) -> None:
    found = one("x" * 101, DeclaredColumn(type="DATE"), tmp_path)
    assert found == f"column 'x': '{'x' * 100}…' is no DATE"


def test_many_broken_rows_are_all_kept(tmp_path: Path) -> None:
    text = "n,m\n" + "".join(f"{i},{'x' if i % 3 else 1}\n" for i in range(60_000))
    reading = replace(FARES, columns={"m": DeclaredColumn(type="INTEGER")})
    done, rows, rejected = convert(tmp_path, text, reading)
    assert [row[0] for row in rows] == list(range(0, 60_000, 3))
    assert [raw for _, _, raw in rejected] == [f"{i},x" for i in range(60_000) if i % 3]
    assert [line for line, _, _ in rejected] == [i + 2 for i in range(60_000) if i % 3]
    assert done.rejected == 40_000
