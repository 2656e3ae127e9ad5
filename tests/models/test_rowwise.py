import re
from collections.abc import Mapping

import duckdb
import pytest

from lake.errors import ModelInvalid
from lake.models.inputs import inputs
from lake.models.parse import parse_model
from lake.models.rewrite import rewrite
from lake.models.rowwise import validate_reads

KNOWN = ["raw.trips", "raw.zones", "curated.days", "curated.hours"]
KEYS: Mapping[str, tuple[str, ...]] = {"raw.trips": ("month",), "curated.days": ("month",)}
ROW_WISE = [
    "select *, a + 1 as c from trips",
    "select t.*, z.n from trips t join raw.zones z on t.a = z.id",
    "select t.*, z.n from trips t left join zones z on t.a = z.id",
    "select t.a, z.n from zones z right join trips t on t.a = z.id",
    "select t.a, z.n from zones z join trips t on t.a = z.id",
    "select t.a, z.n from zones z, trips t",
    "select a from trips t semi join zones z on t.a = z.id",
    "select a from trips t anti join zones z on t.a = z.id",
    "select a from trips t where a in (select id from zones)",
    "select unnest([a, a + 1]) as x from trips",
    "select a, z.n from trips t asof left join zones z on t.a >= z.id",
    "select a, list_sum([a, 1]) as s, greatest(a, 2) as g from trips order by a",
]
NOT_ROW_WISE = [
    ("select a from trips group by a", "5:21: it has GROUP BY"),
    ("select max(a) from trips", "5:8: max() looks at many rows"),
    ("select a.max() as b from trips", "max() looks at many rows"),
    ("select geomean(a) from trips", "geomean() looks at many rows"),
    ("select distinct a from trips", "it has DISTINCT"),
    ("select a from trips limit 3", "5:21: it has LIMIT"),
    ("select a, lag(a) over w as n from trips window w as (order by a)", "it has a window"),
    ("select a from trips qualify row_number() over () = 1", "it has QUALIFY"),
    ("select a from trips union all select id from zones", "it has a set operation"),
    ("with x as (select * from trips) select * from x", "it has a WITH clause"),
    ("select * from (select * from trips)", "5:30: raw.trips stands inside a subquery"),
    (
        "select * from zones where id in (select a from trips)",
        "5:48: raw.trips stands inside a subquery",
    ),
    ("select * from trips t, trips u", "5:24: it reads raw.trips twice"),
    (
        "select * from zones z left join trips t on t.a = z.id",
        "5:33: raw.trips is the right side of a LEFT JOIN",
    ),
    (
        "select * from trips t right join zones z on t.a = z.id",
        "5:34: raw.trips is the left side of a RIGHT JOIN",
    ),
    ("select * from trips t full join zones z on t.a = z.id", "is the left side of a FULL JOIN"),
    ("select * from zones z semi join trips t on t.a = z.id", "is the right side of a SEMI JOIN"),
    ("select * from zones z anti join trips t on t.a = z.id", "is the right side of a ANTI JOIN"),
    ("select * from zones z asof join trips t on z.id >= t.a", "is the right side of a ASOF JOIN"),
    ("select * from zones z positional join trips t", "is the right side of a POSITIONAL JOIN"),
    (
        "select * from zones z left join (days d join trips t on true) on true",
        "inside a subquery or parentheses",
    ),
    ("select * from trips pivot (sum(a) for b in (1, 2))", "it has PIVOT"),
]


def validate(sql: str, *lines: str, keys: Mapping[str, tuple[str, ...]] = KEYS) -> None:
    head = ["-- /// lake", '-- partition_by = "month"', *(f"-- {line}" for line in lines), "-- ///"]
    model = parse_model("\n".join([*head, sql]), name="m", path="models/m.sql")
    validate_reads(model, inputs(model, KNOWN), keys)


@pytest.mark.parametrize("sql", ROW_WISE)
def test_each_takes_a_model_whose_fragments_make_up_the_whole(sql: str) -> None:
    validate(sql, 'reads.trips = "each"')
    connection = duckdb.connect()
    connection.execute("CREATE TABLE trips AS SELECT range % 7 AS a, range % 3 AS p FROM range(20)")
    connection.execute(
        "CREATE TABLE zones AS SELECT range * 2 AS id, 'n' || range AS n FROM range(3)"
    )
    model = parse_model(sql, name="m", path="models/m.sql")
    places = [place for item in inputs(model, KNOWN) for place in item.references]
    parts = [f"(SELECT * FROM trips WHERE p = {part})" for part in range(3)]
    over = [
        rewrite(model.select, places, {"raw.trips": part, "raw.zones": "zones"}) for part in parts
    ]
    fragments = [row for query in over for row in connection.execute(query).fetchall()]
    whole = rewrite(model.select, places, {"raw.trips": "trips", "raw.zones": "zones"})
    assert sorted(map(str, fragments)) == sorted(map(str, connection.execute(whole).fetchall()))


def _pattern(message: str) -> str:
    place, colon, said = message.partition(": ")
    return rf"{place}: .*, but {re.escape(said)}" if colon else re.escape(message)


@pytest.mark.parametrize(("sql", "message"), NOT_ROW_WISE)
def test_each_refuses_what_looks_at_many_rows(sql: str, message: str) -> None:
    with pytest.raises(ModelInvalid, match=_pattern(message)):
        validate(sql, 'reads.trips = "each"')


@pytest.mark.parametrize(
    ("sql", "lines", "message"),
    [
        (
            "select * from trips, days",
            ['reads.trips = "each"', 'reads.days = "same"'],
            "reads.raw.trips = 'each', reads.curated.days = 'same': with \"each\" all other inputs",
        ),
        (
            "select * from trips, days",
            ['reads.trips = "each"', 'reads.days = "each"'],
            'with "each" all other inputs are read whole',
        ),
        ("select * from trips", ['reads.trips = "-1..+0"'], "a range is for curated inputs only"),
        (
            "select * from zones",
            ['reads.zones = "same"'],
            "raw.zones has no partitions: take the line out",
        ),
        (
            "select * from zones",
            ['reads.zones = "each"'],
            "raw.zones has no partitions: take the line out",
        ),
        (
            "select * from hours",
            ['reads.hours = "same"'],
            "curated.hours has day, partition_by says month",
        ),
    ],
)
def test_reads_that_the_inputs_do_not_allow_are_refused(
    sql: str, lines: list[str], message: str
) -> None:
    with pytest.raises(ModelInvalid, match=re.escape(message)):
        validate(sql, *lines, keys={**KEYS, "raw.zones": (), "curated.hours": ("day",)})


def test_same_and_ranges_go_together_and_take_any_select() -> None:
    sql = "select month, count(*) from trips join days using (month) group by all"
    validate(sql, 'reads.trips = "same"', 'reads.days = "-1..+1"')


def test_keys_of_an_input_without_data_are_not_looked_at() -> None:
    validate("select * from hours", 'reads.hours = "same"', keys={})


def test_a_range_over_two_keys_is_refused() -> None:
    head = '-- /// lake\n-- partition_by = ["y", "m"]\n-- reads.days = "-1..+0"\n-- ///\n'
    text = f"{head}select * from days"
    model = parse_model(text, name="m", path="models/m.sql")
    with pytest.raises(ModelInvalid, match="steps along one key, but partition_by has 2: y, m"):
        validate_reads(model, inputs(model, KNOWN), {})
