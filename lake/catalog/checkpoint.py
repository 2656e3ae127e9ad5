"""Checkpoints: the state at one commit as Parquet, so opening never reads the whole log.

Five objects, created once, named by the commit: the current files, every version and file that ever
was, the commits, the small rest as JSON, and outside of them the hint that names the newest. Losing
or failing to write any of them costs time and nothing else.
"""

import json
import os
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lake import layout
from lake.catalog.base import ParquetBase, current_rows
from lake.catalog.codec import build, plain, sha256
from lake.catalog.entries import FORMAT, Built, Column, Schema
from lake.catalog.get import get
from lake.catalog.identity import Identity
from lake.catalog.state import Dataset, State
from lake.errors import LakeTooNew, StoreUnavailable
from lake.objects import download
from storage_backends import Store

if TYPE_CHECKING:
    from lake.catalog.log import Log

TABLES = ("current", "history", "commits")
STATE = "state.json"
MANY_ENTRIES = 128
MANY_CHANGES = 1_000


def due(state: State) -> bool:
    """Tell whether the tail has grown so long that the next reader should be spared it."""
    changes = sum(len(event.added) + len(event.removed) for event in state.events)
    files = sum(dataset.files for dataset in state.datasets.values())
    return len(state.tail) >= MANY_ENTRIES or (changes > MANY_CHANGES and changes * 10 > files)


def is_cached(log: "Log", commit: int) -> bool:
    """Tell whether this machine has a checkpoint already."""
    path = log.cache.path(layout.checkpoint(commit, STATE))
    return path is not None and path.exists()


def load(log: "Log", commit: int) -> State | None:
    """Return the state at a checkpoint, or None where it cannot be had.

    Raises:
        LakeTooNew: it was written in a later format.
        StoreUnavailable: the store gave no answer. Safe to retry.
    """
    if commit == 0:
        return None
    key = layout.checkpoint(commit, STATE)
    data = log.cache.get(key) or get(log.store, key, log.pause)
    folder = _tables(log, commit)
    if data is None or folder is None:
        return None
    try:
        document = json.loads(data)
        if document["format"] > FORMAT:
            raise LakeTooNew(
                f"checkpoint {commit} has format {document['format']}: upgrade clearlake"
            )
        state = _state(document, ParquetBase(commit, folder))
    except (ValueError, KeyError, TypeError):
        log.cache.drop(key)
        return None
    if state.lake != log.identity.id:
        return None
    log.cache.put(key, data)
    return state


def _tables(log: "Log", commit: int) -> Path | None:
    """Return the local folder with a checkpoint's tables: the lake's, the cache's, or a new one."""
    store = log.store
    keys = [layout.checkpoint(commit, f"{name}.parquet") for name in TABLES]
    if store.url.startswith("file:"):
        paths = [Path(store.data_url(key)) for key in keys]
        return paths[0].parent if all(_is_whole(path) for path in paths) else None
    for name in ("cache", "scratch"):
        is_cache = name == "cache"
        kept = log.cache.path(keys[0]) if is_cache else _scratch(store.url, log.identity.id) / "x"
        try:
            if kept:
                return kept.parent if _downloaded(log, keys, kept.parent) else None
        except StoreUnavailable:
            raise
        except OSError:
            continue  # a cache that cannot be written is no error
    return None


def _is_whole(path: Path) -> bool:
    """Tell whether a Parquet file is there from its first byte to its last."""
    try:
        with path.open("rb") as file:
            start = file.read(4)
            file.seek(-4, os.SEEK_END)
            return start == file.read(4) == b"PAR1"
    except OSError:
        return False


_SCRATCH: "list[tempfile.TemporaryDirectory[str]]" = []


def _scratch(url: str, lake: str) -> Path:
    """Return a folder of this process, for one lake's checkpoints where there is no cache."""
    if not _SCRATCH:
        _SCRATCH.append(tempfile.TemporaryDirectory(prefix="clearlake-"))
    return Path(_SCRATCH[0].name) / sha256(f"{url}\n{lake}".encode())[:32]


def _downloaded(log: "Log", keys: list[str], folder: Path) -> bool:
    """Make sure that all tables lie in a folder; a far store is waited for once, not for each."""

    def download_one(key: str) -> bool:
        return _download(log.store, key, folder / Path(key).name)

    if log.parallel == 1:
        return all(download_one(key) for key in keys)
    with ThreadPoolExecutor(len(keys)) as pool:
        return all(pool.map(download_one, keys))


def _download(store: Store, key: str, path: Path) -> bool:
    """Make sure that a table lies at `path`; tell whether the store has it whole."""
    if _is_whole(path):
        return True
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as folder:
        try:
            download(store, key, Path(folder) / "part")
        except FileNotFoundError:
            return False
        (Path(folder) / "part").replace(path)
    return _is_whole(path)


def _state(document: dict[str, Any], base: ParquetBase) -> State:
    return State(
        lake=document["lake"],
        base=base,
        commit=document["commit"],
        head_sha256=document["sha256"],
        committed_at=document["committed_at"],
        datasets={name: _dataset(item) for name, item in document["datasets"].items()},
        schemas={name: _schema(item) for name, item in document["schemas"].items()},
        declarations=document["declarations"],
        tags=document["tags"],
        doomed=dict(document["doomed"]),
        renamed=[(n, old, new) for n, old, new in document.get("renamed", ())],
        built={
            d: {b["scope_key"]: _built(b) for b in items} for d, items in document["built"].items()
        },
        checkpoints=(*document["checkpoints"], document["commit"]),
    )


def _schema(item: list[dict[str, Any]]) -> Schema:
    return tuple(build(Column, column) for column in item)


def _dataset(item: dict[str, Any]) -> Dataset:
    schemas = {name: (count, last) for name, (count, last) in item["schemas"].items()}
    return replace(Dataset(**item), keys=tuple(item["keys"]), schemas=schemas)


def _built(item: dict[str, Any]) -> Built:
    built: Built = build(Built, {k: v for k, v in item.items() if k not in ("action", "scope_key")})
    return built


def _document(state: State, identity: Identity) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "lake": identity.id,
        "commit": state.commit,
        "sha256": state.head_sha256,
        "committed_at": state.committed_at,
        "datasets": {name: _plain_dataset(item) for name, item in state.datasets.items()},
        "schemas": {name: plain(schema) for name, schema in state.schemas.items()},
        "declarations": state.declarations,
        "tags": state.tags,
        "doomed": dict(sorted(state.doomed.items())),
        "renamed": state.renamed,
        "built": {
            dataset: [{**plain(one), "scope_key": scope} for scope, one in builds.items()]
            for dataset, builds in state.built.items()
        },
        "checkpoints": state.checkpoints,
    }


def _plain_dataset(item: Dataset) -> dict[str, Any]:
    return {name: getattr(item, name) for name in Dataset.__slots__}


def write(log: "Log", state: State) -> bool:
    """Write the checkpoint of the state's commit, then the hint; tell whether all of it succeeded.

    Nothing depends on it: a store that refuses is no error. Two writers of one checkpoint both fold
    the same log, so whichever of their files is there says the same.
    """
    if state.commit == 0:
        return False
    with tempfile.TemporaryDirectory(prefix="clearlake-") as scratch:
        folder = Path(scratch)
        _write_tables(state, folder)
        (folder / STATE).write_bytes(json.dumps(_document(state, log.identity)).encode())
        names = [*(f"{name}.parquet" for name in TABLES), STATE]
        try:
            _upload(log.store, folder, state.commit, names)
            log.store.put(layout.HINT, hint(log.identity, state.commit))
            rebased = load(log, state.commit)
        except OSError:
            return False
    if rebased:
        state.become(rebased)
    return rebased is not None


def hint(identity: Identity, commit: int) -> bytes:
    """Return the bytes of the hint: the newest checkpoint, and whose lake it is."""
    return json.dumps({**plain(identity), "timezone": identity.timezone, "commit": commit}).encode()


def _upload(store: Store, folder: Path, commit: int, names: Iterable[str]) -> None:
    for name in names:
        with suppress(FileExistsError):
            store.upload(folder / name, layout.checkpoint(commit, name))


def _write_tables(state: State, folder: Path) -> None:
    from lake.catalog import tables

    rows = [row for p in state.touched() if p.versions for row in current_rows(p)]
    known = [{"dataset": p.dataset, "partition": p.text} for p in state.touched()]
    base = state.base if isinstance(state.base, ParquetBase) else None
    tables.write_current(base, rows, known, folder / "current.parquet")
    tables.write_history(state, folder / "history.parquet")
    tables.write_commits(state, folder / "commits.parquet")
