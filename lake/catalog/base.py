"""A checkpoint's Parquet files, queried and never loaded."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

from lake.catalog.codec import build, plain
from lake.catalog.entries import File
from lake.catalog.state import DataFile, Partition, PartitionKey
from lake.errors import LogDamaged
from lake.query.sql import literal

CURRENT_COLUMNS = (
    "dataset",
    "partition",
    "info",
    "key",
    "bytes",
    "sha256",
    "rows",
    "schema",
    "role",
    "each",
)


@dataclass
class ParquetBase:
    """The partitions of one checkpoint.

    Attributes:
        commit: the checkpoint's number.
        folder: holds `current.parquet`, `history.parquet` and `commits.parquet`.
    """

    commit: int
    folder: Path

    @cached_property
    def connection(self) -> Any:
        """A DuckDB connection with the views `current`, `history` and `commits`."""
        import duckdb

        connection = duckdb.connect(config={"threads": 2})
        for name in ("current", "history", "commits"):
            connection.from_parquet(str(self.path(name))).create_view(name)
        return connection

    def path(self, name: str) -> Path:
        """Return where one of the checkpoint's tables lies on this disk."""
        return self.folder / f"{self.commit:020}-{name}.parquet"

    def find(self, keys: Sequence[PartitionKey]) -> Iterable[Partition]:
        """Give those of `keys` that there are."""
        datasets = ", ".join(literal(name) for name in sorted({name for name, _ in keys}))
        texts = ", ".join(literal(text) for text in sorted({text for _, text in keys}))
        # Two plain lists are compared with each row group's limits, pairs with every row.
        found = self._partitions(f"dataset IN ({datasets}) AND partition IN ({texts})")
        wanted = set(keys)
        return (one for one in found if (one.dataset, one.text) in wanted)

    def of(self, dataset: str) -> Iterable[Partition]:
        """Give every partition of a dataset, by text."""
        return self._partitions(f"dataset = {literal(dataset)}")

    def data_files(self, dataset: str) -> Iterable[DataFile]:
        """Give the current data files of a dataset, by partition."""
        rows = self.rows(
            'SELECT partition, key, schema, bytes, "rows" FROM current'
            f" WHERE dataset = {literal(dataset)} AND role = 'data' ORDER BY partition, ordinal"
        )
        return [DataFile(*row) for row in rows]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return what a query of `current`, `history` and `commits` gives; from any thread.

        Raises:
            LogDamaged: a table of the checkpoint cannot be read.
        """
        import duckdb

        try:
            # Many threads may ask at a time, and a connection has one answer.
            with closing(self.connection.cursor()) as cursor:
                found: list[tuple[Any, ...]] = cursor.execute(query).fetchall()
        except duckdb.Error as exc:
            raise LogDamaged(
                f"{self.path('current')} is damaged: delete it, and the lake is read from its log"
            ) from exc
        return found

    def _partitions(self, where: str) -> Iterator[Partition]:
        columns = ", ".join(f'"{column}"' for column in CURRENT_COLUMNS)
        rows = self.rows(
            f"SELECT {columns} FROM current WHERE {where} ORDER BY dataset, partition, ordinal"
        )
        for _, group in groupby(rows, key=lambda row: row[:2]):
            yield _partition(list(group))


def _partition(rows: list[tuple[Any, ...]]) -> Partition:
    dataset, text, info = rows[0][:3]
    partition: Partition = build(Partition, {"dataset": dataset, "text": text, **json.loads(info)})
    files = tuple(_file(row[3:]) for row in rows if row[3] is not None)
    if partition.current is None:
        return partition
    return replace(partition, current=replace(partition.current, files=files))


def _file(row: tuple[Any, ...]) -> File:
    key, byte_count, digest, rows, schema, role, each = row
    return File(key, byte_count, digest.hex(), rows, schema, {}, role, each)


def current_rows(partition: Partition) -> list[dict[str, Any]]:
    """Return a partition as rows of `current.parquet`: one per file, or one without a key."""
    files = partition.current.files if partition.current else ()
    bare = (
        replace(partition, current=replace(partition.current, files=()))
        if partition.current
        else partition
    )
    info = {key: value for key, value in plain(bare).items() if key not in ("dataset", "text")}
    if partition.current:
        info["current"]["files"] = []
    common = {"dataset": partition.dataset, "partition": partition.text, "info": json.dumps(info)}
    return [
        {
            **common,
            "ordinal": ordinal,
            "key": file.key,
            "bytes": file.bytes,
            "sha256": file.sha256,
            "rows": file.rows,
            "schema": file.schema,
            "role": file.role,
            "each": file.each,
        }
        for ordinal, file in enumerate(files)
    ] or [common]
