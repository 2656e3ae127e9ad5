"""Parquet files that are damaged, lie, or hold what cannot be kept: one line each, no hang."""

import base64
import struct
import zlib
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest

from lake.errors import SourceUnreadable
from lake.lake import Lake
from lake.parquet.inspect import inspect_parquet
from storage_backends import extensions
from tests.faults.refusal import exactly, refuses

MICROSECONDS = [0, 1_704_067_200_123_456, -62_135_596_800_000_000, 253_402_300_799_000_000]


def write(folder: Path, columns: dict[str, Any], **options: Any) -> Path:
    path = folder / "x.parquet"
    pq.write_table(pa.table(columns), path, **options)
    return path


def nested(levels: int, *, lists: bool) -> pa.Array:
    array = pa.array([1])
    for _ in range(levels):
        array = (
            pa.ListArray.from_arrays([0, 1], array)
            if lists
            else pa.StructArray.from_arrays([array], ["a"])
        )
    return array


def fields(*names: str) -> pa.Array:
    return pa.StructArray.from_arrays([pa.array([1])] * len(names), list(names))


def nanoseconds(*values: int) -> pa.Array:
    return pa.array(values, pa.timestamp("ns"))


OLD = {"use_deprecated_int96_timestamps": True}
TIMES = (
    "x.parquet has a column {} of INT96 times with fractions of a microsecond in 2 of 3 rows, which"
    " would be lost: write it as 64-bit nanoseconds where it is made"
)
DIGITS = "of 76 decimal digits, at most 38 can be read: cast it where it is made"
MOMENTS = nanoseconds(1_704_067_200_000_000_001, -1, 1000)


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        (
            {"d": pa.array([Decimal(1)], pa.decimal256(76, 2))},
            {},
            f"x.parquet has a column 'd' {DIGITS}",
        ),
        (
            {"l": pa.array([[Decimal(1)]], pa.list_(pa.decimal256(76, 2)))},
            {},
            f"x.parquet has a column 'element' {DIGITS}",
        ),
        ({"t": MOMENTS}, OLD, TIMES.format("'t'")),
        (
            {"s": pa.StructArray.from_arrays([MOMENTS], ["at"])},
            OLD,
            TIMES.format("'s.at'"),
        ),
        (
            {},
            {},
            "x.parquet is a damaged Parquet: its footer cannot be read (Invalid Input Error: Failed"
            " to read Parquet file 'x.parquet': Need at least one non-root column in the file);"
            " fetch it again",
        ),
        (
            {"s": fields("a", "b", "a")},
            {},
            "x.parquet has two fields 'a' and 'a' in 's', which are one name: rename one where it"
            " is made",
        ),
        (
            {"s": fields("fee", "Fee")},
            {},
            "x.parquet has two fields 'fee' and 'Fee' in 's', which are one name: rename one where"
            " it is made",
        ),
        (
            {"a\0b": pa.array([1])},
            {},
            "x.parquet has no name for column 1 of 1: name it where it is made",
        ),
        (
            {"s": fields("a\0b")},
            {},
            "x.parquet has a field 'a\\x00b' in 's' that cannot be named: rename it where it is"
            " made",
        ),
        (
            {"n" * 1_000_000: pa.array([1])},
            {},
            f"x.parquet has a column '{'n' * 40}…' of 1000000 characters, at most 5000 can be: name"
            " it where it is made",
        ),
        (
            {"n": nested(100, lists=True)},
            {},
            "x.parquet has a column 'n' of more than 16 lists in each other: flatten it where it is"
            " made",
        ),
        (
            {"n": nested(800, lists=False)},
            {},
            "x.parquet has a column 'n' of more than 400 levels: flatten it where it is made",
        ),
    ],
)
def test_what_cannot_be_kept_exactly_is_refused(
    tmp_path: Path, columns: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    path = write(tmp_path, columns, **options)
    with pytest.raises(SourceUnreadable, match=exactly(message)):
        inspect_parquet(path, name="x.parquet")


def test_old_times_of_whole_microseconds_land_and_read_right(lk: Lake, tmp_path: Path) -> None:
    path = write(tmp_path, {"t": pa.array([*MICROSECONDS, None], pa.timestamp("us"))}, **OLD)
    assert lk.land(path, dataset="raw.x").rows == 5
    assert lk.sql("SELECT epoch_us(t) FROM raw.x WHERE t IS NOT NULL ORDER BY t").fetchall() == [
        (value,) for value in sorted(MICROSECONDS)
    ]


@pytest.mark.parametrize(("levels", "lists"), [(16, True), (100, False)])
def test_deep_columns_land(lk: Lake, tmp_path: Path, levels: int, lists: bool) -> None:
    path = write(tmp_path, {"n": nested(levels, lists=lists)})
    assert lk.land(path, dataset="raw.x").outcome == "landed"
    assert lk.sql("SELECT n IS NOT NULL FROM raw.x").fetchall() == [(True,)]


class Kms(pe.KmsClient):  # type: ignore[misc]
    def __init__(self, config: Any) -> None:
        super().__init__()

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> bytes:
        return base64.b64encode(key_bytes)

    def unwrap_key(self, wrapped_key: str, master_key_identifier: str) -> bytes:
        return base64.b64decode(wrapped_key)


@pytest.mark.parametrize("plaintext_footer", [True, False])
def test_an_encrypted_parquet_is_named_as_one(tmp_path: Path, plaintext_footer: bool) -> None:
    path = tmp_path / "x.parquet"
    config = pe.EncryptionConfiguration(
        footer_key="f", column_keys={"c": ["b"]}, plaintext_footer=plaintext_footer
    )
    properties = pe.CryptoFactory(Kms).file_encryption_properties(pe.KmsConnectionConfig(), config)
    rows = pa.table({"a": [1, 2], "b": [3, 4]})
    with pq.ParquetWriter(path, rows.schema, encryption_properties=properties) as writer:
        writer.write_table(rows)
    message = "x.parquet is an encrypted Parquet: decrypt it first"
    with pytest.raises(SourceUnreadable, match=exactly(message)):
        inspect_parquet(path, name="x.parquet")
    with duckdb.connect() as connection:
        extensions.load(connection, "httpfs", extra="s3")  # it knows more ciphers
        with pytest.raises(SourceUnreadable, match=exactly(message)):
            inspect_parquet(path, name="x.parquet", connection=connection)


def test_a_page_that_was_changed_is_found_by_its_checksum(lk: Lake, tmp_path: Path) -> None:
    columns = {"a": pa.array(range(5_000)), "t": pa.array([f"text {n}" for n in range(5_000)])}
    options = {"write_page_checksum": True, "row_group_size": 1_000, "compression": "zstd"}
    path = write(tmp_path, columns, **options)
    good = path.read_bytes()
    assert inspect_parquet(path, name="x").rows == 5_000
    column = pq.ParquetFile(path).metadata.row_group(3).column(1)
    end = column.dictionary_page_offset + column.total_compressed_size
    path.write_bytes(good[: end - 9] + bytes([good[end - 9] ^ 4]) + good[end - 8 :])
    message = (
        "x.parquet is a damaged Parquet: page 2 of column 't' does not have the checksum that it"
        " names; fetch it again"
    )
    refuses(lk, lambda: lk.land(path, dataset="raw.x"), SourceUnreadable, message)


def test_every_flipped_bit_of_pages_with_checksums_is_found(tmp_path: Path) -> None:
    columns = {"a": pa.array(range(40)), "t": pa.array(["x", None] * 20)}
    path = write(tmp_path, columns, write_page_checksum=True, write_statistics=False)
    good = path.read_bytes()
    found = inspect_parquet(path, name="x")
    end = len(good) - 8 - int.from_bytes(good[-8:-4], "little")
    for at in range(4, end):
        path.write_bytes(good[:at] + bytes([good[at] ^ 16]) + good[at + 1 :])
        try:
            # Of a header, some bits say nothing that is read.
            assert inspect_parquet(path, name="x") == found
            pq.read_table(path)
        except (SourceUnreadable, pa.ArrowException, OSError):
            continue
        assert pq.read_table(path).equals(pa.table(columns))


def patched(path: Path, old: bytes, new: bytes) -> bytes:
    data = path.read_bytes()
    assert data.count(old) >= 1
    body = data[:-8].replace(old, new)
    footer = int.from_bytes(data[-8:-4], "little") + len(body) - len(data) + 8
    return body + struct.pack("<I", footer) + b"PAR1"


def zigzag(number: int) -> bytes:
    """Write a number as a footer does."""
    value, out = number << 1 ^ number >> 63, bytearray()
    value &= 2**64 - 1
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (
            "rows everywhere",
            "its footer claims a column's place, size or number of values that cannot be",
        ),
        ("rows in the footer", "1152921504606846976 rows in its footer, 123457 in its row groups"),
        (
            "a place before the file",
            "its footer claims a column's place, size or number of values that cannot be",
        ),
    ],
)
def test_a_footer_that_lies_is_refused(lk: Lake, tmp_path: Path, what: str, message: str) -> None:
    path = write(tmp_path, {"a": pa.array([7] * 123_457)}, use_dictionary=False, compression="zstd")
    column = pq.ParquetFile(path).metadata.row_group(0).column(0)
    place = b"\x26" + zigzag(column.data_page_offset)
    rows = zigzag(123_457)
    if what == "rows everywhere":
        data = patched(path, rows, zigzag(2**60))
    elif what == "rows in the footer":
        # The first of the footer's three is its own.
        raw = path.read_bytes()
        at = raw.index(b"\x16" + rows, len(raw) - 8 - int.from_bytes(raw[-8:-4], "little"))
        body = raw[: at + 1] + zigzag(2**60) + raw[at + 1 + len(rows) : -8]
        length = int.from_bytes(raw[-8:-4], "little") + len(body) - len(raw) + 8
        data = body + struct.pack("<I", length) + b"PAR1"
    else:
        data = patched(path, place, b"\x26" + zigzag(-4_000_000_000))
    path.write_bytes(data)
    message = f"x.parquet is a damaged Parquet: {message}; fetch it again"
    refuses(lk, lambda: lk.land(path, dataset="raw.x"), SourceUnreadable, message)


def test_garbage_behind_the_magic_never_gets_through(tmp_path: Path) -> None:
    path = write(tmp_path, {"a": pa.array(range(50)), "t": pa.array(["x"] * 50)})
    good = path.read_bytes()
    footer = int.from_bytes(good[-8:-4], "little")
    for seed in range(60):
        noise = zlib.crc32(bytes([seed])).to_bytes(4, "little")
        at = len(good) - 8 - footer + noise[0] * footer // 256
        path.write_bytes(good[:at] + noise + good[at + 4 :])
        said = ""
        try:
            inspect_parquet(path, name="x.parquet")
        except SourceUnreadable as error:
            said = str(error)
        assert "\n" not in said
        assert str(tmp_path) not in said


def test_a_text_that_is_no_text_is_an_error_and_no_answer(tmp_path: Path) -> None:
    path = write(tmp_path, {"t": ["ab\u00e9c"] * 10}, use_dictionary=False)
    path.write_bytes(path.read_bytes().replace("\u00e9".encode(), b"\xff\xfe"))
    assert inspect_parquet(path, name="x").rows == 10


def test_no_rows_land_as_none(lk: Lake, tmp_path: Path) -> None:
    path = write(tmp_path, {"a": pa.array([], pa.timestamp("us"))}, **OLD)
    assert (lk.land(path, dataset="raw.x").rows, lk.sql("FROM raw.x").fetchall()) == (0, [])
