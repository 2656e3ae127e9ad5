"""Text in any encoding as UTF-8: what its byte order mark says, or what is declared, strictly."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lake.config.types import AS_IT_COMES, Reading
from lake.convert.unpack.spool import CHUNK_BYTES, Caps, Spool
from lake.errors import SourceUnreadable

# Longest first: the mark of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_UTF8 = ("utf-8", "utf-8-sig")
_BY_MARK = {"utf-16": ("utf-16-le", "utf-16-be"), "utf-32": ("utf-32-le", "utf-32-be")}
# What Python calls text encodings too, and no file is written in.
_NO_TEXT = ("unicode_escape", "raw_unicode_escape", "raw-unicode-escape", "unicode-escape")
_NO_FILE = ("idna", "punycode", "undefined", "charmap", "mbcs", "oem", "utf-7")


@dataclass(frozen=True, slots=True)
class _Text:
    """A file, its encoding, and how many bytes of a byte order mark it begins with."""

    path: Path
    name: str
    encoding: str
    mark: int


def known_encoding(text: str) -> bool:
    """Tell whether files can be read in the encoding of this name, such as `latin-1`."""
    return _usual_name(text) != ""


def as_utf8(path: Path, folder: Path, *, name: str, reading: Reading = AS_IT_COMES) -> Path:
    """Return a file with the text of the one at `path` in UTF-8: itself, if it is that already.

    The encoding is `reading.encoding`, or what a byte order mark says, or UTF-8. The bytes of a
    UTF-8 file are left to whoever reads its rows. What is made lies in `folder`, without a mark.

    Raises:
        SourceUnreadable: a byte is not of the encoding, or a mark says another one.
        StoreUnavailable: the disk is full. Safe to retry.
    """
    with path.open("rb") as file:
        encoding, mark = encoding_of(file.read(4), reading.encoding, name=name)
    if encoding in _UTF8:
        return path
    text = _Text(path, name, encoding, mark)
    # A character is at most four bytes: what is written cannot run away.
    spool = Spool(folder, Caps(unpacked_bytes=1 << 62))
    return spool.write(_transcoded(text), name=name, packed=path.stat().st_size)


def encoding_of(head: bytes, declared: str, *, name: str) -> tuple[str, int]:
    """Return the encoding of a text that begins so, and the length of its byte order mark.

    Raises:
        SourceUnreadable: the mark and the declaration disagree, or neither says enough.
    """
    usual = _usual_name(declared) if declared else ""
    if declared and not usual:
        raise SourceUnreadable(
            f"{name} is declared to be in {declared!r}, an encoding that is not known: name it as"
            ' Python does, such as encoding = "cp1252"'
        )
    for mark, marked in _MARKS:
        if head.startswith(mark):
            _check_mark(marked, usual, declared, name)
            return marked, len(mark)
    if usual in _BY_MARK:
        raise SourceUnreadable(
            f"{name} is declared to be in {declared!r} and has no byte order mark: say the order,"
            f' as in encoding = "{usual}-le"'
        )
    return usual or "utf-8", 0


def _check_mark(marked: str, usual: str, declared: str, name: str) -> None:
    fits = (marked, f"{marked}-sig") if marked == "utf-8" else (marked, marked[:6])
    if usual and usual not in fits:
        raise SourceUnreadable(
            f"{name} is declared to be in {declared!r} and begins with the byte order mark of"
            f" {marked}: take the declaration away, or mend the file"
        )


def _usual_name(text: str) -> str:
    """Return Python's name of an encoding of text in files, or `""`."""
    try:
        found = codecs.lookup(text)
        if found.name in _NO_TEXT + _NO_FILE or found.incrementaldecoder is None:
            return ""
        "a,1\n".encode(text)
    except (LookupError, ValueError):
        return ""
    return found.name


def _transcoded(text: _Text) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(text.encoding)()
    offset = text.mark
    with text.path.open("rb") as file:
        file.seek(offset)
        is_last = False
        while not is_last:
            data = file.read(CHUNK_BYTES)
            is_last = not data
            # What waits for the rest of its character is counted already.
            start = offset - len(_waiting(decoder))
            try:
                found = decoder.decode(data, final=is_last)
            except UnicodeDecodeError as exc:
                raise _bad_byte(text, start + exc.start, exc) from exc
            offset += len(data)
            yield found.encode()


def _waiting(decoder: codecs.IncrementalDecoder) -> bytes:
    return decoder.getstate()[0]


def _bad_byte(text: _Text, offset: int, exc: UnicodeDecodeError) -> SourceUnreadable:
    at = f"at offset {offset}"
    width = {"utf-16": 2, "utf-32": 4}.get(text.encoding[:6], 0)
    if width and len(exc.object) - exc.start < width:
        return SourceUnreadable(
            f"{text.name} ends in the middle of a character of {text.encoding} {at}: it is cut off;"
            " fetch it again"
        )
    if width == 2:
        return SourceUnreadable(
            f"{text.name} has half of a character of {text.encoding} {at} (a lone surrogate): mend"
            " it where it is made"
        )
    return SourceUnreadable(
        f"{text.name} is not {text.encoding}: byte 0x{exc.object[exc.start]:02X} {at} is no"
        " character of it; declare the encoding that it is in"
    )
