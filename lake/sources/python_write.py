"""What Python gave, as one Parquet file."""

import hashlib
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa

from lake.convert.records.convert import blocks, check_names, write_records, write_tables
from lake.errors import LakeError, SourceUnreadable, StoreUnavailable
from lake.sources.copy import Fetched
from lake.sources.python import Watched, kind_of
from lake.sources.python_tables import tables_of
from lake.words import cause


def write_rows(data: Any, to: Path, *, name: str) -> Fetched:
    """Write records or tables to a Parquet at `to`; see `write_given`."""
    try:
        _write(data, to, name)
    except OSError as exc:
        if isinstance(exc, LakeError):
            raise
        raise StoreUnavailable(
            f"{to} cannot be written: {cause(exc)}; make room there, or set TMPDIR"
        ) from exc
    with to.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return Fetched(to, f"{name}.parquet", to.stat().st_size, sha256, "-")


def _write(data: Any, to: Path, name: str) -> None:
    if kind_of(data) != "records":
        _write_tables([data], to, name)
        return
    items = iter(Watched(data, name))
    first = next(items, None)
    if first is None:
        raise SourceUnreadable(
            f"{name} gave nothing, so its columns are unknown; nothing was published"
        )
    everything = chain([first], items)
    if kind_of(first) == "records":
        write_records(_only_records(everything, name), to, name=name)
    else:
        _write_tables(everything, to, name)


def _only_records(items: Iterable[Any], name: str) -> Iterator[Any]:
    for item in items:
        if kind_of(item) != "records":
            raise SourceUnreadable(
                f"{name} gives both dicts and tables: have it give one kind; nothing was published"
            )
        if isinstance(item, (list, tuple)):
            yield from item
        else:
            yield item


def _write_tables(items: Iterable[Any], to: Path, name: str) -> None:
    tables = chain.from_iterable(tables_of(item, name) for item in items)
    first = next(tables)
    check_names(first.column_names, name)
    alike = _alike(chain([first], tables), first.schema, name)
    write_tables(blocks(alike), to, empty=first.slice(0, 0))


def _alike(tables: Iterable[pa.Table], schema: pa.Schema, name: str) -> Iterator[pa.Table]:
    """Give the tables, whose columns must be the same but for their order."""
    before = 0
    for table in tables:
        if set(table.column_names) != set(schema.names) or len(table.column_names) != len(schema):
            odd = sorted(set(table.column_names) ^ set(schema.names))
            raise SourceUnreadable(
                f"{name} gives tables of unlike columns: {', '.join(map(repr, odd))} is not in all,"
                f" from record {before + 1:,} on; nothing was published"
            )
        ordered = table.select(schema.names)
        for field, column in zip(schema, ordered.columns, strict=True):
            if column.type != field.type:
                raise SourceUnreadable(
                    f"{name} gives column {field.name!r} as {field.type} and, from record"
                    f" {before + 1:,} on, as {column.type}: give it one type; nothing was published"
                )
        before += table.num_rows
        yield ordered
