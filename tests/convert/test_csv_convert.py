import gzip
import json
from pathlib import Path

import duckdb
import pytest

from lake.convert.converted import Converted
from lake.convert.csv.convert import convert_csv
from lake.errors import SourceUnreadable

DATA = Path(__file__).parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="shared/data is not beside the repository"
)


def convert(
    folder: Path, data: bytes | str
) -> tuple[Converted, list[tuple[object, ...]], list[str]]:
    """Convert a source; give the result, the rows, and `line: raw` of each reject."""
    path = folder / "in.csv"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return convert_path(path, folder)


def convert_path(path: Path, folder: Path) -> tuple[Converted, list[tuple[object, ...]], list[str]]:
    out, rejects = folder / "out.parquet", folder / "rejected.jsonl.gz"
    rejects.unlink(missing_ok=True)
    done = convert_csv(path, out, name=path.name, rejects=rejects)
    lines = gzip.decompress(rejects.read_bytes()).decode().splitlines() if rejects.exists() else []
    rejected = [json.loads(line) for line in lines]
    assert done.rejected == len(rejected)
    rows = duckdb.read_parquet(str(out)).fetchall()
    assert done.rows == len(rows)
    return done, rows, [f"{row['line']}: {row['raw']}" for row in rejected]


def columns(folder: Path) -> list[str]:
    return list(duckdb.read_parquet(str(folder / "out.parquet")).columns)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_every_dialect_gives_the_same_rows(tmp_path: Path, delimiter: str, end: str) -> None:
    lines = ["a,b,c", "1,x,1.5", '2,"y,z",2.5', "3,,0.1"]
    text = end.join(line.replace(",", delimiter) for line in lines) + end
    done, rows, _ = convert(tmp_path, text)
    assert done == Converted(3)
    assert rows == [(1, "x", 1.5), (2, f"y{delimiter}z", 2.5), (3, None, 0.1)]


def test_a_decimal_comma_is_no_delimiter(tmp_path: Path) -> None:
    assert convert(tmp_path, "a;b\n1,5;2,5\n")[1] == [("1,5", "2,5")]


def test_names_stay_as_they_are_but_for_the_mark_in_front(tmp_path: Path) -> None:
    convert(tmp_path, '\ufeff a ,"b ""x""",Ünü,filename\n1,2,3,4\n')
    assert columns(tmp_path) == [" a ", 'b "x"', "Ünü", "filename"]


def test_a_header_alone_lands_no_rows(tmp_path: Path) -> None:
    for text in ("a,b", "a,b\n", "a,b\r\n"):
        assert convert(tmp_path, text)[:2] == (Converted(0), [])
        assert columns(tmp_path) == ["a", "b"]


def test_one_column_is_a_table_and_its_empty_lines_are_rows(tmp_path: Path) -> None:
    done, rows, _ = convert(tmp_path, "a\n1\n\n3\n")
    assert (done, rows) == (Converted(3), [(1,), (None,), (3,)])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("a,,c\n1,2,3\n", "no name for column 2 of 3"),
        ("a, ,c\n1,2,3\n", "no name for column 2 of 3"),
        ("a,b,a\n1,2,3\n", "two columns 'a': rename one"),
        (
            "Fee,b, fee\n1,2,3\n",
            "two columns 'Fee' and ' fee', which differ only in case or blanks",
        ),
        ("\na,b\n1,2\n", "begins with an empty line"),
        (b"a,b\n1,caf\xe9\n", "is not UTF-8: byte 0xE9 at offset 9"),
        (b"a,b\n" + b"1,2\n" * 600_000 + b"1,\xc3", "is not UTF-8: byte 0xC3 at offset 2400006"),
        (b"a,b\n" + b"1,2\n" * 600_000 + b"1,\0\n", "a NUL byte at offset 2400006"),
    ],
)
def test_what_cannot_be_a_table_is_refused(tmp_path: Path, data: bytes | str, message: str) -> None:
    with pytest.raises(SourceUnreadable, match=rf"^in\.csv .*{message}"):
        convert(tmp_path, data)
    assert not (tmp_path / "out.parquet").exists()


def test_ragged_rows_are_kept_with_their_physical_lines(tmp_path: Path) -> None:
    text = 'a,b,c\n1,"x\ny\n\nz",3\n4,5\n\n7,8,9,10\n1,"b" junk,3\n" ",2,3\n'
    done, rows, rejected = convert(tmp_path, text)
    assert rejected == ["6: 4,5", "8: 7,8,9,10", '9: 1,"b" junk,3']
    assert rows == [("1", "x\ny\n\nz", 3), (" ", "2", 3)]
    assert done == Converted(2, 3, 1, "line 6: 2 fields where the header has 3")


def test_a_quote_that_is_never_closed_takes_the_rest_along(tmp_path: Path) -> None:
    done, rows, rejected = convert(tmp_path, 'a,b\n1,2\n3,"oops\n5,6\n')
    assert rows == [(1, 2)]
    assert rejected == ['3: 3,"oops\n5,6']
    assert done.first_reject == "line 3: a quote that opens in line 3 is never closed"


def test_a_quote_that_is_never_closed_in_a_large_file_loses_nothing(tmp_path: Path) -> None:
    text = 'a,b,c\n1,"oops,3\n' + "1,foo,bar\n" * 2_000_000
    with pytest.raises(SourceUnreadable, match=r"^in\.csv, line 2: a quote that opens there"):
        convert(tmp_path, text)


def test_rejects_far_into_a_large_file_have_the_right_lines(tmp_path: Path) -> None:
    expected, lines, number = [], ["a,b,c"], 1
    for i in range(200_000):
        if i % 997 == 0:
            expected.append(f"{number + 1}: {i},short")
            lines.append(f"{i},short")
        else:
            lines.append(f'{i},"two\nlines",3' if i % 10 == 0 else f"{i},one,3")
        number += lines[-1].count("\n") + 1
    done, rows, rejected = convert(tmp_path, "\n".join(lines) + "\n")
    assert rejected == expected
    assert done.rows + done.rejected == 200_000
    assert rows[1] == (2, "one", 3)


def test_quoted_line_ends_are_kept_in_files_that_are_otherwise_regular(tmp_path: Path) -> None:
    row = '1,"x\r\n\r\ny","""q"""\r\n'
    done, rows, _ = convert(tmp_path, "a,b,c\r\n" + row * 30_000)
    assert done == Converted(30_000)
    assert set(rows) == {(1, "x\r\n\r\ny", '"q"')}


def test_mixed_line_ends_change_no_value(tmp_path: Path) -> None:
    done, rows, _ = convert(tmp_path, 'a,b\n\r\n1,"x\r\ny"\r\n2,z\n3,"q"\r\n')
    assert rows == [(1, "x\r\ny"), (2, "z"), (3, "q")]
    assert done == Converted(3, 0, 1)


def test_a_lone_carriage_return_is_rejected(tmp_path: Path) -> None:
    _, rows, rejected = convert(tmp_path, 'a,b\n1,x\ry\n2,z\n3,"q\rr"\n')
    assert (rows, rejected) == ([(2, "z"), (3, "q\rr")], ["2: 1,x\ry"])


def test_blank_lines_are_counted(tmp_path: Path) -> None:
    done, rows, _ = convert(tmp_path, "a,b\r\n\r\n1,2\r\n\r\n\r\n3,4\r\n\r\n")
    assert (done, rows) == (Converted(2, 0, 4), [(1, 2), (3, 4)])


def test_rows_longer_than_duckdb_reads_by_itself_land(tmp_path: Path) -> None:
    long = "x" * 5_000_000
    done, rows, _ = convert(tmp_path, f'a,b\n1,{long}\n2,"{long}\n"\n')
    assert done == Converted(2)
    assert rows == [(1, long), (2, long + "\n")]


def test_a_file_of_nothing_but_ragged_rows_lands_none(tmp_path: Path) -> None:
    done, _, rejected = convert(tmp_path, "a,b\n" + "1,2,3\n" * 100_000)
    assert (done.rows, done.rejected, len(rejected)) == (0, 100_000, 100_000)


def test_odd_folder_and_file_names_are_read_as_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "k=v" / "it's [1]*"
    folder.mkdir(parents=True)
    (folder / "a[1].csv").write_text("a,b\n1,2\n")
    assert convert_path(folder / "a[1].csv", folder)[:2] == (Converted(1), [(1, 2)])
    assert not [path for path in folder.iterdir() if path.is_dir()]


@needs_data
def test_the_zone_table_lands_whole(tmp_path: Path) -> None:
    done, rows, _ = convert_path(DATA / "taxi_zone_lookup.csv", tmp_path)
    assert done == Converted(265)
    assert rows[0] == (1, "EWR", "Newark Airport", "EWR")


@needs_data
def test_a_real_head_of_every_kind_is_taken_apart_line_by_line(tmp_path: Path) -> None:
    heads = sorted((DATA / "tlc_heads").glob("*.csv"))
    assert len(heads) == 221
    by_header = {path.read_bytes().partition(b"\n")[0]: path for path in heads}
    assert len(by_header) >= 11
    for path in by_header.values():
        done, _, rejected = convert_path(path, tmp_path)
        lines = path.read_bytes().splitlines()
        assert 1 + done.rows + done.rejected + done.blank_lines == len(lines), path.name
        assert done.blank_lines == lines.count(b""), path.name
        header = lines[0].decode().split(",")
        assert columns(tmp_path) == header, path.name
        # None of them has quotes, so the fields can be counted.
        ragged = [line for line in lines[1:] if line and line.count(b",") + 1 != len(header)]
        assert len(rejected) == len(ragged), path.name
