"""Pictures of a dataset: bins, calendars, drift, lineage, code; each from a few known values."""

import re
from datetime import date, timedelta

import pytest
from playwright.sync_api import Browser

from lake.browser.known import PartitionLine
from lake.browser.pictures.bins import bars
from lake.browser.pictures.calendar import calendar, drawn, periods, told
from lake.browser.pictures.code import coloured
from lake.browser.pictures.drift import drift_lines, drifting, family, ticks
from lake.browser.pictures.lineage import Box
from lake.browser.pictures.lineage import drawn as lineage
from lake.browser.words import decimal
from lake.operations.columns import Run, ShownColumn
from tests.browser.chromium import tab
from tests.browser.site import Site


def _line(partition: str, rows: int = 1, *, versions: int = 1, held: bool = False) -> PartitionLine:
    return PartitionLine(partition, versions, rows, held, versions, "landing", versions)


def test_whole_numbers_have_a_bar_each_and_gaps_between_them() -> None:
    found = bars("1e0", ((1, 5), (2, 6), (4, 1)), whole=True).bars
    assert [(one.low, one.high, one.label, one.rows) for one in found] == [
        ("1", "2", "1", 5),
        ("2", "3", "2", 6),
        ("3", "4", "3", 0),
        ("4", "5", "4", 1),
    ]


@pytest.mark.parametrize(
    ("grid", "step"), [("1e0", 5), ("2e-1", 1), ("5e3", 20_000), ("1e-2", 0.05)]
)
def test_many_bins_become_at_most_28_bars_with_round_edges(grid: str, step: float) -> None:
    found = bars(grid, tuple((at, 2) for at in range(100)), whole=False).bars
    assert len(found) <= 28
    assert sum(one.rows for one in found) == 200
    assert float(found[1].low) - float(found[0].low) == pytest.approx(step)
    assert [one.high for one in found[:-1]] == [one.low for one in found[1:]]


def test_a_far_outlier_is_left_out_and_counted() -> None:
    found = bars("1e0", ((-90_000, 1), *((at, 500) for at in range(20)), (99_000, 2)), whole=True)
    assert (found.bars[0].label, found.bars[-1].label, found.left_out) == ("0", "19", 3)
    near = bars("1e0", ((0, 1000), (10, 900), (30, 1)), whole=True)
    assert near.left_out == 0


@pytest.mark.parametrize(
    ("grid", "counts", "first", "last"),
    [
        ("month", (("2023-12", 1), ("2024-02", 1)), "2023-12-01", "2024-03-01"),
        ("day", (("2024-02-28", 1), ("2024-03-01", 1)), "2024-02-28", "2024-03-02"),
        ("hour", (("2024-01-31T23", 1),), "2024-01-31T23:00:00", "2024-02-01T00:00:00"),
        ("minute", (("2024-01-31T23:59", 1),), "2024-01-31T23:59:00", "2024-02-01T00:00:00"),
        ("decade", (("202", 1),), "2020-01-01", "2030-01-01"),
        ("year", (("9999", 1),), "9999-01-01", ""),
    ],
)
def test_times_have_bars_from_moment_to_moment(
    grid: str, counts: tuple[tuple[str, int], ...], first: str, last: str
) -> None:
    found = bars(grid, counts, whole=False).bars
    assert (found[0].low, found[-1].high) == (first, last)


def test_the_months_of_a_calendar_are_tinted_by_quartile_and_late_comes_behind_them() -> None:
    lines = [_line(f"month=2024-{month:02}", month * 10) for month in (1, 2, 3, 4, 6, 7, 8, 12)]
    of = periods(lines)
    assert of
    found = calendar(of, "2 days", "")
    year, late = found.years
    assert [cell.tint for cell in year.cells if cell.kind == "ok"] == [1, 1, 2, 2, 3, 3, 4, 4]
    assert [cell.period for cell in year.cells if cell.kind == "missing"] == [
        "2024-05",
        "2024-09",
        "2024-10",
        "2024-11",
    ]
    assert (found.missing, found.least, found.most) == (4, 10, 120)
    assert (late.cells[0].kind, late.cells[0].text) == ("late", "2 d late")
    assert {cell.kind for cell in late.cells[1:]} == {"soon"}


@pytest.mark.parametrize(
    ("values", "unit", "rows"),
    [
        (["2024-01-31", "2024-02-01"], "day", ["2024"]),
        (["2023-W52", "2024-W01"], "week", ["2023", "2024"]),
        (["2023-Q4", "2024-Q1"], "quarter", ["2023", "2024"]),
        (["1999", "2001"], "year", ["1990s", "2000s"]),
    ],
)
def test_other_periods_have_calendars_too(values: list[str], unit: str, rows: list[str]) -> None:
    of = periods([_line(f"at={value}") for value in values])
    assert of
    found = calendar(of, "", "")
    assert (found.unit, [year.name for year in found.years]) == (unit, rows)
    there = [cell.period for year in found.years for cell in year.cells if cell.partition]
    assert there == values


@pytest.mark.parametrize(
    "partitions", [[""], ["city=a"], ["day=2024-02-31"], ["m=2024-01", "m=x"], ["a=2024/b=1"], []]
)
def test_what_is_no_period_has_no_calendar(partitions: list[str]) -> None:
    assert periods([_line(partition) for partition in partitions]) is None


def test_many_days_are_three_years_of_which_one_has_all_links() -> None:
    days = [date(2015, 3, 1) + timedelta(days=number) for number in range(3000)]
    of = periods([_line(f"day={day}", number % 97) for number, day in enumerate(days)])
    assert of
    found = calendar(of, "", "2019")
    assert [year.name for year in found.years] == ["2017", "2018", "2019"]
    assert [year.is_whole for year in found.years] == [False, False, True]
    assert (found.index[0], found.index[-1]) == ("2015", "2023")
    links = [
        str(drawn(year, "day", lambda partition: f"/x/{partition}", "/year")).count("<a ")
        for year in found.years
    ]
    assert links == [1, 1, 365]
    assert [year.name for year in calendar(of, "", "1066").years] == ["2021", "2022", "2023"]


def test_three_whole_years_of_days_have_the_links_of_one() -> None:
    days = [date(2022, 1, 1) + timedelta(days=number) for number in range(1095)]
    of = periods([_line(f"day={day}") for day in days])
    assert of
    found = calendar(of, "", "")
    assert [year.is_whole for year in found.years] == [False, False, True]
    assert found.index == ()
    few = periods([_line(f"day={day}") for day in days[200:600]])
    assert few
    assert all(year.is_whole for year in calendar(few, "", "").years)


def test_cells_tell_rows_in_one_unit() -> None:
    assert told(68_352, 71_000) == '68<span class="u"> K</span>'
    assert told(1_463, 1_500) == '1.5<span class="u"> K</span>'
    assert told(337, 507) == '337<span class="u"></span>'


def _drifting(*types: str) -> ShownColumn:
    runs = tuple(Run(f"n={at:04}", f"n={at:04}", "c", kind, 1) for at, kind in enumerate(types))
    return ShownColumn("c", "DOUBLE", "widened", runs, ())


def test_drift_has_a_segment_per_run_and_few_where_types_take_turns() -> None:
    partitions = [f"n={at:04}" for at in range(1000)]
    alone = drift_lines(drifting([_drifting("BIGINT", "DOUBLE")], partitions[:2]), 0, 9)
    assert [(one.type, one.family, one.span) for one in alone[0].segments] == [
        ("BIGINT", "int", 1),
        ("DOUBLE", "num", 1),
    ]
    turns = drifting([_drifting(*["BIGINT", "DOUBLE"] * 500)], partitions)
    (line,) = drift_lines(turns, 0, 9)
    assert [(one.type, one.span) for one in line.segments] == [("by turns BIGINT, DOUBLE", 240)]
    assert sum(tick.span for tick in ticks(partitions)) == 240


@pytest.mark.parametrize(
    ("kind", "tint"),
    [
        ("UINTEGER", "int"),
        ("DECIMAL(5,2)", "num"),
        ("TIMESTAMP WITH TIME ZONE", "time"),
        ("VARCHAR", "text"),
        ("BOOLEAN", "bool"),
        ("INTEGER[]", "nest"),
        ("STRUCT(a INTEGER)", "nest"),
        ("INTEGER, VARCHAR", "nest"),
        ("not there", "none"),
    ],
)
def test_types_have_tints_by_family(kind: str, tint: str) -> None:
    assert family(kind) == tint


def test_lineage_puts_each_behind_what_it_is_made_of_and_arrows_pass_no_box() -> None:
    boxes = [Box(name, name, "", f"/{name}") for name in ("a", "b", "c", "d")]
    text = str(lineage(boxes, [("a", "b"), ("b", "c"), ("c", "d"), ("a", "d")]))
    assert [text.index(f'href="/{name}"') for name in "abcd"] == sorted(
        text.index(f'href="/{name}"') for name in "abcd"
    )
    assert 'height="122"' in text  # two rows: the long arrow has its own
    assert text.count("<path") == 4
    assert "<svg on" not in str(lineage([Box("a", "<svg onload=x>", "", "/a")], []))


def test_coloured_code_is_only_text() -> None:
    found = str(coloured("SELECT '<b>' -- it's </pre>\nFROM raw.selected"))
    assert found == (
        '<span class="k">SELECT</span> <span class="s">&#39;&lt;b&gt;&#39;</span> '
        '<span class="cm">-- it&#39;s &lt;/pre&gt;</span>\n'
        '<span class="k">FROM</span> raw.selected'
    )


def test_decimals_of_the_log_have_a_true_minus_and_keep_their_digits() -> None:
    assert decimal("-1234.50") == "\u22121\u202f234.50"
    assert decimal("nothing") == "nothing"


@pytest.mark.parametrize(
    ("first", "days", "left", "right"),
    [(date(2026, 8, 10), 20, "Aug", "Oct"), (date(2026, 1, 1), 1, "Jan", "Mar")],
)
def test_a_year_that_stands_alone_shows_the_months_that_hold_something(
    first: date, days: int, left: str, right: str
) -> None:
    lines = [_line(f"day={first + timedelta(day)}") for day in range(days)]
    found = periods(lines)
    assert found
    (year,) = calendar(found, "", "").years
    svg = str(drawn(year, "day", str, "", alone=True))
    x, _, width, _ = (int(one) for one in svg.partition('viewBox="')[2].split('"')[0].split())
    months = {name: int(at) for at, name in re.findall(r'<text x="(-?\d+)" y="9">(\w+)<', svg)}
    assert min(months.values()) == months[left] > x
    assert x + width <= months[right]
    squares = [int(at) for at in re.findall(r'd="M(\d+) ', svg)]
    assert len(squares) == days
    assert all(x < at < x + width for at in squares)
    whole = str(drawn(year, "day", str, ""))
    assert whole.partition('viewBox="')[2].startswith("0 0 748 ")


NAMES = [
    "raw.trips",
    "raw." + "WM" * 40,
    "raw.a_dataset_with_a_name_that_somebody_chose",
    "מאגר נתונים של נסיעות במונית " * 3,
    "数据集的名称很长很长很长很长很长很长",
    "raw.i" * 20,
]


@pytest.mark.xdist_group("chromium")
@pytest.mark.parametrize("many", [1, 2, 50, 300])
def test_names_stay_in_their_boxes(chromium: Browser, pages: Site, many: int) -> None:
    boxes = [Box(f"n{n}", NAMES[n % len(NAMES)], NAMES[-n % 6], "#") for n in range(many)]
    arrows = [(f"n{(n - 1) // 3}", f"n{n}") for n in range(1, many)]
    with tab(chromium, pages.url) as it:
        it.go("/raw/trips")
        it.page.evaluate(SHOW, str(lineage(boxes, arrows)))
        assert it.page.locator(".node").count() == many
        assert it.page.evaluate(OUTSIDE) == []
        assert it.spills == 0


SHOW = "svg => { document.querySelector('.lin').innerHTML = svg; }"
OUTSIDE = """() => [...document.querySelectorAll('.node')].flatMap(node => {
  const box = node.querySelector('rect').getBBox();
  return [...node.querySelectorAll('text')].filter(text => {
    const its = text.getBBox();
    return its.x < box.x || its.x + its.width > box.x + box.width;
  }).map(text => text.textContent);
})"""
