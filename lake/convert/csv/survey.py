"""One look at every byte of a CSV file: is it UTF-8 text, and how many lines has it?"""

import codecs
from dataclasses import dataclass
from pathlib import Path

from lake.convert.csv.dialect import Dialect
from lake.errors import SourceUnreadable

_CHUNK = 1 << 20


@dataclass(slots=True)
class Survey:
    """What is counted in a file, header and blank lines included.

    Attributes:
        lines: physical ones.
        delimiters: everywhere, also within quotes.
        has_quotes: whether any value may be quoted.
        has_other_ends: whether bytes that end lines elsewhere end none here, or some.
    """

    lines: int = 0
    delimiters: int = 0
    has_quotes: bool = False
    has_other_ends: bool = False


def survey(path: Path, dialect: Dialect, *, name: str) -> Survey:
    """Read the file once, at the speed of the disk, and count.

    Raises:
        SourceUnreadable: a NUL byte, or bytes that are no UTF-8, with their offset.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    found, offset, last = Survey(), 0, dialect.newline
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            _check_text(chunk, offset, decoder, name)
            _count(found, chunk, dialect, after_return=last == b"\r")
            offset += len(chunk)
            last = chunk[-1:]
    _decode(b"", offset, decoder, name)
    found.lines += last != dialect.newline
    found.has_other_ends |= dialect.newline == b"\n" and last == b"\r"
    return found


def _count(found: Survey, chunk: bytes, dialect: Dialect, *, after_return: bool) -> None:
    found.lines += chunk.count(dialect.newline)
    found.delimiters += chunk.count(dialect.delimiter.encode())
    found.has_quotes = found.has_quotes or dialect.quote.encode() in chunk
    if dialect.newline == b"\r":
        found.has_other_ends |= b"\n" in chunk
        return
    if b"\r" in chunk or after_return:
        # The last byte is looked at together with the next chunk.
        pairs = chunk.count(b"\r\n") + (after_return and chunk[:1] == b"\n")
        found.has_other_ends |= after_return + chunk.count(b"\r", 0, -1) != pairs


def _check_text(chunk: bytes, offset: int, decoder: codecs.IncrementalDecoder, name: str) -> None:
    if b"\0" in chunk:
        place = offset + chunk.index(b"\0")
        raise SourceUnreadable(
            f"{name} is no text: a NUL byte at offset {place}; send it as UTF-8 CSV"
        )
    if not chunk.isascii() or decoder.getstate()[0]:
        _decode(chunk, offset, decoder, name)


def _decode(chunk: bytes, offset: int, decoder: codecs.IncrementalDecoder, name: str) -> None:
    pending = len(decoder.getstate()[0])
    try:
        decoder.decode(chunk, final=not chunk)
    except UnicodeDecodeError as exc:
        place, byte = offset - pending + exc.start, exc.object[exc.start]
        raise SourceUnreadable(
            f"{name} is not UTF-8: byte 0x{byte:02X} at offset {place}; convert it to UTF-8 first"
        ) from exc
