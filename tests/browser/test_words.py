"""Numbers, times and cells as people read them."""

from datetime import UTC, datetime, timedelta

import pytest

from lake.browser import words

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1_295, "1.29 K"),
        (12_345, "12.3 K"),
        (999_499, "999 K"),
        (999_500, "1.00 M"),
        (2_612_483, "2.61 M"),
        (-2_612_483, "−2.61 M"),
        (10**18, "1000 P"),
    ],
)
def test_numbers_have_three_digits(number: int, text: str) -> None:
    assert words.humane(number) == text


def test_the_exact_number_stands_behind_the_humane_one() -> None:
    assert words.count(2_612_483) == (
        '<data value="2612483" title="2\u202f612\u202f483">2.61 M</data>'
    )
    assert words.weight(43_830_000) == (
        '<data value="43830000" title="43\u202f830\u202f000 bytes">41.8 MiB</data>'
    )


@pytest.mark.parametrize(
    ("before", "text"),
    [
        (timedelta(seconds=3), "just now"),
        (timedelta(minutes=41), "41 min ago"),
        (timedelta(hours=47), "47 h ago"),
        (timedelta(hours=48), "2 d ago"),
        (timedelta(days=399), "399 d ago"),
        (timedelta(days=400), "2025-01-25"),
        (timedelta(seconds=-30), "just now"),
        (timedelta(days=-2), "2026-03-03"),
    ],
)
def test_times_are_told_as_of_now(before: timedelta, text: str) -> None:
    assert words.ago(NOW - before, NOW) == text


@pytest.mark.parametrize(
    "before",
    [timedelta(seconds=3), timedelta(minutes=41, seconds=20), timedelta(hours=30, minutes=1)],
)
def test_what_is_said_of_a_time_is_true_until_then(before: timedelta) -> None:
    at = NOW - before
    lasts = timedelta(seconds=words.lasts(at, NOW))
    second = timedelta(seconds=1)
    assert words.ago(at, NOW + lasts - second) == words.ago(at, NOW)
    assert words.ago(at, NOW + lasts + second) != words.ago(at, NOW)


def test_the_exact_time_stands_behind_the_relative_one() -> None:
    assert words.when("2026-03-01T09:00:00+00:00", NOW) == (
        '<time datetime="2026-03-01T09:00:00Z" title="2026-03-01 09:00:00 UTC">3 h ago</time>'
    )


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 10, "none"), (10, 10, "all"), (1, 3, "33.3\u202f%"), (1, 10**6, "<\u202f0.1\u202f%")],
)
def test_shares_say_none_and_all(part: int, whole: int, text: str) -> None:
    assert words.share(part, whole) == text


def test_nearly_all_is_not_all() -> None:
    assert words.share(999_999, 1_000_000) == "99.9\u202f%"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, '<i class="null">null</i>'),
        ("null", "<bdi>null</bdi>"),
        ("", '<span class="tag">&#34;&#34;</span>'),
        ("  ", '<span class="tag">2 blanks</span>'),
        ("<script>", "<bdi>&lt;script&gt;</bdi>"),
        ("a\nb\u202ec\x00", "<bdi>a⏎b\\u202ec␀</bdi>"),
        (1234567, "1\u202f234\u202f567"),
        (-0.5, "−0.5"),
        (True, "True"),
        (float("nan"), "nan"),
    ],
)
def test_a_cell_is_never_markup_and_hides_nothing(value: object, shown: str) -> None:
    assert words.cell(value) == shown


def test_a_long_cell_is_cut_and_says_so() -> None:
    shown = words.cell("x" * 10_000)
    assert shown.count("x") == 1024
    assert "8\u202f976 more characters" in shown
