import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lake.config.types import DeclaredColumn, Reading
from lake.convert.contract.enforce import concerns, enforce
from lake.convert.converted import Converted
from tests.convert.converting import read_rejects

Parquet = Callable[[str, str], Path]
ROWS = "SELECT i, i / 2 AS half, CASE WHEN i % 10 > 0 THEN 'A' END AS zone FROM range(30) t(i)"


def held(
    path: Path, **columns: DeclaredColumn
) -> tuple[Converted, list[Any] | None, list[dict[str, Any]]]:
    """Enforce a contract; give the result, the rows that were written, and the rejected ones."""
    out, rejects = path.with_name("out"), path.with_name("rejects")
    reading = Reading(columns=columns)
    done = enforce(path, out, name="in.parquet", reading=reading, rejects=rejects)
    rows = duckdb.read_parquet(str(out)).fetchall() if out.exists() else None
    return done, rows, read_rejects(rejects)


def test_a_file_that_keeps_to_its_contract_stays_as_it_is(parquet: Parquet) -> None:
    path = parquet("in.parquet", ROWS)
    done, rows, rejected = held(path, I=DeclaredColumn(required=True, between=(0, 29)))
    assert (done, rows, rejected) == (Converted(30), None, [])


def test_rows_that_break_it_are_kept_with_their_number(parquet: Parquet) -> None:
    path = parquet("in.parquet", ROWS)
    done, rows, rejected = held(
        path,
        half=DeclaredColumn(between=(None, 12.5), personal=True),
        area=DeclaredColumn(former=("zone",), required=True, allowed=("A", "B")),
    )
    assert rows is not None
    assert [row[0] for row in rows] == [i for i in range(26) if i % 10]
    assert done == Converted(23, 7, 0, "row 1: column 'zone' is required and NULL")
    assert [one["row"] for one in rejected] == [1, 11, 21, 27, 28, 29, 30]
    assert rejected[0] == {
        "line": None,
        "row": 1,
        "reason": "column 'zone' is required and NULL",
        "raw": '{"i":0,"half":0.0,"zone":null}',
    }
    assert rejected[-1]["reason"] == "column 'half' is more than 12.5"
    assert json.loads(rejected[-1]["raw"]) == {"i": 29, "half": 14.5, "zone": "A"}


def test_a_value_is_quoted_beside_the_log_but_not_in_it(parquet: Parquet) -> None:
    path = parquet("in.parquet", "SELECT 'x' AS a UNION ALL SELECT '1'")
    done, rows, rejected = held(path, a=DeclaredColumn(type="INTEGER"))
    assert rows == [(1,)]
    assert rejected[0]["reason"] == "column 'a': 'x' is no INTEGER"
    assert done.first_reject == "row 1: column 'a' is no INTEGER"


def test_texts_become_what_is_declared(parquet: Parquet) -> None:
    path = parquet("in.parquet", "SELECT '1,5' AS a, '-' AS b, 7 AS c")
    done, rows, _ = held(
        path,
        a=DeclaredColumn(type="DOUBLE", decimal=","),
        b=DeclaredColumn(null=("-",)),
        c=DeclaredColumn(type="VARCHAR"),
    )
    assert (done, rows) == (Converted(1), [(1.5, None, 7)])


def test_a_number_that_is_none_is_in_no_range(parquet: Parquet) -> None:
    path = parquet("in.parquet", "SELECT 'nan'::DOUBLE AS a UNION ALL SELECT 1")
    done, rows, _ = held(path, a=DeclaredColumn(between=(0, None)))
    assert (done.rejected, rows) == (1, [(1.0,)])


def test_a_file_without_a_required_column_has_a_flaw(parquet: Parquet) -> None:
    done, rows, _ = held(parquet("in.parquet", "SELECT 1 AS a"), b=DeclaredColumn(required=True))
    assert (done, rows) == (Converted(1, flaw="column 'b' is required and missing"), None)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (DeclaredColumn(former=("b",), description="x", personal=True), False),
        (DeclaredColumn(required=True), True),
        (DeclaredColumn(between=(None, 0)), True),
        (DeclaredColumn(allowed=(1,)), True),
        (DeclaredColumn(null=("",)), True),
        (DeclaredColumn(type="DATE"), True),
    ],
)
def test_only_what_says_something_of_values_concerns(
    column: DeclaredColumn, expected: bool
) -> None:
    assert concerns(Reading(columns={"a": column})) is expected
    assert concerns(Reading(columns={"a": column}, unknown_columns="reject"))
