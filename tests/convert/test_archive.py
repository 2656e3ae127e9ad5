import io
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lake.config.types import Reading
from lake.convert.unpack.spool import Caps
from lake.convert.unpack.unpack import unpack
from lake.errors import SourceUnreadable
from tests.faults.refusal import exactly

ESCAPES = ("../a.csv", "/etc/a.csv", "C:\\a.csv", "d\\..\\..\\a.csv", "d/../../a.csv")
OUT = ": have it packed again without it, or leave it out by members"


def zipped(*entries: tuple[str, bytes], mode: int = 0) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, data)
    return target.getvalue()


def tarred(*entries: tuple[str, bytes], kind: bytes = tarfile.REGTYPE) -> bytes:
    target = io.BytesIO()
    with tarfile.open(
        fileobj=target, mode="w", format=tarfile.GNU_FORMAT, encoding="latin-1"
    ) as archive:
        for name, data in entries:
            info = tarfile.TarInfo(name)
            info.size, info.type, info.linkname = len(data), kind, "/etc/passwd"
            archive.addfile(info, io.BytesIO(data))
    return target.getvalue()


def refused(tmp_path: Path, data: bytes, message: str, *, glob: str = "", most: int = 10) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    with pytest.raises(SourceUnreadable, match=exactly(message)):
        unpack(
            path, tmp_path / "in", name="x", reading=Reading(members=glob), caps=Caps(members=most)
        )
    assert not (tmp_path / "in").exists() or list((tmp_path / "in").iterdir()) == []


@pytest.mark.parametrize("name", ESCAPES)
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_member_that_leads_out_of_the_archive_is_refused(
    tmp_path: Path, pack: Callable[..., bytes], name: str
) -> None:
    data = pack((name, b"a\n"), ("ok.csv", b"a\n"))
    message = f"x has a member {name!r} that leads out of the archive{OUT}"
    refused(tmp_path, data, message)
    refused(tmp_path, data, message, glob="*.csv")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    message = f"x has a member 'a.csv' that is a link or a device{OUT}"
    refused(tmp_path, tarred(("a.csv", b""), kind=kind), message)
    refused(tmp_path, zipped(("a.csv", b"/etc/passwd"), mode=0o120777), message)


@pytest.mark.parametrize(
    ("offset", "value", "flaw"),
    [
        (8, 1, "is encrypted"),
        (10, 9, "is compressed by method 9 (known are stored, deflate, bzip2, lzma)"),
    ],
)
def test_zip_members_that_cannot_be_read_are_refused(
    tmp_path: Path, offset: int, value: int, flaw: str
) -> None:
    data = bytearray(zipped(("a.csv", b"a\n")))
    for magic, shift in ((b"PK\x03\x04", -2), (b"PK\x01\x02", 0)):
        struct.pack_into("<H", data, data.index(magic) + offset + shift, value)
    refused(tmp_path, bytes(data), f"x has a member 'a.csv' that {flaw}{OUT}")


def test_names_that_are_no_text_are_refused(tmp_path: Path) -> None:
    flaw = f"that has a name that is no text{OUT}"
    refused(tmp_path, tarred(("\xe9.csv", b"")), f"x has a member '\\udce9.csv' {flaw}")
    refused(tmp_path, zipped(("a\nb.csv", b"")), f"x has a member 'a\\nb.csv' {flaw}")


def test_what_is_taken_must_be_said_of_several(tmp_path: Path) -> None:
    data = zipped(*((f"{name}.csv", b"") for name in "abcd"))
    several = "x has 4 members, 'a.csv', 'b.csv', 'c.csv' …: say which, as in members = \"*.csv\""
    refused(tmp_path, data, several)
    none = "x has no member that members = \"*.txt\" fits: it has 'a.csv', 'b.csv', 'c.csv' …"
    refused(tmp_path, data, none, glob="*.txt")
    most = (
        'x has more than 3 members to take: take fewer, as in members = "*.csv", or land it in'
        " parts"
    )
    refused(tmp_path, data, most, glob="*", most=3)
    empty = "x is an archive without files: look at what its source sends"
    refused(tmp_path, zipped(), empty)
    refused(tmp_path, zipped(("d/", b""), (".DS_Store", b"")), empty)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    message = "x has two members 'a.csv': have it packed again with one of them"
    for pack in (zipped, tarred):
        refused(tmp_path, pack(("a.csv", b"1"), ("a.csv", b"2")), message, glob="*")


def damaged(kind: str, reason: str) -> str:
    return f"x is a damaged or truncated {kind} archive ({reason}): fetch it again"


def test_a_zip_that_is_cut_off_or_rotten_is_refused(tmp_path: Path) -> None:
    data = zipped(("a.csv", b"a,b\n1,2\n"))
    refused(tmp_path, data[:-30], damaged("zip", "File is not a zip file"))
    rotten = data.replace(b"1,2", b"1,3", 1)
    refused(tmp_path, rotten, damaged("zip", "Bad CRC-32 for file 'a.csv'"))
    refused(tmp_path, data + data, damaged("zip", "bytes before its first member"))


def test_a_tar_that_is_cut_off_or_rotten_is_refused(tmp_path: Path) -> None:
    data = tarred(("a.csv", b"a\n" * 400), ("b.csv", b"b\n"))
    refused(tmp_path, data[:1536], damaged("tar", "no end after its last member"))
    refused(tmp_path, data[:1024], damaged("tar", "unexpected end of data"), glob="a*")
    rotten = data[:1600] + b"\xff" + data[1601:]
    refused(tmp_path, rotten, damaged("tar", "no end after its last member"))
    refused(tmp_path, data + data, damaged("tar", "more behind its end"), glob="*")


def test_a_tar_header_that_asks_for_too_much_memory_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 17 << 20
    data = info.tobuf() + bytes(1024)
    refused(tmp_path, data, damaged("tar", "a header of 17825792 bytes"))
