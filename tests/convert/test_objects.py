"""Objects that are no tables: what they are, and the index of them."""

import hashlib
import json
import os
import re
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import duckdb
import pytest
from PIL import Image
from pypdf import PdfWriter

from lake import layout
from lake.convert.objects.describe import (
    Described,
    Describer,
    Thing,
    describe,
    index,
    object_keys,
    write_index,
)
from lake.convert.objects.measure import UNMEASURED, Measured, Measurer
from lake.errors import InvalidName, MissingExtra
from lake.query.sql import literal


def png(width: int = 33, height: int = 17) -> bytes:
    out = BytesIO()
    Image.new("RGB", (width, height)).save(out, format="PNG")
    return out.getvalue()


def png_header(width: int, height: int) -> bytes:
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n\0\0\0\x0d" + head + struct.pack(">I", zlib.crc32(head))


def pdf(pages: int, password: str = "") -> bytes:
    writer, out = PdfWriter(), BytesIO()
    for _ in range(pages):
        writer.add_blank_page(100, 100)
    if password:
        writer.encrypt(password)
    writer.write(out)
    return out.getvalue()


def pdf_of(body: bytes) -> bytes:
    """Return a PDF with one compressed object stream, whose cross-references lie in `body`."""
    start = b"%PDF-1.5\n"
    stream = (
        b"1 0 obj\n<</Type/XRef/Size 9/W[1 2 1]/Root 2 0 R/Filter/FlateDecode/Length %d>>\nstream\n"
        % len(body)
    )
    return start + stream + body + b"\nendstream\nendobj\nstartxref\n9\n%%EOF\n"


def zip_of(*names: str, first: str = "") -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        if first:
            archive.writestr("mimetype", first)
        for name in names:
            archive.writestr(name, "x")
    return out.getvalue()


def what(tmp_path: Path, data: bytes, name: str = "x") -> Described:
    path = tmp_path / "thing"
    path.write_bytes(data)
    return describe(path, name=name)


@pytest.mark.parametrize(
    ("form", "media"),
    [
        ("PNG", "image/png"),
        ("JPEG", "image/jpeg"),
        ("GIF", "image/gif"),
        ("WEBP", "image/webp"),
        ("TIFF", "image/tiff"),
        ("BMP", "image/bmp"),
        ("JPEG2000", "image/jp2"),
        ("AVIF", "image/avif"),
    ],
)
def test_an_image_has_a_width_and_a_height(tmp_path: Path, form: str, media: str) -> None:
    path = tmp_path / "x.txt"
    Image.new("RGB", (33, 17)).save(path, format=form)
    assert describe(path, name="x.txt") == Described(media, width=33, height=17)


def test_a_pdf_has_pages(tmp_path: Path) -> None:
    assert what(tmp_path, pdf(3)) == Described("application/pdf", pages=3)


@pytest.mark.parametrize(
    ("text", "media", "characters"),
    [
        ("héllo wörld, and\nmore\n", "text/plain", 22),
        ("\ufeffa,b,c\n1,2,3\n", "text/csv", 12),
        ("a;b\n1;2\n3;4\n", "text/csv", 12),
        ("One, two.\nThree, four.\n", "text/plain", 23),
        ("a\tb\tc\n1\t2\t3\n", "text/tab-separated-values", 12),
        ('{"a": 1}', "application/json", 8),
        ('{"a": 1}\n{"a": 2}\n', "application/x-ndjson", 18),
        ("[" * 60_000, "text/plain", 60_000),
        ("[" + "1, " * 40_000 + "1]", "application/json", 120_003),
        ("[brackets] in a note", "text/plain", 20),
        ("<!-- x --><!DOCTYPE html><p>", "text/html", 28),
        ('<?xml version="1.0"?>\n<a/>', "application/xml", 26),
        ('<?xml version="1.0"?><svg width="9"/>', "image/svg+xml", 37),
        ("ü" * 100_000, "text/plain", 100_000),
    ],
)
def test_text_has_characters(tmp_path: Path, text: str, media: str, characters: int) -> None:
    assert what(tmp_path, text.encode()) == Described(media, characters=characters)


@pytest.mark.parametrize(
    ("data", "media"),
    [
        (b"", "application/x-empty"),
        (b"\0" * 100, "application/octet-stream"),
        ("é à".encode("latin-1"), "application/octet-stream"),
        ("a,b,c\n1,2,3\n".encode("utf-16"), "text/csv"),
        (b"x" * 99_999 + b"\xff", "text/plain"),
        (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
        (b"ID3\3\0", "audio/mpeg"),
        (b"\xff\xfb\x90\x64", "audio/mpeg"),
        (b"\0\0\0\x18ftypisom", "video/mp4"),
        (b"wOFF\0\1\0\0", "application/font-woff"),
        (zip_of("a"), "application/zip"),
        (zip_of("[Content_Types].xml", "xl/workbook.xml"), "application/vnd.openxmlformats-"
         "officedocument.spreadsheetml.sheet"),
        (zip_of("a", first="application/epub+zip"), "application/epub+zip"),
    ],
)  # fmt: skip
def test_everything_has_a_media_type(tmp_path: Path, data: bytes, media: str) -> None:
    assert what(tmp_path, data, name="x.png") == Described(media)


@pytest.mark.parametrize(
    ("data", "media"),
    [
        (png()[:20], "image/png"),
        (png_header(100_000, 100_000), "image/png"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 50, "image/jpeg"),
        (b"II*\0\xff\xff\xff\xff" * 9, "image/tiff"),
        (b"BM" + b"\0" * 40, "image/bmp"),
        (pdf(2, password="s3cret"), "application/pdf"),
        (pdf(2)[:100], "application/pdf"),
        (b"%PDF-1.7\n", "application/pdf"),
    ],
    ids=["cut", "bomb", "jpeg", "tiff", "bmp", "encrypted", "cut pdf", "no pdf"],
)
def test_what_is_broken_or_hostile_is_of_unknown_size_and_no_error(
    tmp_path: Path, data: bytes, media: str
) -> None:
    assert what(tmp_path, data) == Described(media)


def zeros(megabytes: int) -> bytes:
    """Return so many megabytes of zeros, compressed."""
    packer = zlib.compressobj()
    first = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    # After a full flush nothing hangs on what was before.
    other = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + other * (megabytes - 1)


MEASURE = """
import resource, sys
from pathlib import Path
from lake.convert.objects.describe import describe
print(describe(Path(sys.argv[1]), name="x"))
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
"""


def one_bomb(path: Path) -> None:
    path.write_bytes(pdf_of(zeros(900)))


def two_bombs(path: Path) -> None:
    path.write_bytes(pdf_of(zlib.compress(zeros(900))))


def hollow(path: Path) -> None:
    """A PDF without a table of contents, which is then searched for in all of its 900 MB."""
    path.write_bytes(b"%PDF-1.4\n")
    os.truncate(path, 900 << 20)
    with path.open("ab") as file:
        file.write(b"\nstartxref\n0\n%%EOF\n")


@pytest.mark.parametrize("make", [one_bomb, two_bombs, hollow])
def test_a_bomb_takes_little_memory_and_time(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "bomb")
    began = time.monotonic()
    command = [sys.executable, "-c", MEASURE, str(tmp_path / "bomb")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert time.monotonic() - began < 10
    assert done.stdout.strip() == str(Described("application/pdf"))
    # Linux counts in KiB, macOS in bytes.
    assert int(done.stderr) < (300 << 10) * (1024 if sys.platform == "darwin" else 1)


def test_a_truncated_image_of_which_the_header_is_whole_has_a_size(tmp_path: Path) -> None:
    assert what(tmp_path, png()[:60]) == Described("image/png", width=33, height=17)


def test_one_that_hangs_is_given_up_and_the_next_is_measured(tmp_path: Path) -> None:
    # Whoever opens a pipe into which nobody writes waits for ever.
    os.mkfifo(tmp_path / "hangs")
    (tmp_path / "good").write_bytes(png())
    began = time.monotonic()
    with Measurer(answer_s=0.5) as measurer:
        assert measurer.measure(tmp_path / "hangs", "image/png") == UNMEASURED
        assert measurer.measure(tmp_path / "good", "image/png") == Measured(33, 17)
    assert time.monotonic() - began < 5


def test_many_are_measured_by_one_process(tmp_path: Path) -> None:
    (tmp_path / "good").write_bytes(png())
    with Measurer() as measurer:
        pids = set()
        for _ in range(3):
            assert measurer.measure(tmp_path / "good", "image/png") == Measured(33, 17)
            pids.add(measurer.pid)
        assert len(pids) == 1
        assert measurer.measure(tmp_path / "not there", "image/png") == UNMEASURED
        assert measurer.measure(tmp_path / "good", "text/plain") == UNMEASURED
    assert measurer.pid is None


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    said = (
        "objects cannot be told apart: pillow is not installed; run pip install"
        " 'clearlake[objects]'"
    )
    with pytest.raises(MissingExtra, match=f"^{re.escape(said)}$"):
        Describer()


def things(folder: Path, **contents: bytes) -> list[Thing]:
    made = []
    for name, data in contents.items():
        path = folder / hashlib.sha256(name.encode()).hexdigest()
        path.write_bytes(data)
        made.append(Thing(path, name, len(data), hashlib.sha256(data).hexdigest()))
    return made


def test_an_index_has_a_row_for_each_object(tmp_path: Path) -> None:
    made = things(tmp_path, **{"b/x.png": png(), "a.txt": b"hi\n", "c.pdf": pdf(2), "_x": b"\0"})
    rows = index(made, tmp_path / "index", folder="raw/x/version=1/")
    found = duckdb.sql(f"SELECT * FROM read_parquet({literal(str(tmp_path / 'index'))})")
    assert dict(zip(found.columns, map(str, found.types), strict=True)) == {
        **dict.fromkeys(("name",), "VARCHAR"),
        "bytes": "BIGINT",
        **dict.fromkeys(("sha256", "media_type", "key"), "VARCHAR"),
        **dict.fromkeys(("width", "height", "pages"), "INTEGER"),
        "characters": "BIGINT",
    }
    folder, hashes = "raw/x/version=1/", {one.name: one.sha256 for one in made}
    apart = f"x{hashlib.sha256(b'_x').hexdigest()[:24]}-_x"
    assert found.fetchall() == [
        ("_x", 1, hashes["_x"], "application/octet-stream", folder + apart, *[None] * 4),
        ("a.txt", 3, hashes["a.txt"], "text/plain", f"{folder}a.txt", None, None, None, 3),
        (
            *("b/x.png", len(png()), hashes["b/x.png"], "image/png", f"{folder}b/x.png"),
            *(33, 17, None, None),
        ),
        (
            *("c.pdf", len(pdf(2)), hashes["c.pdf"], "application/pdf", f"{folder}c.pdf"),
            *(None, None, 2, None),
        ),
    ]
    assert [row.key for row in rows] == [row[4] for row in found.fetchall()]


def test_the_same_objects_in_any_order_give_the_same_bytes(tmp_path: Path) -> None:
    made = things(tmp_path, **{f"{n}.txt": b"%d" % n for n in range(20)})
    rows = index(made[::-1], tmp_path / "one", folder="f/")
    write_index(rows[::-1], tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_an_index_of_nothing_is_a_table(tmp_path: Path) -> None:
    index([], tmp_path / "index", folder="f/")
    found = duckdb.sql(f"SELECT count(*) FROM read_parquet({literal(str(tmp_path / 'index'))})")
    assert found.fetchall() == [(0,)]


HARD = [
    *(
        "a",
        "A",
        "a/b",
        "a/b/c",
        ".a",
        "x.a",
        "_a",
        "x_a",
        "a.parquet",
        "a.original",
        "",
        "/",
        "//a",
    ),
    *("..", "../a", "./a", "a//b", "a\nb", "a%b", "a%25b", "ü", "\udcff", "%FF", "\\", "a b", " "),
    *("y" * 300, "y" * 301, "d/" * 400 + "z", "d/" * 401 + "z", "x" + "0" * 24 + "-a", "data"),
    *("photo=1/version=2/x.png", "_receipt.json", "data.parquet"),
]


def test_keys_of_any_names_are_apart_and_lie_in_their_folder() -> None:
    keys = object_keys(HARD, folder="raw/x/version=1/")
    assert sorted(keys) == sorted(HARD)
    assert len(set(keys.values())) == len(HARD)
    for key in keys.values():
        segments = key.removeprefix("raw/x/version=1/").split("/")
        assert all(segments)
        assert all(len(segment) <= layout.SEGMENT_BYTES for segment in segments)
        assert not any(segment.startswith((".", "_")) for segment in segments)
        assert not key.lower().endswith(".parquet")
        assert key.isascii()
    files, folders = set(keys.values()), {k.rpartition("/")[0] for k in keys.values()}
    assert not files & folders


def test_a_key_is_the_same_whatever_else_is_there() -> None:
    assert layout.object_name("a/b c.png") == "a/b c.png"
    assert layout.object_name(".a") == layout.object_name(".a")
    assert json.dumps(layout.object_name("é.png")) == '"%C3%A9.png"'


def test_two_objects_of_one_name_are_refused() -> None:
    said = "two objects are called 'b': land them as two partitions, or rename one"
    with pytest.raises(InvalidName, match=f"^{re.escape(said)}$"):
        object_keys(["a", "b", "b"], folder="f/")
