import re

import duckdb
import pytest

from lake.errors import ModelInvalid
from lake.models.determinism import FUNCTIONS
from lake.models.header import parse_header
from lake.models.parse import Model, parse_model
from lake.models.reads import Reads

HEADED = """\
-- /// lake
-- description = "Revenue per day and zone"
-- owner = "data-platform"
-- partition_by = "month"
-- reads.trips = "same"
-- checks = [
--   { unique = ["day", "zone"] },
--   { not_null = "revenue", severity = "warn" },
-- ]
-- ///
select day, zone, month, sum(fare) as revenue -- per day
from raw.trips
group by all;  -- end
"""


def parse(text: str, name: str = "m") -> Model:
    return parse_model(text, name=name, path=f"models/{name}.sql")


def test_a_model_is_its_header_and_its_select() -> None:
    model = parse(HEADED)
    assert model.dataset == "curated.m"
    assert model.description == "Revenue per day and zone"
    assert model.owner == "data-platform"
    assert model.partition_by == ("month",)
    assert model.reads == {"trips": Reads("same")}
    assert [check.name for check in model.checks] == ["unique_day_zone", "not_null_revenue"]
    assert model.sql.startswith("select day")
    assert model.sql.endswith("group by all")


def test_windows_line_ends_and_a_byte_order_mark_change_nothing() -> None:
    model = parse("\ufeff" + HEADED.replace("\n", "\r\n"))
    assert model.partition_by == ("month",)
    assert len(model.checks) == 2


def test_a_header_describes_columns() -> None:
    text = '-- /// lake\n-- columns.fare = "In cents"\n-- ///\nSELECT 1 AS fare'
    assert parse_header(text, path="m.sql").columns == {"fare": "In cents"}
    for wrong in ("columns = 1", "columns.fare = 1"):
        with pytest.raises(ModelInvalid, match=r"^m.sql:2:(4: columns|12: fare) "):
            parse_header(f"-- /// lake\n-- {wrong}\n-- ///\nSELECT 1", path="m.sql")


def test_a_file_without_header_is_a_model_without_description() -> None:
    assert parse("select 1 as x").description == ""


def header(*lines: str) -> str:
    return "\n".join(["-- /// lake", *(f"-- {line}" for line in lines), "-- ///", "select 1 as x"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (header('ownr = "x"'), "2:4: a header has no key 'ownr'; did you mean owner?"),
        (header("owner = 3"), '2:4: owner is a text, such as owner = "…"'),
        (header("owner = = 3"), "2:12: the header is no TOML: Invalid value"),
        (
            header('owner = "x"', 'owner = "y"'),
            "3:15: the header is no TOML: Cannot overwrite a value",
        ),
        (header("partition_by = 3"), "2:4: partition_by is a column or a list of columns"),
        (header('partition_by = "a/b"'), "2:4: partition_by: 'a/b' is no partition key"),
        (header('partition_by = ["a", "A"]'), "2:4: partition_by names a column twice: a, A"),
        (header('reads.trips = "same"'), "2:4: reads needs partition_by"),
        (
            header('partition_by = "x"', 'reads.t = "some"'),
            "3:10: reads.t: 'some' is no way to read",
        ),
        (header('partition_by = "x"', 'reads.raw.t = "same"'), 'is quoted here: reads."raw.t"'),
        (
            header('checks = [{ not_nul = "x" }]'),
            "2:4: check 1 is of no kind; did you mean not_null?",
        ),
        ("-- /// lake\n-- owner = 'x'\nselect 1", "1:1: the header has no end"),
        ("-- /// lakes\n-- ///\nselect 1", "1:1: a header starts with the line `-- /// lake`"),
        (
            "-- /// lake\nowner = 'x'\n-- ///\nselect 1",
            "2:1: a line of the header starts with `--`",
        ),
        ("-- /// lake\n-- ///\n-- /// lake\n-- ///\nselect 1", "3:1: a file has one header"),
    ],
)
def test_a_wrong_header_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ModelInvalid, match=re.escape(message)):
        parse(text)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("", "1:1: it holds no SELECT"),
        ("-- nothing\n", "2:1: it holds no SELECT"),
        ("select 1;\n  select 2", "2:3: a model is one SELECT: a second statement starts here"),
        ("create table x as select 1", "1:1: a model is one SELECT, this is CREATE"),
        ("values (1)", "1:1: a model is one SELECT, this is VALUES"),
        ("pivot t on a using sum(b)", "1:1: a model is one SELECT, this is PIVOT"),
        ("attach 'x.db'", "1:1: a model is one SELECT, this is ATTACH"),
        ("select 'é' as a,\n  b frm t where", '2:9: syntax error at or near "t"'),
        ("select 'abc", "1:8: unterminated quoted string"),
        ("select 1 +", "1:11: syntax error at end of input"),
        ("select ? as x", "a model takes no parameters"),
    ],
)
def test_what_is_no_select_is_refused_with_line_and_column(sql: str, message: str) -> None:
    with pytest.raises(
        ModelInvalid,
        match=re.escape(f"models/m.sql:{message}" if message[0].isdigit() else message),
    ):
        parse(sql)


def test_a_file_whose_name_is_no_dataset_is_refused() -> None:
    with pytest.raises(
        ModelInvalid, match=r"models/Big-One\.sql: .*'curated\.Big-One' is no dataset"
    ):
        parse("select 1", name="Big-One")


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("select random() as x", "1:8: random gives another answer"),
        ("select a,\n  now() as x from t", "2:3: now gives another answer"),
        ("select current_date", "1:8: current_date gives another"),
        ("select Current_Timestamp as x", "1:8: current_timestamp gives another"),
        ("select * from t where d = today()", "1:27: today gives another"),
        ('select "random"() as x', "1:8: random gives another"),
        ("select main.uuid() as x", "1:13: uuid gives another"),
        ("select nextval('s')", "1:8: nextval gives another"),
        ("select age(d) from t", "1:8: age with one argument"),
        ("select * from t tablesample 5", "1:17: a sample is another one"),
        ("select * from t using sample 10%", "1:23: a sample is another one"),
        ("select * from t where d > (select get_current_time())", "1:35: get_current_time gives"),
    ],
)
def test_what_is_left_to_chance_or_the_clock_is_refused(sql: str, message: str) -> None:
    with pytest.raises(ModelInvalid, match=re.escape(f"models/m.sql:{message}")):
        parse(sql)


def test_names_that_only_look_like_the_clock_are_columns() -> None:
    words = "t.current_date, today, 'now()' as random, age(a, b) as uuid"
    sql = f"select {words} from raw.trips t -- now()"
    assert parse(sql).sql.endswith("raw.trips t")


def test_every_volatile_function_of_this_duckdb_is_refused() -> None:
    rows = duckdb.execute(
        "SELECT DISTINCT function_name FROM duckdb_functions()"
        " WHERE stability IN ('VOLATILE', 'CONSISTENT_WITHIN_QUERY')"
    ).fetchall()
    assert {row[0] for row in rows} - FUNCTIONS == {"error"}
