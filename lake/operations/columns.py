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
    return shown(state, name, state.data_files(name), _changes(state, name))


def shown(
    state: State,
    dataset: str,
    files: Sequence[DataFile],
    changes: Mapping[str, Sequence[Change]],
) -> list[ShownColumn]:
    """Return the columns of a dataset's view, in its order.

    Args:
        state: in which it is.
        dataset: such as `raw.green_trips`.
        files: its current data files, by partition.
        changes: of its columns' types, by column.
    """
    groups = list(_groups(files))
    return [
        ShownColumn(
            one.name,
            one.type,
            one.rule,
            tuple(_runs(one, groups)) if one.parts else (),
            tuple(changes.get(one.name, ())),
        )
        for one in crowd(state, dataset).reconciled().columns
    ]


def _changes(state: State, dataset: str) -> Mapping[str, Sequence[Change]]:
    found: dict[str, list[Change]] = {}
    for row in meta.rows(state, _CHANGES + literal(dataset) + " ORDER BY commit"):
        said = {key: value for key, value in row.items() if key != "column"}
        found.setdefault(row["column"], []).append(Change(**{**said, "at": row["at"].isoformat()}))
    return found


@dataclass(frozen=True, slots=True)
class _Group:
    """Neighbouring partitions whose files have the same schemas."""

    first: str
    last: str
    schemas: tuple[str, ...]
    files: int


def _groups(files: Sequence[DataFile]) -> Iterator[_Group]:
    """Give them in the order of the partitions: far fewer than there are files."""
    partitions: dict[str, list[str]] = {}
    for file in files:
        partitions.setdefault(file.partition, []).append(file.schema)
    group: _Group | None = None
    for partition, found in partitions.items():
        schemas = tuple(dict.fromkeys(found))
        if group and group.schemas == schemas:
            group = _Group(group.first, partition, schemas, group.files + len(found))
            continue
        if group:
            yield group
        group = _Group(partition, partition, schemas, len(found))
    if group:
        yield group


def _runs(column: ViewColumn, groups: Sequence[_Group]) -> Iterator[Run]:
    """Give the runs of partitions, in their order; files of one partition count together."""
    known: dict[tuple[str, ...], tuple[str, str]] = {}
    run: Run | None = None
    for group in groups:
        if group.schemas not in known:
            known[group.schemas] = _told(column, group.schemas)
        called, kind = known[group.schemas]
        if run and (run.column, run.type) == (called, kind):
            run = Run(run.first, group.last, called, kind, run.files + group.files)
            continue
        if run:
            yield run
        run = Run(group.first, group.last, called, kind, group.files)
    if run:
        yield run


def _told(column: ViewColumn, schemas: Sequence[str]) -> tuple[str, str]:
    """Return what a column is called in files of some schemas, and its type there."""
    parts = [column.parts.get(schema) for schema in schemas]
    called = dict.fromkeys(part.name for part in parts if part)
    kinds = dict.fromkeys(part.type if part else "not there" for part in parts)
    return ", ".join(called), ", ".join(kinds)
