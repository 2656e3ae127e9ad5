"""Where unpacked bytes go: numbered files in one folder, no more of them than the caps allow."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import BinaryIO

from lake.errors import SourceUnreadable, StoreUnavailable

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Caps:
    """How much one source may unpack to, so that no bomb fills the disk.

    Attributes:
        members: of one archive, of those that are taken.
        unpacked_bytes: of everything that one source holds, each layer counted.
        ratio: unpacked to packed, once more than `ratio_from` bytes are unpacked.
        layers: of packing inside packing, such as a gzip in a zip (2).
        whole_bytes: of what can be read only as a whole, such as a workbook's shared texts.
    """

    members: int = 10_000
    unpacked_bytes: int = 100 * 10**9
    ratio: int = 1_000
    ratio_from: int = 100 * 10**6
    layers: int = 4
    whole_bytes: int = 512 * 10**6


CAPS = Caps()


class Spool:
    """Writes into numbered files of a folder and counts the bytes of them all.

    Nothing is ever written under a name that an archive gives.
    """

    def __init__(self, folder: Path, caps: Caps) -> None:
        self.caps = caps
        self._folder = folder
        self._bytes = 0

    def write(self, chunks: Iterable[bytes], *, name: str, packed: int) -> Path:
        """Write chunks into a new file and return its path; `packed` bytes hold them.

        Raises:
            SourceUnreadable: they are more than the caps allow. The file is gone then.
            StoreUnavailable: the disk is full. Safe to retry.
        """
        path, file = self._new()
        try:
            with file:
                for chunk in self._counted(chunks, name, packed):
                    _write(file, chunk, name)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path

    def _new(self) -> tuple[Path, BinaryIO]:
        self._folder.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            path = self._folder / f"unpacked-{number}"
            try:
                return path, path.open("xb")
            except FileExistsError:
                continue
        raise AssertionError("numbers do not end")

    def _counted(self, chunks: Iterable[bytes], name: str, packed: int) -> Iterable[bytes]:
        here = 0
        for chunk in chunks:
            here += len(chunk)
            self._bytes += len(chunk)
            check_size(name, here, packed, self.caps)
            if self._bytes > self.caps.unpacked_bytes:
                raise _too_large(name, self.caps)
            yield chunk


def check_size(name: str, unpacked: int, packed: int, caps: Caps = CAPS) -> None:
    """Refuse what is too large, or too much larger than the bytes that hold it.

    Raises:
        SourceUnreadable: it is.
    """
    if unpacked > caps.unpacked_bytes:
        raise _too_large(name, caps)
    if unpacked > caps.ratio_from and unpacked > caps.ratio * packed:
        raise SourceUnreadable(
            f"{name} unpacks to over {caps.ratio:,} times its {packed:,} bytes, as a bomb does:"
            " if it is none, unpack it and land what it holds"
        )


def _too_large(name: str, caps: Caps) -> SourceUnreadable:
    return SourceUnreadable(
        f"{name} unpacks to more than {caps.unpacked_bytes:,} bytes, the most that is unpacked:"
        " unpack it and land what it holds in parts"
    )


def _write(file: BinaryIO, chunk: bytes, name: str) -> None:
    try:
        file.write(chunk)
    except OSError as exc:
        raise StoreUnavailable(
            f"{name} could not be unpacked here: {exc.strerror}; make room"
        ) from exc
