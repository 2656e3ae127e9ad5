"""What files that are no tables begin with, in words for messages."""

from pathlib import Path

from lake.convert.unpack.spool import CHUNK_BYTES

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
MAGIC = (
    (b"\x1f\x8b", "a gzip archive"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"BZh91AY", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed data"),
    (b"\x04\x22\x4d\x18", "lz4-compressed data"),
    (b"\x1f\x9d", "data compressed by the old compress"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"PARE", "an encrypted Parquet file"),
    (b"FEA1", "a Feather file of version 1"),
    (b"ORC", "an ORC file"),
    (b"Obj\x01", "an Avro file"),
    (b"SQLite format 3\0", "a SQLite database"),
)
_OFFICE = {
    "": "a zip archive",
    "xl/workbook.bin": "a binary Excel workbook (.xlsb)",
    "word/document.xml": "a Word document",
    "ppt/presentation.xml": "a PowerPoint presentation",
    "application/vnd.oasis.opendocument.spreadsheet": "an OpenDocument spreadsheet",
}
_OLE = (
    ("EncryptedPackage", "an encrypted Office document"),
    ("Workbook", "an old Excel workbook (.xls)"),
    ("Book", "an old Excel workbook (.xls)"),
    ("WordDocument", "an old Word document (.doc)"),
)


def office(part: str) -> str:
    """Say what a zip is by the part that tells (`archive.office_kind`)."""
    return _OFFICE.get(part, "an Office document")


def ole(path: Path) -> str:
    """Say what the OLE file at `path` is by the names of its streams, which lie anywhere in it."""
    names = {text: text.encode("utf-16-le") for text, _ in _OLE}
    found: set[str] = set()
    before = b""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            window = before + chunk
            found |= {text for text, name in names.items() if name in window}
            before = window[-64:]
    return next((what for text, what in _OLE if text in found), "an old Office document")
