"""What a file is, by its content; its name is only held against it."""

import re
from pathlib import Path
from typing import Literal

from lake.errors import SourceUnreadable
from lake.landing.parquet_footer import check_footer

_HEAD_BYTES = 64 << 10
_MAGIC = (
    (b"\x1f\x8b", "a gzip archive"),
    (b"PK\x03\x04", "a zip archive (or an Office document)"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed data"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"PARE", "an encrypted Parquet file"),
    (b"ORC", "an ORC file"),
    (b"Obj\x01", "an Avro file"),
    (b"ARROW1", "an Arrow file"),
    (b"SQLite format 3\0", "a SQLite database"),
    (b"\x00\x00\xfe\xff", "text in UTF-32"),
    (b"\xff\xfe", "text in UTF-16"),
    (b"\xfe\xff", "text in UTF-16"),
)
_BLANK = "nothing but blanks and line ends"
_HTML = re.compile(r"\s*(<!--.*?-->\s*)?<(!doctype\s+html|html|head|body)\b", re.I | re.S)
_XML = re.compile(r"\s*<(\?xml|!|[A-Za-z][^,;\t|\n]*>)")
_JSON = re.compile(
    r'\s*(\{\s*("|\}|$)|\[\s*(["\[{\]]|-?[0-9]+(\.[0-9]+)?\s*[,\]]|(true|false|null)\b|$))'
)


def recognise(path: Path, *, name: str) -> Literal["parquet", "csv"]:
    """Return what the file at `path` holds.

    Only its head and a Parquet's footer are read; a CSV's header and rows are looked at when it is
    converted.

    Args:
        path: the source's bytes.
        name: what messages call the source; a name on `.parquet` must hold Parquet.

    Raises:
        SourceUnreadable: it is empty, cut off, or neither Parquet nor UTF-8 text.
    """
    head = _head(path)
    if not head:
        raise SourceUnreadable(f"{name} is empty (0 bytes): ask for it again where it came from")
    if head.startswith(b"PAR1"):
        check_footer(path, name=name)
        return "parquet"
    found = _what(head)
    if name.lower().endswith(".parquet"):
        raise SourceUnreadable(
            f"{name} is no Parquet although its name says so, but {found or 'plain text'}: look at"
            " what its source sends"
        )
    if found:
        raise SourceUnreadable(
            f"{name} is {found}: this version lands Parquet and UTF-8 CSV; {_advice(found)}"
        )
    return "csv"


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)


def _what(head: bytes) -> str:
    """Return what a head shows that is no table in text, or `""`."""
    for magic, what in _MAGIC:
        if head.startswith(magic):
            return what
    if b"\0" in head:
        return f"binary data (a NUL byte at offset {head.index(0)})"
    try:
        text = head.decode()
    except UnicodeDecodeError as exc:
        # A character may be cut in two at the end of the head.
        if exc.end < len(head) or len(head) < _HEAD_BYTES or exc.reason != "unexpected end of data":
            return f"not UTF-8 (byte 0x{head[exc.start]:02X} at offset {exc.start})"
        text = head[: exc.start].decode()
    return _markup(text.removeprefix("\ufeff"))


def _markup(text: str) -> str:
    if _HTML.match(text):
        return "an HTML page, which a server sends instead of a file"
    if _XML.match(text):
        return "an XML document"
    if _JSON.match(text):
        return "a JSON document"
    return "" if text.strip() else _BLANK


def _advice(found: str) -> str:
    if found.startswith("an HTML"):
        return "open its URL in a browser to see what the page says"
    if found == _BLANK:
        return "look at what its source sends"
    if found.startswith(("not UTF-8", "text in")):
        return "convert it to UTF-8"
    return "convert it first"
