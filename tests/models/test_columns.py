import re

import duckdb
import pytest

from lake.errors import BuildFailed, ModelInvalid
from lake.models.columns import OutputColumn, columns_read, output_columns
from lake.models.inputs import inputs
from lake.models.parse import parse_model

KNOWN = ["raw.trips", "raw.zones"]
COLUMNS = ["Id", "fare", "zone", "tip"]


def columns(sql: str) -> tuple[str, ...] | None:
    model = parse_model(sql, name="m", path="models/m.sql")
    found = {item.dataset: item for item in inputs(model, KNOWN)}
    return columns_read(model, found["raw.trips"], COLUMNS)


@pytest.mark.parametrize(
    ("sql", "read"),
    [
        ("select id, t.fare from trips t", ("Id", "fare")),
        ("select count(*) from trips", ()),
        ("select 1 from trips join zones using (zone)", ("zone",)),
        ("with a as (select id from trips) select * from a", ("Id",)),
        ("select t.id, z.* from trips t join zones z on true", ("Id",)),
        ('select "fare" * 2 as x from raw.trips', ("fare",)),
        ("select * from (select id, fare from trips)", ("Id", "fare")),
    ],
)
def test_the_columns_that_a_model_reads_are_those_it_names(sql: str, read: tuple[str, ...]) -> None:
    assert columns(sql) == read


@pytest.mark.parametrize(
    "sql",
    [
        "select * from trips",
        "from trips",
        "select t.* exclude (id) from trips t",
        "select trips.* from raw.trips",
        "select * from trips join zones on true",
        "select columns('f.*') from trips",
        "select id from trips natural join zones",
        "select a from trips t(a, b)",
        "select t from trips t",
        "select count(t.*) from trips t",
        "select sum(#1) from trips",
        "select id from trips pivot (sum(fare) for zone in ('a'))",
        "with a as (select * from trips) select id from a",
        "select id from (from trips)",
    ],
)
def test_whoever_may_see_all_columns_reads_all(sql: str) -> None:
    assert columns(sql) is None


def bind(sql: str) -> tuple[OutputColumn, ...]:
    connection = duckdb.connect()
    connection.execute(
        "CREATE SCHEMA hidden; CREATE TABLE hidden.t AS SELECT 1::BIGINT AS id, 2.5 AS fare"
    )
    model = parse_model(
        f"-- /// lake\n-- owner = 'é'\n-- ///\n{sql}", name="m", path="models/m.sql"
    )
    return output_columns(connection, model, inputs(model, KNOWN), {"raw.trips": '"hidden"."t"'})


def test_output_columns_have_names_and_types_and_an_untyped_null_is_seen() -> None:
    sql = (
        "select sum(id) as n, null as gone, [null] as l, {'a': 1::utinyint} as s, id, id"
        " from trips group by id; -- x"
    )
    assert bind(sql) == (
        OutputColumn("n", "HUGEINT"),
        OutputColumn("gone", '"NULL"'),
        OutputColumn("l", '"NULL"[]'),
        OutputColumn("s", "STRUCT(a UTINYINT)"),
        OutputColumn("id", "BIGINT"),
        OutputColumn("id", "BIGINT"),
    )


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("select nosuch from trips", '4:8: Referenced column "nosuch" not found'),
        (
            "select id,\n  'é' || nosuch from raw.trips",
            '5:10: Referenced column "nosuch" not found',
        ),
        (
            "select 1 from raw.trips where trips.nosuch > 1",
            '4:31: Table "trips" does not have a column',
        ),
        (
            "select 1 from trips a, trips b where id > 1",
            '4:38: Ambiguous reference to column name "id"',
        ),
        ("select nosuch(1) from trips", "4:8: Scalar Function with name nosuch does not exist"),
        ("select id from trips group by fare", '4:8: column "id" must appear in the GROUP BY'),
        ("select 'a' + [1] from trips", "4:12: No function matches"),
    ],
)
def test_what_duckdb_cannot_bind_is_refused_with_the_place_in_the_file(
    sql: str, message: str
) -> None:
    with pytest.raises(ModelInvalid, match="(?i)" + re.escape(f"models/m.sql:{message}")):
        bind(sql)


def test_an_input_that_cannot_be_read_is_no_fault_of_the_model() -> None:
    model = parse_model("select id from trips", name="m", path="models/m.sql")
    relations = {"raw.trips": "read_parquet('nowhere.parquet')"}
    with pytest.raises(BuildFailed, match=r"models/m\.sql: its inputs cannot be read: .*nowhere"):
        output_columns(duckdb.connect(), model, inputs(model, KNOWN), relations)
