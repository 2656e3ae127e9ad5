"""One fetched file, made ready: recognised, converted if it is no Parquet, inspected, uploaded."""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lake import layout
from lake.catalog.entries import Bounds, File, schema_id
from lake.errors import VersionConflict
from lake.landing.csv_convert import convert_csv
from lake.landing.inspect import Inspected, check_partition_column, inspect_parquet
from lake.landing.order import Order
from lake.landing.recognise import recognise
from lake.landing.stage import Attempt, sha256_of
from lake.sources.copy import Fetched


@dataclass(frozen=True, slots=True)
class Part:
    """What one fetched file became."""

    files: tuple[File, ...]
    inspected: Inspected
    rejected: int = 0
    first_reject: str = ""
    flaw: str = ""


def make(attempt: Attempt, order: Order, one: Fetched, folder: str, number: int) -> Part:
    """Make what was fetched files of a version, in its folder.

    Raises:
        SourceUnreadable: it is not what it claims to be.
        StoreUnavailable: it could not be converted here. Safe to retry.
    """
    prefix = f"{number}-" if len(order.urls) > 1 else ""
    kind = recognise(one.path, name=one.name)
    original = folder + prefix + layout.original(one.name, is_parquet=kind == "parquet")
    if kind == "parquet":
        with _uploading(attempt, one.path, original):
            inspected = (attempt.inspect or inspect_parquet)(one.path, name=one.name)
        return Part(
            (_data_file(original, one.bytes, one.sha256, inspected),),
            inspected,
            flaw=_disagreement(order, one.path, inspected),
        )
    return _converted(attempt, order, one, folder + prefix, original)


def _converted(attempt: Attempt, order: Order, one: Fetched, folder: str, original: str) -> Part:
    # Not .parquet: who globs over the whole lake must not meet it before it is uploaded.
    out, rejects = one.path.with_suffix(".rows"), one.path.with_suffix(".rejects")
    done = (attempt.convert or convert_csv)(one.path, out, name=one.name, rejects=rejects)
    with _uploading(attempt, one.path, original if order.keep_original else ""):
        inspected = (attempt.inspect or inspect_parquet)(out, name=one.name)
        data = _data_file(f"{folder}data.parquet", out.stat().st_size, sha256_of(out), inspected)
        _upload(attempt, out, data.key)
    files = [data]
    if order.keep_original:
        files.append(File(original, one.bytes, one.sha256, role="original"))
    if done.rejected:
        _upload(attempt, rejects, f"{folder}{layout.REJECTED}")
    flaw = _disagreement(order, out, inspected)
    return Part(tuple(files), inspected, done.rejected, done.first_reject, flaw)


@contextmanager
def _uploading(attempt: Attempt, path: Path, key: str) -> Iterator[None]:
    """Upload a file beside what is done meanwhile; an empty key: there is none to upload."""
    if attempt.log.parallel == 1 or not key:
        yield
        if key:
            _upload(attempt, path, key)
        return
    with ThreadPoolExecutor(1) as pool:
        uploaded = pool.submit(_upload, attempt, path, key)
        yield
        uploaded.result()


def too_many(order: Order, parts: list[Part]) -> str:
    """Say why a version with so many rejected rows is held; nothing if it is not."""
    rejected = sum(part.rejected for part in parts)
    if rejected <= order.max_rejects:
        return ""
    first = next(part.first_reject for part in parts if part.rejected)
    rows = "row" if rejected == 1 else "rows"
    return (
        f"{rejected} {rows} could not be read (at most {order.max_rejects} may be rejected), the"
        f" first: {first}; mend the source, or allow them with max_rejects"
    )


def _disagreement(order: Order, path: Path, inspected: Inspected) -> str:
    """Say where a column of a partition key's name differs from the partition's value."""
    for key, value in layout.partition_values(order.partition).items():
        for column in inspected.schema:
            if column.name.strip().lower() == key.lower():
                sentence = check_partition_column(path, column.name, value)
                if sentence:
                    return sentence
    return ""


def _data_file(key: str, byte_count: int, sha256: str, inspected: Inspected) -> File:
    bounds: dict[str, Bounds] = inspected.bounds
    return File(key, byte_count, sha256, inspected.rows, schema_id(inspected.schema), bounds)


def _upload(attempt: Attempt, path: Path, key: str) -> None:
    """Upload a file; one that is there already must hold these very bytes."""
    try:
        attempt.log.store.upload(path, key)
    except FileExistsError:
        with tempfile.TemporaryDirectory(prefix="clearlake-") as scratch:
            there = Path(scratch) / "there"
            attempt.log.store.download(key, there)
            if sha256_of(there) != sha256_of(path):
                raise VersionConflict(f"{key} is there with other bytes: run it again") from None
