"""What a file is, by its content; its name is only held against it."""

import json
import re
from pathlib import Path
from typing import Literal, TypeAlias

from lake.config.types import AS_IT_COMES, Reading
from lake.convert.encoding import encoding_of
from lake.convert.magic import MAGIC, OLE, office, ole
from lake.errors import SourceUnreadable
from lake.parquet.footer import check_footer

Kind: TypeAlias = Literal["parquet", "csv", "json", "arrow", "excel", "fixed"]

AS_OBJECT = 'land it as an object with format = "objects" (--read format=objects)'
_JSON_NAMES = (".json", ".jsonl", ".ndjson")
_HEAD_BYTES = 64 << 10
_STREAM = b"\xff\xff\xff\xff"
_BLANK = "nothing but blanks and line ends"
_HTML = re.compile(r"\s*(<!--.*?-->\s*)?<(!doctype\s+html|html|head|body)\b", re.I | re.S)
_XML = re.compile(r"\s*<(\?xml|!|[A-Za-z][^,;\t|\n]*>)")
_SURE_XML = re.compile(r"\s*<\?xml")
_JSON_START = re.compile(r'\s*([\[{"0-9-]|(true|false|null)\b)')
_JSON = re.compile(
    r'\s*(\{\s*("|\}|$)|\[\s*(["\[{\]]|-?[0-9]+(\.[0-9]+)?\s*[,\]]|(true|false|null)\b|$))'
)
_NAMES = {
    "parquet": "a Parquet file",
    "arrow": "an Arrow file",
    "excel": "an Excel workbook",
    "json": "a JSON document",
}


def recognise(path: Path, *, name: str, reading: Reading = AS_IT_COMES) -> Kind:
    """Return what the file at `path`, which nothing packs any more, holds.

    Only its head and a Parquet's footer are read, as the bytes are: in any encoding. Text whose
    first value is a JSON array or object is JSON; all other text is CSV, or `fixed` where widths
    are declared. A declared format settles what text is, and is refused where the content is
    plainly another.

    Args:
        path: the source's bytes.
        name: what messages call the source; a name on `.parquet` must hold Parquet.
        reading: what is declared of it.

    Raises:
        SourceUnreadable: it is empty, cut off, no table, or not what it is declared to be.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head:
        raise SourceUnreadable(f"{name} is empty (0 bytes): ask for it again where it came from")
    kind, found = _binary(path, head, name)
    if kind != "parquet" and name.lower().endswith(".parquet"):
        found = found or _NAMES.get(kind) or _looks(head, reading, name)
        raise SourceUnreadable(
            f"{name} is no Parquet although its name says so, but {found}: look at"
            " what its source sends"
        )
    if found:
        raise _refused(name, found)
    declared = "fixed" if reading.widths else reading.format
    if kind:
        return _agreed(kind, declared, name)
    return _text(head, reading, declared, name)


def _binary(path: Path, head: bytes, name: str) -> tuple[Kind | Literal[""], str]:
    """Return what kind of binary table it is, or what it is instead; nothing of both: text."""
    if head.startswith(b"PAR1"):
        check_footer(path, name=name)
        return "parquet", ""
    if head.startswith(b"ARROW1"):
        return "arrow", ""
    if head.startswith(_STREAM) and _is_arrow_stream(path):
        return "arrow", ""
    if head.startswith(b"PK\x03\x04"):
        from lake.convert.unpack.archive import (
            office_kind,  # not for a Parquet: it loads zip and tar
        )

        part = office_kind(path)
        return ("excel", "") if part == "xl/workbook.xml" else ("", office(part))
    if head.startswith(OLE):
        return "", ole(path)
    return "", next((what for magic, what in MAGIC if head.startswith(magic)), "")


def _is_arrow_stream(path: Path) -> bool:
    # pyarrow takes a quarter of a second to import, and few files begin so.
    from lake.convert.arrow.convert import is_stream

    return is_stream(path)


def _agreed(kind: Kind, declared: str, name: str) -> Kind:
    if declared and declared != kind:
        raise SourceUnreadable(
            f"{name} is declared to be {declared} and is {_NAMES[kind]}: take the declaration away,"
            " or look at what its source sends"
        )
    return kind


def _text(head: bytes, reading: Reading, declared: str, name: str) -> Kind:
    text, found = _decoded(head, reading, name)
    found = found or _markup(text, is_declared=declared in ("csv", "fixed"))
    if found:
        raise _refused(name, found)
    kind: Kind = "json" if _is_json(text) else "csv"
    if declared in ("arrow", "excel") or (declared == "json" and not _JSON_START.match(text)):
        raise SourceUnreadable(
            f"{name} is declared to be {declared} and is {_NAMES.get(kind, 'plain text')}: take the"
            " declaration away, or look at what its source sends"
        )
    for one in ("csv", "fixed", "json"):
        if declared == one:
            return one
    if kind == "csv" and name.lower().endswith(_JSON_NAMES):
        raise SourceUnreadable(
            f"{name} holds no JSON object or array although its name says JSON: look at what its"
            ' source sends, or declare format = "csv" (--read format=csv)'
        )
    return kind


def _looks(head: bytes, reading: Reading, name: str) -> str:
    """Return what a file that is no Parquet is, in words."""
    text, found = _decoded(head, reading, name)
    return found or _markup(text) or (_NAMES["json"] if _is_json(text) else "plain text")


def _decoded(head: bytes, reading: Reading, name: str) -> tuple[str, str]:
    """Return the text of a head, and what is there instead of text, or `""`."""
    encoding, mark = encoding_of(head[:4], reading.encoding, name=name)
    if encoding == "utf-8" and b"\0" in head:
        return "", _nul(head)
    if encoding != "utf-8":
        # Every byte is checked when it is transcoded; here a guess is enough.
        text = head[mark:].decode(encoding, "replace")
        return text, f"binary data (a NUL character in {encoding})" if "\0" in text else ""
    try:
        text = head.decode()
    except UnicodeDecodeError as exc:
        # A character may be cut in two at the end of the head.
        if exc.end < len(head) or len(head) < _HEAD_BYTES or exc.reason != "unexpected end of data":
            return "", f"not UTF-8 (byte 0x{head[exc.start]:02X} at offset {exc.start})"
        text = head[: exc.start].decode()
    return text.removeprefix("\ufeff"), ""


def _nul(head: bytes) -> str:
    """Say what a NUL byte means: most often text in UTF-16 that has no mark."""
    for place, order in ((1, "le"), (0, "be")):
        zeros, others = head[place::2], head[1 - place :: 2]
        if zeros.count(0) > 0.9 * len(zeros) and others.count(0) == 0:
            return f"text in UTF-16 without a byte order mark (utf-16-{order} by its look)"
    return f"binary data (a NUL byte at offset {head.index(0)})"


def _markup(text: str, *, is_declared: bool = False) -> str:
    """Return what a text is that is no table; a declared one may begin as an element would."""
    if _HTML.match(text):
        return "an HTML page, which a server sends instead of a file"
    if (_SURE_XML if is_declared else _XML).match(text):
        return "an XML document"
    return "" if text.strip() else _BLANK


def _is_json(text: str) -> bool:
    """Tell whether a text begins as JSON does, and is no CSV with brackets in its header.

    What begins as JSON and breaks off or has a mistake is JSON, lest half a document lands as CSV.
    """
    if not _JSON.match(text):
        return False
    start = text.lstrip()
    try:
        _, end = json.JSONDecoder().raw_decode(start)
    except (ValueError, RecursionError):
        return True
    rest = start[end:].split("\n")[0].strip()
    return not rest or rest[0] in "{["


def _refused(name: str, found: str) -> SourceUnreadable:
    return SourceUnreadable(
        f"{name} is {found}: tables are Parquet, CSV, JSON, Arrow, Excel or fixed width;"
        f" {_advice(found)}"
    )


def _advice(found: str) -> str:
    if found.startswith("an HTML"):
        return "open its URL in a browser to see what the page says"
    if found == _BLANK:
        return "look at what its source sends"
    if found.startswith("not UTF-8"):
        return 'declare its encoding, such as encoding = "cp1252"'
    if found.startswith("text in UTF-16"):
        return 'declare its encoding, such as encoding = "utf-16-le"'
    if found.startswith(("an old Excel", "a binary Excel", "an OpenDocument spread")):
        return f"save it as .xlsx, or {AS_OBJECT}"
    if found.startswith("an encrypted"):
        return f"save it without its password, or {AS_OBJECT}"
    return f"convert it first, or {AS_OBJECT}"
