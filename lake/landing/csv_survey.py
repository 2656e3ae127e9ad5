"""One look at every byte of a CSV file: is it UTF-8 text, and how many lines has it?"""

import codecs
from dataclasses import dataclass
from pathlib import Path

from lake.errors import SourceUnreadable

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Survey:
    """The physical lines of a file, header and blank ones included, and whether it has quotes."""

    lines: int
    has_quotes: bool


def survey(path: Path, *, newline: bytes, name: str) -> Survey:
    """Read the file once, at the speed of the disk, and count its lines.

    Raises:
        SourceUnreadable: a NUL byte, or bytes that are no UTF-8, with their offset.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines, has_quotes, offset, last = 0, False, 0, newline
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            _check_text(chunk, offset, decoder, name)
            lines += chunk.count(newline)
            has_quotes = has_quotes or b'"' in chunk
            offset += len(chunk)
            last = chunk[-1:]
    _decode(b"", offset, decoder, name)
    return Survey(lines + (last != newline), has_quotes)


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
