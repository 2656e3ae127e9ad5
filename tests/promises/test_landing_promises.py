"""What is promised of landing: however a file is written, its rows are read, its bytes are kept."""

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import lake
from lake.errors import SourceUnreadable, VersionHeld
from lake.lake import Lake
from lake.operations.verify import verify
from tests.lakes import new_lake, rows

ROWS = [(1, "a", 0.5), (2, "é", -2.25), (3, "ü ö", 1000.0)]
COLUMNS = ("id", "name", "fare")


def text(delimiter: str, end: str = "\n") -> str:
    lines = [delimiter.join(COLUMNS), *(delimiter.join(map(str, row)) for row in ROWS)]
    return "".join(f"{line}{end}" for line in lines)


def table() -> pa.Table:
    return pa.Table.from_pylist(records())


def records() -> list[dict[str, Any]]:
    return [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]


def written(write: Callable[[io.BytesIO], object]) -> bytes:
    to = io.BytesIO()
    write(to)
    return to.getvalue()


def arrow(open_writer: Callable[..., Any]) -> bytes:
    def write(to: io.BytesIO) -> None:
        with open_writer(to, table().schema) as writer:
            writer.write_table(table())

    return written(write)


def workbook() -> bytes:
    book = openpyxl.Workbook()
    for row in (COLUMNS, *ROWS):
        book.worksheets[0].append(row)
    return written(book.save)


def fixed() -> str:
    return "".join(f"{number:<4}{name:<6}{fare:<8}\n" for number, name, fare in ROWS)


WIDTHS = {"widths": {"id": 4, "name": 6, "fare": 8}}
FORMATS: dict[str, tuple[bytes, dict[str, object]]] = {
    "comma": (text(",").encode(), {}),
    "tab": (text("\t").encode(), {}),
    "semicolon": (text(";").encode(), {}),
    "pipe": (text("|").encode(), {}),
    "crlf and bom": (text(",", "\r\n").encode("utf-8-sig"), {}),
    "utf-16": (text(",").encode("utf-16"), {}),
    "latin-1": (text(";").encode("latin-1"), {"encoding": "latin-1"}),
    "json lines": ("".join(f"{json.dumps(one)}\n" for one in records()).encode(), {}),
    "json array": (json.dumps(records(), indent=1, ensure_ascii=False).encode(), {}),
    "arrow file": (arrow(pa.ipc.new_file), {}),
    "arrow stream": (arrow(pa.ipc.new_stream), {}),
    "workbook": (workbook(), {}),
    "fixed width": (fixed().encode(), {"format": "fixed", **WIDTHS}),
    "parquet": (written(lambda to: pq.write_table(table(), to)), {}),
}


def zstd(data: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(data, asbytes=True))


def zipped(data: bytes) -> bytes:
    def write(to: io.BytesIO) -> None:
        with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("in/data", data)

    return written(write)


def tarred(data: bytes) -> bytes:
    def write(to: io.BytesIO) -> None:
        with tarfile.open(fileobj=to, mode="w") as archive:
            member = tarfile.TarInfo("in/data")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))

    return written(write)


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: data,
    "gzip": gzip.compress,
    "zstd": zstd,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zip": zipped,
    "tar": tarred,
    "tar.gz": lambda data: gzip.compress(tarred(data)),
}


@pytest.fixture
def lk(tmp_path: Path) -> Lake:
    return new_lake(tmp_path)


def given(lk: Lake, data: bytes) -> Path:
    # The name says nothing: what a file is, its bytes say.
    path = lk.config.root / "from the source.bin"
    path.write_bytes(data)
    return path


def back(lk: Lake, address: str) -> bytes:
    folder = lk.config.root / f"out-{len(list(lk.config.root.glob('out-*')))}"
    (path,) = lk.get(address, folder)
    assert path.name == "from the source.bin"
    return path.read_bytes()


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_one_table_and_comes_back_byte_for_byte(lk: Lake, name: str) -> None:
    data, read = FORMATS[name][0], {"profile": False, **FORMATS[name][1]}
    for number, pack in enumerate(PACKED.values(), start=1):
        sent = pack(data)
        landing = lk.land(given(lk, sent), dataset="raw.x", read=read)
        assert (landing.version, landing.rows, landing.rejected) == (number, 3, 0)
        assert rows(lk, "SELECT id, name, fare FROM raw.x ORDER BY id") == ROWS
        assert back(lk, "raw.x") == sent
    assert lk.land(given(lk, sent), dataset="raw.x", read=read).outcome == "unchanged"
    assert verify(lk).damage == ()


def test_files_of_every_format_are_read_as_one_table(lk: Lake) -> None:
    for name, (data, read) in FORMATS.items():
        lk.land(given(lk, data), dataset="raw.x", partition={"kind": name}, read=read)
    query = "SELECT id, name, sum(fare), count(*) FROM raw.x GROUP BY ALL ORDER BY id"
    count = len(FORMATS)
    assert rows(lk, query) == [(id_, name, fare * count, count) for id_, name, fare in ROWS]


def test_a_number_that_no_number_type_holds_exactly_stays_text(lk: Lake) -> None:
    lk.land(given(lk, b"a,b,c\n007,+1,01/02/03\n1e999,NA,1_000\n"), dataset="raw.x")
    assert rows(lk, "FROM raw.x") == [("007", "+1", "01/02/03"), ("1e999", "NA", "1_000")]


def test_an_empty_field_is_null_and_an_empty_text_is_not(lk: Lake) -> None:
    lk.land(given(lk, b'n,s\n1,\n2,""\n'), dataset="raw.x")
    assert rows(lk, "FROM raw.x ORDER BY n") == [(1, None), (2, "")]


def test_rows_of_the_source_are_rows_landed_and_rows_rejected(lk: Lake) -> None:
    data = b"a,b\n" + b"1,2\n" * 7 + b"3\n" + b"4,5,6\n"
    with pytest.raises(VersionHeld, match=r"^raw\.x is held: 2 rows were rejected \(at most 0 may"):
        lk.land(given(lk, data), dataset="raw.x")
    landing = lk.land(given(lk, data), dataset="raw.x", read={"max_rejects": 2})
    assert (landing.version, landing.rows, landing.rejected) == (2, 7, 2)
    assert rows(lk, "SELECT count(*) FROM raw.x__rejected") == [(2,)]
    assert back(lk, "raw.x") == back(lk, "raw.x@v1") == data


def test_what_cannot_be_read_logs_nothing(lk: Lake) -> None:
    whole = gzip.compress(b"id\n" + b"1\n" * 1000)
    with pytest.raises(SourceUnreadable, match=r"^from the source\.bin is .*gzip"):
        lk.land(given(lk, whole[:-4]), dataset="raw.x")
    assert (lk.commit, list(lk.log.store.list("raw/"))) == (0, [])


def test_objects_that_are_no_tables_are_an_index_that_is_joined_and_given_back(lk: Lake) -> None:
    scans = lk.config.root / "scans"
    (scans / "2024").mkdir(parents=True)
    for name in ("a", "2024/b"):
        (scans / f"{name}.txt").write_text(f"scan of {name}")
    lk.land(scans, dataset="raw.scans", read={"format": "objects"})
    lk.land([{"id": 7, "scan": "2024/b.txt"}], dataset="raw.items")
    query = "SELECT id, bytes, media_type FROM raw.items JOIN raw.scans ON name = scan"
    assert rows(lk, query) == [(7, 14, "text/plain")]
    (path,) = lk.get("raw.scans", lk.config.root / "out", only="2024/*")
    assert path.relative_to(lk.config.root / "out").as_posix() == "2024/b.txt"
    assert path.read_bytes() == b"scan of 2024/b"


def test_a_generator_that_raises_publishes_nothing(lk: Lake) -> None:
    @lake.source
    def numbers() -> Iterator[dict[str, int]]:
        yield {"n": 1}
        raise RuntimeError("the service is gone")

    said = r"^numbers failed at record 2: RuntimeError: the service is gone; nothing was published$"
    with pytest.raises(SourceUnreadable, match=said):
        lk.land(numbers)
    assert (lk.commit, list(lk.log.store.list("raw/"))) == (0, [])
