"""Staging: a source's bytes fetched, converted, inspected and uploaded; visible to nobody."""

import hashlib
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from lake import layout, objects
from lake.catalog.entries import File, Landed, Schema, schema_id
from lake.catalog.log import Log
from lake.catalog.state import Partition, State, Version
from lake.config.reading import reading_id, reading_values
from lake.config.types import Reading
from lake.errors import LakeError, SourceMissing, StoreUnavailable, VersionConflict, unavailable
from lake.landing.order import Order, Staged
from lake.landing.receipt import receipt
from lake.sources.copy import Fetched
from lake.sources.fetch import fetch
from lake.words import said_by

if TYPE_CHECKING:
    from lake.convert.converted import Converted
    from lake.landing.part import Part
    from lake.parquet.inspect import Inspected

# What Python makes of such bytes.
_NO_TEXT = re.compile("[\udc80-\udcff]")
Fetch = Callable[..., Fetched | None]
Inspect = Callable[..., "Inspected"]
Convert = Callable[..., "Converted"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to land: whose it is, and the tools that it works with.

    Attributes:
        commit_id: of the commit that will publish it; no other attempt has it.
        run: of the orchestrator, for the receipt.
        inspect: in place of `inspect_parquet`; `convert` of every format's converter.
        is_bulk: many files land at once.
        later: takes what may be done while the commit is on its way; without it, nothing may.
    """

    log: Log
    commit_id: str
    run: str = ""
    fetch: Fetch = fetch
    inspect: Inspect | None = None
    convert: Convert | None = None
    is_bulk: bool = False
    later: Callable[[Callable[[], None]], None] | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """Bytes that the lake has already.

    Attributes:
        held: why they are not current.
        is_rejected: they were taken back, by a rollback or a removal.
        was_read_otherwise: they are current, and were read as was declared then.
    """

    held: str = ""
    is_rejected: bool = False
    was_read_otherwise: bool = False


def stage(
    attempt: Attempt,
    state: State,
    order: Order,
    *,
    force: bool = False,
    had: Staged | None = None,
) -> Staged | Known:
    """Bring what the source holds now into the bucket, unless the lake has just these bytes.

    Nothing is visible before a commit names it. Safe to retry: another attempt writes into a folder
    of its own. What this attempt staged before (`had`) is not uploaded again.

    Raises:
        SourceMissing, SourceIncomplete, SourceUnreadable: see there; nothing was uploaded.
        StoreUnavailable: the store is full or did not answer. Safe to retry.
    """
    partition = state.partition(order.dataset, order.partition)
    with scratch_for(attempt, order) as scratch:
        fetched = _fetch(attempt, partition, order, scratch, force=force)
        if fetched is None:
            return Known()
        content = content_of(_marks(order, fetched))
        known = None if force else recognised(partition, content, order.reading)
        if known:
            return known
        if had and had.content == content:
            return replace(had, seen=partition.versions)
        try:
            return staged(attempt, order, partition.versions, fetched, content)
        except LakeError:
            raise
        except OSError as exc:
            raise _unavailable(attempt, order, exc) from exc


@contextmanager
def scratch_for(attempt: Attempt, order: Order) -> Iterator[Path]:
    """Give a folder for what is on its way: where the store takes files over, if it can be had."""
    try:
        made = tempfile.TemporaryDirectory(prefix="clearlake-", dir=attempt.log.store.scratch())
    except (OSError, ValueError):
        made = tempfile.TemporaryDirectory(prefix="clearlake-")  # the upload says what is wrong
    with made as folder:
        try:
            yield Path(folder)
        except StoreUnavailable as exc:
            if not isinstance(exc.__cause__, OSError) or isinstance(exc.__cause__, LakeError):
                raise
            raise _unavailable(attempt, order, exc.__cause__) from exc


def _unavailable(attempt: Attempt, order: Order, exc: OSError) -> StoreUnavailable:
    return unavailable(
        f"{order.name} could not be stored in {said_by(attempt.log.store.url, exc)}; nothing was"
        " published, run the same command again when that is mended",
        exc,
    )


def content_of(hashes: list[str]) -> str:
    """Return the content id of raw bytes: the SHA-256 of what tells its originals from others."""
    return hashlib.sha256("\n".join(hashes).encode(errors="surrogateescape")).hexdigest()


def _marks(order: Order, fetched: list[Fetched]) -> list[str]:
    """Return what tells the contents of a version from others; of objects, their names do, too."""
    if order.is_of_objects:
        return sorted(f"{one.name}\0{one.sha256}" for one in fetched)
    return [one.content or one.sha256 for one in fetched]


def recognised(partition: Partition, content: str, reading: Reading) -> Known | None:
    """Tell whether a partition holds, holds back or rejected this content already.

    What was held when it was read otherwise is looked at anew.
    """
    if partition.current and partition.current.content == content:
        return Known(was_read_otherwise=is_read_otherwise(partition.current, reading))
    if partition.held and partition.held[-1].content == content:
        held = partition.held[-1]
        if held.number == partition.versions and is_read_otherwise(held, reading):
            return None
        return Known(held=f"{held.reason} (held since commit {held.commit}, as v{held.number})")
    return Known(is_rejected=True) if content in partition.rejects else None


def is_read_otherwise(held: Version, reading: Reading) -> bool:
    """Tell whether a version's rows would be read in another way than they were.

    A Parquet without a contract is read by the view alone.
    """
    from lake.convert.contract.enforce import concerns

    is_converted = any(file.role == "original" for file in held.files)
    was = held.landed.origin.get("reading", "")
    return (is_converted or concerns(reading)) and was != reading_id(reading)


def _fetch(
    attempt: Attempt, partition: Partition, order: Order, scratch: Path, *, force: bool
) -> list[Fetched] | None:
    """Fetch every file of a partition; None if its only one says that it has not changed."""
    if not order.urls:
        raise SourceMissing(
            f"no file of {order.name} is where its source looks: look at the path, or at the folder"
        )
    known = partition.current.landed.origin if partition.current and not force else {}
    _load_what_follows(attempt)
    if order.is_of_objects:
        from lake.landing.bring import bring

        return bring(attempt, order, scratch)
    if order.database:
        from lake.sources.postgres.fetch import Wanted, fetch_whole

        wanted = Wanted(order.database, order.dataset.partition(".")[2], order.reading.key)
        return [fetch_whole(wanted, scratch / "fetched-0")]
    fetched = []
    for number, url in enumerate(order.urls):
        asked_before = len(order.urls) == 1 and known.get("url") == url
        etag = known.get("etag", "") if asked_before else ""
        one = attempt.fetch(url, scratch / f"fetched-{number}", etag=etag)
        if one is None:
            return None
        fetched.append(one)
    return fetched


def _load_what_follows(attempt: Attempt) -> None:
    """Load DuckDB while the first bytes come: it takes as long as they do."""
    if attempt.log.parallel > 1:
        Thread(target=import_module, args=["lake.landing.part"], daemon=True).start()


def staged(
    attempt: Attempt, order: Order, seen: int, fetched: list[Fetched], content: str
) -> Staged:
    """Upload what was fetched, as files of a version with a receipt; nobody sees them yet.

    Raises:
        SourceUnreadable, StoreUnavailable: see `stage`.
    """
    from lake.landing.part import too_many, upload_beside

    at = attempt.log.clock()
    folder = layout.version(
        order.dataset, order.partition, at=at, content=content, commit_id=attempt.commit_id
    )
    parts = _parts(attempt, order, fetched, folder)
    files = tuple(file for part in parts for file in part.files)
    schemas = {schema_id(one.schema): one.schema for part in parts for one in part.inspected}
    counts = {
        name: sum(getattr(part, name) for part in parts)
        for name in ("rejected", "blank_lines", "comment_lines")
    }
    upload_beside(attempt, parts, folder)
    columns = next((one.schema for part in parts for one in part.inspected), ())
    key = _receipt(attempt, order, at, fetched, files, columns, counts, folder)
    landed = Landed(
        at=at.isoformat(timespec="seconds"),
        receipt=key,
        run=attempt.run,
        origin=_origin(order, fetched),
        rejected=counts["rejected"],
    )
    flaw = next((part.flaw for part in parts if part.flaw), "") or too_many(order, parts)
    return Staged(order.dataset, order.partition, seen, content, files, landed, schemas, flaw)


def _parts(attempt: Attempt, order: Order, fetched: list[Fetched], folder: str) -> "list[Part]":
    from lake.landing.part import make

    if order.is_of_objects:
        from lake.landing.things import make_objects

        return [make_objects(attempt, order, fetched, folder, fetched[0].path.parent)]
    return [make(attempt, order, one, folder, number) for number, one in enumerate(fetched)]


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _receipt(
    attempt: Attempt,
    order: Order,
    at: datetime,
    fetched: list[Fetched],
    files: tuple[File, ...],
    schema: Schema,
    counts: Mapping[str, int],
    folder: str,
) -> str:
    data = receipt(
        lake=attempt.log.identity.id,
        dataset=order.dataset,
        partition=order.partition,
        at=at,
        run=attempt.run,
        sources=[_source(one) for one in fetched],
        reading=reading_values(order.reading),
        files=files,
        schema=schema,
        counts=counts,
    )
    put_beside(attempt, folder + layout.RECEIPT, data)
    return folder + layout.RECEIPT


def put_beside(attempt: Attempt, key: str, data: bytes) -> None:
    """Store a small object beside a version; one that is there already must hold these bytes."""
    try:
        objects.create(attempt.log.store, key, data, pause=attempt.log.pause)
    except FileExistsError:
        raise VersionConflict(f"{key} is there with other bytes: run it again") from None


def _source(one: Fetched) -> dict[str, Any]:
    return {
        "url": one.url,
        "name": _text(one.name),
        "bytes": one.bytes,
        "sha256": one.sha256,
        "etag": one.etag,
        "last_modified": one.last_modified,
        **one.facts,
    }


def _origin(order: Order, fetched: list[Fetched]) -> dict[str, str]:
    """Return what the log keeps of a source; of several files, only how the first is called."""
    first = fetched[0]
    origin = {"url": first.url, "name": _text(first.name), "sha256": first.sha256}
    origin |= {"reading": reading_id(order.reading)}
    if order.given and order.reading.key:
        origin["key"] = json.dumps(order.reading.key, ensure_ascii=False)
    if len(fetched) == 1:
        # What is not recorded of a URL may be what tells one file from another.
        is_whole = order.urls[0] == first.url
        origin |= {"etag": first.etag if is_whole else "", "last_modified": first.last_modified}
    return {key: value for key, value in origin.items() if value}


def _text(name: str) -> str:
    """Return a file's name as text: bytes of it that are none are percent-encoded."""
    return _NO_TEXT.sub(lambda found: quote(found[0], errors="surrogateescape"), name)
