"""Appending: what is newer than a partition's cursor becomes more of its files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from lake.catalog.entries import Append, Change, Declare, File, Landed, Schema
from lake.catalog.publish import Draft, publish
from lake.catalog.state import State, Version
from lake.landing.land import new_declarations
from lake.landing.stage import Attempt, content_of
from lake.schema.admit import check_declarations, prepare, same_keys


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows from behind the cursor `start` up to `end`, in the bucket and seen by nobody yet.

    Without files, only the cursor moves: the lake had the rows already.

    Attributes:
        schemas: the schemas of its files, by id.
        content: what tells its rows from others; the hashes of its files if not said.
    """

    start: str
    end: str
    files: tuple[File, ...]
    landed: Landed
    schemas: Mapping[str, Schema] = field(default_factory=dict)
    content: str = ""


Extract = Callable[[str], Batch | None]
"""Brings what is newer than a cursor (`""`: all) into the bucket; None if nothing is."""


def append(
    attempt: Attempt,
    state: State,
    dataset: str,
    partition: str,
    extract: Extract,
    *,
    declare: Sequence[Declare] = (),
    message: str = "",
) -> int | None:
    """Append what the source holds beyond the partition's cursor, as one commit.

    No row comes twice and none is lost, whoever else appends: where the cursor has moved
    meanwhile, it extracts again from there. Returns the commit; None if there was nothing new.

    Raises:
        SchemaConflict: the rows cannot be joined with the rest; nothing was published.
        CommitUnknown, CommitRefused, LogDamaged: see there.
    """
    batch: Batch | None = None

    def plan(head: State) -> Draft:
        nonlocal batch
        same_keys(head, dataset, partition)
        current = head.partition(dataset, partition).current
        if batch is None or not _follows(batch, current):
            batch = extract(current.cursor if current else "")
        changes: list[Change] = [*new_declarations(head, declare)]
        check_declarations(head, changes)
        if batch:
            change = _change(dataset, partition, batch, current)
            if change.content not in head.partition(dataset, partition).rejects:
                changes.insert(0, change)
        schemas = batch.schemas if batch else {}
        return Draft([*changes, *prepare(attempt.log, head, changes, schemas)], schemas)

    commit_id, run = attempt.commit_id, attempt.run
    return publish(attempt.log, state, plan, commit_id=commit_id, message=message, run=run)


def _follows(batch: Batch, current: Version | None) -> bool:
    return batch.start == (current.cursor if current else "")


def _change(dataset: str, partition: str, batch: Batch, current: Version | None) -> Append:
    originals = [file.sha256 for file in batch.files if file.role == "original"]
    if current and not batch.files:
        content = current.content
        return Append(dataset, partition, (), content, batch.landed, batch.start, batch.end)
    hashes = [batch.content] if batch.content else originals or [f.sha256 for f in batch.files]
    content = content_of([current.content, *hashes] if current else hashes)
    return Append(
        dataset,
        partition,
        batch.files,
        content,
        batch.landed,
        start=batch.start,
        end=batch.end,
    )
