import re

import pytest

from lake.errors import ModelInvalid
from lake.models.reads import Reads, neighbours, parse_reads


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("each", Reads("each")),
        ("same", Reads("same")),
        ("-1..+0", Reads("range", -1, 0)),
        ("-1..0", Reads("range", -1, 0)),
        ("-2 .. +3", Reads("range", -2, 3)),
    ],
)
def test_reads_is_each_same_or_a_range(text: str, reads: Reads) -> None:
    assert parse_reads(text) == reads


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("whole", "'whole' is no way to read an input"),
        ("-1", "'-1' is no way to read an input"),
        ("1..2", "leaves out its own partition"),
        ("0..-1", "leaves out its own partition"),
    ],
)
def test_other_words_are_refused(text: str, message: str) -> None:
    with pytest.raises(ModelInvalid, match=re.escape(message)):
        parse_reads(text)


@pytest.mark.parametrize(
    ("value", "around"),
    [
        ("2024", ("2023", "2024", "2025")),
        ("2024-01", ("2023-12", "2024-01", "2024-02")),
        ("2024-12", ("2024-11", "2024-12", "2025-01")),
        ("2024-02-29", ("2024-02-28", "2024-02-29", "2024-03-01")),
        ("2024-01-01T00", ("2023-12-31T23", "2024-01-01T00", "2024-01-01T01")),
        ("2021-W01", ("2020-W53", "2021-W01", "2021-W02")),
        ("2024-Q4", ("2024-Q3", "2024-Q4", "2025-Q1")),
        ("0", ("-1", "0", "1")),
        ("07", ("06", "07", "08")),
        ("123456", ("123455", "123456", "123457")),
    ],
)
def test_neighbours_are_calendar_steps(value: str, around: tuple[str, ...]) -> None:
    assert neighbours(value, -1, 1) == around


@pytest.mark.parametrize("value", ["north", "2024-13", "2024-02-30", "202412", "20241231", ""])
def test_a_value_of_no_calendar_has_no_neighbours(value: str) -> None:
    with pytest.raises(
        ModelInvalid, match=r"has no neighbours -1\.\.\+1: a range steps over a year"
    ):
        neighbours(value, -1, 1)
