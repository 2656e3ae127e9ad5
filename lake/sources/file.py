"""A file of this machine, or what comes through a pipe, as a source."""

import os
import stat
from email.utils import formatdate
from io import FileIO
from pathlib import Path

from lake.errors import SourceIncomplete, SourceMissing, SourceUnreadable, StoreUnavailable
from lake.sources.copy import Fetched, Readable, Sink, copy, new_sink
from lake.sources.path import local_path


def fetch_file(url: str, to: Path) -> Fetched:
    """Copy a file to `to`. It is always read: a time of change proves nothing.

    Raises:
        SourceMissing: nothing is there.
        SourceIncomplete: it changed while it was read. Safe to retry.
        SourceUnreadable: it is no file, or this user may not read it.
    """
    path = Path(local_path(url)).absolute()
    with _open(path) as source, new_sink(to) as sink:
        before = _regular(path, source)
        _copy(path, source, sink)
        changed = _marks(before) != _marks(os.fstat(source.fileno()))
        if changed or sink.count != before.st_size:
            raise SourceIncomplete(
                f"{path} changed while it was read ({before.st_size} bytes before, {sink.count}"
                " read): wait until it is written, then run the same command again"
            )
        modified = formatdate(before.st_mtime, usegmt=True)
        return sink.keep(name=path.name, url=path.as_uri(), last_modified=modified)


def look_at_file(url: str) -> tuple[Path, int]:
    """Return where a file is and how many bytes it has, once it is seen that it can be read.

    Raises:
        SourceMissing, SourceUnreadable: see `fetch_file`.
    """
    path = Path(local_path(url)).absolute()
    with _open(path) as source:
        return path, _regular(path, source).st_size


def _regular(path: Path, source: FileIO) -> os.stat_result:
    status = os.fstat(source.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise SourceUnreadable(f"{path} is {_kind(status.st_mode)}: name a file")
    return status


def fetch_stream(stream: Readable, to: Path, *, name: str) -> Fetched:
    """Write all that comes through `stream`, such as standard input, to `to`."""
    with new_sink(to) as sink:
        _copy(Path(name), stream, sink)
        return sink.keep(name=name, url="-")


def _open(path: Path) -> FileIO:
    # A named pipe would otherwise wait for a writer.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        return FileIO(os.open(path, flags), "rb")
    except (FileNotFoundError, NotADirectoryError):
        raise SourceMissing(
            f"there is no file {path}: look at the name, or at the folder"
        ) from None
    except ValueError:
        raise SourceUnreadable(f"{str(path)!r} can be no path: look at the name") from None
    except IsADirectoryError:
        raise SourceUnreadable(
            f"{path} is a folder: name a file, or a glob such as {path}/*"
        ) from None
    except OSError as error:
        raise SourceUnreadable(f"{path} cannot be opened: {error.strerror}") from error


def _copy(path: Path, source: Readable, sink: Sink) -> None:
    try:
        copy(source, sink)
    except StoreUnavailable:
        raise
    except OSError as error:
        raise SourceIncomplete(
            f"{path} broke off after {sink.count} bytes: {error.strerror}"
        ) from error


def _marks(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    if stat.S_ISFIFO(mode):
        return "a named pipe"
    return "a socket" if stat.S_ISSOCK(mode) else "a device"
