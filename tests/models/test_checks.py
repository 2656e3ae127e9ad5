import re
from datetime import date, timedelta
from typing import Any

import pytest

from lake.errors import ModelInvalid
from lake.models.checks import parse_checks

PATH = "models/m.sql"


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"not_null": "revenue"}, "not_null_revenue"),
        ({"not_null": ["a", "b"]}, "not_null_a_b"),
        ({"unique": ["day", "zone"]}, "unique_day_zone"),
        ({"unique": "Trip Id"}, "unique_Trip_Id"),
        ({"accepted_values": "kind", "values": ["x"]}, "accepted_values_kind"),
        ({"between": "fare", "min": 0}, "between_fare"),
        ({"row_count": {"min": 1}}, "row_count"),
        ({"references": "zone", "to": "raw.zones.id"}, "references_zone"),
        ({"fresh": "at", "within": "2 days"}, "fresh_at"),
        ({"sql": "SELECT 1 WHERE false"}, "sql_1"),
        ({"sql": "SELECT 1 WHERE false", "name": "no ghosts"}, "no ghosts"),
    ],
)
def test_a_check_without_name_is_named_by_what_it_checks(said: dict[str, Any], name: str) -> None:
    assert parse_checks([said], path=PATH)[0].name == name


def test_a_check_keeps_what_it_says() -> None:
    said = [
        {"between": "d", "min": date(2024, 1, 1), "severity": "warn", "scope": "partition"},
        {"fresh": "at", "within": "36 hours"},
        {"references": "z", "to": "raw.zones.location id"},
    ]
    between, fresh, references = parse_checks(said, path=PATH)
    assert (between.min, between.max) == (date(2024, 1, 1), None)
    assert (between.severity, between.scope) == ("warn", "partition")
    assert fresh.within == timedelta(hours=36)
    assert references.to == ("raw.zones", "location id")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"not_null": "a"}, "checks is a list"),
        (["x"], "checks is a list"),
        ([{}], "check 1 is of no kind"),
        ([{"uniqe": "a"}], "check 1 is of no kind; did you mean unique?"),
        ([{"unique": "a", "not_null": "a"}], "check 1 is both unique and not_null"),
        (
            [{"unique": "a", "sevrity": "warn"}],
            "check 1 (unique) has no key 'sevrity'; did you mean severity?",
        ),
        ([{"not_null": "a", "values": [1]}], "check 1 (not_null) has no key 'values'"),
        ([{"unique": "a", "severity": "bad"}], "check 1: severity is 'error' or 'warn', not 'bad'"),
        (
            [{"unique": "a", "scope": "all"}],
            "check 1: scope is 'dataset' or 'partition', not 'all'",
        ),
        ([{"unique": "a", "name": ""}], "the name of check 1 is a text of one line"),
        ([{"unique": []}], "unique names a column or a list of them"),
        ([{"unique": ["a", "a"]}], "unique names a column twice: a, a"),
        ([{"between": ["a"], "min": 1}], "between names one column"),
        ([{"between": "a"}], "between needs min, max or both"),
        ([{"between": "a", "min": 2, "max": 1}], "min of between is above its max: 2 and 1"),
        (
            [{"between": "a", "min": 2, "max": "b"}],
            "min and max of between are of two types: 2 and 'b'",
        ),
        ([{"accepted_values": "a"}], "accepted_values needs values"),
        (
            [{"accepted_values": "a", "values": [1, "b"]}],
            "accepted_values has values of several types",
        ),
        ([{"row_count": 1}], "row_count is a table of min and max"),
        ([{"row_count": {"mini": 1}}], "row_count is a table of min and max"),
        ([{"row_count": {"min": -1}}], "whole numbers from 0 on"),
        ([{"references": "a"}], "references: to = None is no column"),
        ([{"references": "a", "to": "raw.zones"}], 'lacks the column: write to = "raw.zones.id"'),
        ([{"fresh": "a", "within": "2 months"}], "fresh needs within"),
        ([{"sql": "SELECT 1 +", "name": "x"}], "check 'x':1:11: syntax error at end of input"),
        ([{"sql": "DELETE FROM t"}], "check 'sql':1:1: a model is one SELECT, this is DELETE"),
        ([{"unique": "a"}, {"unique": "a"}], "two checks are named 'unique_a'"),
    ],
)
def test_a_check_that_says_something_unknown_or_impossible_is_refused(
    said: Any, message: str
) -> None:
    with pytest.raises(ModelInvalid, match=re.escape(message)):
        parse_checks(said, path=PATH)
