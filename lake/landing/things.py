"""A version of objects: each lands as it is, with a Parquet that lists them all."""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from lake import layout
from lake.catalog.entries import File, Role
from lake.config.types import Reading
from lake.convert.objects.describe import Row, Thing, index
from lake.convert.tables import Table
from lake.convert.unpack.archive import archive_kind, members
from lake.convert.unpack.compression import compression_of, peel
from lake.convert.unpack.spool import CAPS, Spool
from lake.landing.order import Order
from lake.landing.part import Part, data_file, inspect_table, upload
from lake.landing.stage import Attempt, sha256_of
from lake.sources.copy import Fetched

_HEAD_BYTES = 512
_PARALLEL = 4


def make_objects(
    attempt: Attempt, order: Order, fetched: Sequence[Fetched], folder: str, scratch: Path
) -> Part:
    """Store what was fetched, and the index of it, in the folder of a version.

    An archive that the source itself names is opened: what it holds are the objects, and it is kept
    beside them.

    Raises:
        SourceUnreadable: an archive is damaged, or larger than it may be.
        InvalidName: two objects have one name.
        MissingExtra: the libraries that look at objects are not installed.
    """
    inside = list(_inside(fetched[0], scratch, order.reading)) if _is_named(order) else []
    things = inside or [Thing(one.path, one.name, one.bytes, one.sha256) for one in fetched]
    out = scratch / "index.rows"
    rows = index(things, out, folder=folder)
    files = _uploaded(attempt, rows, "object" if inside else "original")
    if inside and order.reading.keep_original:
        files += [_archive(attempt, fetched[0], folder)]
    table = Table(out, order.name)
    inspected = inspect_table(attempt, table)
    upload(attempt, out, f"{folder}data.parquet")
    made = Fetched(out, "data.parquet", out.stat().st_size, sha256_of(out), "")
    data = data_file(order, f"{folder}data.parquet", made, inspected)
    return Part((data, *files), (inspected,))


def _is_named(order: Order) -> bool:
    return order.reading.format == "objects" and not order.names and len(order.urls) == 1


def _uploaded(attempt: Attempt, rows: Sequence[Row], role: Role) -> list[File]:
    if attempt.log.parallel == 1:
        return [_stored(attempt, role, row) for row in rows]
    with ThreadPoolExecutor(_PARALLEL) as pool:
        return list(pool.map(partial(_stored, attempt, role), rows))


def _stored(attempt: Attempt, role: Role, row: Row) -> File:
    upload(attempt, row.thing.path, row.key)
    return File(row.key, row.thing.bytes, row.thing.sha256, role=role)


def _archive(attempt: Attempt, one: Fetched, folder: str) -> File:
    key = f"{folder}_archive/{layout.original(one.name, is_parquet=False)}"
    upload(attempt, one.path, key)
    return File(key, one.bytes, one.sha256, role="original")


def _inside(one: Fetched, scratch: Path, reading: Reading) -> Iterator[Thing]:
    """Give what is in an archive; nothing if it is none."""
    spool = Spool(scratch / "members", CAPS)
    path = one.path
    head = _head(path)
    if compression := compression_of(head):
        chunks = peel(path, compression, name=one.name)
        path = spool.write(chunks, name=one.name, packed=one.bytes)
        head = _head(path)
    kind = archive_kind(path, head)
    if kind is None:
        return
    glob = reading.members or "*"
    for member, name in members(path, kind, spool, name=one.name, glob=glob):
        with member.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        yield Thing(member, name.removeprefix(f"{one.name}/"), member.stat().st_size, sha256)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)
