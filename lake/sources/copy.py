"""Where fetched bytes go: a new file that is hashed while it is written."""

import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from io import FileIO
from itertools import cycle
from pathlib import Path
from typing import Protocol

from lake.errors import StoreUnavailable

CHUNK = 1 << 20


class Readable(Protocol):
    """A file, a pipe, standard input's `buffer`."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fill `buffer` from its beginning, and return how many bytes came; 0 at the end."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A source's bytes as they came, and where from."""

    path: Path
    name: str
    """The file's name at the source."""
    bytes: int
    sha256: str
    url: str
    """Without user, password and signature; `-` for what came through a pipe."""
    etag: str = ""
    last_modified: str = ""
    """As a web server wrote it; of a file its time of change, in the same form."""
    content: str = ""
    """What tells its rows from others where bytes do not: a database gives them in any order."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What the receipt says beyond that: table, snapshot, cursor."""


class Sink:
    """A file that grows and is hashed. `new_sink` opens one."""

    def __init__(self, path: Path, file: FileIO) -> None:
        """Write to `file`, which is at `path`."""
        self.path = path
        self.count = 0
        self.kept = False
        self._file = file
        self._hasher = ThreadPoolExecutor(1)
        self._hash = hashlib.sha256()
        self._hashing: Future[None] | None = None

    def write(self, data: bytes | memoryview) -> None:
        """Append `data`; it must stay as it is until the next call, for it is hashed meanwhile."""
        rest = memoryview(data)
        self._wait()
        self._hashing = self._hasher.submit(self._hash.update, rest)
        self.count += len(rest)
        with _writing(self.path):
            while rest:
                rest = rest[self._file.write(rest) or 0 :]

    def _wait(self) -> None:
        if self._hashing:
            self._hashing.result()

    def restart(self) -> None:
        """Forget everything that was written."""
        with _writing(self.path):
            self._file.truncate(self._file.seek(0))
        self._wait()
        self._hash, self.count = hashlib.sha256(), 0

    def keep(self, *, name: str, url: str, etag: str = "", last_modified: str = "") -> Fetched:
        """Let the file stay, and return what it is."""
        self.kept = True
        self._wait()
        sha256 = self._hash.hexdigest()
        return Fetched(self.path, name, self.count, sha256, url, etag, last_modified)

    def close(self) -> None:
        """Close the file, and end the thread that hashes."""
        self._hasher.shutdown()
        self._file.close()


@contextmanager
def new_sink(path: Path) -> Iterator[Sink]:
    """Give a sink at `path`, where nothing is yet; take the file away unless it was kept."""
    with _writing(path):
        file = FileIO(path, "xb")
    sink = Sink(path, file)
    try:
        with closing(sink):
            yield sink
    finally:
        if not sink.kept:
            with suppress(FileNotFoundError):
                path.unlink()


def copy(source: Readable, sink: Sink) -> None:
    """Write all that `source` gives to `sink`: one chunk is read while the one before is hashed."""
    buffers = cycle([memoryview(bytearray(CHUNK)), memoryview(bytearray(CHUNK))])
    for buffer in buffers:
        got = source.readinto(buffer)
        if not got:
            return
        sink.write(buffer[:got])


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(
            f"{path} cannot be written: {error.strerror}; make room there, or set TMPDIR"
        ) from error
