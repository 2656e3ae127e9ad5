import math
from pathlib import Path

import duckdb
import pytest

from lake.errors import InvalidName
from lake.query.sql import file_list, identifier, literal, qualified


@pytest.mark.parametrize("name", ["select", 'a"b', "a b", "É", "a.b", "'", "x;--"])
def test_an_identifier_names_exactly_this_column(name: str) -> None:
    found = duckdb.sql(f"SELECT 1 AS {identifier(name)}")
    assert found.columns == [name]


@pytest.mark.parametrize(
    "value",
    ["it's", "a\\b", "", "☃", "$1", "-- x", 0, -7, 2**63, 0.1, 1e300, -math.inf, True, False, None],
)
def test_a_literal_reads_back_as_the_same_value(value: str | int | float | bool | None) -> None:
    assert duckdb.sql(f"SELECT {literal(value)}").fetchall() == [(value,)]


def test_a_float_is_never_a_decimal() -> None:
    assert duckdb.sql(f"SELECT typeof({literal(0.1)})").fetchall() == [("DOUBLE",)]


def test_a_nul_character_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL character"):
        literal("a\0b")


def test_a_dataset_is_a_view_in_the_schema_of_its_zone() -> None:
    assert qualified("raw.green_trips") == '"raw"."green_trips"'
    with pytest.raises(InvalidName, match="is no dataset"):
        qualified("green_trips")


@pytest.mark.parametrize("folder", ["a*b", "a[1]", "a?", "it's", "a{1,2}", "month=5"])
def test_a_path_is_never_a_pattern(tmp_path: Path, folder: str) -> None:
    for name in ("axb", "a1", folder):
        (tmp_path / name).mkdir()
        target = tmp_path / name / "x.parquet"
        duckdb.sql(f"SELECT {literal(name)} AS x").write_parquet(str(tmp_path / "t.parquet"))
        (tmp_path / "t.parquet").rename(target)
    urls = [str(tmp_path / folder / "x.parquet")]
    found = duckdb.sql(f"SELECT x FROM read_parquet({file_list(urls)})").fetchall()
    assert found == [(folder,)]
