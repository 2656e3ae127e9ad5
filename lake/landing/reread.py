"""What is held, looked at again: a declaration made since may let it in."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lake.catalog.entries import File
from lake.catalog.log import Log
from lake.catalog.state import Partition, Version
from lake.config import Source
from lake.config.types import Reading
from lake.errors import FileDamaged, LakeError
from lake.landing.land import Found, commit
from lake.landing.order import Landing, Order
from lake.landing.stage import Attempt, Known, is_read_otherwise, sha256_of, stage
from lake.objects import download
from lake.sources.copy import Fetched

if TYPE_CHECKING:
    from lake.lake import Lake


def readmit(lake: "Lake", source: Source) -> tuple[list[Landing], list[LakeError]]:
    """Let in what is held of a source and fits what is declared now, as one commit.

    Returns what came of each partition, and what could not be read again.
    """
    attempt = Attempt(lake.log, lake.new_id(), lake.run)
    found, errors = held_orders(lake, source, attempt)
    message = f"read {source.dataset} again"
    landings = commit(attempt, lake.state, found, message=message)
    return landings, errors


def held_orders(
    lake: "Lake", source: Source, attempt: Attempt, *, but: Collection[str] = ()
) -> tuple[list[tuple[Order, Found]], list[LakeError]]:
    """Return the held versions of a source, those read otherwise now staged anew.

    Args:
        lake: the lake.
        source: with what is declared now.
        attempt: whose commit it will be.
        but: partitions that the source itself is asked for.
    """
    found: list[tuple[Order, Found]] = []
    errors: list[LakeError] = []
    dataset = lake.state.datasets.get(source.dataset)
    for partition in lake.state.partitions(source.dataset) if dataset and dataset.held else ():
        if partition.text in but or not _is_newest(partition):
            continue
        try:
            found.append(_again(lake, attempt, partition, source.reading))
        except LakeError as error:
            errors.append(error)
    return found, errors


def _is_newest(partition: Partition) -> bool:
    return bool(partition.held) and partition.held[-1].number == partition.versions


def _again(
    lake: "Lake", attempt: Attempt, partition: Partition, reading: Reading
) -> tuple[Order, Found]:
    held = partition.held[-1]
    files = _sources(held)
    order = Order(
        partition.dataset,
        partition.text,
        tuple(file.key for file in files),
        reading=reading,
        is_again=True,
    )
    # Objects are held for the columns of their index alone, which no other reading changes.
    if not files or order.is_of_objects or not is_read_otherwise(held, reading):
        return order, Known(held=held.reason)
    attempt = replace(attempt, fetch=_from_bucket(attempt.log, held, files))
    return order, stage(attempt, lake.state, order)


def _sources(held: Version) -> tuple[File, ...]:
    """Return the files that hold what the source sent; none where that was not kept."""
    originals = tuple(file for file in held.files if file.role == "original")
    if originals:
        return originals
    return tuple(file for file in held.files if not file.key.endswith("/data.parquet"))


def _from_bucket(log: Log, held: Version, files: Sequence[File]) -> "_Fetch":
    return _Fetch(log, held, {file.key: file for file in files})


class _Fetch:
    """Fetches a version's own bytes out of the lake, in place of its source."""

    def __init__(self, log: Log, held: Version, files: dict[str, File]) -> None:
        self._log, self._held, self._files = log, held, files

    def __call__(self, url: str, to: Path, **_: object) -> Fetched:
        file, origin = self._files[url], self._held.landed.origin
        try:
            download(self._log.store, url, to)
        except FileNotFoundError:
            raise FileDamaged(
                f"{url} is missing in {self._log.store.url}: restore it from a copy of the lake"
            ) from None
        if sha256_of(to) != file.sha256:
            raise FileDamaged(
                f"{url} is not the file that the log names: restore it from a copy of the lake"
            )
        name = origin.get("name", "") if len(self._files) == 1 else ""
        return Fetched(
            to,
            name or url.rpartition("/")[2],
            file.bytes,
            file.sha256,
            origin.get("url", ""),
            origin.get("etag", ""),
            origin.get("last_modified", ""),
        )
