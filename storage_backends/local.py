"""A folder as a store.

An object is a regular file. It is written under another name in a staging folder of the same
filesystem, fsynced, and linked to its key: `link(2)` is atomic and fails where the key is taken. A
filesystem without hard links (FAT, some network mounts) is refused, because nothing portable there
is create-only and atomic at once. What a killed process leaves in the staging folder is
never listed, never ends in `.parquet`, and is swept away after a day.
"""

import errno
import fcntl
import os
import shutil
import stat
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from storage_backends import keys, level
from storage_backends.store import Listed

_STAGING = "_lake/.tmp"
_CHUNK_BYTES = 1 << 20
_LEFTOVER_AGE_S = 24 * 3600
_FOLDER = os.O_RDONLY | os.O_DIRECTORY
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.EXDEV, errno.ENOSYS}


class LocalStore:
    """The files below `root`, a folder that need not exist yet; the first write makes it."""

    def __init__(self, root: Path) -> None:
        self._root = os.path.realpath(root)
        self._is_swept = False
        self._names = level.Names()

    @property
    def url(self) -> str:
        return Path(self._root).as_uri().rstrip("/")

    def put_new(self, key: str, data: bytes) -> None:
        self._write(key, lambda file: _write_all(file, data), _link)

    def put(self, key: str, data: bytes) -> None:
        self._write(key, lambda file: _write_all(file, data), _replace)

    def upload(self, path: Path, key: str) -> None:
        """Create `key` from a copy of the file at `path`; one in `scratch` is taken as it is."""
        with path.open("rb", buffering=0) as source:
            if os.path.join(self._root, _STAGING, "") in os.path.abspath(path):
                _sync(source.fileno())
                with self._clear_way(key):
                    self._publish(key, lambda target: _link(str(path), target))
            else:
                self._write(key, lambda file: _copy(source.fileno(), file), _link)

    def scratch(self) -> Path | None:
        staging = os.path.join(self._root, _STAGING)
        with _opened(staging):
            self._sweep(staging)
        return Path(staging)

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        keys.check_range(key, start, length)
        with _reading(key), open(self._path(key), "rb") as file:
            room = max(0, os.fstat(file.fileno()).st_size - start)
            file.seek(start)
            return file.read(room if length is None else min(length, room))

    def download(self, key: str, path: Path) -> None:
        """Write an object's bytes to a new file at `path`; on failure there is none."""
        with _reading(key):
            source = open(self._path(key), "rb", buffering=0)  # noqa: SIM115
        with source, path.open("xb", buffering=0) as target:
            try:
                _copy(source.fileno(), target.fileno())
            except BaseException:
                path.unlink()
                raise

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[Listed]:
        """Give every object below `prefix` and behind `after`, by key; see `Store`.

        A symbolic link to a folder raises: what lies behind it would be missing.
        """
        folder = prefix.rpartition("/")[0]
        start = self._path(folder) if folder else self._root
        return _walk(start, f"{folder}/" if folder else "", prefix, after)

    def children(self, prefix: str = "", *, after: str = "", limit: int) -> tuple[Listed, ...]:
        """Return what is one level below a folder; symbolic links are left out. See `Store`."""
        keys.check_folder(prefix)
        path = self._path(prefix.removesuffix("/")) if prefix else self._root
        hidden = os.path.join(self._root, _STAGING)
        names = self._names.of(path)
        return level.on_disk(names, path, prefix, after=after, limit=limit, hidden=hidden)

    def size(self, key: str) -> int:
        with _reading(key):
            found = os.stat(self._path(key))
        if not stat.S_ISREG(found.st_mode):
            raise FileNotFoundError(errno.ENOENT, "no such object", key)
        return found.st_size

    def delete(self, key: str) -> None:
        """Make sure that `key` is not there; its folders stay."""
        with suppress(FileNotFoundError), _reading(key):
            path = self._path(key)
            # Some systems refuse to unlink a folder with EPERM, which would read as a refusal.
            if not os.path.isdir(path):
                os.unlink(path)

    def now(self) -> datetime:
        return datetime.now(UTC)

    def data_url(self, key: str) -> str:
        # A name and no access: asking the disk too would cost a view of 10,000 files half a second.
        _check(key)
        return os.path.join(self._root, key)

    def protection(self) -> str:
        return "none: a folder keeps nothing of what is deleted"

    def let_read(self, connection: Any) -> None:
        """Do nothing: DuckDB reads files by itself."""

    def _path(self, key: str) -> str:
        """Return where `key` lies.

        Raises:
            ValueError: it would lie outside of the root, or is no key at all.
        """
        _check(key)
        path = os.path.join(self._root, key)
        if os.path.realpath(path) != path:
            raise ValueError(
                f"key {key!r} runs through a symbolic link below {self._root}, which may lead out:"
                " put the files themselves there, or mount their folder"
            )
        return path

    def _write(
        self, key: str, fill: Callable[[int], None], publish: Callable[[str, str], None]
    ) -> None:
        with self._clear_way(key), self._staged(fill) as staged:
            self._publish(key, lambda target: publish(staged, target))

    def _publish(self, key: str, publish: Callable[[str], None]) -> None:
        target = self._path(key)
        # The folder is opened first: once the object is there, nothing but the fsync may fail.
        with _opened(os.path.dirname(target)) as folder:
            publish(target)
            _settle(folder, target)

    @contextmanager
    def _clear_way(self, key: str) -> Iterator[None]:
        try:
            yield
        except NotADirectoryError as exc:
            raise ValueError(
                f"cannot store {key!r} below {self._root}: a file is where a folder must be;"
                " move it away or choose another place"
            ) from exc

    @contextmanager
    def _staged(self, fill: Callable[[int], None]) -> Iterator[str]:
        """Give the path of a durable file that `fill` wrote; afterwards its name is gone."""
        staging = os.path.join(self._root, _STAGING)
        with _opened(staging):
            self._sweep(staging)
        path = os.path.join(staging, f"{uuid.uuid4().hex}.part")
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            try:
                fill(file)
                _sync(file)
            finally:
                os.close(file)
            yield path
        finally:
            # The outcome is decided by now; a leftover name harms nobody.
            with suppress(OSError):
                os.unlink(path)

    def _sweep(self, staging: str) -> None:
        """Once per store, remove what processes that died long ago left behind."""
        if self._is_swept:
            return
        self._is_swept = True
        oldest = time.time() - _LEFTOVER_AGE_S
        with suppress(OSError), os.scandir(staging) as items:
            for item in items:
                if item.stat().st_mtime < oldest:
                    _remove(item)


def _remove(item: "os.DirEntry[str]") -> None:
    if item.is_dir(follow_symlinks=False):
        shutil.rmtree(item.path, ignore_errors=True)
    else:
        os.unlink(item.path)


def _check(key: str) -> None:
    keys.check(key)
    # Without regard to case: on some filesystems the other spelling is the same folder.
    if f"{key}/".casefold().startswith(f"{_STAGING}/"):
        raise ValueError(f"{key!r} is no key: {_STAGING}/ is where writes are prepared")


def _walk(path: str, folder: str, prefix: str, after: str) -> Iterator[Listed]:
    try:
        with os.scandir(path) as items:
            # With its `/`, a folder sorts where its keys do: `a-b` < `a/x` < `a0`.
            found = sorted((f"{folder}{item.name}{'/' * item.is_dir()}", item) for item in items)
    except (FileNotFoundError, NotADirectoryError):
        return
    for key, item in found:
        if key.endswith("/"):
            if _may_hold(key, prefix, after):
                yield from _walk(_no_link(item), key, prefix, after)
        elif key.startswith(prefix) and key > after and (facts := _regular(item)):
            yield Listed(key, facts.st_size)


def _regular(item: "os.DirEntry[str]") -> os.stat_result | None:
    """Return the facts of an object; None for what is none, or was deleted a moment ago."""
    try:
        return item.stat() if item.is_file(follow_symlinks=False) else None
    except FileNotFoundError:
        return None


def _no_link(item: "os.DirEntry[str]") -> str:
    if item.is_symlink():
        raise ValueError(
            f"{item.path} is a symbolic link to a folder, so the listing would be partial:"
            " put the files themselves there, or mount their folder"
        )
    return item.path


def _may_hold(folder: str, prefix: str, after: str) -> bool:
    if folder == f"{_STAGING}/":
        return False
    is_inside = folder.startswith(prefix) or prefix.startswith(folder)
    return is_inside and (folder > after or after.startswith(folder))


@contextmanager
def _reading(key: str) -> Iterator[None]:
    """Say of a folder, and of what would lie below a file, that it is no object."""
    try:
        yield
    except (IsADirectoryError, NotADirectoryError) as exc:
        raise FileNotFoundError(errno.ENOENT, "no such object", key) from exc


@contextmanager
def _opened(path: str) -> Iterator[int]:
    folder = _open_folder(path)
    try:
        yield folder
    finally:
        os.close(folder)


def _open_folder(path: str) -> int:
    """Open a folder; where it is missing it is made, durably, with all that lead to it."""
    try:
        return os.open(path, _FOLDER)
    except FileNotFoundError:
        with _opened(os.path.dirname(path)) as parent:
            with suppress(FileExistsError):
                os.mkdir(path)
            _sync_folder(parent)
    return os.open(path, _FOLDER)


def _link(staged: str, target: str) -> None:
    try:
        os.link(staged, target)
    except FileExistsError:
        raise FileExistsError(errno.EEXIST, "the key is taken", target) from None
    except OSError as exc:
        if exc.errno not in _NO_LINKS:
            raise
        raise PermissionError(
            f"cannot create {target}: its filesystem makes no hard link from {staged}"
            f" ({exc.strerror}), so a new object cannot be told from an overwritten one; keep the"
            " lake on one filesystem that has hard links"
        ) from exc


def _replace(staged: str, target: str) -> None:
    try:
        os.replace(staged, target)
    except OSError as exc:
        if os.path.isdir(target):
            raise ValueError(f"cannot write {target}: a folder is there; move it away") from exc
        raise


def _settle(folder: int, target: str) -> None:
    try:
        _sync_folder(folder)
    except OSError as exc:
        # A full disk is told here too, but the object is there: this must not look like a refusal.
        raise OSError(
            errno.EIO, f"stored, but perhaps not durably ({exc.strerror})", target
        ) from exc


def _sync_folder(folder: int) -> None:
    try:
        _sync(folder)
    except OSError as exc:
        # Filesystems that cannot sync a folder say EINVAL; they keep names in their own way.
        if exc.errno != errno.EINVAL:
            raise


def _sync(file: int) -> None:
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is None:
        os.fsync(file)
        return
    # On macOS, fsync leaves the bytes in the disk's own cache.
    try:
        fcntl.fcntl(file, full)
    except OSError:
        os.fsync(file)


def _copy(source: int, target: int) -> None:
    buffer = memoryview(bytearray(_CHUNK_BYTES))
    while count := os.readv(source, [buffer]):
        _write_all(target, buffer[:count])


def _write_all(file: int, data: bytes | memoryview) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]
