"""One fetched file, made ready: its tables inspected, and all of it uploaded."""

import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lake import layout
from lake.catalog.entries import File, schema_id
from lake.convert.tables import Table, join_rejects, tables
from lake.errors import VersionConflict
from lake.landing.order import Order
from lake.landing.profiling import ToProfile, put_profiles, to_profile
from lake.landing.stage import Attempt, sha256_of
from lake.objects import download
from lake.parquet.inspect import Inspected, check_partition_column, inspect_parquet
from lake.schema.join import spell
from lake.schema.reconcile import renaming
from lake.sources.copy import Fetched


@dataclass(frozen=True, slots=True)
class Part:
    """What one fetched file became.

    Attributes:
        inspected: what its tables hold, in the order of the data files among `files`.
        rejects: files of rejected rows, not uploaded yet.
        to_profile: its tables, unless the source wants no profile.
        blank_lines, comment_lines: of text; they are no rows.
    """

    files: tuple[File, ...]
    inspected: tuple[Inspected, ...]
    rejected: int = 0
    first_reject: str = ""
    rejects: tuple[Path, ...] = ()
    flaw: str = ""
    to_profile: tuple[ToProfile, ...] = ()
    blank_lines: int = 0
    comment_lines: int = 0


def make(attempt: Attempt, order: Order, one: Fetched, folder: str, number: int) -> Part:
    """Make what was fetched files of a version, in its folder.

    Raises:
        SourceUnreadable: it is not what it claims to be.
        StoreUnavailable: it could not be converted here. Safe to retry.
    """
    prefix = folder + (f"{number}-" if len(order.urls) > 1 else "")
    found = tables(one.path, name=one.name, reading=order.reading, convert=attempt.convert)
    own = found[0].is_source
    original = prefix + layout.original(one.name, is_parquet=own)
    with _uploading(attempt, one.path, original if own or order.reading.keep_original else ""):
        keys = [original] if own else [prefix + name for name in _names(len(found))]
        inspected = [inspect_table(attempt, table) for table in found]
        if own:
            files = [data_file(order, original, one, inspected[0])]
        else:
            rows = zip(found, inspected, keys, strict=True)
            files = [_upload_rows(attempt, order, *each) for each in rows]
    if order.reading.keep_original and not own:
        files.append(File(original, one.bytes, one.sha256, role="original"))
    flaws = [table.flaw for table in found]
    flaws += [_disagreement(order, t.path, i) for t, i in zip(found, inspected, strict=True)]
    return Part(
        tuple(files),
        tuple(inspected),
        sum(table.rejected for table in found),
        next((table.first_reject for table in found if table.first_reject), ""),
        tuple(path for table in found for path in table.rejects),
        next(filter(None, flaws), ""),
        _to_profile(attempt, order, found, inspected, keys),
        sum(table.blank_lines for table in found),
        sum(table.comment_lines for table in found),
    )


def _names(count: int) -> list[str]:
    return ["data.parquet"] if count == 1 else [f"data-{n}.parquet" for n in range(count)]


def _to_profile(
    attempt: Attempt,
    order: Order,
    found: Sequence[Table],
    inspected: Sequence[Inspected],
    keys: Sequence[str],
) -> tuple[ToProfile, ...]:
    """Return what pages may show of each table, unless the source wants none."""
    if not order.reading.profile:
        return ()
    return tuple(
        to_profile(attempt, table, known, key, personal_names(order, known))
        for table, known, key in zip(found, inspected, keys, strict=True)
    )


def inspect_table(attempt: Attempt, table: Table) -> Inspected:
    """Return what a table's Parquet holds."""
    return (attempt.inspect or inspect_parquet)(table.path, name=table.name)


def _upload_rows(
    attempt: Attempt, order: Order, table: Table, inspected: Inspected, key: str
) -> File:
    size, sha256 = table.path.stat().st_size, sha256_of(table.path)
    upload(attempt, table.path, key)
    made = Fetched(table.path, table.name, size, sha256, "")
    return data_file(order, key, made, inspected)


@contextmanager
def _uploading(attempt: Attempt, path: Path, key: str) -> Iterator[None]:
    """Upload a file beside what is done meanwhile; an empty key: there is none to upload."""
    if attempt.log.parallel == 1 or not key:
        yield
        if key:
            upload(attempt, path, key)
        return
    with ThreadPoolExecutor(1) as pool:
        uploaded = pool.submit(upload, attempt, path, key)
        yield
        uploaded.result()


def too_many(order: Order, parts: list[Part]) -> str:
    """Say why a version with so many rejected rows is held; nothing if it is not."""
    rejected = sum(part.rejected for part in parts)
    allowed = order.reading.max_rejects
    if rejected <= allowed:
        return ""
    first = next(part.first_reject for part in parts if part.rejected)
    were = "row was" if rejected == 1 else "rows were"
    return (
        f"{rejected} {were} rejected (at most {allowed} may be), the first: {first}; mend the"
        " source, or allow them with max_rejects"
    )


def upload_beside(attempt: Attempt, parts: list[Part], folder: str) -> None:
    """Upload what lies beside a version: the profiles and the rejected rows, an object each."""
    wanted = [one for part in parts for one in part.to_profile]
    if wanted:
        put_profiles(attempt, wanted, folder)
    found = [path for part in parts for path in part.rejects]
    if found:
        joined = join_rejects(found, found[0].with_suffix(".all"))
        upload(attempt, joined, folder + layout.REJECTED)


def _disagreement(order: Order, path: Path, inspected: Inspected) -> str:
    """Say where a column of a partition key's name differs from the partition's value."""
    for key, value in layout.partition_values(order.partition).items():
        for column in inspected.schema:
            if column.name.strip().lower() == key.lower():
                sentence = check_partition_column(path, column.name, value)
                if sentence and column.name in personal_names(order, inspected):
                    return f"column {column.name!r} disagrees with the partition's value {value!r}"
                if sentence:
                    return sentence
    return ""


def data_file(order: Order, key: str, one: Fetched, inspected: Inspected) -> File:
    """Return what the log keeps of a Parquet with rows; nothing of what is personal."""
    personal = personal_names(order, inspected)
    bounds = {name: found for name, found in inspected.bounds.items() if name not in personal}
    return File(key, one.bytes, one.sha256, inspected.rows, schema_id(inspected.schema), bounds)


def personal_names(order: Order, inspected: Inspected) -> frozenset[str]:
    """Return a file's columns that are declared to speak of people."""
    declared = order.reading.columns
    rename = renaming(declared)
    personal = {spell(name) for name, column in declared.items() if column.personal}
    return frozenset(c.name for c in inspected.schema if spell(rename(c.name)) in personal)


def upload(attempt: Attempt, path: Path, key: str) -> None:
    """Upload a file; one that is there already must hold these very bytes."""
    try:
        attempt.log.store.upload(path, key)
    except FileExistsError:
        with tempfile.TemporaryDirectory(prefix="clearlake-") as scratch:
            there = Path(scratch) / "there"
            download(attempt.log.store, key, there)
            if sha256_of(there) != sha256_of(path):
                raise VersionConflict(f"{key} is there with other bytes: run it again") from None
