from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from lake.config.period import UNITS, Unit, after, floor, interval, label, start, steps
from lake.errors import InvalidConfig


@pytest.mark.parametrize("unit", UNITS)
def test_periods_follow_each_other_without_a_gap(unit: Unit) -> None:
    moments = list(steps(datetime(2023, 12, 20, 5, 30), datetime(2024, 3, 10), unit))
    assert moments[0] <= datetime(2023, 12, 20, 5, 30) < after(moments[0], unit)
    for at, following in pairwise(moments):
        assert after(at, unit) == following
        assert floor(following - timedelta(microseconds=1), unit) == at
        assert interval(label(at, unit)) == (at, following)


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        ("hour", "2024-12-30T23"),
        ("day", "2024-12-30"),
        ("week", "2025-W01"),
        ("month", "2024-12"),
        ("quarter", "2024-Q4"),
        ("year", "2024"),
    ],
)
def test_a_moment_lies_in_its_periods(unit: Unit, text: str) -> None:
    assert label(datetime(2024, 12, 30, 23, 59, 59), unit) == text
    assert label(start(text, unit), unit) == text


@pytest.mark.parametrize(
    "text",
    ["", "24", "2024-00", "2024-13", "2024-02-30", "2023-W53", "2024-Q5", "0000", "9999", "a"],
)
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(InvalidConfig, match=r"is no \w+: write one such as"):
        interval(text)
