import gzip
import json
import math
import tempfile
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lake.config.types import DeclaredColumn, Reading
from lake.convert.converted import Converted
from lake.convert.json.convert import convert_json


def convert(
    folder: Path, data: bytes | str, reading: Reading | None = None
) -> tuple[Converted, list[tuple[Any, ...]], list[str]]:
    """Convert a source; give the result, the rows, and `line: reason` of each reject."""
    path, out, rejects = folder / "in.json", folder / "out.parquet", folder / "rejected.gz"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    rejects.unlink(missing_ok=True)
    done = convert_json(path, out, name=path.name, rejects=rejects, reading=reading or Reading())
    lines = gzip.decompress(rejects.read_bytes()).decode().splitlines() if rejects.exists() else []
    found = [json.loads(line) for line in lines]
    assert done.rejected == len(found)
    rows = duckdb.read_parquet(str(out)).fetchall()
    assert done.rows == len(rows)
    return done, rows, [f"{row['line']}: {row['reason']}" for row in found]


def schema(folder: Path) -> dict[str, str]:
    table = duckdb.read_parquet(str(folder / "out.parquet"))
    return dict(zip(table.columns, map(str, table.types), strict=True))


ROWS = [(1, "x"), (2, "y}]{,"), (3, None)]


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"b":"x"}\n{"a":2,"b":"y}]{,"}\n{"a":3}\n',
        '{"a":1,"b":"x"}\r\n{"a":2,"b":"y}]{,"}\r\n{"a":3}',
        '[{"a":1,"b":"x"},{"a":2,"b":"y}]{,"},{"a":3}]',
        '\n [\n{"a":1,\n"b":"x"}\n,{"a":2,"b":"y}]{,"},\n\n{"a":3} ]\n\n',
        '{"a":1,"b":"x"}{"a":2,"b":"y}]{,"}{"a":3}',
        '{\n"a":1,"b":"x"\n} {"a":2,\n"b":"y}]{,"}\n\n{"a":3}',
        '{"a":1,"b":"x"}\r{"a":2,"b":"y}]{,"}\r{"a":3}\r',
        '\ufeff{"a":1,"b":"x"}\n{"a":2,"b":"y}]{,"}\n{"a":3}\n',
    ],
)
def test_every_shape_gives_the_same_rows(tmp_path: Path, text: str) -> None:
    assert convert(tmp_path, text) == (Converted(3), ROWS, [])


def test_one_object_is_one_row(tmp_path: Path) -> None:
    assert convert(tmp_path, json.dumps({"a": {"b": [1, 2]}}, indent=2))[1] == [({"b": [1, 2]},)]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1"])
def test_other_encodings_are_read_as_declared_or_marked(tmp_path: Path, encoding: str) -> None:
    data = '{"ü":"é"}\n{"ü":"è"}'.encode(encoding)
    reading = Reading(encoding="" if encoding == "utf-16" else encoding)
    assert convert(tmp_path, data, reading)[1] == [("é",), ("è",)]
    assert schema(tmp_path) == {"ü": "VARCHAR"}


def test_blank_lines_are_counted_and_are_no_rows(tmp_path: Path) -> None:
    done = convert(tmp_path, '\n{"a":1}\n\n  \n{"a":2}\n\n')[0]
    assert done == Converted(2, blank_lines=4)


@pytest.mark.parametrize(
    ("values", "kind", "found"),
    [
        (["1", "-2"], "BIGINT", [1, -2]),
        (["1", "1.50"], "DOUBLE", [1.0, 1.5]),
        (["1e5", "0.1"], "DOUBLE", [1e5, 0.1]),
        (["0.1234567890123456789"], "DECIMAL(19,19)", [Decimal("0.1234567890123456789")]),
        (["9007199254740993", "0.5"], "DECIMAL(17,1)", [Decimal("9007199254740993"), None]),
        (["18446744073709551615"], "DECIMAL(20,0)", [2**64 - 1]),
        (["1e999", "1.50"], "VARCHAR", ["1e999", "1.50"]),
        (["-1e-999", "0"], "VARCHAR", ["-1e-999", "0"]),
        (["-0", "5"], "DOUBLE", [-0.0, 5.0]),
        (["1" * 5000], "VARCHAR", ["1" * 5000]),
        (["true", "false"], "BOOLEAN", [True, False]),
        (["true", "1"], "VARCHAR", ["true", "1"]),
        (['"1"', '"2"'], "VARCHAR", ["1", "2"]),
        (['"1"', "2.50"], "VARCHAR", ["1", "2.50"]),
        (['"2024-02-29"'], "DATE", [date(2024, 2, 29)]),
        (['"2024-02-30"'], "VARCHAR", ["2024-02-30"]),
        (['"2024-W01-1"'], "VARCHAR", ["2024-W01-1"]),
        (['"2024-01-01T10:00"'], "TIMESTAMP", [datetime(2024, 1, 1, 10)]),
        (['"2024-01-01 10:00:00.5"'], "TIMESTAMP", [datetime(2024, 1, 1, 10, 0, 0, 500000)]),
        (['"2024-01-01T10:00:00Z"'], "VARCHAR", ["2024-01-01T10:00:00Z"]),
        (['"2024-01-01"', '"2024-01-01T10:00"'], "VARCHAR", ["2024-01-01", None]),
        (['"2024-01-01"', '""'], "VARCHAR", ["2024-01-01", ""]),
        (['"x\\u0000y"'], "VARCHAR", ["x\0y"]),
        (["null", "{}"], "VARCHAR", [None, "{}"]),
        (['{"b":1}', "[1.50]"], "VARCHAR", ['{"b":1}', "[1.50]"]),
        (['["2024-01-01"]'], "DATE[]", [[date(2024, 1, 1)]]),
    ],
)
def test_a_column_gets_the_type_that_loses_nothing(
    tmp_path: Path, values: list[str], kind: str, found: list[Any]
) -> None:
    rows = convert(tmp_path, "".join(f'{{"a":{value}}}\n' for value in values))[1]
    assert schema(tmp_path) == {"a": kind}
    assert rows[0][0] == found[0]
    assert math.copysign(1, rows[0][0]) == -1 if values[0] == "-0" else True
    assert found[-1] in (None, rows[-1][0])


@pytest.mark.parametrize(
    ("declared", "values", "kind"),
    [
        ("VARCHAR", ["1.50", "2"], "VARCHAR"),
        ("DECIMAL(10,2)", ["1.5", "2"], "DECIMAL(10,2)"),
        ("DECIMAL(3,2)", ["1.5", "20"], "DOUBLE"),
        ("INTEGER", ["1", "2"], "INTEGER"),
        ("TINYINT", ["1", "200"], "BIGINT"),
    ],
)
def test_a_declared_type_is_taken_where_every_value_fits(
    tmp_path: Path, declared: str, values: list[str], kind: str
) -> None:
    columns = {"a": DeclaredColumn(former=("b",), type=declared)}
    text = "".join(f'{{"B":{value}}}\n' for value in values)
    rows = convert(tmp_path, text, Reading(columns=columns))[1]
    assert schema(tmp_path) == {"B": kind}
    assert str(rows[0][0]) == (values[0] if kind != "DECIMAL(10,2)" else "1.50")


def test_an_empty_file_has_the_columns_that_are_declared(tmp_path: Path) -> None:
    reading = Reading(columns={"a": DeclaredColumn(), "b": DeclaredColumn(type="BIGINT")})
    assert convert(tmp_path, "[]", reading) == (Converted(0), [], [])
    assert list(schema(tmp_path)) == ["a", "b"]


def test_what_follows_a_reject_lands(tmp_path: Path) -> None:
    done, rows, rejected = convert(tmp_path, '{"a":1}\noops\n{"a":2}\n{"a":"2" ,}\n{"a":3}\n')
    assert done.first_reject == "line 2: no JSON: expecting value at character 1"
    assert rows == [(1,), (2,), (3,)]
    assert [line.partition(":")[0] for line in rejected] == ["2", "4"]


def test_an_array_names_the_line_in_which_a_record_begins(tmp_path: Path) -> None:
    text = '[\n{"a":1},\n\n{"a":\n oops},\n7, "x,]",\n{"a":2},\n]'
    done, rows, rejected = convert(tmp_path, text)
    assert rows == [(1,), (2,)]
    assert rejected == [
        "4: no JSON: expecting value at character 8",
        "6: a number where an object must be",
        "6: a text where an object must be",
        "8: no JSON: expecting value at character 1",
    ]
    assert done.rejected == 4


def test_a_hundred_levels_land_and_one_more_is_rejected(tmp_path: Path) -> None:
    texts = [f'{{"a":{"[" * n}{"]" * n}}}' for n in (99, 100, 50_000)]
    done, _, rejected = convert(tmp_path, "\n".join(texts))
    assert done.rows == 1
    assert rejected == [f"{line}: nested deeper than 100 levels" for line in (2, 3)]


def test_brackets_in_texts_are_no_levels(tmp_path: Path) -> None:
    assert convert(tmp_path, f'{{"a":"{"[" * 200}\\"{"{" * 200}"}}')[0] == Converted(1)


def test_records_across_pieces_are_found_in_an_array(tmp_path: Path) -> None:
    rows = [{"a": i, "b": '},{"]\\' * (i % 50), "c": {"d": [i]}} for i in range(9_000)]
    for text in (json.dumps(rows, indent=1), "".join(json.dumps(row, indent=1) for row in rows)):
        found = convert(tmp_path, text)[1]
        assert found == [(row["a"], row["b"], row["c"]) for row in rows]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner),
    max_leaves=8,
)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(values=st.lists(JSON, min_size=1, max_size=4))
def test_what_comes_out_says_what_went_in(tmp_path: Path, values: list[Any]) -> None:
    # Of its own: DuckDB remembers a file that is written anew within a second.
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    rows = convert(folder, json.dumps([{"v": value} for value in values]))[1]
    kind = schema(folder)["v"]
    assert [agrees(value, row[0], kind) for value, row in zip(values, rows, strict=True)] == [
        True
    ] * len(values)


def agrees(value: Any, found: Any, kind: str) -> bool:
    """Tell whether a value came back, as itself or as the text that says it."""
    if isinstance(value, dict) and isinstance(found, dict):
        return all(agrees(value.get(key), found[key], kind) for key in {*value, *found})
    if isinstance(value, list) and isinstance(found, list):
        return len(value) == len(found) and all(map(agrees, value, found, [kind] * len(value)))
    if isinstance(found, date):  # a datetime is one
        return isinstance(value, str) and type(found).fromisoformat(value) == found
    if isinstance(found, str):
        texts = {str(value), json.dumps(value, ensure_ascii=False, separators=(",", ":"))}
        return found in texts
    return bool(value == found) and isinstance(value, bool) == isinstance(found, bool)
