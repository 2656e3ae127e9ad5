from functools import partial
from pathlib import Path

import pytest

from lake.config.types import DeclaredColumn, Reading
from lake.convert.converted import Converted
from lake.convert.fixed_width import convert_fixed
from lake.errors import InvalidConfig, SourceUnreadable
from tests.convert.converting import convert as convert_by

WIDTHS = (("code", 4), ("name", 6), ("fee", 5))
READING = Reading(
    format="fixed",
    widths=WIDTHS,
    comment="#",
    columns={"code": DeclaredColumn(type="VARCHAR"), "fee": DeclaredColumn(between=(0, 50))},
)
convert = partial(convert_by, by=convert_fixed)


def test_lines_are_cut_by_characters(tmp_path: Path) -> None:
    text = '\ufeff# made\n0001Zürich  1.5\r\n\n0002a,"b"  2.5  \n0003      \n0004x     3'
    done, rows, rejected = convert(tmp_path, text + "    ", READING)
    assert rows == [("0001", "Zürich", 1.5), ("0002", 'a,"b"', 2.5), ("0004", "x", 3.0)]
    assert rejected == [(5, "10 characters where the columns have 15", "0003      ")]
    assert done.blank_lines == done.comment_lines == 1


def test_lines_of_another_length_are_rejected_with_both(tmp_path: Path) -> None:
    text = "0001abcdef123456\n0002abcdef12\n0003abc\n0004abcdef99   \n0005abcdef12"
    done, rows, rejected = convert(tmp_path, text, READING)
    assert rows == [("0002", "abcdef", 12)]
    assert rejected == [
        (1, "16 characters where the columns have 15", "0001abcdef123456"),
        (3, "7 characters where the columns have 15", "0003abc"),
        (4, "column 'fee': '99' is not between 0 and 50", "0004abcdef99   "),
        (5, "12 characters where the columns have 15", "0005abcdef12"),
    ]
    assert done == Converted(1, 4, 0, "line 1: 16 characters where the columns have 15")


def test_blanks_are_null(tmp_path: Path) -> None:
    assert convert(tmp_path, "0001          5\n", READING)[1] == [("0001", None, 5)]


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    message = r"^in\.txt is not UTF-8: byte 0xFC at offset 5; convert it to UTF-8 first$"
    with pytest.raises(SourceUnreadable, match=message):
        convert(tmp_path, "0001zürich12345\n".encode("latin-1"), READING)


def test_without_widths_there_is_nothing_to_cut_by(tmp_path: Path) -> None:
    message = r"^in\.txt has columns of fixed width: declare their widths$"
    with pytest.raises(InvalidConfig, match=message):
        convert(tmp_path, "x\n", Reading())
