"""Two tables compared row by row, inside DuckDB and in bounded memory.

One scan sums a 64-bit hash per row into buckets. Only buckets whose sums differ are read again:
there, rows are told apart by 128 bits and matched by the values of their key.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import duckdb

from lake import layout
from lake.catalog.log import Log
from lake.catalog.state import DataFile, State
from lake.operations.diff_columns import (
    ColumnDiff,
    column_diffs,
    compared,
    find_key,
    schema_of,
)
from lake.operations.diff_match import RowDiff, Work, collect, found_gaps, found_rows, tally
from lake.query.connect import absent, open_session
from lake.query.trust import Trust
from lake.query.views import ViewFile, plan_view
from lake.schema.admit import Crowd
from lake.schema.reconcile import Reconciled

MEMORY = "1GB"


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two tables: the files to read, all of its files, and how many rows they have."""

    label: str
    dataset: str
    state: State
    files: tuple[DataFile, ...]
    every: tuple[DataFile, ...]
    rows: int
    partition: str = ""


@dataclass(frozen=True, slots=True)
class TableDiff:
    """What is different between two tables.

    Attributes:
        before, after: what was compared, each with its commit or version.
        schema: columns that differ; cells of columns that only one side has are not compared.
        key: the columns by which rows were matched; empty: as multisets, so that none is changed.
        shared: rows that differ and share their key with another row of their side: those were
            compared as multisets.
        cells: how many cells of changed rows differ; `columns` says in which columns.
        rows: the first of the rows that differ.
        gaps: how many rows that do not differ lie before each of `rows`, by key, and behind the
            last one; empty: not asked for, or not known, as there is no key, or files that both
            sides have were not read.
    """

    before: str
    after: str
    rows_before: int
    rows_after: int
    added: int
    removed: int
    changed: int
    cells: int
    shared: int
    key: tuple[str, ...]
    schema: tuple[ColumnDiff, ...]
    columns: Mapping[str, int] = field(default_factory=dict)
    rows: tuple[RowDiff, ...] = ()
    gaps: tuple[int, ...] = ()

    @property
    def unchanged(self) -> int:
        """How many rows both have."""
        return self.rows_before - self.removed - self.changed


@dataclass(frozen=True, slots=True)
class Asked:
    """How to compare.

    Attributes:
        key: columns by which rows are matched; `must`: both sides must have them.
        limit: how many rows that differ to give.
        gaps: whether to count what lies between those, which takes a scan and a sort more.
    """

    key: Sequence[str]
    must: bool
    limit: int
    gaps: bool = False


def diff_tables(log: Log, before: Side, after: Side, asked: Asked) -> TableDiff:
    """Compare two tables; see `lake.operations.diff.diff`."""
    known = [schema_of(side.state, side.dataset, side.every) for side in (before, after)]
    old, new = known[0][1], known[1][1]
    columns = compared(
        old,
        new,
        (before.state.schemas, after.state.schemas),
        is_one_partition=bool(before.partition and after.partition),
    )
    found_key = find_key(asked.key, columns, must=asked.must)
    counts = {"added": 0, "removed": 0, "changed": 0, "shared": 0}
    by_column: dict[str, int] = {}
    rows: tuple[RowDiff, ...] = ()
    gaps: tuple[int, ...] = ()
    if columns and (before.files or after.files):
        with _opened(log, after.state) as (connection, scratch):
            work = Work(connection, columns, found_key)
            _view(log, work, "before", before, known[0], scratch)
            _view(log, work, "after", after, known[1], scratch)
            if collect(work, sum(file.rows for file in (*before.files, *after.files))):
                counts, by_column = tally(work)
                rows = tuple(found_rows(work, asked.limit))
                if asked.gaps and found_key and after.files == after.every:
                    with suppress(duckdb.OutOfMemoryException):  # the rest is known without them
                        gaps = tuple(found_gaps(work, asked.limit))
    return TableDiff(
        before=before.label,
        after=after.label,
        rows_before=before.rows,
        rows_after=after.rows,
        **counts,
        cells=sum(by_column.values()),
        key=found_key,
        schema=column_diffs(old, new),
        columns=by_column,
        rows=rows,
        gaps=gaps,
    )


@contextmanager
def _opened(log: Log, state: State) -> Iterator[tuple[Any, Path]]:
    with tempfile.TemporaryDirectory(prefix="clearlake-") as scratch:
        settings = {
            "temp_directory": str(Path(scratch) / "spill"),
            "memory_limit": MEMORY,
            "preserve_insertion_order": "false",
        }
        connection = open_session(log, state, settings=settings).connection
        try:
            yield connection, Path(scratch)
        finally:
            connection.close()


def _view(
    log: Log,
    work: Work,
    name: Literal["before", "after"],
    side: Side,
    known: tuple[Crowd, Reconciled],
    scratch: Path,
) -> None:
    """Make the view `before` or `after`: the columns of both, as one type of both."""
    crowd, reconciled = known
    chosen = [ViewFile(log.store.data_url(file.key), file.schema) for file in side.files]
    plan = plan_view(side.dataset, chosen, side.state.schemas, reconciled, crowd.keys)
    with absent(log, side.state, side.dataset):
        Trust(log.store, work.connection).check(side.dataset, side.files)
    # The files that lead views of these files alone need not be in the lake.
    leaders = {layout.schema(sha256): scratch / f"{sha256}.parquet" for sha256 in plan.schema_files}
    for path, data in zip(leaders.values(), plan.schema_files.values(), strict=True):
        path.write_bytes(data)
    work.view(name, plan.select(lambda key: str(leaders[key])))
