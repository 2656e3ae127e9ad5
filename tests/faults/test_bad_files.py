"""Files of every format that are damaged, hostile or hold what no table holds."""

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import duckdb
import openpyxl
import pyarrow as pa
import pytest

from lake.errors import SourceUnreadable
from lake.lake import Lake
from tests.faults.refusal import refuses

OBJECT = 'land it as an object with format = "objects" (--read format=objects)'
TABLES = "tables are Parquet, CSV, JSON, Arrow, Excel or fixed width"
OUT = "have it packed again without it, or leave it out by members"


def zipped(*entries: tuple[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return target.getvalue()


def nested(layers: int) -> bytes:
    data = b"a,b\n1,2\n"
    for _ in range(layers):
        data = zipped(("z", data))
    return data


def linked() -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        info = tarfile.TarInfo("a.csv")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    return target.getvalue()


def encrypted() -> bytes:
    data = bytearray(zipped(("a.csv", b"a,b\n1,2\n")))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def bomb() -> bytes:
    """Return half a megabyte of gzip, one stream in another, that is over 100 MB of zeros."""
    return gzip.compress(gzip.compress(bytes(110_000_000), 9, mtime=0), 9, mtime=0)


def arrow(table: pa.Table) -> bytes:
    target = io.BytesIO()
    with pa.ipc.new_file(target, table.schema) as writer:
        writer.write_table(table)
    return target.getvalue()


def excel(rows: list[list[object]], *, merged: str = "") -> bytes:
    target, book = io.BytesIO(), openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    if merged:
        book.active.merge_cells(merged)
    book.save(target)
    return target.getvalue()


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
WIDE = arrow(pa.table({"d": pa.array([1], pa.decimal256(76, 0))}))
TWICE = arrow(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            zipped(("../../evil.csv", b"a,b\n1,2\n")),
            f"x has a member '../../evil.csv' that leads out of the archive: {OUT}",
        ),
        (linked(), f"x has a member 'a.csv' that is a link or a device: {OUT}"),
        (encrypted(), f"x has a member 'a.csv' that is encrypted: {OUT}"),
        (
            nested(6),
            "x/z/z/z/z is packed more than 4 times over: unpack it and land what it holds",
        ),
        (
            zipped(("a.csv", b"a,b\n1,2\n"))[:-30],
            "x is a damaged or truncated zip archive (File is not a zip file): fetch it again",
        ),
        (
            gzip.compress(b"a,b\n1,2\n", mtime=0)[:-4],
            "x is a truncated gzip file: it breaks off before its end; fetch it again",
        ),
        (
            b"\xff\xfea\0,\0b\0\n\0\x00\xd8\n\0",
            "x has half of a character of utf-16-le at offset 10 (a lone surrogate): mend it where"
            " it is made",
        ),
        (
            OLE + "EncryptedPackage".encode("utf-16-le"),
            f"x is an encrypted Office document: {TABLES}; save it without its password, or"
            f" {OBJECT}",
        ),
        (
            excel([["a", "b"], [1, "=A2"]]),
            "x has a formula without a result in cell B2 of sheet 'Sheet': open it in a spreadsheet"
            " program, which computes it, and save it",
        ),
        (
            excel([["a", "b"], [1, 2], [3, 4]], merged="B2:B3"),
            "x has merged cells in sheet 'Sheet', B2:B3, of which all but the first would be empty:"
            " unmerge them in the workbook",
        ),
        (
            WIDE,
            "x has a column 'd' of type decimal256(76, 0), and a decimal has at most 38 digits"
            " here: cast it where it is made",
        ),
        (TWICE, "x has two columns 'a': rename one where it is made"),
        (b"\x89PNG\r\n\x1a\n", f"x is a PNG image: {TABLES}; convert it first, or {OBJECT}"),
    ],
)
def test_a_file_that_is_no_table_or_not_to_be_trusted_is_refused(
    lk: Lake, good: Path, tmp_path: Path, data: bytes, message: str
) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    before = sorted(tmp_path.iterdir())
    refuses(lk, lambda: lk.land(path, dataset="raw.x"), SourceUnreadable, message)
    assert sorted(tmp_path.iterdir()) == before
    assert lk.land(good, dataset="raw.x").rows == 100


def test_a_gzip_bomb_is_stopped(lk: Lake, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(bomb())
    inner = len(gzip.compress(bytes(110_000_000), 9, mtime=0))
    message = (
        f"x unpacks to over 1,000 times its {inner:,} bytes, as a bomb does: if it is none, unpack"
        " it and land what it holds"
    )
    refuses(lk, lambda: lk.land(path, dataset="raw.x"), SourceUnreadable, message)


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (gzip.compress("a,b\n1,ä\n".encode("utf-16"), mtime=0), [(1, "ä")]),
        (zipped(("d/x.csv", b"a,b\n1,x\n"), ("__MACOSX/._x.csv", b"\0")), [(1, "x")]),
        (zipped(("book.xlsx", excel([["a", "b"], [1, "x"], []]))), [(1, "x")]),
        (gzip.compress(arrow(pa.table({"a": [1], "b": ["x"]})), mtime=0), [(1, "x")]),
        (excel([["a", "b"], [1, "x"]]), [(1, "x")]),
    ],
)
def test_what_is_packed_and_encoded_lands_as_its_rows(
    lk: Lake, tmp_path: Path, data: bytes, rows: list[tuple[object, ...]]
) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    assert lk.land(path, dataset="raw.x").rows == len(rows)
    assert lk.sql("SELECT a, b FROM raw.x").fetchall() == rows
    assert [got.read_bytes() for got in lk.get("raw.x", tmp_path / "got")] == [data]


def test_a_bomb_that_is_a_workbook_is_refused(lk: Lake, tmp_path: Path) -> None:
    path = tmp_path / "x"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("[Content_Types].xml", "xl/workbook.xml", "xl/worksheets/sheet1.xml"):
            archive.writestr(name, b" " * 40_000_000)
    message = (
        f"x unpacks to over 1,000 times its {path.stat().st_size:,} bytes, as a bomb does: if it is"
        " none, unpack it and land what it holds"
    )
    refuses(lk, lambda: lk.land(path, dataset="raw.x"), SourceUnreadable, message)


def test_duckdb_reads_what_was_written(tmp_path: Path) -> None:
    """Guard the premise of the refusals: DuckDB makes a wrong DOUBLE of 76 digits, unasked."""
    table = pa.table({"d": pa.array([10**40 + 1], pa.decimal256(76, 0))})
    pa.parquet.write_table(table, tmp_path / "x.parquet")
    assert str(duckdb.read_parquet(str(tmp_path / "x.parquet")).types[0]) == "DOUBLE"
