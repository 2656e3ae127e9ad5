"""What a source packed, unpacked: compression peeled, archive members taken out, by content."""

from dataclasses import dataclass
from pathlib import Path

from lake.config.types import AS_IT_COMES, Reading
from lake.convert.unpack.spool import CAPS, Caps, Spool
from lake.errors import SourceUnreadable

_HEAD_BYTES = 512


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A file that nothing packs any more; messages call it `name`: `archive.zip/member.csv`."""

    path: Path
    name: str


def unpack(
    path: Path,
    folder: Path,
    *,
    name: str,
    reading: Reading = AS_IT_COMES,
    caps: Caps = CAPS,
) -> list[Unpacked]:
    """Return what the file at `path` holds once nothing packs it; a plain file is itself.

    Content decides, not the name. Of an archive, the members whose whole name fits the glob
    `reading.members` are taken, in its order; without a glob it must hold one file. The glob is
    for the outermost archive; one inside it must hold one file. Folders and what macOS adds are
    ignored. What is unpacked lies in `folder`, under numbers.

    Raises:
        SourceUnreadable: it is damaged, cut off, encrypted, larger than `caps`, not what
            `reading.members` says, or names a place outside.
        StoreUnavailable: the disk is full. Safe to retry.
    """
    spool = Spool(folder, caps)
    return _unpack(Unpacked(path, name), spool, reading.members, 0)


def _unpack(one: Unpacked, spool: Spool, glob: str, layer: int) -> list[Unpacked]:
    with one.path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head.startswith(b"PAR1"):
        return [one]
    # Not for a Parquet: they take as long to load as a small one to land.
    from lake.convert.unpack.archive import archive_kind, members
    from lake.convert.unpack.compression import compression_of, peel

    compression = compression_of(head)
    archive = None if compression else archive_kind(one.path, head)
    if not (compression or archive):
        return [one]
    if layer == spool.caps.layers:
        raise SourceUnreadable(
            f"{one.name} is packed more than {layer} times over: unpack it and land what it holds"
        )
    if compression:
        packed = one.path.stat().st_size
        chunks = peel(one.path, compression, name=one.name)
        inner = Unpacked(spool.write(chunks, name=one.name, packed=packed), one.name)
        return _below(inner, spool, glob, layer)
    assert archive is not None
    return [
        found
        for member in members(one.path, archive, spool, name=one.name, glob=glob)
        for found in _below(Unpacked(*member), spool, "", layer)
    ]


def _below(inner: Unpacked, spool: Spool, glob: str, layer: int) -> list[Unpacked]:
    """Unpack what was unpacked, and free the disk of it where it was packed itself."""
    found = _unpack(inner, spool, glob, layer + 1)
    if inner not in found:
        inner.path.unlink()
    return found
