import codecs
from pathlib import Path

import pytest

from lake.config.types import Reading
from lake.convert.encoding import as_utf8, known_encoding
from lake.errors import SourceUnreadable
from tests.faults.refusal import exactly

TEXT = "a,b\n1,ä€😀\n"
LONG = TEXT * 100_000


def read(tmp_path: Path, data: bytes, encoding: str = "") -> bytes:
    path = tmp_path / "x.csv"
    path.write_bytes(data)
    found = as_utf8(path, tmp_path / "in", name="x.csv", reading=Reading(encoding=encoding))
    return found.read_bytes()


@pytest.mark.parametrize("encoding", ["", "utf-8", "UTF8", "utf_8_sig"])
def test_utf_8_is_the_file_itself(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "x.csv"
    for mark in (b"", codecs.BOM_UTF8):
        path.write_bytes(mark + TEXT.encode())
        reading = Reading(encoding=encoding)
        assert as_utf8(path, tmp_path / "in", name="x", reading=reading) == path


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_a_byte_order_mark_says_the_encoding_and_is_not_kept(tmp_path: Path, encoding: str) -> None:
    data = ("\ufeff" + LONG).encode(encoding)
    for declared in ("", encoding, encoding[:6]):
        assert read(tmp_path, data, declared) == LONG.encode()
    assert read(tmp_path, data[2 if "16" in encoding else 4 :], encoding) == LONG.encode()


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("latin-1", "é,1\n"),
        ("cp1252", "€,„x“\n"),
        ("shift_jis", "名前,値\n"),
        ("gb18030", "名,€\n"),
        ("koi8-r", "имя\n"),
    ],
)
def test_a_declared_encoding_is_read(tmp_path: Path, encoding: str, text: str) -> None:
    # An odd byte in front, so that some character lies over the end of a chunk.
    text = "x" + text * 300_000
    assert read(tmp_path, text.encode(encoding), encoding) == text.encode()


@pytest.mark.parametrize(
    ("data", "encoding", "message"),
    [
        (
            b"a,b\n1,\x81\n",
            "cp1252",
            "x.csv is not cp1252: byte 0x81 at offset 6 is no character of it; declare the encoding"
            " that it is in",
        ),
        (
            b"a" * (1 << 20) + "値".encode("shift_jis") + b"\xff\n",
            "shift_jis",
            "x.csv is not shift_jis: byte 0xFF at offset 1048578 is no character of it; declare the"
            " encoding that it is in",
        ),
        (
            b"ab\xc3",
            "ascii",
            "x.csv is not ascii: byte 0xC3 at offset 2 is no character of it; declare the encoding"
            " that it is in",
        ),
        (
            codecs.BOM_UTF16_LE + "a,b\n".encode("utf-16-le") + b"x",
            "",
            "x.csv ends in the middle of a character of utf-16-le at offset 10: it is cut off;"
            " fetch it again",
        ),
        (
            codecs.BOM_UTF16_BE + "a\ud800b".encode("utf-16-be", "surrogatepass"),
            "",
            "x.csv has half of a character of utf-16-be at offset 4 (a lone surrogate): mend it"
            " where it is made",
        ),
        (
            codecs.BOM_UTF16_LE + "a\ud83d".encode("utf-16-le", "surrogatepass"),
            "",
            "x.csv has half of a character of utf-16-le at offset 4 (a lone surrogate): mend it"
            " where it is made",
        ),
        (
            codecs.BOM_UTF16_LE + "a".encode("utf-16-le"),
            "latin-1",
            "x.csv is declared to be in 'latin-1' and begins with the byte order mark of utf-16-le:"
            " take the declaration away, or mend the file",
        ),
        (
            codecs.BOM_UTF16_LE + "a".encode("utf-16-le"),
            "utf-16-be",
            "x.csv is declared to be in 'utf-16-be' and begins with the byte order mark of"
            " utf-16-le: take the declaration away, or mend the file",
        ),
        (
            codecs.BOM_UTF8 + b"a",
            "cp1252",
            "x.csv is declared to be in 'cp1252' and begins with the byte order mark of utf-8: take"
            " the declaration away, or mend the file",
        ),
        (
            "a".encode("utf-16-le"),
            "utf-16",
            "x.csv is declared to be in 'utf-16' and has no byte order mark: say the order, as in"
            ' encoding = "utf-16-le"',
        ),
        (
            b"a",
            "klingon",
            "x.csv is declared to be in 'klingon', an encoding that is not known: name it as Python"
            ' does, such as encoding = "cp1252"',
        ),
    ],
)
def test_a_byte_that_is_not_of_the_encoding_is_refused(
    tmp_path: Path, data: bytes, encoding: str, message: str
) -> None:
    with pytest.raises(SourceUnreadable, match=exactly(message)):
        read(tmp_path, data, encoding)


def test_only_encodings_of_text_in_files_are_known() -> None:
    assert all(map(known_encoding, ("latin-1", "cp1252", "UTF-16", "utf-8-sig", "shift_jis")))
    none = ("klingon", "hex", "rot13", "idna", "unicode_escape", "base64", "a\0b", "utf-7", "")
    assert not any(map(known_encoding, none))
