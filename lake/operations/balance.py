"""Whether rows are kept, stage by stage: source = landed + rejected, published = loaded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lake.catalog.state import State
from lake.errors import LakeError
from lake.query.meta import rows
from lake.warehouse.declared import table_config, tables
from lake.warehouse.ledger import TableLoad
from lake.warehouse.load import count, describe, due, holds
from lake.warehouse.run import table_load, warehouse_url
from lake.words import counted

if TYPE_CHECKING:
    from lake.lake import Lake

_LANDED = """
SELECT dataset, sum(rows + rejected)::BIGINT AS source, sum(rows)::BIGINT AS landed,
  sum(rejected)::BIGINT AS rejected
FROM meta.versions WHERE current AND starts_with(dataset, 'raw.') GROUP BY dataset ORDER BY dataset
"""


@dataclass(frozen=True, slots=True)
class RowsLanded:
    """The rows of what is current of one dataset: `source` is `landed` and `rejected`."""

    dataset: str
    source: int
    landed: int
    rejected: int


@dataclass(frozen=True, slots=True)
class TableStatus:
    """A table and its dataset, in rows; `loaded` are those that the table really has.

    `state` says what is amiss: what is still to be loaded, that the table has other rows than its
    ledger says, that it is no longer loaded (of which nothing is published), or why the warehouse
    cannot be asked; `""` if all is well.
    """

    table: str
    published: int
    loaded: int | None
    state: str


def rows_landed(state: State) -> Iterator[RowsLanded]:
    """Give the rows of every raw dataset."""
    return (RowsLanded(**row) for row in rows(state, _LANDED))


def table_status(lake: "Lake") -> Iterator[TableStatus]:
    """Give the state of every table that is to be loaded and was published, or was loaded once."""
    for name in tables(lake):
        if f"curated.{name}" in lake.state.datasets:
            wanted = table_load(lake, name)
            try:
                yield _status(lake, wanted)
            except LakeError as error:
                yield TableStatus(wanted.table, wanted.rows, None, str(error))
    if lake.state.declared("table"):
        yield from _left(lake)


def _left(lake: "Lake") -> Iterator[TableStatus]:
    """Give the tables in the warehouse that this lake loaded once, and loads no longer."""
    try:
        url, root = warehouse_url(lake, None), lake.config.root
        held = describe(url, root=root)
    except LakeError:  # It was said of the tables that are to be loaded.
        return
    wanted = {table_config(lake, name).table for name in tables(lake)}
    for one in held:
        if one.lake_id == lake.log.identity.id and one.table not in wanted:
            try:
                found = count(url, one.table, root=root)
            except LakeError:  # Also what cannot be counted can be dropped.
                found = None
            left = f"no longer loaded; it holds {one.dataset} of commit {one.commit}"
            yield TableStatus(one.table, 0, found, f"{left}: drop it if nobody reads it")


def _status(lake: "Lake", wanted: TableLoad) -> TableStatus:
    url, root = warehouse_url(lake, None), lake.config.root
    held = holds(url, wanted.lake_id, wanted.table, root=root)
    loaded = count(url, wanted.table, root=root)
    found = due(url, wanted, root=root)
    written = sum(row.rows for row in held.values() if not row.removed)
    state = _to_load([*(one.partition for one in found.changed), *found.removed])
    if loaded is not None and held and wanted.mode == "replace" and loaded != written:
        name = wanted.dataset.removeprefix("curated.")
        state = f"load: {written} rows by the ledger; run lake load --reconcile {name}"
    return TableStatus(wanted.table, wanted.rows, loaded, state)


def _to_load(named: Sequence[str]) -> str:
    """Say which partitions the warehouse lacks, has otherwise or has still; `""` for none."""
    if not named:
        return ""
    first = ", ".join(text or "the whole" for text in named[:3])
    return f"{counted(len(named), 'partition')} to load: {first}{' …' if len(named) > 3 else ''}"
