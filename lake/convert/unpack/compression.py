"""Compressed files, peeled in chunks: gzip, bzip2, xz and zstd; whole, and with nothing behind."""

import bz2
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Literal, Protocol, TypeAlias

from lake.convert.unpack.spool import CHUNK_BYTES
from lake.errors import SourceUnreadable

Compression: TypeAlias = Literal["gzip", "bzip2", "xz", "zstd"]

_MAGIC: tuple[tuple[Compression, re.Pattern[bytes]], ...] = (
    ("gzip", re.compile(rb"\x1f\x8b\x08")),
    # The digits of pi begin a block, those of its root end a stream: `BZh` alone begins texts too.
    ("bzip2", re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)")),
    ("xz", re.compile(rb"\xfd7zXZ\0")),
    ("zstd", re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18", re.DOTALL)),
)
_XZ_MEMORY = 256 << 20


class _Stream(Protocol):
    """One stream of several in a file, as `bz2` and `lzma` read it."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gzip:
    """A gzip member as `bz2` would read it; zlib checks its CRC and its length."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=31)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        found = self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)
        self.needs_input = len(found) < max_length and not self._zlib.unconsumed_tail
        return found


_STREAMS: dict[str, Callable[[], _Stream]] = {
    "gzip": _Gzip,
    "bzip2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY),
}


def compression_of(head: bytes) -> Compression | None:
    """Return how a file that begins so is compressed, if it is."""
    return next((kind for kind, magic in _MAGIC if magic.match(head)), None)


def peel(path: Path, kind: Compression, *, name: str) -> Iterator[bytes]:
    """Give what the compressed file at `path` holds, in chunks of at most 1 MiB.

    Raises:
        SourceUnreadable: it is cut off, damaged, or something else lies behind its end.
    """
    if kind == "zstd":
        return _peel_zstd(path, name)
    return _peel(path, kind, name)


def _peel(path: Path, kind: Compression, name: str) -> Iterator[bytes]:
    with path.open("rb") as file:
        data = file.read(CHUNK_BYTES)
        while data:
            stream = _STREAMS[kind]()
            try:
                yield from _chunks(stream, data, file, kind, name)
            except (OSError, zlib.error, lzma.LZMAError) as exc:
                raise _damaged(name, kind, exc) from exc
            data = _next_stream(stream.unused_data, file, kind, name)


def _chunks(
    stream: _Stream, data: bytes, file: BinaryIO, kind: Compression, name: str
) -> Iterator[bytes]:
    while not stream.eof:
        if not data and stream.needs_input:
            data = file.read(CHUNK_BYTES)
            if not data:
                raise SourceUnreadable(
                    f"{name} is a truncated {kind} file: it breaks off before its end; fetch it"
                    " again"
                )
        yield stream.decompress(data, CHUNK_BYTES)
        data = b""


def _next_stream(rest: bytes, file: BinaryIO, kind: Compression, name: str) -> bytes:
    """Return where the next stream begins; zeros between and behind them are padding."""
    while not (rest := rest.lstrip(b"\0")):
        rest = file.read(CHUNK_BYTES)
        if not rest:
            return b""
    if len(rest) < 16:
        rest += file.read(CHUNK_BYTES)
    if compression_of(rest) != kind:
        raise SourceUnreadable(
            f"{name} is a {kind} file with something else behind its end: fetch it again"
        )
    return rest


def _peel_zstd(path: Path, name: str) -> Iterator[bytes]:
    # Only zstd needs it, and it costs a quarter of a second to import.
    import pyarrow as pa

    try:
        with pa.OSFile(str(path)) as file, pa.CompressedInputStream(file, "zstd") as stream:
            while chunk := stream.read(CHUNK_BYTES):
                yield chunk
    except (OSError, pa.ArrowException) as exc:
        raise _damaged(name, "zstd", exc) from exc


def _damaged(name: str, kind: Compression, exc: Exception) -> SourceUnreadable:
    reason = str(exc).splitlines()[0]
    return SourceUnreadable(f"{name} is a damaged {kind} file ({reason}): fetch it again")
