"""CSV files that are wrong in ways that cost memory, time or rows elsewhere."""

import re
import resource
import sys
from pathlib import Path

import pytest

from lake.config.types import AS_IT_COMES, Reading
from lake.convert.converted import Converted
from lake.convert.csv.convert import convert_csv
from lake.errors import SourceUnreadable

MIB = 1 << 20


def refused(folder: Path, data: bytes, reading: Reading = AS_IT_COMES) -> str:
    """Return why a source is refused; nothing of it is left."""
    path, out = folder / "in.csv", folder / "out"
    path.write_bytes(data)
    with pytest.raises(SourceUnreadable, match=r"^in\.csv") as caught:
        convert_csv(path, out, name="in.csv", reading=reading)
    assert [left.name for left in folder.iterdir() if left.name != "in.csv"] == []
    return str(caught.value)


def peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> (
        20 if sys.platform == "darwin" else 10
    )


def test_an_unclosed_quote_in_a_large_file_is_found_by_its_line(tmp_path: Path) -> None:
    row = b"1,foo,bar\n"
    opening = b'2,"two\nlines","oops\n'
    before = peak_mib()
    told = refused(tmp_path, b"a,b,c\n" + row * 2_000_000 + opening + row * 2_000_000)
    assert told == (
        "in.csv, line 2000003: a quote that opens there is not closed within 16 MiB; correct that"
        " line"
    )
    assert peak_mib() - before < 400


def test_an_unclosed_quote_at_the_end_is_one_rejected_row(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text('a,b\n1,2\n3,"x\ny","oops\n5,6\n')
    done = convert_csv(path, tmp_path / "out", name="in.csv")
    assert done == Converted(1, 1, 0, "line 3: a quote that opens in line 4 is never closed")


@pytest.mark.parametrize("quote", [b"", b'"'])
def test_a_cell_beyond_all_measure_is_one_clear_line(tmp_path: Path, quote: bytes) -> None:
    before = peak_mib()
    told = refused(tmp_path, b"a,b\n1,2\n3," + quote + b"x" * (40 * MIB) + quote + b"\n5,6\n")
    assert told == (
        "in.csv, line 3: a row is longer than 16 MiB; shorten it, or send such values as files of"
        " their own"
    )
    assert peak_mib() - before < 400


def test_a_row_of_many_lines_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    told = refused(tmp_path, b'a,b\n1,2\n3,"' + (b"x" * 999 + b"\n") * 17_000 + b'"\n5,6\n')
    assert told == (
        "in.csv, line 3: a quote that opens there is not closed within 16 MiB; correct that line"
    )


def test_too_many_columns_are_refused_at_once(tmp_path: Path) -> None:
    header = ",".join(f"c{i}" for i in range(100_000)).encode()
    row = b",".join([b"1"] * 100_000)
    assert refused(tmp_path, header + b"\n" + row + b"\n") == (
        "in.csv has 100000 columns, and a table at most 2000: send it as rows of name and value"
    )


def test_a_header_without_end_is_refused(tmp_path: Path) -> None:
    header = b",".join(b"column%d" % i for i in range(200_000))
    assert refused(tmp_path, header) == (
        "in.csv has a header longer than 1 MiB: its first line must name the columns"
    )


def test_a_nul_byte_is_named_by_its_offset(tmp_path: Path) -> None:
    told = refused(tmp_path, b"a,b\n" + b"1,2\n" * 600_000 + b"1,\0\n")
    assert told == "in.csv is no text: a NUL byte at offset 2400006; send it as UTF-8 CSV"


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("a,b,a", "in.csv has two columns 'a': rename one in its header"),
        (
            "Fee,b,fee",
            "in.csv has two columns 'Fee' and 'fee', which differ only in case or blanks: rename"
            " one in its header",
        ),
        ("a,,b", "in.csv has no name for column 2 of 3: complete its header"),
    ],
)
def test_a_header_whose_names_are_no_columns_is_refused(
    tmp_path: Path, header: str, told: str
) -> None:
    assert refused(tmp_path, f"{header}\n1,2,3\n".encode()) == told


def test_nothing_but_comments_is_no_table(tmp_path: Path) -> None:
    told = refused(tmp_path, b"# a\n\n# b\n", Reading(comment="#"))
    assert told == (
        "in.csv has nothing but comments and blank lines: look at what its source sends"
    )


@pytest.mark.parametrize("text", ["a,b", "a,b\n", "a,b\r", "# x\na,b"])
def test_a_header_alone_is_a_table_without_rows(tmp_path: Path, text: str) -> None:
    path = tmp_path / "in.csv"
    path.write_text(text, newline="")
    done = convert_csv(path, tmp_path / "out", name="in.csv", reading=Reading(comment="#"))
    assert done == Converted(0, comment_lines=text.count("#"))


def test_no_message_quotes_a_value(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("a,b\nsecret,2,3\n")
    assert not re.search("secret", str(convert_csv(path, tmp_path / "out", name="in.csv")))
