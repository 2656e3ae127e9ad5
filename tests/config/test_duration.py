from datetime import timedelta

import pytest

from lake.config import duration, duration_text
from lake.errors import InvalidConfig


@pytest.mark.parametrize(
    ("text", "length", "again"),
    [
        ("60 days", timedelta(days=60), "60 days"),
        ("1 day", timedelta(days=1), "1 day"),
        ("2weeks", timedelta(days=14), "14 days"),
        ("36 hours", timedelta(hours=36), "36 hours"),
        (" 90 seconds ", timedelta(seconds=90), "90 seconds"),
        ("0 days", timedelta(), "0 seconds"),
    ],
)
def test_a_duration_is_read_and_written(text: str, length: timedelta, again: str) -> None:
    assert duration(text) == length
    assert duration_text(length) == again
    assert duration(again) == length


@pytest.mark.parametrize(
    "text", ["", "60", "days", "-1 days", "1.5 days", "1 month", "9" * 30 + " days"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(
        InvalidConfig, match=r"is no duration: write a whole number and second, min"
    ):
        duration(text)
