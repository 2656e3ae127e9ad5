import re

import duckdb
import pytest

from lake.errors import ModelInvalid
from lake.models.inputs import Input, inputs
from lake.models.parse import Model, parse_model
from lake.models.reads import Reads
from lake.models.rewrite import canonical, rewrite

KNOWN = ["raw.trips", "raw.zones", "curated.zones", "curated.days", "curated.m"]


def read(sql: str, *lines: str, name: str = "m") -> tuple[Model, tuple[Input, ...]]:
    head = "\n".join(
        ["-- /// lake", '-- partition_by = "month"', *(f"-- {line}" for line in lines), "-- ///"]
    )
    model = parse_model(f"{head}\n{sql}", name=name, path=f"models/{name}.sql")
    return model, inputs(model, KNOWN)


def names(sql: str) -> list[str]:
    return [item.dataset for item in read(sql)[1]]


@pytest.mark.parametrize(
    ("sql", "datasets"),
    [
        ("select * from raw.trips", ["raw.trips"]),
        ("from Trips", ["raw.trips"]),
        ("select * from trips t, RAW.zones z, trips u", ["raw.trips", "raw.zones"]),
        (
            "with a as (select * from trips) select * from a join days using (d)",
            ["raw.trips", "curated.days"],
        ),
        ("with trips as (select * from trips) select * from trips", ["raw.trips"]),
        ("with a as (select 1), b as (select * from a, days) select * from b", ["curated.days"]),
        (
            "select (select max(x) from days d where d.a = t.a) from trips t",
            ["curated.days", "raw.trips"],
        ),
        ("select * from trips union all by name select * from days", ["raw.trips", "curated.days"]),
        ("select * from trips, range(3), unnest([1]) u(x), (values (1)) v(a)", ["raw.trips"]),
        ("with recursive a as (select 1 x union all select x + 1 from a) select * from a", []),
        ("select * from trips where exists (from days)", ["raw.trips", "curated.days"]),
    ],
)
def test_inputs_are_the_datasets_that_the_select_reads(sql: str, datasets: list[str]) -> None:
    assert sorted(names(sql)) == sorted(datasets)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("select * from tripps", "4:15: there is no dataset 'tripps'; did you mean trips?"),
        (
            "select *\nfrom raw.tripz",
            "5:6: there is no dataset 'raw.tripz'; did you mean raw.trips?",
        ),
        (
            "select * from zones",
            "4:15: 'zones' may be curated.zones or raw.zones: write the one you mean",
        ),
        ("select * from db.raw.trips", "4:15: there is no dataset 'db.raw.trips'"),
        ("select * from meta.commits", "4:15: there is no dataset 'meta.commits'"),
        ("select * from read_parquet('x')", "4:15: read_parquet() is no dataset"),
        ("select * from trips, read_csv_auto('x')", "4:22: read_csv_auto() is no dataset"),
        ("select * from query('select 1')", "4:15: query() is no dataset"),
        ("select * from glob('*')", "4:15: glob() is no dataset"),
        ("select * from duckdb_tables()", "4:15: duckdb_tables() is no dataset"),
        ("select * from 'x.parquet'", "4:15: 'x.parquet' is a file"),
        ("select * from 's3://b/x'", "4:15: 's3://b/x' is a file"),
        ("select * from curated.m", "4:15: curated.m reads itself"),
        ("select * from m", "4:15: curated.m reads itself"),
    ],
)
def test_what_is_no_dataset_is_refused_with_its_place(sql: str, message: str) -> None:
    with pytest.raises(ModelInvalid, match=re.escape(f"models/m.sql:{message}")):
        read(sql)


def test_a_model_named_like_a_raw_dataset_reads_that_one() -> None:
    found = read("select * from trips", name="trips")[1]
    assert [item.dataset for item in found] == ["raw.trips"]


def test_reads_belongs_to_the_input_that_it_names() -> None:
    found = read(
        "select * from trips, raw.zones, days",
        'reads.trips = "same"',
        'reads."curated.days" = "-1..+0"',
    )[1]
    assert {item.dataset: item.reads for item in found} == {
        "raw.trips": Reads("same"),
        "raw.zones": Reads(),
        "curated.days": Reads("range", -1, 0),
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            'reads.days = "same"',
            "reads.days names no input: the model reads raw.zones, curated.zones",
        ),
        ('reads.zones = "same"', 'may be raw.zones or curated.zones: write reads."raw.zones" or'),
    ],
)
def test_reads_of_no_input_or_of_two_is_refused(line: str, message: str) -> None:
    with pytest.raises(ModelInvalid, match=re.escape(message)):
        read("select * from raw.zones a, curated.zones b", line)


def canonically(sql: str) -> str:
    model, found = read(sql)
    return canonical(model.select, [place for item in found for place in item.references])


def test_comments_blanks_and_the_case_of_reserved_words_are_not_canonical() -> None:
    one = canonically("select a, b as B -- why\nfrom trips\n\twhere a = 'X -- y'  group  by all;")
    two = canonically("SELECT a , b AS B FROM raw.trips WHERE a='X -- y' GROUP BY ALL /* end */")
    assert one == two


@pytest.mark.parametrize(
    "other",
    [
        "select A from trips",
        "select 'b' as a from trips",
        'select "a" from trips',
        "select a from days",
    ],
)
def test_every_other_difference_is_canonical(other: str) -> None:
    assert canonically("select a from trips") != canonically(other)


@pytest.mark.parametrize(
    "sql",
    [
        "select raw.trips.a, trips.b, a + b as c from raw.trips",
        "select t.a from trips t",
        "select trips.* from Trips",
        'select "Trips".a from raw."Trips"',
        "from raw.trips",
        "table raw.trips",
        "select t.a from t: raw.trips",
        "select raw.b from trips as raw",
        "select * from raw.trips pivot (sum(b) for a in (1, 2))",
        "select raw.trips.s.x, trips.s.x from raw.trips",
        "select (select max(u.a) from raw.trips u where u.b = raw.trips.b) as m from raw.trips",
    ],
)
def test_a_rewritten_select_gives_the_same_rows_over_other_relations(sql: str) -> None:
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA raw; CREATE SCHEMA hidden")
    rows = "SELECT * FROM (VALUES (1, 2, {'x': 3}), (4, 5, {'x': 6})) AS v(a, b, s)"
    connection.execute(f"CREATE TABLE hidden.t AS {rows}")
    model, found = read(sql)
    places = [place for item in found for place in item.references]
    over = connection.execute(
        rewrite(model.select, places, {"raw.trips": '"hidden"."t"'})
    ).fetchall()
    connection.execute(f"CREATE TABLE raw.trips AS {rows}; SET search_path = 'raw'")
    assert sorted(map(str, over)) == sorted(map(str, connection.execute(sql).fetchall()))
