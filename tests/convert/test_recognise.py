import gzip
import io
import zipfile
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from lake.config.types import Format, Reading
from lake.convert.recognise import recognise
from lake.errors import SourceUnreadable
from tests.faults.refusal import exactly


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
        (gzip.compress(b"a,b\n", mtime=0), "is a gzip archive"),
        (b"PK\x03\x04rest", "is a zip archive"),
        (b"FEA1....", "is a Feather file of version 1"),
        (b"%PDF-1.7", "is a PDF document"),
        (b"\x89PNG\r\n", "is a PNG image"),
        (b"a,b\n1,\x00\n", "is binary data .a NUL byte at offset 6."),
        ("a,b\n".encode("utf-16-le"), "is text in UTF-16 without .* .utf-16-le by its look."),
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


def arrow(kind: str) -> bytes:
    target = io.BytesIO()
    batch = pa.record_batch({"a": [1]})
    new = pa.ipc.new_file if kind == "file" else pa.ipc.new_stream
    with new(target, batch.schema) as writer:
        writer.write_batch(batch)
    return target.getvalue()


def zipped(*names: str, mimetype: str = "") -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        if mimetype:
            archive.writestr("mimetype", mimetype)
        for name in names:
            archive.writestr(name, "")
    return target.getvalue()


CONTENT = "[Content_Types].xml"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b'{"a": 1}\n{"a": 2}\n', "json"),
        (b'\xef\xbb\xbf [{"a": 1}]', "json"),
        (b"[]", "json"),
        (b'{"a": 1} {"a": 2}', "json"),
        (b'{"a": [1, 2', "json"),
        ('{"a": 1}'.encode("utf-16"), "json"),
        (b'["a"],["b"]\n1,2\n', "csv"),
        (b"[1],[2]\n1,2\n", "csv"),
        (b"{id},name\n1,2\n", "csv"),
        ("a,b\n".encode("utf-16"), "csv"),
        ("a,b\n".encode("utf-32"), "csv"),
        (b"[" * 70_000, "json"),
        (arrow("file"), "arrow"),
        (arrow("stream"), "arrow"),
        (zipped(CONTENT, "xl/workbook.xml"), "excel"),
    ],
)
def test_every_kind_is_known_by_its_content(tmp_path: Path, data: bytes, kind: str) -> None:
    assert recognise(write(tmp_path, data), name="x.bin") == kind


@pytest.mark.parametrize(
    ("data", "reading", "kind"),
    [
        (b'{"a": 1}\n', Reading(format="csv"), "csv"),
        (b"<id>\n1\n", Reading(format="csv"), "csv"),
        (b"1\n2\n", Reading(format="json"), "json"),
        (b"a b\n", Reading(widths=(("x", 1),)), "fixed"),
        (b"caf\xe9,1\n", Reading(encoding="latin-1"), "csv"),
        ("a,b\n".encode("utf-16-le"), Reading(encoding="utf-16-le"), "csv"),
        (arrow("file"), Reading(format="arrow"), "arrow"),
    ],
)
def test_a_declaration_settles_what_text_is(
    tmp_path: Path, data: bytes, reading: Reading, kind: str
) -> None:
    assert recognise(write(tmp_path, data), name="x", reading=reading) == kind


@pytest.mark.parametrize(
    ("data", "declared", "found"),
    [
        (b"a,b\n", "json", "plain text"),
        (b"a,b\n", "arrow", "plain text"),
        (b'{"a": 1}', "excel", "a JSON document"),
        (arrow("file"), "csv", "an Arrow file"),
        (zipped(CONTENT, "xl/workbook.xml"), "json", "an Excel workbook"),
    ],
)
def test_content_that_contradicts_a_declaration_is_refused(
    tmp_path: Path, data: bytes, declared: Format, found: str
) -> None:
    message = (
        f"x is declared to be {declared} and is {found}: take the declaration away, or look at what"
        " its source sends"
    )
    with pytest.raises(SourceUnreadable, match=exactly(message)):
        recognise(write(tmp_path, data), name="x", reading=Reading(format=declared))


OBJECT = 'land it as an object with format = "objects" (--read format=objects)'


@pytest.mark.parametrize(
    ("data", "found", "advice"),
    [
        (b"\x89PNG\r\n", "a PNG image", "convert it first"),
        (b"\xff\xff\xff\xffno", "not UTF-8 (byte 0xFF at offset 0)", ""),
        (b"a\0\0b", "binary data (a NUL byte at offset 1)", "convert it first"),
        (OLE, "an old Office document", "convert it first"),
        (OLE + "Workbook".encode("utf-16-le"), "an old Excel workbook (.xls)", "save it as .xlsx"),
        (
            OLE + "EncryptedPackage".encode("utf-16-le"),
            "an encrypted Office document",
            "save it without its password",
        ),
        (zipped(CONTENT, "xl/workbook.bin"), "a binary Excel workbook (.xlsb)", "save it as .xlsx"),
        (zipped(CONTENT, "word/document.xml"), "a Word document", "convert it first"),
        (
            zipped(mimetype="application/vnd.oasis.opendocument.spreadsheet"),
            "an OpenDocument spreadsheet",
            "save it as .xlsx",
        ),
    ],
)
def test_what_is_no_table_can_be_landed_as_an_object(
    tmp_path: Path, data: bytes, found: str, advice: str
) -> None:
    then = (
        f"{advice}, or {OBJECT}" if advice else 'declare its encoding, such as encoding = "cp1252"'
    )
    message = f"x is {found}: tables are Parquet, CSV, JSON, Arrow, Excel or fixed width; {then}"
    with pytest.raises(SourceUnreadable, match=exactly(message)):
        recognise(write(tmp_path, data), name="x")
