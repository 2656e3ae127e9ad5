"""The columns of a dataset's view: what each is made of, period by period, and how it changed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lake.catalog.state import DataFile, State
from lake.query import address as addresses
from lake.query import meta
from lake.query.sql import literal
from lake.schema.admit import crowd
from lake.schema.reconcile import ViewColumn

if TYPE_CHECKING:
    from lake.lake import Lake

_CHANGES = """
SELECT "column", former_type AS was, type AS became, rule, partition, commit, drifted_at AS at
FROM meta.drift WHERE dataset = """


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring partitions in whose files a column is the same.

    Attributes:
        first: the first of them, as text.
        last: the last one.
        column: what it is called there; `""` where it is not there.
        type: its type there; several where one partition's files differ.
        files: how many there are.
    """

    first: str
    last: str
    column: str
    type: str
    files: int


@dataclass(frozen=True, slots=True)
class Change:
    """A commit that gave the view's column another type."""

    commit: int
    at: str
    partition: str
    was: str
    became: str
    rule: str


@dataclass(frozen=True, slots=True)
class ShownColumn:
    """A column of a view; `runs` are empty for a key of the partition.

    It drifts where there is more than one run.
    """

    column: str
    type: str
    rule: str
    runs: tuple[Run, ...]
    changes: tuple[Change, ...]


def columns(lake: "Lake", text: str) -> list[ShownColumn]:
    """Return the columns of a dataset's view, in its order.

    Raises:
        NoSuchDataset, NoSuchVersion: there is none.
    """
    address = addresses.parse(text)
    state = addresses.state_of(lake.log, lake.state, address)
    name = addresses.find_dataset(state, address.dataset)
    files, changes = state.data_files(name), _changes(state, name)
    return [
        ShownColumn(
            one.name,
            one.type,
            one.rule,
            tuple(_runs(one, files)) if one.parts else (),
            tuple(changes.get(one.name, ())),
        )
        for one in crowd(state, name).reconciled().columns
    ]


def _changes(state: State, dataset: str) -> Mapping[str, Sequence[Change]]:
    found: dict[str, list[Change]] = {}
    for row in meta.rows(state, _CHANGES + literal(dataset) + " ORDER BY commit"):
        said = {key: value for key, value in row.items() if key != "column"}
        found.setdefault(row["column"], []).append(Change(**{**said, "at": row["at"].isoformat()}))
    return found


def _runs(column: ViewColumn, files: Sequence[DataFile]) -> Iterator[Run]:
    """Give the runs of partitions, in their order; files of one partition count together."""
    run: Run | None = None
    for partition, called, kind, count in _by_partition(column, files):
        if run and (run.column, run.type) == (called, kind):
            run = Run(run.first, partition, called, kind, run.files + count)
            continue
        if run:
            yield run
        run = Run(partition, partition, called, kind, count)
    if run:
        yield run


def _by_partition(
    column: ViewColumn, files: Sequence[DataFile]
) -> Iterator[tuple[str, str, str, int]]:
    """Give for each partition the column's name and type in its files, and their number."""
    found: dict[str, list[tuple[str, str]]] = {}
    for file in files:
        part = column.parts.get(file.schema)
        found.setdefault(file.partition, []).append((part.name, part.type) if part else ("", ""))
    for partition, parts in found.items():
        called = ", ".join(dict.fromkeys(name for name, _ in parts if name))
        kinds = ", ".join(dict.fromkeys(kind or "not there" for _, kind in parts))
        yield partition, called, kinds, len(parts)
