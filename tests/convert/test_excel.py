import datetime as dt
import gzip
import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pytest
from openpyxl.styles import numbers

from lake.config.types import Reading
from lake.convert.converted import Converted
from lake.convert.excel.convert import convert_excel, sheets
from lake.convert.unpack.spool import Caps
from lake.errors import SourceUnreadable
from tests.faults.refusal import exactly

MOMENT = dt.datetime(2024, 1, 2, 3, 4, 5, 678000)
Patch = Callable[[str], str]


def workbook(rows: list[list[Any]], *titles: str, **formats: str) -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = titles[0] if titles else "Sheet1"
    for title in titles[1:]:
        book.create_sheet(title)
    for row in rows:
        sheet.append(row)
    for place, text in formats.items():
        sheet[place].number_format = text
    return book


def save(tmp_path: Path, book: openpyxl.Workbook, patch: Patch = lambda text: text) -> Path:
    """Save a workbook, its first sheet's XML changed: what openpyxl never writes."""
    target = io.BytesIO()
    book.save(target)
    path = tmp_path / "x.xlsx"
    with zipfile.ZipFile(target) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "xl/worksheets/sheet1.xml":
                data = patch(data.decode()).encode()
            new.writestr(name, data)
    return path


def share(path: Path, *texts: str) -> Path:
    """Put the XML of texts into a workbook as Excel does, and let its cells name them by number."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    part = f'<Override PartName="/xl/sharedStrings.xml" ContentType="{kind}"/></Types>'
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    types, sheet = "[Content_Types].xml", "xl/worksheets/sheet1.xml"
    parts[types] = parts[types].replace(b"</Types>", part.encode())
    parts[sheet] = re.sub(rb't="inlineStr"><is><t>#(.)</t></is>', rb't="s"><v>\1</v>', parts[sheet])
    items = "".join(f"<si>{text}</si>" for text in texts)
    parts["xl/sharedStrings.xml"] = f'<sst xmlns="{main}">{items}</sst>'.encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, data in parts.items():
            new.writestr(name, data)
    return path


def convert(path: Path, sheet: str = "") -> tuple[Converted, list[tuple[str, str]], list[Any]]:
    out, rejects = path.with_suffix(".rows"), path.with_suffix(".rejects")
    done = convert_excel(path, out, name="x.xlsx", reading=Reading(sheet=sheet), rejects=rejects)
    table = duckdb.read_parquet(str(out))
    columns = list(zip(table.columns, map(str, table.types), strict=True))
    rows = table.fetchall()
    assert len(rows) == done.rows
    assert rejects.exists() == bool(done.rejected)
    return done, columns, rows


def refused(path: Path, message: str, *, sheet: str = "", caps: Caps | None = None) -> None:
    out = path.with_suffix(".rows")
    reading = Reading(sheet=sheet)
    with pytest.raises(SourceUnreadable, match=exactly(message)):
        convert_excel(path, out, name="x.xlsx", reading=reading, caps=caps or Caps())
    assert [one.name for one in path.parent.iterdir()] == ["x.xlsx"]


def column(tmp_path: Path, *values: Any, **formats: str) -> tuple[str, list[Any]]:
    path = save(tmp_path, workbook([["id", "v"], *([1, v] for v in values)], **formats))
    _, columns, rows = convert(path)
    return columns[1][1], [row[1] for row in rows]


@pytest.mark.parametrize(
    ("values", "type_", "rows"),
    [
        ([1, 2.0, None], "BIGINT", [1, 2, None]),
        ([1, 0.1, 1e300], "DOUBLE", [1.0, 0.1, 1e300]),
        ([True, False], "BOOLEAN", [True, False]),
        (["a", "", "01"], "VARCHAR", ["a", None, "01"]),
        ([dt.date(2024, 1, 2), None], "DATE", [dt.date(2024, 1, 2), None]),
        ([dt.date(2024, 1, 2), MOMENT], "TIMESTAMP", [dt.datetime(2024, 1, 2), MOMENT]),
        ([dt.time(1, 2, 3)], "TIME", [dt.time(1, 2, 3)]),
        ([dt.timedelta(hours=36, seconds=1)], "VARCHAR", ["36:00:01"]),
        (
            [1, "x", True, dt.date(2024, 1, 2), 0.5],
            "VARCHAR",
            ["1", "x", "true", "2024-01-02", "0.5"],
        ),
        ([None, None], "VARCHAR", [None, None]),
    ],
)
def test_a_column_has_the_type_that_holds_all_its_values(
    tmp_path: Path, values: list[Any], type_: str, rows: list[Any]
) -> None:
    assert column(tmp_path, *values) == (type_, rows)


@pytest.mark.parametrize(
    ("texts", "type_", "rows"),
    [
        (["9007199254740993", "0.5"], "VARCHAR", ["9007199254740993", "0.5"]),
        (["9007199254740992", "0.5"], "DOUBLE", [9007199254740992.0, 0.5]),
        (["9223372036854775807", "1"], "BIGINT", [2**63 - 1, 1]),
        (["18446744073709551617", "1"], "VARCHAR", ["18446744073709551617", "1"]),
        (["9.9999999999999992E+22", "1.0"], "DOUBLE", [1e23, 1.0]),
        (["0.10000000000000001", "-0"], "DOUBLE", [0.1, -0.0]),
    ],
)
def test_numbers_are_what_was_written(
    tmp_path: Path, texts: list[str], type_: str, rows: list[Any]
) -> None:
    book = workbook([["v"], [111], [222]])
    path = save(tmp_path, book, lambda t: t.replace("111", texts[0]).replace("222", texts[1]))
    _, columns, found = convert(path)
    assert columns == [("v", type_)]
    # By their texts: -0.0 equals 0.
    assert repr(found) == repr([(row,) for row in rows])


@pytest.mark.parametrize("text", ["1e999", "1e-999", "nan", "1,5"])
def test_what_is_no_number_is_rejected(tmp_path: Path, text: str) -> None:
    path = save(tmp_path, workbook([["v"], [111], [2]]), lambda t: t.replace("111", text))
    done, _, rows = convert(path)
    assert (rows, done.rejected) == ([(2,)], 1)


def test_days_are_counted_as_excel_counts_them(tmp_path: Path) -> None:
    dates = {f"B{row}": numbers.FORMAT_DATE_YYYYMMDD2 for row in range(2, 7)}
    found = column(tmp_path, 1, 59, 61, 45292, 2958465, **dates)
    days = [(1900, 1, 1), (1900, 2, 28), (1900, 3, 1), (2024, 1, 1), (9999, 12, 31)]
    assert found == ("DATE", [dt.date(*day) for day in days])


def test_the_system_of_1904_is_read(tmp_path: Path) -> None:
    book = workbook([["d"], [0], [1.5]], A2="yyyy-mm-dd", A3="yyyy-mm-dd hh:mm")
    book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    _, columns, rows = convert(save(tmp_path, book))
    assert columns == [("d", "TIMESTAMP")]
    assert rows == [(dt.datetime(1904, 1, 1),), (dt.datetime(1904, 1, 2, 12),)]


def test_a_formula_is_its_last_result(tmp_path: Path) -> None:
    book = workbook([["a", "b"], [1, "=A2+1"], [2, '=""']])
    book.active["B3"].data_type = "f"
    path = save(
        tmp_path,
        book,
        lambda text: (
            text.replace("<f>A2+1</f><v />", "<f>A2+1</f><v>2</v>")
            .replace("<f>A2+1</f><v></v>", "<f>A2+1</f><v>2</v>")
            .replace('<c r="B3">', '<c r="B3" t="str">')
        ),
    )
    assert convert(path)[2] == [(1, "2"), (2, "")]


def test_a_formula_without_a_result_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path, workbook([["a", "b"], [1, "=A2+1"]]))
    refused(
        path,
        "x.xlsx has a formula without a result in cell B2 of sheet 'Sheet1': open it in a"
        " spreadsheet program, which computes it, and save it",
    )


def test_a_row_with_an_error_is_rejected_under_its_number(tmp_path: Path) -> None:
    book = workbook([["a", "b"], [1, 2], [3, "#DIV/0!"], [], [4, 5], [6, 7, 8]])
    done, _, rows = convert(save(tmp_path, book))
    assert rows == [(1, 2), (4, 5)]
    assert done == Converted(2, 2, 1, "row 3: cell B3 holds #DIV/0!")
    lines = gzip.decompress((tmp_path / "x.rejects").read_bytes()).splitlines()
    assert [json.loads(line) for line in lines] == [
        {"line": None, "row": 3, "reason": "cell B3 holds #DIV/0!", "raw": '["3", "#DIV/0!"]'},
        {
            "line": None,
            "row": 6,
            "reason": "cell C6 lies behind the header's 2 columns",
            "raw": '["6", "7", "8"]',
        },
    ]


def test_a_day_that_never_was_is_rejected(tmp_path: Path) -> None:
    path = save(tmp_path, workbook([["d"], [60], [-1]], A2="yyyy-mm-dd", A3="yyyy-mm-dd"))
    done, _, rows = convert(path)
    assert (rows, done.rejected) == ([], 2)
    assert done.first_reject == "row 2: cell A2 holds 29 February 1900, a day that never was"


def test_empty_rows_are_counted_between_and_dropped_behind(tmp_path: Path) -> None:
    book = workbook([[], ["a", "b"], [1], [], [], [2, "x"], [], []])
    book.active["A900"].number_format = "0.00"
    done, columns, rows = convert(save(tmp_path, book))
    assert (done.rows, done.blank_lines, rows) == (2, 2, [(1, None), (2, "x")])
    assert columns == [("a", "BIGINT"), ("b", "VARCHAR")]


def test_a_sheet_that_understates_its_size_is_read_whole(tmp_path: Path) -> None:
    path = save(
        tmp_path,
        workbook([["a", "b"], [1, 2]]),
        lambda text: text.replace('<dimension ref="A1:B2"', '<dimension ref="A1:A1"'),
    )
    assert convert(path)[2] == [(1, 2)]


def test_a_large_sheet_goes_over_row_by_row(tmp_path: Path) -> None:
    path = save(tmp_path, workbook([["i", "t"], *([i, f"t{i % 7}"] for i in range(12_000))]))
    assert convert(path)[2] == [(i, f"t{i % 7}") for i in range(12_000)]


def test_the_sheet_is_named_where_there_are_several(tmp_path: Path) -> None:
    book = workbook([["a"], [1]], "One", "Two")
    book["Two"].append(["b"])
    book["Two"].sheet_state = "hidden"
    path = save(tmp_path, book)
    assert sheets(path, name="x.xlsx") == ["One", "Two"]
    refused(path, "x.xlsx has 2 sheets, 'One', 'Two': say which, as in sheet = \"One\"")
    refused(path, "x.xlsx has no sheet 'Three': it has 'One', 'Two'", sheet="Three")
    assert convert(path, "Two")[1] == [("b", "VARCHAR")]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "x.xlsx has no cells in sheet 'Sheet1': look at what its source sends"),
        ([["a", None, "c"]], "x.xlsx has no name for column 2 of 3: complete its header"),
        ([["a", "a"]], "x.xlsx has two columns 'a': rename one in its header"),
        (
            [["a", "A "]],
            "x.xlsx has two columns 'a' and 'A ', which differ only in case or blanks: rename one"
            " in its header",
        ),
        (
            [["a", "#N/A"]],
            "x.xlsx has no readable header: cell B1 holds #N/A; mend it in the workbook",
        ),
    ],
)
def test_a_header_that_names_no_columns_is_refused(
    tmp_path: Path, rows: list[list[Any]], message: str
) -> None:
    refused(save(tmp_path, workbook(rows)), message)


@pytest.mark.parametrize("region", ["A1:B1", "A3:A4", "B2:C2"])
def test_merged_cells_among_the_rows_are_refused(tmp_path: Path, region: str) -> None:
    book = workbook([["a", "b"], [1, 2], [3, 4], [5, 6]])
    if region == "A1:B1":
        book.active["B1"] = None
    book.active.merge_cells(region)
    message = (
        f"x.xlsx has merged cells in sheet 'Sheet1', {region}, of which all but the first would be"
        " empty: unmerge them in the workbook"
    )
    refused(save(tmp_path, book), message)


def test_merged_cells_beside_the_rows_do_no_harm(tmp_path: Path) -> None:
    book = workbook([["a"], [1]])
    book.active.merge_cells("A5:B6")
    book.active.merge_cells("C1:D2")
    assert convert(save(tmp_path, book))[2] == [(1,)]


def damaged(reason: str) -> str:
    return (
        f"x.xlsx is a damaged Excel workbook ({reason}): open it in a spreadsheet program and save"
        " it"
    )


def test_a_damaged_workbook_is_refused(tmp_path: Path) -> None:
    rows = workbook([["a"], [1], [2]])
    path = save(tmp_path, rows, lambda text: text.replace('r="3"', 'r="2"'))
    refused(path, damaged("row 2 follows row 2"))
    path = save(tmp_path, rows, lambda text: text.partition("</sheetData>")[0])
    with pytest.raises(SourceUnreadable, match=r"^x\.xlsx is a damaged .* \(no element found: "):
        convert(path)
    path.write_bytes(path.read_bytes()[:-50])
    refused(path, damaged("File is not a zip file"))


def test_a_workbook_that_is_a_bomb_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = save(tmp_path, workbook([["a"], ["x"]]), lambda text: text + " " * 9_000_000)
    message = (
        f"x.xlsx unpacks to over 100 times its {path.stat().st_size:,} bytes, as a bomb does: if it"
        " is none, unpack it and land what it holds"
    )
    refused(path, message, caps=Caps(ratio=100, ratio_from=1_000_000))


def test_shared_texts_are_read_with_their_runs_and_without_their_readings(tmp_path: Path) -> None:
    path = share(
        save(tmp_path, workbook([["#0"], ["#1"], ["#2"], ["#3"], ["#9"]])),
        "<t>name</t>",
        "<r><t>two </t></r><r><t>runs</t></r>",
        '<t>東京</t><rPh sb="0" eb="2"><t>トウキョウ</t></rPh>',
        "<t></t>",
    )
    done, columns, rows = convert(path)
    assert (columns, rows) == ([("name", "VARCHAR")], [("two runs",), ("東京",), ("",)])
    assert done.first_reject == "row 5: cell A5 holds a text that is not in the workbook"


def test_texts_in_their_cells_are_read_without_their_readings(tmp_path: Path) -> None:
    reading = '<t>東京</t><rPh sb="0" eb="2"><t>トウキョウ</t></rPh>'
    path = save(tmp_path, workbook([["v"], ["x"]]), lambda text: text.replace("<t>x</t>", reading))
    assert convert(path)[2] == [("東京",)]


def test_shared_texts_that_fill_the_memory_are_refused(tmp_path: Path) -> None:
    path = share(save(tmp_path, workbook([["#0"]])), f"<t>{'x' * 50_000}</t>")
    message = (
        r"^x\.xlsx has \d\d,\d{3} bytes of texts and styles, at most 20,000 can be read: save it"
    )
    with pytest.raises(SourceUnreadable, match=message + " as CSV$"):
        convert_excel(path, tmp_path / "out", name="x.xlsx", caps=Caps(whole_bytes=20_000))
