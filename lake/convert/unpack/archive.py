"""Members of zip and tar archives: which are taken, and what an archive must not do."""

import lzma
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, Literal, TypeAlias, cast

from lake.convert.unpack.spool import CHUNK_BYTES, Spool
from lake.errors import LakeError, SourceUnreadable

ArchiveKind: TypeAlias = Literal["zip", "tar"]

_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_METHODS = {0: "stored", 8: "deflate", 12: "bzip2", 14: "lzma"}
_DRIVE = re.compile(r"[A-Za-z]:")
_BLOCK = 512
# A tar's long names and attributes are read as a whole.
_HEADER_BYTES = 16 << 20
_NAMED = 3


@dataclass(frozen=True, slots=True)
class _Member:
    """One entry that is no folder: its name, why it cannot be taken, and how it is read."""

    name: str
    flaw: str
    open: Callable[[], IO[bytes]]


def archive_kind(path: Path, head: bytes) -> ArchiveKind | None:
    """Return what archive the file at `path` is; an Office document, which is a zip, is none."""
    if head.startswith(_ZIP):
        return None if office_kind(path) else "zip"
    return "tar" if _is_tar(head) else None


def office_kind(path: Path) -> str:
    """Return the part that tells what Office document a zip is, or `""`: it is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            if "mimetype" in names and archive.getinfo("mimetype").file_size < 200:
                return archive.read("mimetype").decode("ascii", "replace")
    except (zipfile.BadZipFile, *_DAMAGED):
        return ""
    if "[Content_Types].xml" not in names:
        return ""
    parts = ("xl/workbook.xml", "xl/workbook.bin", "word/document.xml", "ppt/presentation.xml")
    return next((part for part in parts if part in names), "[Content_Types].xml")


def members(
    path: Path, kind: ArchiveKind, spool: Spool, *, name: str, glob: str
) -> list[tuple[Path, str]]:
    """Unpack the members that `glob` fits, or the only one; return their paths and names.

    Raises:
        SourceUnreadable: there is none or no single one, one is not to be trusted, or the archive
            is damaged.
    """
    packed = path.stat().st_size
    try:
        with path.open("rb") as file:
            found = list(_chosen(_READERS[kind](file, name), spool, name, glob))
            return [
                (spool.write(_chunks(one), name=f"{name}/{one.name}", packed=packed), full)
                for one in found
                for full in [f"{name}/{one.name}"]
            ]
    except LakeError:
        raise
    except (zipfile.BadZipFile, tarfile.TarError, NotImplementedError, *_DAMAGED) as exc:
        reason = str(exc).splitlines()[0] if str(exc) else "it breaks off"
        raise SourceUnreadable(
            f"{name} is a damaged or truncated {kind} archive ({reason}): fetch it again"
        ) from exc


_DAMAGED = (EOFError, OSError, zlib.error, lzma.LZMAError, UnicodeError, ValueError)


def _chunks(member: _Member) -> Iterator[bytes]:
    with member.open() as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _chosen(found: Iterable[_Member], spool: Spool, archive: str, glob: str) -> list[_Member]:
    chosen: list[_Member] = []
    others: list[str] = []
    for member in found:
        if not glob or fnmatchcase(member.name, glob):
            chosen.append(member)
            _check(member, archive)
        elif len(others) <= _NAMED:
            others.append(member.name)
        if len(chosen) > spool.caps.members:
            raise SourceUnreadable(
                f"{archive} has more than {spool.caps.members:,} members to take: take fewer, as in"
                ' members = "*.csv", or land it in parts'
            )
    _check_choice(chosen, others, archive, glob)
    return chosen


def _check(member: _Member, archive: str) -> None:
    """Refuse a member that is not to be trusted, or cannot be read."""
    flaw = member.flaw or _flaw_of(member.name)
    if flaw:
        raise SourceUnreadable(
            f"{archive} has a member {member.name!r} that {flaw}: have it packed again without it,"
            " or leave it out by members"
        )


def _flaw_of(name: str) -> str:
    path = name.replace("\\", "/")
    if path.startswith("/") or _DRIVE.match(path) or ".." in path.split("/"):
        return "leads out of the archive"
    return "" if name.isprintable() else "has a name that is no text"


def _check_choice(
    chosen: Sequence[_Member], others: Sequence[str], archive: str, glob: str
) -> None:
    names = [member.name for member in chosen]
    if not names and not others:
        raise SourceUnreadable(
            f"{archive} is an archive without files: look at what its source sends"
        )
    if not names:
        raise SourceUnreadable(
            f"{archive} has no member that members = {_quoted(glob)} fits: it has {_some(others)}"
        )
    if not glob and len(names) > 1:
        raise SourceUnreadable(
            f"{archive} has {len(names)} members, {_some(names)}: say which, as in"
            f" members = {_quoted('*' + PurePosixPath(names[0]).suffix)}"
        )
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise SourceUnreadable(
                f"{archive} has two members {name!r}: have it packed again with one of them"
            )
        seen.add(name)


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:_NAMED])) + (" …" if len(names) > _NAMED else "")


def _quoted(text: str) -> str:
    return f'"{text}"'


def _is_junk(name: str) -> bool:
    """Tell whether macOS or Windows put it there for itself."""
    parts = name.split("/")
    return "__MACOSX" in parts or parts[-1] in (".DS_Store", "Thumbs.db", "desktop.ini")


def _zip_members(file: BinaryIO, name: str) -> Iterator[_Member]:
    archive = zipfile.ZipFile(file)
    entries = archive.infolist()
    if entries and min(entry.header_offset for entry in entries) > 0:
        raise zipfile.BadZipFile("bytes before its first member")
    for entry in entries:
        if not entry.is_dir() and not _is_junk(entry.filename):
            yield _Member(entry.filename, _zip_flaw(entry), _opener(archive, entry))


def _opener(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    return lambda: archive.open(entry)


def _zip_flaw(entry: zipfile.ZipInfo) -> str:
    if entry.flag_bits & 0x1:
        return "is encrypted"
    mode = entry.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "is a link or a device"
    if entry.compress_type not in _METHODS:
        known = ", ".join(_METHODS.values())
        return f"is compressed by method {entry.compress_type} (known are {known})"
    return ""


def _is_tar(head: bytes) -> bool:
    """Tell whether a file begins with the header of a tar: its checksum fits."""
    if len(head) < _BLOCK or b"\0" not in head:
        return False
    stated = head[148:156].strip(b"\0 ")
    if not re.fullmatch(rb"[0-7]+", stated):
        return False
    return int(stated, 8) == sum(head[:148]) + sum(b" " * 8) + sum(head[156:_BLOCK])


class _Bounded:
    """A tar's bytes, of which no header may ask for too many at once."""

    def __init__(self, file: BinaryIO) -> None:
        self.seek, self.tell = file.seek, file.tell
        self._file = file

    def read(self, size: int = -1) -> bytes:
        """Read so many bytes."""
        if not 0 <= size <= _HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self._file.read(size)


def _tar_members(file: BinaryIO, name: str) -> Iterator[_Member]:
    # `errors` keeps names that are no UTF-8 apart; whoever takes such a member is told.
    bounded = cast("BinaryIO", _Bounded(file))
    archive = tarfile.TarFile(fileobj=bounded, encoding="utf-8", errors="surrogateescape")
    while (entry := archive.next()) is not None:
        # It would keep them all, which a bomb makes millions of.
        vars(archive)["members"].clear()
        if not entry.isdir() and not _is_junk(entry.name):
            flaw = "" if entry.isreg() else "is a link or a device"
            yield _Member(entry.name, flaw, _extractor(archive, entry))
    _check_end(file, archive.offset)


def _extractor(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> Callable[[], IO[bytes]]:
    def extract() -> IO[bytes]:
        opened = archive.extractfile(entry)
        assert opened is not None
        return opened

    return extract


def _check_end(file: BinaryIO, offset: int) -> None:
    """Refuse a tar that stops without its block of zeros, as one does that was cut or damaged."""
    file.seek(offset)
    if len(block := file.read(_BLOCK)) < _BLOCK or any(block):
        raise tarfile.ReadError("no end after its last member")
    while chunk := file.read(CHUNK_BYTES):
        if chunk.strip(b"\0"):
            raise tarfile.ReadError("more behind its end")


_READERS: dict[ArchiveKind, Callable[[BinaryIO, str], Iterator[_Member]]] = {
    "zip": _zip_members,
    "tar": _tar_members,
}
