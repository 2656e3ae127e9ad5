import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lake import layout
from lake.catalog.entries import Column, Schema, schema_id
from lake.query.sql import identifier, literal
from lake.query.views import ViewFile, ViewPlan, plan_view, schema_files
from lake.schema.reconcile import Member, reconcile

SHARED = Path(__file__).parents[3] / "shared" / "data"


@dataclass
class Lake:
    """A folder of Parquet files that are read as one; `facts` are given, not measured."""

    root: Path
    keys: tuple[str, ...] = ()
    types: Mapping[str, str] = field(default_factory=dict)
    zone: str = "Asia/Tokyo"
    schemas: dict[str, Schema] = field(default_factory=dict)
    commits: dict[str, int] = field(default_factory=dict)
    files: list[ViewFile] = field(default_factory=list)

    def add(
        self, select: str, facts: Mapping[str, Sequence[str]] | None = None, **keys: str
    ) -> Path:
        number = len(self.files)
        folder = self.root / "raw" / "x" / layout.partition(keys) / f"version=20260101T0000{number}"
        folder.mkdir(parents=True)
        path = folder / f"f{number}.parquet"
        duckdb.sql(f"COPY ({select}) TO {literal(str(path))} (FORMAT parquet)")
        self.take(path, facts)
        return path

    def take(self, path: Path, facts: Mapping[str, Sequence[str]] | None = None) -> None:
        source = f"read_parquet({literal(str(path))}, hive_partitioning=false)"
        rows = duckdb.sql(f"DESCRIBE SELECT * FROM {source}").fetchall()
        schema = tuple(Column(row[0], row[1], tuple((facts or {}).get(row[0], ()))) for row in rows)
        self.schemas[schema_id(schema)] = schema
        self.commits[schema_id(schema)] = len(self.files)
        self.files.append(ViewFile(str(path), schema_id(schema)))

    def plan(self, files: Sequence[ViewFile] | None = None) -> ViewPlan:
        members = [Member(sid, schema, self.commits[sid]) for sid, schema in self.schemas.items()]
        found = reconcile(members, partition_keys=self.keys, partition_types=self.types)
        chosen = self.files if files is None else files
        for digest, data in schema_files(found).items():
            path = self.root / layout.schema(digest)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return plan_view("raw.x", chosen, self.schemas, found, self.keys)

    def connect(self, files: Sequence[ViewFile] | None = None) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect()
        connection.execute(f"SET TimeZone = {literal(self.zone)}")
        select = self.plan(files).select(lambda key: str(self.root / key))
        connection.execute(f"CREATE VIEW x AS {select}")
        return connection

    def rows(self, query: str = "FROM x ORDER BY ALL") -> list[tuple[Any, ...]]:
        """Return what a query gives, and see that the order of files does not matter."""
        orders = list(permutations(self.files))[:: 5 if len(self.files) > 3 else 1]
        found = [self.connect(order).sql(query).fetchall() for order in orders]
        assert all(other == found[0] for other in found)
        return found[0]

    def types_of(self) -> dict[str, str]:
        return {row[0]: row[1] for row in self.connect().sql("DESCRIBE x").fetchall()}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "month=5" / "version=1")


NOTHING: dict[str, Sequence[str]] = {"v": ("null",)}


@pytest.mark.parametrize(
    ("left", "right", "engine_type", "texts"),
    [
        ("1::INTEGER", "9007199254740993", "BIGINT", ["1", "9007199254740993"]),
        (
            "18446744073709551615::UBIGINT",
            "(-9223372036854775808)::BIGINT",
            "DECIMAL(20,0)",
            ["-9223372036854775808", "18446744073709551615"],
        ),
        ("255::UTINYINT", "(-1)::TINYINT", "SMALLINT", ["-1", "255"]),
        ("9007199254740991", "1.5::DOUBLE", "DOUBLE", ["1.5", "9007199254740991.0"]),
        ("0.1::FLOAT", "0.1::DOUBLE", "DOUBLE", ["0.1", "0.10000000149011612"]),
        (
            "DATE '2024-02-29'",
            "TIMESTAMP '2024-02-29 00:00:00.000001'",
            "TIMESTAMP",
            ["2024-02-29 00:00:00", "2024-02-29 00:00:00.000001"],
        ),
        (
            "TIMESTAMP '2024-02-29 00:00:00.000001'",
            "TIMESTAMP_NS '2024-02-29 00:00:00.000000001'",
            "TIMESTAMP_NS",
            ["2024-02-29 00:00:00.000000001", "2024-02-29 00:00:00.000001"],
        ),
        (
            "DATE '2024-02-29'",
            "TIMESTAMP_NS '2024-02-29 00:00:00.000000001'",
            "TIMESTAMP_NS",
            ["2024-02-29 00:00:00", "2024-02-29 00:00:00.000000001"],
        ),
        (
            "12345678901234567.89::DECIMAL(19,2)",
            "9223372036854775807",
            "DECIMAL(21,2)",
            ["12345678901234567.89", "9223372036854775807.00"],
        ),
        ("1.5::DECIMAL(2,1)", "0.001::DECIMAL(38,30)", "DECIMAL(38,30)", []),
        ("'007'", "7", "VARCHAR", ["007", "7"]),
        ("'x'", "1e22::DOUBLE", "VARCHAR", ["1e+22", "x"]),
        ("'x'", "0.1::FLOAT", "VARCHAR", ["0.1", "x"]),
        ("'x'", "1.50::DECIMAL(4,2)", "VARCHAR", ["1.50", "x"]),
        ("'x'", "true", "VARCHAR", ["true", "x"]),
        ("'x'", "DATE '2024-02-29'", "VARCHAR", ["2024-02-29", "x"]),
        ("'x'", "TIME '01:02:03.000004'", "VARCHAR", ["01:02:03.000004", "x"]),
        (
            "'x'",
            "'5e9b2a0e-6a4f-4a0c-a9d0-000000000001'::UUID",
            "VARCHAR",
            ["5e9b2a0e-6a4f-4a0c-a9d0-000000000001", "x"],
        ),
        ("'x'", "TIMESTAMP '2024-02-29 01:02:03'", "VARCHAR", ["2024-02-29 01:02:03", "x"]),
        (
            "'x'",
            "TIMESTAMPTZ '2024-02-29 01:02:03.5+00'",
            "VARCHAR",
            ["2024-02-29 01:02:03.5Z", "x"],
        ),
        ("'x'", "TIMESTAMPTZ 'infinity'", "VARCHAR", ["infinity", "x"]),
        ("'x'", "'{\"a\": 1}'::JSON", "VARCHAR", ["x", '{"a": 1}']),
        ("[1]::INTEGER[]", "[9007199254740993, NULL]", "BIGINT[]", []),
        ("['x']", "[TIMESTAMPTZ '2024-02-29 01:02:03+00']", "VARCHAR[]", []),
        ("{'a': 1}", "{'b': 'x'}", "STRUCT(b VARCHAR, a INTEGER)", []),
        ("MAP {'k': 1}", "MAP {'k': 1.5::DOUBLE}", "MAP(VARCHAR, DOUBLE)", []),
    ],
)
def test_values_of_both_files_come_out_exact(
    lake: Lake, left: str, right: str, engine_type: str, texts: list[str]
) -> None:
    lake.add(f"SELECT {left} AS v")
    lake.add(f"SELECT {right} AS v")
    assert lake.types_of() == {"v": engine_type}
    if texts:
        assert [row[0] for row in lake.rows("SELECT v::VARCHAR FROM x ORDER BY ALL")] == texts


def test_fractions_stay_where_a_file_of_integers_comes_first(lake: Lake) -> None:
    lake.add("SELECT 1::BIGINT AS v")
    lake.add("SELECT 1.5::DOUBLE AS v")
    lake.add("SELECT 2::TINYINT AS v")
    assert lake.rows() == [(1.0,), (1.5,), (2.0,)]
    assert len(lake.plan().groups) == 1


@pytest.mark.parametrize(
    "value",
    [
        *("DATE '2024-02-29'", "TIMESTAMP '2024-02-29'", "TIMESTAMPTZ '2024-02-29 00:00:00+00'"),
        *("'x'", "1.5::DOUBLE", "true", "TIME '01:02:03'", "uuid()", "'x'::BLOB", "INTERVAL 1 DAY"),
        *("[1]", "{'a': [1]}", "MAP {'k': 1}", "1.5::DECIMAL(3,1)", "TIMESTAMP_NS '2024-02-29'"),
    ],
)
@pytest.mark.parametrize("empty", ["INTEGER", "VARCHAR", "STRUCT(z DATE)", "BLOB", "DATE[]"])
def test_a_column_of_nulls_takes_any_type(lake: Lake, value: str, empty: str) -> None:
    lake.add(f"SELECT NULL::{empty} AS v FROM range(3000)", NOTHING)
    lake.add(f"SELECT {value} AS v")
    assert lake.rows("SELECT count(*), count(v) FROM x") == [(3001, 1)]
    own = duckdb.sql(f"SELECT typeof({value})").fetchall()[0][0]
    assert lake.types_of()["v"] == own


def test_structs_of_three_shapes_are_joined_by_name(lake: Lake) -> None:
    lake.add("SELECT 1 AS n, {'a': 1, 'b': {'c': TIMESTAMPTZ '2024-01-01 00:00:00+00'}} AS s")
    lake.add("SELECT 2 AS n, {'b': {'c': 'x', 'd': [1]}, ' A': 2.5::DOUBLE} AS s")
    lake.add("SELECT * FROM (VALUES (3, NULL), (4, {'B': NULL::STRUCT(c VARCHAR)})) t(n, s)")
    assert lake.rows() == [
        (1, {"B": {"c": "2024-01-01 00:00:00Z", "d": None}, "A": 1.0}),
        (2, {"B": {"c": "x", "d": [1]}, "A": 2.5}),
        (3, None),
        (4, {"B": None, "A": None}),
    ]


def test_lists_and_maps_of_structs_are_joined_inside(lake: Lake) -> None:
    lake.add("SELECT 1 AS n, [{'a': 1}, NULL] AS l, MAP {'k': [{'a': 1}]} AS m")
    lake.add("SELECT 2 AS n, [{'b': 2}] AS l, MAP {'k': [{'b': 2}]} AS m")
    lake.add(
        "SELECT 3 AS n, NULL::STRUCT(b INTEGER)[] AS l, NULL::MAP(VARCHAR, DATE) AS m",
        {"m": ("null",)},
    )
    assert lake.rows() == [
        (1, [{"b": None, "a": 1}, None], {"k": [{"b": None, "a": 1}]}),
        (2, [{"b": 2, "a": None}], {"k": [{"b": 2, "a": None}]}),
        (3, None, None),
    ]


def test_a_null_leaf_takes_the_shape_of_the_others(lake: Lake) -> None:
    lake.add("SELECT {'a': NULL::INTEGER, 'b': 1} AS s", {"s": ("a:null",)})
    lake.add("SELECT {'a': [DATE '2024-01-01'], 'b': 2} AS s")
    assert lake.rows("SELECT s.b, s.a::VARCHAR FROM x ORDER BY 1") == [
        (1, None),
        (2, "[2024-01-01]"),
    ]


def test_names_that_differ_in_case_and_blanks_are_one_column(lake: Lake) -> None:
    lake.add('SELECT 1 AS " fare ", 10 AS "Straße", 0 AS É')
    lake.add('SELECT 2 AS "FARE", 20 AS "STRASSE", 0 AS é')
    lake.add('SELECT 3 AS "Fare", 30 AS "strasse", 0 AS é')
    assert list(lake.types_of()) == ["Fare", "strasse", "é"]
    assert lake.rows() == [(1, 10, 0), (2, 20, 0), (3, 30, 0)]
    assert len(lake.plan().groups) == 2


def test_three_column_sets_become_three_groups(lake: Lake) -> None:
    lake.add("SELECT 1 AS a, 'x' AS b")
    lake.add("SELECT 'y' AS b, 2.5::DOUBLE AS a")
    lake.add("SELECT 3 AS a, DATE '2024-01-01' AS c")
    lake.add("SELECT 4::BIGINT AS a")
    assert lake.rows("SELECT a, b, c::VARCHAR FROM x ORDER BY a") == [
        (1.0, "x", None),
        (2.5, "y", None),
        (3.0, None, "2024-01-01"),
        (4.0, None, None),
    ]
    assert [len(group.urls) for group in lake.plan().groups] == [2, 1, 1]


def test_a_type_without_a_schema_file_is_still_read(lake: Lake) -> None:
    lake.add("SELECT 1 AS n, {'a': 1}::VARIANT AS v")
    lake.add("SELECT 9000000000 AS n, {'a': 2}::VARIANT AS v")
    lake.add("SELECT 2.5::DOUBLE AS n, {'a': 3}::VARIANT AS v")
    lake.add("SELECT 3 AS n")
    assert lake.rows("SELECT n, v::VARCHAR FROM x ORDER BY n") == [
        (1.0, "{'a': 1}"),
        (2.5, "{'a': 3}"),
        (3.0, None),
        (9e9, "{'a': 2}"),
    ]
    assert len(lake.plan().schema_files) == 1


def test_a_view_without_files_has_its_columns_and_no_rows(lake: Lake) -> None:
    lake.keys = ("month",)
    lake.add("SELECT 1 AS a, {'b': [1]} AS s", month="1")
    connection = lake.connect([])
    assert connection.sql("FROM x").fetchall() == []
    assert [row[:2] for row in connection.sql("DESCRIBE x").fetchall()] == [
        ("a", "INTEGER"),
        ("s", "STRUCT(b INTEGER[])"),
        ("month", "VARCHAR"),
    ]


def test_a_view_of_nothing_at_all_is_still_a_view(lake: Lake) -> None:
    assert lake.connect().sql("FROM x").fetchall() == []


def test_files_without_rows_are_read(lake: Lake) -> None:
    lake.add("SELECT 1 AS a WHERE false", {"a": ("null",)})
    assert lake.rows() == []
    lake.add("SELECT DATE '2024-01-01' AS a")
    assert lake.rows("SELECT a::VARCHAR FROM x") == [("2024-01-01",)]


VALUES = ["2024-01", "a/b=c", "ü & %41+ ☃", "NULL", "version=1"]


def test_the_keys_of_a_partition_come_from_the_path_exactly(lake: Lake) -> None:
    lake.keys = ("month", "zone")
    for at, value in enumerate(VALUES):
        lake.add(f"SELECT {at} AS a", month=value, zone=f"{value}!")
    found = lake.connect().sql("SELECT a, month, zone FROM x ORDER BY a").fetchall()
    assert found == [(at, value, f"{value}!") for at, value in enumerate(VALUES)]


def test_a_declared_key_has_its_type(lake: Lake) -> None:
    lake.keys, lake.types = ("day", "n"), {"day": "DATE", "n": "INTEGER"}
    lake.add("SELECT 'x' AS a", day="2024-02-29", n="7")
    assert lake.types_of() == {"a": "VARCHAR", "day": "DATE", "n": "INTEGER"}
    assert lake.rows("SELECT day::VARCHAR, n + 1 FROM x") == [("2024-02-29", 8)]


def test_a_files_column_gives_way_to_the_key_of_its_name(lake: Lake) -> None:
    lake.keys = ("month",)
    lake.add("SELECT 1 AS a, '2024-01' AS Month", month="2024-01")
    lake.add("SELECT 2 AS a", month="2024-02")
    assert lake.rows() == [(1, "2024-01"), (2, "2024-02")]
    assert len(lake.plan().groups) == 1


@pytest.mark.parametrize("keys", [(), ("month",)])
def test_columns_with_the_names_of_virtual_ones_are_data(lake: Lake, keys: tuple[str, ...]) -> None:
    lake.keys = keys
    names = ["Filename", "_filename", "version", "file_row_number", "file_index", "rowid", "lake"]
    columns = ", ".join(f"{at} AS {identifier(name)}" for at, name in enumerate(names))
    for month in ("1", "2"):
        lake.add(f"SELECT {columns}", month=month)
    assert lake.rows(f"SELECT DISTINCT {', '.join(names)} FROM x") == [tuple(range(7))]
    if keys:
        assert lake.rows("SELECT month FROM x ORDER BY 1") == [("1",), ("2",)]


def files_read(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    plan = "\n".join(row[1] for row in connection.sql(f"EXPLAIN ANALYZE {query}").fetchall())
    return sum(int(count) for count in re.findall(r"Total Files Read: (\d+)", plan))


@pytest.mark.parametrize(
    "where", ["month = '2024-07'", "month IN ('2024-07')", "month > '2024-11'", "n = 7"]
)
def test_files_of_other_partitions_are_not_opened(lake: Lake, where: str) -> None:
    lake.keys, lake.types = ("month", "n"), {"n": "INTEGER"}
    for month in range(1, 13):
        extra = ", 1 AS extra" if month > 6 else ""
        lake.add(f"SELECT {month} AS a{extra}", month=f"2024-{month:02}", n=str(month))
    connection = lake.connect()
    assert files_read(connection, "SELECT sum(a) FROM x") >= 12
    assert files_read(connection, f"SELECT sum(a) FROM x WHERE {where}") <= 3


def test_two_real_months_are_read_as_one(lake: Lake) -> None:
    months = [SHARED / f"green_tripdata_{month}.parquet" for month in ("2023-12", "2025-11")]
    if not all(month.exists() for month in months):
        pytest.skip(f"the real files are not at {SHARED}")
    for month in months:
        lake.take(month)
    (count, total, absent) = lake.rows(
        "SELECT count(*), sum(total_amount::DECIMAL(18,2))::VARCHAR,"
        " count(*) FILTER (cbd_congestion_fee IS NULL) FROM x"
    )[0]
    assert (count, total) == (111_127, "2739786.85")
    assert absent >= 64_215
    rules = {column.name: column.rule for column in lake.plan().columns}
    assert rules["passenger_count"] == "integers as DOUBLE"
    assert rules["cbd_congestion_fee"] == "missing in some files"
