"""Bugs to plant: each rule of the log, left out or turned around."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from lake import layout, objects
from lake.catalog import checkpoint, fold, log, publish
from lake.catalog.codec import from_json
from lake.catalog.entries import Change, Entry, Replace, Rewrite
from lake.catalog.log import Log
from lake.catalog.state import State, Version
from lake.errors import CommitRefused, CommitUnknown, StoreUnavailable
from lake.landing import append, land, part
from lake.landing.stage import Attempt
from lake.operations import gc, gc_list
from lake.schema import admit
from storage_backends import Store
from tests.simulation import jobs, process

Patch = pytest.MonkeyPatch


@dataclass(frozen=True, slots=True)
class Plant:
    """A bug, the world in which it shows, and words of the invariant that it breaks."""

    name: str
    world: str
    breaks: str
    plant: Callable[[Patch], None]


def trust_412(patch: Patch) -> None:
    """Take a 412 for a foreign entry."""

    def settle(log: Log, key: str, data: bytes, commit_id: str) -> bool:
        try:
            log.store.put_new(key, data)
        except FileExistsError:
            return False
        except (OSError, ValueError) as exc:
            raise CommitUnknown(commit_id, 0) from exc
        return True

    patch.setattr(publish, "_settle", settle)


def not_know_my_own(patch: Patch) -> None:
    settle = publish._settle
    patch.setattr(publish, "_settle", lambda log, key, data, _: settle(log, key, data, ""))


def next_number_when_absent(patch: Patch) -> None:
    def settle(log: Log, key: str, data: bytes, commit_id: str) -> bool:
        for number in range(layout.commit_number(key) or 0, 9):
            try:
                log.store.put_new(layout.commit(number), data)
            except OSError:
                found = objects.standing(log.store, layout.commit(number))
                if found is not None:
                    return from_json(found, key=key).id == commit_id
            else:
                return True
        return False

    patch.setattr(publish, "_settle", settle)


def report_a_late_refusal(patch: Patch) -> None:
    settle = publish._settle

    def refused(log: Log, key: str, data: bytes, commit_id: str) -> bool:
        try:
            return settle(log, key, data, commit_id)
        except CommitUnknown as exc:
            if isinstance(exc.__cause__, PermissionError):
                raise CommitRefused("refused") from exc
            raise

    patch.setattr(publish, "_settle", refused)


def not_ask_the_source_again(patch: Patch) -> None:
    patch.setattr(land._Desk, "_look_again", lambda desk, state, order, one: one)


def not_look_at_the_cursor(patch: Patch) -> None:
    patch.setattr(append, "_follows", lambda batch, current: True)


def force_the_cursor(patch: Patch) -> None:
    """Append what was extracted as if it began at the cursor."""
    change = append._change

    def lie(dataset: str, text: str, batch: append.Batch, current: Version | None) -> Any:
        honest = change(dataset, text, batch, current)
        return dataclasses.replace(honest, start=current.cursor if current else "")

    patch.setattr(append, "_follows", lambda batch, current: True)
    patch.setattr(append, "_change", lie)


def publish_what_is_doomed(patch: Patch) -> None:
    patch.setattr(publish, "_refuse_doomed", lambda changes, state: None)


def delete_without_doom(patch: Patch) -> None:
    patch.setattr(gc.Collection, "doom", lambda found, **_: None)


def delete_before_doom(patch: Patch) -> None:
    doom = gc.Collection.doom

    def late(found: gc.Collection, *, commit_id: str, run: str = "") -> int | None:
        gc.remove(found.log, found.dead)
        return doom(found, commit_id=commit_id, run=run)

    patch.setattr(gc.Collection, "doom", late)


def doom_what_was_dead_before(patch: Patch) -> None:
    """Believe what was judged once, whoever published meanwhile."""
    judge = gc.Collection._judge

    def once(found: gc.Collection, head: State) -> None:
        if not found.dead:
            judge(found, head)

    patch.setattr(gc.Collection, "_judge", once)


def read_before_listing(patch: Patch) -> None:
    """Take for dead what is listed, but was not needed in a state that was read before."""
    patch.setattr(gc_list, "still_dead", lambda listed, known: list(listed))


def share_folders(patch: Patch) -> None:
    version = layout.version

    def shared(*args: Any, commit_id: str, **more: Any) -> str:
        return version(*args, commit_id="0000", **more)

    patch.setattr(layout, "version", shared)
    believe_uploads(patch)


def believe_uploads(patch: Patch) -> None:
    def upload(attempt: Attempt, path: Any, key: str) -> None:
        try:
            attempt.log.store.upload(path, key)
        except FileExistsError:
            return

    patch.setattr(part, "upload", upload)


def believe_schema_uploads(patch: Patch) -> None:
    def put(log: Log, key: str, data: bytes) -> None:
        try:
            log.store.put_new(key, data)
        except FileExistsError:
            return
        except OSError as exc:
            raise StoreUnavailable("no answer") from exc

    patch.setattr(admit, "_put", put)


def upload_after_publishing(patch: Patch) -> None:
    waiting: dict[str, list[tuple[str, bytes]]] = {}

    def later(attempt: Attempt, path: Any, key: str) -> None:
        waiting.setdefault(attempt.log.store.url, []).append((key, path.read_bytes()))

    commit = land.commit

    def commit_first(attempt: Attempt, *args: Any, **more: Any) -> Any:
        landings = commit(attempt, *args, **more)
        for key, data in waiting.pop(attempt.log.store.url, []):
            attempt.log.store.put_new(key, data)
        return landings

    patch.setattr(part, "upload", later)
    patch.setattr(land, "commit", commit_first)


def not_check_the_chain(patch: Patch) -> None:
    apply = fold.apply

    def adopt(state: State, entry: Entry, sha256: str) -> None:
        apply(state, dataclasses.replace(entry, parent=state.head_sha256), sha256)

    patch.setattr(fold, "apply", adopt)


def not_list(patch: Patch) -> None:
    patch.setattr(publish, "_look_beyond", lambda log, state: None)


def not_heed_the_hint(patch: Patch) -> None:
    read = log.read_hint

    def lower(store: Store, pause: Callable[[float], None]) -> log.Hint | None:
        found = read(store, pause)
        return found and dataclasses.replace(found, commit=0)

    patch.setattr(log, "read_hint", lower)


def rewrite_all(patch: Patch) -> None:
    rewrite = fold._rewrite

    def whole(state: State, change: Rewrite) -> None:
        now = state.partition(change.dataset, change.partition).current
        gone = tuple(file.key for file in now.files) if now else ()
        rewrite(state, dataclasses.replace(change, removed=gone))

    patch.setitem(fold._APPLY, Rewrite, whole)


def rewrite_what_is_gone(patch: Patch) -> None:
    patch.setattr(jobs, "refuse_gone", lambda rewritten, there: None)


def publish_what_was_overtaken(patch: Patch) -> None:
    patch.setattr(jobs, "refuse_moved", lambda changes, pinned, head: None)


def drop_out_one_by_one(patch: Patch) -> None:
    def drop(changes: list[Change], pinned: State, head: State) -> None:
        for change in [one for one in changes if isinstance(one, Replace)]:
            now = head.partition(change.dataset, "").current
            if now and now.build == change.build:
                changes.remove(change)

    patch.setattr(jobs, "refuse_moved", drop)


def share_a_commit_id(patch: Patch) -> None:
    commit_id = process.commit_id
    patch.setattr(process, "commit_id", lambda number, attempt: commit_id(number, 0))


def retry_with_other_bytes(patch: Patch) -> None:
    put_twice = publish._settle

    def settle(log: Log, key: str, data: bytes, commit_id: str) -> bool:
        try:
            log.store.put_new(key, data)
        except OSError:
            other = data.replace(b'"parent"', b' "parent"')
            return put_twice(log, key, other, commit_id)
        return True

    patch.setattr(publish, "_settle", settle)


def checkpoint_what_is_not_the_head(patch: Patch) -> None:
    document = checkpoint._document

    def ahead(state: State, identity: Any) -> Mapping[str, Any]:
        return {**document(state, identity), "commit": state.commit + 1}

    patch.setattr(checkpoint, "_document", ahead)


PLANTS: Sequence[Plant] = (
    Plant("a 412 is trusted", "two compactions", "its commit is in the log", trust_412),
    Plant("no test for my own id", "two compactions", "its commit is in", not_know_my_own),
    Plant("the next number when absent", "two appends", "a gap", next_number_when_absent),
    Plant("a late refusal is definite", "a refused landing", "refused", report_a_late_refusal),
    Plant(
        "the source is not asked again",
        "two landings, the source moves",
        "older source bytes",
        not_ask_the_source_again,
    ),
    Plant("the cursor is not looked at", "two appends", "the cursor", not_look_at_the_cursor),
    Plant("the cursor is forced", "two appends", "rows doubled", force_the_cursor),
    Plant(
        "what is doomed is published",
        "a landing and a collection",
        "doomed",
        publish_what_is_doomed,
    ),
    Plant("deleted without doom", "a landing and a collection", "DANGLING", delete_without_doom),
    Plant("deleted before doom", "a landing and a collection", "DANGLING", delete_before_doom),
    Plant(
        "what was dead once stays dead",
        "a rollback and a collection",
        "DANGLING",
        doom_what_was_dead_before,
    ),
    Plant("listed after reading", "a landing and a collection", "DANGLING", read_before_listing),
    Plant("attempts share a folder", "two landings of a csv", "are others", share_folders),
    Plant("an upload's 412 is trusted", "two landings of a csv", "DANGLING", believe_uploads),
    Plant(
        "a schema file's 412 is trusted",
        "two landings of another type",
        "no schema file",
        believe_schema_uploads,
    ),
    Plant("published first", "two landings of new bytes", "DANGLING", upload_after_publishing),
    Plant("the chain is not checked", "a forged entry", "ended: ", not_check_the_chain),
    Plant("no listing", "a hole in the log", "ended: done", not_list),
    Plant("the hint is not heeded", "an end below the hint", "ended: ", not_heed_the_hint),
    Plant("a rewrite is no delta", "an append and a compaction", "saw", rewrite_all),
    Plant("a rewrite of what is gone", "two compactions", "was gone", rewrite_what_is_gone),
    Plant(
        "a publication is not looked at again",
        "a landing and two transforms",
        "older inputs",
        publish_what_was_overtaken,
    ),
    Plant("models drop out one by one", "two transforms", "never was", drop_out_one_by_one),
    Plant("attempts share an id", "a refused landing", "saw", share_a_commit_id),
    Plant("a retry with other bytes", "a refused landing", "saw", retry_with_other_bytes),
    Plant(
        "a checkpoint of another commit",
        "two checkpoints and a reader",
        "is not the fold",
        checkpoint_what_is_not_the_head,
    ),
)
