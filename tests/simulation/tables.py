"""What DuckDB and pyarrow do in the product, remembered by bytes: a search meets the same often."""

import io
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lake import layout
from lake.catalog import checkpoint, fold
from lake.catalog.base import ParquetBase
from lake.catalog.codec import from_json, sha256
from lake.catalog.state import DataFile, Partition, PartitionKey, State
from lake.operations import gc_list
from lake.parquet.inspect import Inspected, inspect_parquet
from lake.schema.admit import _files, crowd
from tests.simulation.view import View

_write_tables, _find_folders = checkpoint._write_tables, gc_list.folders
A = TypeVar("A")
T = TypeVar("T")


@lru_cache(maxsize=1000)
def parquet(text: str, kind: str = "int64") -> bytes:
    """Return a Parquet file of one row; another text gives other bytes."""
    table = pa.table({"x": pa.array([1], kind)}).replace_schema_metadata({"text": text})
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def inspect(path: Path, *, name: str) -> Inspected:
    """Return what the product says of a Parquet file."""
    return inspect_bytes(path.read_bytes())


@lru_cache(maxsize=1000)
def inspect_bytes(data: bytes) -> Inspected:
    """Return what the product says of a Parquet file's bytes."""
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
        file.write(data)
        file.flush()
        return inspect_parquet(Path(file.name), name="a file")


@lru_cache(maxsize=10_000)
def needed_schema_files(entries: tuple[bytes, ...]) -> frozenset[str]:
    """Return the keys of the schema files that the views over a log need."""
    state = State(lake=json.loads(entries[0])["lake"])
    for number, data in enumerate(entries, 1):
        fold.apply(state, from_json(data, key=str(number)), sha256(data))
    needed: set[str] = set()
    for name, dataset in state.datasets.items():
        if dataset.schemas:
            needed |= _files(crowd(state, name)).keys()
    return frozenset(map(layout.schema, needed))


@lru_cache(maxsize=10_000)
def checkpoint_differs(key: str, data: bytes, view: View) -> str:
    """Return how a part of a checkpoint is not what the log says, or `""`."""
    if key.endswith(checkpoint.STATE):
        said = json.loads(data)
        same = (said["commit"], said["sha256"], tuple(said["doomed"])) == (
            view.commit,
            view.head,
            view.doomed,
        )
        return "" if same else f"{said} for {view}"
    if not key.endswith("-current.parquet"):
        return ""
    rows = pq.read_table(io.BytesIO(data)).to_pylist()
    said_files = {(r["dataset"], r["partition"], r["key"], r["sha256"].hex()) for r in rows}
    files = {(p.dataset, p.partition, *file) for p in view.partitions for file in p.files}
    return "" if said_files == files else f"{sorted(said_files)} for {sorted(files)}"


class RememberedBase(ParquetBase):
    """A checkpoint's tables whose answers are remembered by their bytes."""

    def find(self, keys: Sequence[PartitionKey]) -> Iterable[Partition]:
        return self._remember(("find", *keys), super().find, keys)

    def of(self, dataset: str) -> Iterable[Partition]:
        return self._remember(("of", dataset), super().of, dataset)

    def data_files(self, dataset: str) -> Iterable[DataFile]:
        return self._remember(("data_files", dataset), super().data_files, dataset)

    def _remember(
        self, ask: tuple[object, ...], find: Callable[[A], Iterable[T]], of: A
    ) -> Iterable[T]:
        key = self.path("current").read_bytes(), ask
        if key not in _ANSWERS:
            _ANSWERS[key] = list(find(of))
        found: list[T] = _ANSWERS[key]
        return found


_ANSWERS: dict[tuple[bytes, tuple[Any, ...]], list[Any]] = {}
_FOUND: dict[str, gc_list.Folders] = {}
_WRITTEN: dict[tuple[str, int, frozenset[PartitionKey]], dict[str, bytes]] = {}


def write_tables(state: State, folder: Path) -> None:
    """Write a checkpoint's tables as the product does; once per state."""
    known = frozenset((p.dataset, p.text) for p in state.touched())
    key = state.head_sha256, state.base.commit, known
    if key not in _WRITTEN:
        with tempfile.TemporaryDirectory() as scratch:
            _write_tables(state, Path(scratch))
            _WRITTEN[key] = {path.name: path.read_bytes() for path in Path(scratch).iterdir()}
    for name, data in _WRITTEN[key].items():
        (folder / name).write_bytes(data)


def folders(state: State, first: int) -> gc_list.Folders:
    """Return what the product says is needed; once per entry of a log, which says all of it."""
    if state.head_sha256 not in _FOUND:
        _FOUND[state.head_sha256] = _find_folders(state, first)
    return _FOUND[state.head_sha256]


def since(state: State, until: datetime) -> int:
    """Return the head: no former snapshot is kept where time stands still."""
    return state.commit


@contextmanager
def quick() -> Iterator[None]:
    """Let checkpoints be written and read through what is remembered."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "_write_tables", write_tables)
        patch.setattr(checkpoint, "ParquetBase", RememberedBase)
        patch.setattr(gc_list, "folders", folders)
        patch.setattr(gc_list, "since", since)
        yield
