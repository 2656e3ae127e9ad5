import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from lake.config.types import Reading
from lake.convert.unpack.spool import Caps
from lake.convert.unpack.unpack import unpack
from lake.errors import SourceUnreadable
from tests.faults.refusal import exactly

ROWS = b"a,b\n1,2\n" * 150_000


def zstd(data: bytes) -> bytes:
    found: bytes = pa.Codec("zstd").compress(data, asbytes=True)
    return found


def gz(data: bytes) -> bytes:
    return gzip.compress(data, 1, mtime=0)


def zipped(**files: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return target.getvalue()


def tarred(**files: bytes) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return target.getvalue()


def unpacked(
    tmp_path: Path, data: bytes, glob: str = "", caps: Caps | None = None
) -> list[tuple[str, bytes]]:
    path = tmp_path / "x"
    path.write_bytes(data)
    reading = Reading(members=glob)
    found = unpack(path, tmp_path / "in", name="x", reading=reading, caps=caps or Caps())
    left = set((tmp_path / "in").iterdir()) if (tmp_path / "in").exists() else set()
    assert left == {one.path for one in found if one.path != path}
    contents = [(one.name, one.path.read_bytes()) for one in found]
    for one in left:
        one.unlink()
    return contents


@pytest.mark.parametrize("pack", [gz, bz2.compress, lzma.compress, zstd])
def test_compression_is_peeled_by_content_and_over_several_streams(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    assert unpacked(tmp_path, pack(ROWS)) == [("x", ROWS)]
    assert unpacked(tmp_path, pack(b"a\n") + pack(ROWS) + pack(b"")) == [("x", b"a\n" + ROWS)]


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (zipped(**{"d/a.csv": b"a\n"}), ["x/d/a.csv"]),
        (zipped(**{"a.csv.gz": gz(b"a\n")}), ["x/a.csv.gz"]),
        (gz(tarred(**{"a.csv": b"a\n"})), ["x/a.csv"]),
        (lzma.compress(tarred(**{"./a.csv": b"a\n"})), ["x/./a.csv"]),
        (zipped(**{"b.tar": tarred(**{"a.csv": b"a\n"})}), ["x/b.tar/a.csv"]),
        (zipped(**{"__MACOSX/._a": b"", "a.csv": b"a\n", ".DS_Store": b"x"}), ["x/a.csv"]),
    ],
)
def test_archives_give_their_only_member(tmp_path: Path, data: bytes, names: list[str]) -> None:
    assert unpacked(tmp_path, data) == [(name, b"a\n") for name in names]


def test_members_are_taken_by_glob_over_their_whole_name_in_order(tmp_path: Path) -> None:
    for pack in (zipped, tarred):
        data = pack(**{"d/b.csv": b"b\n", "c.txt": b"c\n", "a.csv": b"a\n"})
        assert unpacked(tmp_path, data, "*.csv") == [("x/d/b.csv", b"b\n"), ("x/a.csv", b"a\n")]
        assert unpacked(tmp_path, data, "d/*") == [("x/d/b.csv", b"b\n")]


@pytest.mark.parametrize(
    "data",
    [
        b"a,b\n1,2\n",
        b"BZh9,name\n1,2\n",
        b"",
        zipped(**{"[Content_Types].xml": b"", "xl/workbook.xml": b""}),
        zipped(mimetype=b"application/vnd.oasis.opendocument.spreadsheet"),
    ],
)
def test_what_nothing_packs_is_itself(tmp_path: Path, data: bytes) -> None:
    assert unpacked(tmp_path, data) == [("x", data)]


def test_padding_behind_a_gzip_is_no_fault(tmp_path: Path) -> None:
    assert unpacked(tmp_path, gz(b"a\n") + bytes(512)) == [("x", b"a\n")]


def broken(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            gz(ROWS)[:-9],
            "x is a truncated gzip file: it breaks off before its end; fetch it again",
        ),
        (
            bz2.compress(ROWS)[:-1],
            "x is a truncated bzip2 file: it breaks off before its end; fetch it again",
        ),
        (
            lzma.compress(ROWS)[:-1],
            "x is a truncated xz file: it breaks off before its end; fetch it again",
        ),
        (
            zstd(ROWS)[:-1],
            "x is a damaged zstd file (Truncated compressed stream): fetch it again",
        ),
        (
            broken(gz(ROWS), -6),
            "x is a damaged gzip file (Error -3 while decompressing data: incorrect data check):"
            " fetch it again",
        ),
        (
            broken(gz(ROWS), -2),
            "x is a damaged gzip file (Error -3 while decompressing data: incorrect length check):"
            " fetch it again",
        ),
        (
            gz(ROWS) + b"more",
            "x is a gzip file with something else behind its end: fetch it again",
        ),
        (
            bz2.compress(ROWS) + b"more",
            "x is a bzip2 file with something else behind its end: fetch it again",
        ),
    ],
)
def test_a_compressed_file_that_is_not_whole_is_refused(
    tmp_path: Path, data: bytes, message: str
) -> None:
    with pytest.raises(SourceUnreadable, match=exactly(message)):
        unpacked(tmp_path, data)
    assert list((tmp_path / "in").iterdir()) == []


def test_a_gzip_bomb_is_stopped_at_its_ratio(tmp_path: Path) -> None:
    bomb = gzip.compress(bytes(4_000_000), mtime=0)
    message = (
        f"x unpacks to over 100 times its {len(bomb):,} bytes, as a bomb does: if it is none,"
        " unpack it and land what it holds"
    )
    with pytest.raises(SourceUnreadable, match=exactly(message)):
        unpacked(tmp_path, bomb, caps=Caps(ratio=100, ratio_from=1_000_000))
    assert unpacked(tmp_path, bomb, caps=Caps(ratio=100)) == [("x", bytes(4_000_000))]


def test_what_unpacks_to_too_much_in_all_is_stopped(tmp_path: Path) -> None:
    data = zipped(a=bytes(600_000), b=bytes(600_000))
    message = (
        "x/b unpacks to more than 1,000,000 bytes, the most that is unpacked: unpack it and land"
        " what it holds in parts"
    )
    with pytest.raises(SourceUnreadable, match=exactly(message)):
        unpacked(tmp_path, data, "*", caps=Caps(unpacked_bytes=1_000_000))


def test_a_zip_in_a_zip_in_a_zip_ends_somewhere(tmp_path: Path) -> None:
    data = b"a\n"
    for _ in range(4):
        data = zipped(z=data)
    assert unpacked(tmp_path, data) == [("x/z/z/z/z", b"a\n")]
    message = "x/z/z/z/z is packed more than 4 times over: unpack it and land what it holds"
    with pytest.raises(SourceUnreadable, match=exactly(message)):
        unpacked(tmp_path, zipped(z=data))


def test_two_sources_may_unpack_into_one_folder(tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(gz(b"a\n"))
    paths = [unpack(path, tmp_path, name="x")[0].path for _ in range(2)]
    assert [one.read_bytes() for one in paths] == [b"a\n", b"a\n"]
    assert len(set(paths)) == 2
