"""What kind of thing a file is, by its content alone: a media type."""

import csv
import json
import re
import unicodedata
from importlib import import_module
from pathlib import Path

UNKNOWN = "application/octet-stream"
EMPTY = "application/x-empty"
_HEAD_BYTES = 64 << 10
_SURE = 0.4
_MAGIC = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"BM", "image/bmp"),
    (b"\0\0\1\0", "image/vnd.microsoft.icon"),
    (b"\0\0\0\x0cjP  ", "image/jp2"),
    (b"8BPS", "image/vnd.adobe.photoshop"),
    (b"%!PS", "application/postscript"),
    (b"{\\rtf", "application/rtf"),
    (b"ID3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
    (b"MThd", "audio/midi"),
    (b"\x1f\x8b", "application/gzip"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\0", "application/x-xz"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"PAR1", "application/vnd.apache.parquet"),
    (b"ARROW1", "application/vnd.apache.arrow.file"),
    (b"Obj\x01", "application/vnd.apache.avro"),
    (b"SQLite format 3\0", "application/vnd.sqlite3"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_BRANDS = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heif",
    b"qt  ": "video/quicktime",
    b"M4A ": "audio/mp4",
}
_FRAMES = {0xFB: "audio/mpeg", 0xFA: "audio/mpeg", 0xF3: "audio/mpeg", 0xF2: "audio/mpeg"} | {
    0xF1: "audio/aac",
    0xF9: "audio/aac",
}
_OFFICE = "application/vnd.openxmlformats-officedocument."
_IN_ZIP = (
    (b"word/document.xml", f"{_OFFICE}wordprocessingml.document"),
    (b"xl/workbook.xml", f"{_OFFICE}spreadsheetml.sheet"),
    (b"ppt/presentation.xml", f"{_OFFICE}presentationml.presentation"),
)
# EPUB and OpenDocument begin with a stored member that says what they are.
_SAYS_ITSELF = re.compile(rb"mimetype(application/[a-z.+-]{3,60}?)PK", re.DOTALL)
_HTML = re.compile(r"\s*(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body)\b", re.I | re.S)
_SVG = re.compile(r"\s*(<\?xml.{0,200}?\?>|<!--.*?-->|<!doctype\s.*?>|\s)*<svg\b", re.I | re.S)
_XML = re.compile(r"\s*<(\?xml\b|[A-Za-z_][\w:.-]*(\s[^<>]*)?/?>)")
_TEXT_CONTROLS = frozenset("\t\n\r\f\x1b")


def media_type(path: Path) -> str:
    """Return the media type of the file at `path`: `image/png`, `text/csv`.

    Its name plays no part; only its two ends are read. What nobody knows is
    `application/octet-stream`.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        size = file.seek(0, 2)
        file.seek(max(size - _HEAD_BYTES, 0))
        foot = file.read(_HEAD_BYTES)
    if not head:
        return EMPTY
    text = _text(head, is_whole=size <= len(head))
    return _by_magic(head, foot) or (
        _of_text(text, size <= len(head)) if text else _by_puremagic(head, foot)
    )


def is_text(media: str) -> bool:
    """Tell whether characters of such a file can be counted."""
    return media.startswith("text/") or media in (
        "application/json",
        "application/x-ndjson",
        "application/xml",
        "image/svg+xml",
    )


def _by_magic(head: bytes, foot: bytes) -> str:
    for magic, media in _MAGIC:
        if head.startswith(magic) and (len(magic) > 2 or b"\0" in head[:64]):
            return media
    if head.startswith(b"RIFF"):
        return _RIFF.get(head[8:12], "")
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "video/mp4")
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "video/webm" if b"webm" in head[:64] else "video/x-matroska"
    if head[0] == 0xFF and len(head) > 1:
        return _FRAMES.get(head[1], "")
    if head[257:262] == b"ustar":
        return "application/x-tar"
    return _of_zip(head, foot) if head.startswith((b"PK\3\4", b"PK\5\6")) else ""


def _of_zip(head: bytes, foot: bytes) -> str:
    says = _SAYS_ITSELF.match(head, 30)
    if says:
        return says[1].decode()
    return next((media for part, media in _IN_ZIP if part in foot), "application/zip")


def _text(head: bytes, *, is_whole: bool) -> str:
    """Return a head as text, or `""` if it is none."""
    encoding = "utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = head.decode(encoding)
    except UnicodeDecodeError as error:
        # A character may be cut in two at the end of the head.
        if is_whole or error.start < len(head) - 4:
            return ""
        text = head[: error.start].decode(encoding)
    controls = {c for c in set(text) if unicodedata.category(c) == "Cc"}
    return text if controls <= _TEXT_CONTROLS else ""


def _of_text(text: str, is_whole: bool) -> str:
    if _HTML.match(text):
        return "text/html"
    if _SVG.match(text):
        return "image/svg+xml"
    if _XML.match(text):
        return "application/xml"
    return _of_json(text, is_whole) or _of_csv(text, is_whole) or "text/plain"


def _of_json(text: str, is_whole: bool) -> str:
    if text.lstrip()[:1] not in ("{", "["):
        return ""
    lines = [line for line in text.splitlines() if line.strip()]
    whole = lines if is_whole else lines[:-1]
    if is_whole and _is_json(text):
        return "application/json"
    if len(lines) > 1 and whole and all(map(_is_json, whole)):
        return "application/x-ndjson"
    return "" if is_whole or not _begins_json(text) else "application/json"


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _begins_json(text: str) -> bool:
    return bool(re.match(r'\s*(\{\s*"|\[\s*(["\[{\]]|-?[0-9]|true\b|false\b|null\b))', text))


def _of_csv(text: str, is_whole: bool) -> str:
    """Return the type of text whose rows have the same number of fields, two at least."""
    lines = text.splitlines(keepends=True)
    lines = lines if is_whole else lines[:-1]
    for delimiter in ",\t;|":
        try:
            counts = {len(row) for row in csv.reader(lines, delimiter=delimiter) if row}
        except csv.Error:
            continue
        fields = counts.pop() if len(counts) == 1 else 0
        # Two sentences have a comma each by chance.
        if fields > 1 and len(lines) > (2 if fields == 2 else 1):
            return "text/tab-separated-values" if delimiter == "\t" else "text/csv"
    return ""


def _by_puremagic(head: bytes, foot: bytes) -> str:
    puremagic = import_module("puremagic")
    try:
        found = puremagic.magic_string(head + foot)
    except puremagic.PureError:
        return UNKNOWN
    # Its own order of equals differs from run to run.
    found.sort(key=lambda one: (-one.confidence, -len(one.byte_match), one.mime_type))
    sure = (one.mime_type for one in found if one.mime_type and one.confidence >= _SURE)
    return str(next(sure, UNKNOWN))
