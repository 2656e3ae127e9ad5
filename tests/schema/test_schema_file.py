import hashlib
from pathlib import Path

import duckdb
import pytest

from lake.schema.schema_file import has_parquet, schema_parquet
from lake.schema.types import parse

TYPES = [
    *("BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"),
    *("UBIGINT", "FLOAT", "DOUBLE", "DECIMAL(4,2)", "DECIMAL(18,3)", "DECIMAL(38,0)", "VARCHAR"),
    *("JSON", "BLOB", "UUID", "DATE", "TIME", "TIME WITH TIME ZONE", "TIMESTAMP", "INTERVAL"),
    *("TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE", "INTEGER[]", "VARCHAR[][]"),
    *("MAP(VARCHAR, INTEGER)", 'STRUCT(a INTEGER, "B c" VARCHAR, "select" DECIMAL(9,2)[])'),
    *('STRUCT("q""u" MAP(VARCHAR, STRUCT(x TIMESTAMP WITH TIME ZONE)))[]', "STRUCT(a DATE)[]"),
]


@pytest.mark.parametrize("engine_type", TYPES)
def test_duckdb_reads_exactly_the_type_that_was_asked_for(tmp_path: Path, engine_type: str) -> None:
    path = tmp_path / "schema.parquet"
    path.write_bytes(schema_parquet([("a", engine_type), (' "Ä b" ', engine_type)]))
    found = duckdb.sql(f"DESCRIBE SELECT * FROM read_parquet('{path}')").fetchall()
    assert [row[:2] for row in found] == [("a", engine_type), (' "Ä b" ', engine_type)]
    assert duckdb.sql(f"SELECT * FROM read_parquet('{path}')").fetchall() == []


@pytest.mark.parametrize("engine_type", TYPES)
def test_a_type_survives_being_read_and_written(engine_type: str) -> None:
    assert parse(str(parse(engine_type))) == parse(engine_type)
    assert has_parquet(parse(engine_type))


def test_the_bytes_depend_on_the_columns_alone() -> None:
    columns = [(f"c{number}", "BIGINT") for number in range(300)]
    assert schema_parquet(columns) == schema_parquet(list(columns))
    digest = hashlib.sha256(schema_parquet([("a", "DATE"), ("b", "STRUCT(x INTEGER[])")]))
    # Written into buckets: another digest means that readers no longer find what is there.
    assert digest.hexdigest() == "1496ab0cfb8c4e4885c88b75174b3f499621ec7bb369550536c07a07287b1a19"


def test_a_wide_table_has_all_its_columns(tmp_path: Path) -> None:
    columns = [(f"c{number}", TYPES[number % len(TYPES)]) for number in range(2000)]
    path = tmp_path / "schema.parquet"
    path.write_bytes(schema_parquet(columns))
    found = duckdb.sql(f"DESCRIBE SELECT * FROM read_parquet('{path}')").fetchall()
    assert [row[:2] for row in found] == columns


@pytest.mark.parametrize("engine_type", ["HUGEINT", "VARIANT", "STRUCT(a GEOMETRY)", "INTEGER[3]"])
def test_a_type_that_parquet_does_not_know_is_refused(engine_type: str) -> None:
    assert not has_parquet(parse(engine_type))
    with pytest.raises(ValueError, match="Parquet has no equivalent"):
        schema_parquet([("a", engine_type)])
