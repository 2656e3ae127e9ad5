from pathlib import Path

import pytest

from lake.config.types import DeclaredColumn, Reading
from lake.convert.converted import Converted
from tests.convert.converting import convert

EMPTY = Reading(extra_fields="empty")


def test_a_declared_delimiter_and_quote_are_taken(tmp_path: Path) -> None:
    reading = Reading(delimiter="!", quote="'")
    text = "a!b,c\n1!'it''s'\n2!'x!\ny'\n3!\"\n"
    assert convert(tmp_path, text, reading)[1] == [(1, "it's"), (2, "x!\ny"), (3, '"')]


def test_escaped_quotes_are_seen_where_nothing_else_reads_the_rows(tmp_path: Path) -> None:
    text = 'a,b\n1,"say \\"hi\\", ok"\n2,"c:\\\\x\\new"\n3,"a ""b"""\n4,\n5,""\n'
    done, rows, _ = convert(tmp_path, text)
    assert done == Converted(5)
    assert rows == [(1, 'say "hi", ok'), (2, "c:\\x\\new"), (3, 'a "b"'), (4, None), (5, "")]


def test_a_backslash_before_a_closing_quote_is_no_escape(tmp_path: Path) -> None:
    done, rows, _ = convert(tmp_path, 'a,b\n"c:\\",1\n"d:\\",2\n')
    assert (done, rows) == (Converted(2), [("c:\\", 1), ("d:\\", 2)])


def test_a_declared_escape_counts_outside_of_quotes_too(tmp_path: Path) -> None:
    reading = Reading(escape="\\", columns={"b": DeclaredColumn(null=("\\N",))})
    text = 'a,b\n1,x\\,y\n2,\\N\n3,"l1\\\\\nl2 \\" \n"\n4,z\\\n'
    done, rows, rejected = convert(tmp_path, text, reading)
    assert rows == [(1, "x,y"), (2, None), (3, 'l1\\\nl2 " \n'), (4, "z\\")]
    assert (done, rejected) == (Converted(4), [])


@pytest.mark.parametrize(
    ("text", "rows", "blank"),
    [
        ("a,b\r1,2\r\n3,4\n5,6\r7,8\r\n", [(1, 2), (3, 4), (5, 6), (7, 8)], 0),
        ("a,b\n" + "1,2\n" * 3 + "1,2\r3,4\n", [(1, 2)] * 4 + [(3, 4)], 0),
        ("a,b\r\r\n1,2\r\r\n3,4\r\r\n", [(1, 2), (3, 4)], 2),
        ('a,"b\rc"\n1,2\n3,4\n', [(1, 2), (3, 4)], 0),
        ("a,b\r1,2\r\r3,4", [(1, 2), (3, 4)], 1),
    ],
)
def test_mixed_line_ends_lose_no_row(
    tmp_path: Path, text: str, rows: list[tuple[int, int]], blank: int
) -> None:
    assert convert(tmp_path, text)[:2] == (Converted(len(rows), 0, blank), rows)


def test_bare_carriage_returns_end_lines_of_irregular_files(tmp_path: Path) -> None:
    done, rows, rejected = convert(tmp_path, 'a,b\r1,2\r3\r\r5,6\r"x\ry",9')
    assert rows == [("1", 2), ("5", 6), ("x\ry", 9)]
    assert rejected == [(3, "1 field where the header has 2", "3")]
    assert done.blank_lines == 1


def test_comments_are_no_rows_and_are_counted(tmp_path: Path) -> None:
    text = '\ufeff# made\n\n#by,hand\na,b\n1,"x\n# no comment"\n# one\n2,y # no comment\n'
    done, rows, _ = convert(tmp_path, text, Reading(comment="#"))
    assert rows == [(1, "x\n# no comment"), (2, "y # no comment")]
    assert done == Converted(2, blank_lines=1, comment_lines=3)


def test_one_empty_field_too_many_is_a_fault_unless_it_is_allowed(tmp_path: Path) -> None:
    text = "a,b\n1,2,\n3,4\n"
    done, rows, rejected = convert(tmp_path, text)
    assert rejected == [(2, "3 fields where the header has 2", "1,2,")]
    assert (done.rejected, rows) == (1, [(3, 4)])
    assert convert(tmp_path, text, EMPTY)[:2] == (Converted(2), [(1, 2), (3, 4)])


def test_surplus_empty_fields_go_and_others_do_not(tmp_path: Path) -> None:
    text = 'a,b\n1,2,,""\n"x,",3,\n4,5,,6\n7,"8,",,\n'
    done, rows, rejected = convert(tmp_path, text, EMPTY)
    assert rows == [("1", "2"), ("x,", "3"), ("7", "8,")]
    assert rejected == [(4, "4 fields where the header has 2", "4,5,,6")]
    assert done.first_reject == "line 4: 4 fields where the header has 2"


def test_a_file_all_of_whose_rows_have_surplus_fields_lands_whole(tmp_path: Path) -> None:
    done, rows, _ = convert(tmp_path, "a,b\r\n" + "1,2,,\r\n" * 40_000, EMPTY)
    assert (done, set(rows)) == (Converted(40_000), {(1, 2)})


def test_delimiters_in_quotes_do_not_count(tmp_path: Path) -> None:
    done, rows, _ = convert(tmp_path, '"a,b",c\n' + '"x,y",1\n' * 40_000)
    assert (done, set(rows)) == (Converted(40_000), {("x,y", 1)})
