import gzip
from pathlib import Path

import duckdb
import pytest

from lake.errors import SourceUnreadable
from lake.landing.recognise import recognise


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    path = tmp_path / "good.parquet"
    duckdb.sql("SELECT range AS i FROM range(1000)").write_parquet(str(path))
    return path


def write(folder: Path, data: bytes) -> Path:
    path = folder / "file"
    path.write_bytes(data)
    return path


def test_content_decides_and_not_the_name(tmp_path: Path, parquet: Path) -> None:
    assert recognise(parquet, name="trips.csv") == "parquet"
    assert recognise(write(tmp_path, b"a,b\n1,2\n"), name="trips.txt") == "csv"


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbfa,b\n1,2\n",
        b"a\n1\n",
        b"[id];[name]\n1;2\n",
        b"a,b\r\n",
        "ä,ö\n1,2\n".encode(),
    ],
)
def test_csv_needs_no_particular_look(tmp_path: Path, text: bytes) -> None:
    assert recognise(write(tmp_path, text), name="x.csv") == "csv"


def test_a_character_cut_in_two_by_the_end_of_the_head_is_no_error(tmp_path: Path) -> None:
    text = b"a" + "ä".encode() * (64 << 10)
    assert recognise(write(tmp_path, text), name="x.csv") == "csv"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"^x\.csv is empty \(0 bytes\)"),
        (b"<!DOCTYPE html>\n<html>", "is an HTML page, which a server sends"),
        (b"\n  <html lang=en>", "is an HTML page"),
        (b'<?xml version="1.0"?><Error/>', "is an XML document"),
        (b'{"a": 1}\n', "is a JSON document"),
        (b'[{"a": 1}]', "is a JSON document"),
        (gzip.compress(b"a,b\n", mtime=0), "is a gzip archive"),
        (b"PK\x03\x04rest", "is a zip archive"),
        (b"%PDF-1.7", "is a PDF document"),
        (b"\x89PNG\r\n", "is a PNG image"),
        (b"a,b\n1,\x00\n", "is binary data .a NUL byte at offset 6."),
        ("a,b\n".encode("utf-16"), "is text in UTF-16"),
        (b"a,b\ncaf\xe9,1\n", "is not UTF-8 .byte 0xE9 at offset 7."),
        (b"a,b\n1,\xc3", "is not UTF-8 .byte 0xC3 at offset 6."),
        (b" \n\n", "is nothing but blanks"),
    ],
)
def test_what_is_no_table_is_named(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(SourceUnreadable, match=message):
        recognise(write(tmp_path, data), name="x.csv")


def test_a_parquet_name_with_something_else_inside_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match=r"x\.parquet is no Parquet .* but an HTML page"):
        recognise(write(tmp_path, b"<html>"), name="x.parquet")
    with pytest.raises(SourceUnreadable, match=r"x\.PARQUET is no Parquet .* but plain text"):
        recognise(write(tmp_path, b"a,b\n1,2\n"), name="x.PARQUET")


@pytest.mark.parametrize("kept", [4, 11, 100, -1])
def test_a_truncated_parquet_is_refused(tmp_path: Path, parquet: Path, kept: int) -> None:
    path = write(tmp_path, parquet.read_bytes()[:kept])
    with pytest.raises(SourceUnreadable, match=r"^g\.parquet is a truncated Parquet"):
        recognise(path, name="g.parquet")


def test_a_footer_length_that_cannot_be_is_refused(tmp_path: Path, parquet: Path) -> None:
    data = parquet.read_bytes()
    path = write(tmp_path, data[:-8] + b"\xff\xff\xff\x7fPAR1")
    with pytest.raises(SourceUnreadable, match=r"its footer claims 2147483647 of \d+ bytes"):
        recognise(path, name="g.parquet")


def test_an_encrypted_parquet_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="is an encrypted Parquet file"):
        recognise(write(tmp_path, b"PARE....PARE"), name="x")
