import re
from pathlib import Path

import pytest

from lake.config import DeclaredColumn, Source, load, source_from_text, source_text
from lake.config.columns import columns_from_text
from lake.errors import InvalidConfig

SOURCE = """
[sources.trips]
url = "trips/{month}.csv"
partition.month = { every = "month" }
[sources.trips.columns]
"""


def declare(folder: Path, text: str) -> Source:
    (folder / "lake.toml").write_text(SOURCE + text)
    return load(None, env=None, environ={}, cwd=folder).sources["trips"]


def test_columns_are_read_with_their_types_as_duckdb_writes_them(tmp_path: Path) -> None:
    text = """
    pickup_at = { from = ["lpep_pickup_datetime", " Trip_Pickup_DateTime"] }
    fare = { type = "decimal(10, 2)", description = "What was paid" }
    "the tip" = { from = ["Tip"], type = "int8[]" }
    plain = {}
    at = { type = "TIMESTAMP", format = "%d/%m/%Y %H:%M", null = ["", "NA"], required = true }
    price = { type = "DOUBLE", decimal = ",", between = [0, 9.5] }
    day = { type = "DATE", between = { min = 2020-01-31 } }
    kind = { in = ["a", "b"], personal = true }
    """
    source = declare(tmp_path, text)
    assert source.columns == {
        "pickup_at": DeclaredColumn(("lpep_pickup_datetime", " Trip_Pickup_DateTime")),
        "fare": DeclaredColumn(type="DECIMAL(10,2)", description="What was paid"),
        "the tip": DeclaredColumn(("Tip",), "BIGINT[]"),
        "plain": DeclaredColumn(),
        "at": DeclaredColumn(
            type="TIMESTAMP", format="%d/%m/%Y %H:%M", null=("", "NA"), required=True
        ),
        "price": DeclaredColumn(type="DOUBLE", decimal=",", between=(0, 9.5)),
        "day": DeclaredColumn(type="DATE", between=("2020-01-31", None)),
        "kind": DeclaredColumn(allowed=("a", "b"), personal=True),
    }
    assert source_from_text(source_text(source), "trips") == source
    assert columns_from_text(source_text(source)) == source.columns


def test_the_log_s_columns_are_read_past_what_is_only_of_landing() -> None:
    text = '{"database":"x","columns":{"a":{"from":["b"],"null":["NA"]}}}'
    assert columns_from_text(text) == {"a": DeclaredColumn(("b",), null=("NA",))}
    with pytest.raises(InvalidConfig, match="declaration of a source cannot be read: 'hm'"):
        columns_from_text("hm")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('a = { typ = "DATE" }', ".a] knows no key 'typ': did you mean 'type'?"),
        ('a = { type = "BIGNT" }', ".a] type: 'BIGNT' is no type that can be declared: did you"),
        (
            'a = { type = "MONEY" }',
            ".a] type: 'MONEY' is no type that can be declared: write one such as BIGINT or",
        ),
        ('a = { type = "DECIMAL" }', ".a] type: 'DECIMAL' is no type that can be declared: did"),
        ('a = { type = "DECIMAL(40,2)" }', ".a] type: 'DECIMAL(40,2)': a DECIMAL has 1 to 38"),
        ('a = { type = "DECIMAL(2,3)[]" }', ".a] type: 'DECIMAL(2,3)[]': a DECIMAL has 1 to 38"),
        ("a = { type = 7 }", ".a] type is 7: write text"),
        ('a = { from = "b" }', ".a] from is 'b': write a list"),
        ('a = { from = [" "] }', ".a] from holds an empty name: take it out"),
        ('" a" = {}', ". a] ' a' is no column: give it a name without blanks around it"),
        ("a = {}\nA = {}", ".A] differs from column 'a' only in case: declare it once"),
        (
            'a = { from = ["c"] }\nb = { from = ["c"] }',
            "] 'c' is claimed by two columns, a and b",
        ),
        ('a = { from = ["b"] }\nb = {}', "] 'b' is claimed by two columns, a and b"),
        ('month = { type = "DATE" }', ".month] is a key of the partition: this version reads"),
        ('month = { from = ["m"] }', ".month] is a key of the partition: this version reads"),
        ("month = { personal = true }", ".month] is a key of the partition, which is part of"),
        ('a = { format = "%d" }', ".a] format is of dates and times: declare type = 'TIMESTAMP',"),
        ('a = { type = "DATE", format = "dd" }', ".a] format = 'dd': write one such as '%d/%m/%Y"),
        ('a = { decimal = "," }', ".a] decimal is of numbers: declare type = 'DOUBLE' or"),
        ('a = { type = "DOUBLE", decimal = ";" }', ".a] decimal = ';': write '.' or ','"),
        ("a = { required = 1 }", ".a] required is 1: write true or false"),
        ("a = { between = 5 }", ".a] between: write [least, greatest], or { min = … } or { max"),
        ("a = { between = {} }", ".a] between: write [least, greatest], or { min = … } or { max"),
        ("a = { between = [2, 1] }", ".a] between: 2 is more than 1"),
        ("a = { between = [1, inf] }", ".a] between holds inf: leave that limit out"),
        ("a = { between = { least = 1 } }", ".a.between] knows no key 'least': there is max, min"),
        ("a = { in = [] }", ".a] in: write the list of the values that may be there"),
        ("a = { in = [true] }", ".a] in holds True: write a number, a date or text"),
    ],
)
def test_what_a_column_cannot_say_is_refused(tmp_path: Path, text: str, said: str) -> None:
    start = f"{tmp_path}/lake.toml: [sources.trips.columns"
    with pytest.raises(InvalidConfig, match=f"^{re.escape(start + said)}"):
        declare(tmp_path, text)
