"""Charts: which one suits a table, what it shows, and that it is drawn for phones, too."""

import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from lake.browser.pictures import axes, charts, choose
from lake.browser.pictures.choose import Chart

MONTH, NAME = ("month", "VARCHAR"), ("name", "VARCHAR")
FARE, TIP, TRIPS = ("fare", "DOUBLE"), ("tip", "DECIMAL(9,2)"), ("trips", "BIGINT")
MONTHS = [
    [f"2024-{month:02d}", 10.0 + month, f"{month}.50", 51_000 + month] for month in range(1, 9)
]


@pytest.mark.parametrize(
    ("columns", "rows", "chart"),
    [
        ([MONTH, FARE, TIP, TRIPS], MONTHS, Chart("line", 0, (1, 2))),
        ([TRIPS, FARE], [[n, n / 2] for n in range(9)], Chart("line", 0, (1,))),
        ([NAME, FARE], [["a", 1.0], ["b", 2.0], ["c", None]], Chart("bar", 0, (1,))),
        ([FARE], [[float(n * n % 7)] for n in range(40)], Chart("histogram", 0, (0,))),
        ([FARE, TRIPS], [[n * 7 % 5, n * 3 % 11] for n in range(30)], Chart("scatter", 0, (1,))),
        ([NAME, NAME], [["a", "b"]] * 9, None),
        ([MONTH, FARE], [["2024-01", 1.0]] * 9, None),
        ([NAME, FARE], [["a", 1.0], ["a", 2.0], ["b", 3.0]], None),
        ([FARE, TIP, TRIPS], [[n * 7 % 5, n * 3 % 11, n % 2] for n in range(30)], None),
        ([MONTH, FARE], MONTHS[:2], None),
    ],
)
def test_a_table_suggests_its_chart(
    columns: list[tuple[str, str]], rows: list[list[object]], chart: Chart | None
) -> None:
    assert choose.suggested(columns, rows) == chart


def test_a_person_chooses_otherwise_as_far_as_the_table_can() -> None:
    columns = [MONTH, FARE, TIP, TRIPS]
    assert choose.asked(columns, MONTHS, "", "", "4") == Chart("line", 0, (3,))
    assert choose.asked(columns, MONTHS, "bar", "1", "3") == Chart("bar", 0, (2,))
    assert choose.asked(columns, MONTHS, "scatter", "2", "4") == Chart("scatter", 1, (3,))
    assert choose.asked(columns, MONTHS, "none", "", "") is None
    assert choose.asked(columns, MONTHS, "histogram", "99", "x") == Chart("histogram", 1, (1,))


def drawn(columns: list[tuple[str, str]], rows: list[list[object]], chart: Chart) -> charts.Drawing:
    drawing = charts.draw(columns, rows, chart)
    assert drawing
    for svg, width in ((drawing.wide, 960), (drawing.narrow, 340)):
        root = ET.fromstring(str(svg))
        assert root.attrib["viewBox"].split()[2] == str(width)
        for x in re.findall(r' x="(-?[\d.]+)"', str(svg)):
            assert -1 <= float(x) <= width, x
        assert "style=" not in svg
    return drawing


def test_a_line_says_what_stands_where_and_breaks_no_markup() -> None:
    columns = [MONTH, ("<fare>", "DOUBLE")]
    drawing = drawn(
        columns, [[f"2024-{m:02d}", float(m)] for m in range(1, 13)], Chart("line", 0, (1,))
    )
    assert "<title>2024-03: &lt;fare&gt; 3</title>" in drawing.wide
    assert "2024-01</text>" in drawing.wide
    assert "<title>" not in drawing.narrow


def test_many_points_are_drawn_as_means_and_it_is_said() -> None:
    rows: list[list[object]] = [[n, float(n % 10)] for n in range(9_000)]
    drawing = drawn([TRIPS, FARE], rows, Chart("line", 0, (1,)))
    assert "as means of" in drawing.said
    assert len(drawing.wide) + len(drawing.narrow) < 40_000
    drawing = drawn([TRIPS, FARE], rows, Chart("scatter", 0, (1,)))
    assert "counted in squares" in drawing.said
    assert len(drawing.wide) + len(drawing.narrow) < 60_000


def test_a_histogram_counts_every_value_once_and_says_where_nulls_are() -> None:
    rows: list[list[object]] = [[n % 5] for n in range(100)]
    rows += [[None]] * 3
    drawing = drawn([TRIPS], rows, Chart("histogram", 0, (0,)))
    assert drawing.said == "without 3 nulls"
    counts = [int(one) for one in re.findall(r"to [\d.]+: (\d+)</title>", drawing.wide)]
    assert counts == [20] * 5


def test_bars_stand_on_zero_and_hang_below_it() -> None:
    drawing = drawn([NAME, FARE], [["a", 5.0], ["b", -5.0]], Chart("bar", 0, (1,)))
    bars = re.findall(
        r'class="bar" x="[\d.]+" y="([\d.]+)" width="[\d.]+" height="([\d.]+)"', drawing.wide
    )
    (top, height), (below, _) = [(float(y), float(h)) for y, h in bars]
    assert top + height == pytest.approx(below)


@pytest.mark.parametrize("value", [0.0, -3.0, 1e-12, 1e15, 1e200])
def test_one_value_alone_is_drawn_too(value: float) -> None:
    rows: list[list[object]] = [["2024-01-01", value], ["2024-01-02", value], ["2024-01-03", None]]
    drawn([MONTH, FARE], rows, Chart("line", 0, (1,)))
    drawn([NAME, FARE], rows, Chart("bar", 0, (1,)))
    drawn([MONTH, FARE], rows, Chart("histogram", 1, (1,)))


def test_what_cannot_be_drawn_is_not() -> None:
    assert charts.draw([MONTH, FARE], [["2024-01", None]] * 3, Chart("line", 0, (1,))) is None
    assert charts.draw([FARE], [["nan"], ["inf"]], Chart("histogram", 0, (0,))) is None


def test_ticks_are_round_and_labels_short() -> None:
    assert axes.nice(0, 18.7, 5) == [0, 5, 10, 15, 20]
    assert [axes.label(one, 0.05) for one in (0, 0.25, -0.5)] == ["0.00", "0.25", "\u22120.50"]
    assert axes.label(1_500_000, 500_000) == "1.5 M"
    of_one_axis = [axes.label(one, 5_000, 15_000) for one in (0, 5_000, 10_000, 15_000)]
    assert of_one_axis == ["0", "5 K", "10 K", "15 K"]
    day = 86_400.0
    start = axes.moment("2023-01")
    assert start
    assert [text for _, text in axes.times(start, start + 900 * day, 9)][:3] == [
        "2023-01",
        "Jul",
        "2024-01",
    ]
    for span in (0, 1, 90, 5_000, day, 30 * day, 400 * day, 40_000 * day):
        assert len(axes.times(start, start + span, 9)) <= 11


@pytest.mark.parametrize("many", [12, 50, 300])
def test_labels_of_bars_stand_apart_or_are_slanted(many: int) -> None:
    rows: list[list[object]] = [[f"מחוז {n} of some city", n] for n in range(many)]
    for svg, width in zip(_both([NAME, FARE], rows), (960, 340), strict=True):
        turned = re.findall(r'<text x="([\d.]+)" [^>]*rotate\(-55', svg)
        assert 10 <= len(turned) <= 30
        assert all(1 < float(x) < width for x in turned)
        assert min(b - a for a, b in pairwise(map(float, turned))) >= 14


def test_labels_of_few_bars_stand_beside_each_other() -> None:
    for svg in _both([NAME, FARE], [["Queens", 1], ["Bronx", 2], ["ברוקלין", 3]]):
        assert "rotate" not in svg
        assert ">ברוקלין</text>" in svg


def test_the_last_tick_is_not_cut() -> None:
    rows: list[list[object]] = [[n * 20] for n in range(51)]
    for svg, width in zip(_both([TRIPS], rows), (960, 340), strict=True):
        found = re.findall(r'<text x="([\d.]+)" y="[\d.]+" text-anchor="(\w+)">([^<]*)<', svg)
        x, anchor, text = found[-1]
        assert text == "1\u202f000"
        assert float(x) + (17 if anchor == "middle" else 0) <= width


def _both(columns: list[tuple[str, str]], rows: list[list[object]]) -> list[str]:
    chart = choose.suggested(columns, rows) or Chart("bar", 0, (1,))
    drawing = drawn(columns, rows, chart)
    return [str(drawing.wide), str(drawing.narrow)]
