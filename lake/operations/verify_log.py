"""The log, read again entry by entry from the store, against what checkpoints say of it."""

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from lake import layout
from lake.catalog import checkpoint, tables
from lake.catalog.base import ParquetBase, current_rows
from lake.catalog.cache import Cache
from lake.catalog.log import Log, advance, read_hint, refuse_hole
from lake.catalog.state import State
from lake.errors import LakeError, LogDamaged
from lake.query.sql import literal
from lake.query.views import schema_files
from lake.schema.admit import crowd

Found = tuple[str, str, str]
"""Kind, key, what was found."""


def check_log(log: Log, head: State) -> Iterator[Found]:
    """Fold the whole log anew, without cache and checkpoints, and compare what they say.

    Yields:
        `log` where an entry is missing or does not follow from the one before, `checkpoint` where
        the newest one is not what the entries before it fold to.
    """
    bare = replace(log, cache=Cache())
    hint = read_hint(log.store)
    number = min(hint.commit, head.commit) if hint else 0
    state = State(lake=head.lake)
    try:
        _advance(bare, state, number)
        if number:
            yield from _check_checkpoint(bare, state)
        _advance(bare, state, head.commit)
    except LakeError as exc:
        yield "log", layout.commit(state.commit + 1), str(exc)
        return
    try:
        refuse_hole(log, head)
    except LogDamaged as exc:
        yield "log", layout.LOG, str(exc)
    if state.head_sha256 != head.head_sha256:
        yield "log", layout.commit(head.commit), "is another entry than the one that was opened"


def _advance(log: Log, state: State, number: int) -> None:
    if number > state.commit:
        advance(log, state, to=number)
    if state.commit < number:
        raise LogDamaged(
            f"{layout.commit(state.commit + 1)} is missing: restore it from a copy of the lake"
        )


def _check_checkpoint(log: Log, folded: State) -> Iterator[Found]:
    key = layout.checkpoint(folded.commit, checkpoint.STATE)
    kept = checkpoint.load(log, folded.commit)
    if kept is None or not isinstance(kept.base, ParquetBase):
        yield "checkpoint", key, "a part of it is missing or cannot be read"
        return
    for name in ("datasets", "schemas", "declarations", "tags", "doomed", "built", "head_sha256"):
        if getattr(kept, name) != getattr(folded, name):
            yield "checkpoint", key, f"its {name} are not what the log says"
    for name in _different_tables(kept.base, folded):
        where = layout.checkpoint(folded.commit, f"{name}.parquet")
        yield "checkpoint", where, "its rows are not what the log says"


def _different_tables(base: ParquetBase, folded: State) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="clearlake-") as scratch:
        folder = Path(scratch)
        rows = [row for p in folded.touched() if p.versions for row in current_rows(p)]
        tables.write_current(None, rows, (), folder / "current.parquet")
        tables.write_history(folded, folder / "history.parquet")
        tables.write_commits(folded, folder / "commits.parquet")
        connection = tables.connect()
        for name in checkpoint.TABLES:
            kept = f"FROM read_parquet({literal(str(base.path(name)))})"
            ours = f"FROM read_parquet({literal(str(folder / f'{name}.parquet'))})"
            differs = f"({kept} EXCEPT ALL {ours}) UNION ALL ({ours} EXCEPT ALL {kept})"
            found = connection.execute(f"SELECT count(*) FROM ({differs})").fetchone()
            if found and found[0]:
                yield name


def check_schemas(log: Log, state: State) -> Iterator[Found]:
    """Look at the files that lead the views: a view without them cannot be read, or reads wrong."""
    needed: set[str] = set()
    for name, dataset in state.datasets.items():
        if dataset.partitions:
            needed |= schema_files(crowd(state, name).reconciled()).keys()
    for digest in sorted(needed):
        key = layout.schema(digest)
        try:
            data = log.store.get(key)
        except FileNotFoundError:
            yield "schema", key, "there is no such object"
        else:
            if hashlib.sha256(data).hexdigest() != digest:
                yield "schema", key, "is not the file that it is named after"
