"""Loading what the lake publishes: which tables, from which partitions, into which warehouse."""

from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from lake.catalog.state import State
from lake.config import url_of
from lake.config.period import ALL, Periods
from lake.errors import InvalidConfig, LakeError, NoSuchDataset, NoSuchTable, raise_all
from lake.query.connect import check, reader
from lake.query.describe import described
from lake.schema.admit import crowd
from lake.warehouse.declared import table_config, tables
from lake.warehouse.ledger import Overtaken, PartitionLoad, TableLoad, TableLoaded
from lake.warehouse.load import Reconciled, due, load, reconcile
from lake.warehouse.noted import note
from lake.warehouse.warehouse import Hook
from lake.words import nearest

if TYPE_CHECKING:
    from lake.lake import Lake


def load_tables(
    lake: "Lake",
    names: Sequence[str] = (),
    *,
    to: str | None = None,
    hook: Hook | None = None,
    told: Callable[[TableLoaded], None] = lambda loaded: None,
    periods: Periods = ALL,
) -> list[TableLoaded]:
    """Load tables one after the other, each in a transaction of its own; only what changed.

    Safe to run twice, beside itself, and after a kill: the warehouse's ledger says what it holds.

    Args:
        lake: the lake; moved to its head before each table.
        names: tables of `[warehouse] load`; all of them without any.
        to: the warehouse's URL, in place of the configured one.
        hook: called with every statement, before it and after it.
        told: hears of each table as soon as it is loaded.
        periods: those to load; what is not cut into periods is loaded anyway.

    Raises:
        NoSuchTable: one is not named in `[warehouse] load`.
        WarehouseLocked, LoadRefused, SeveralFailed: what failed; the other tables were loaded.
    """
    lake.refresh()
    url = warehouse_url(lake, to)
    loaded: list[TableLoaded] = []
    errors: list[LakeError] = []
    for name in chosen(lake, names):
        try:
            loaded.append(_load(lake, name, url, hook, periods))
            told(loaded[-1])
            note(lake, name, loaded[-1], url)
        except LakeError as error:
            errors.append(error)
    raise_all(errors)
    return loaded


def _load(lake: "Lake", name: str, url: str, hook: Hook | None, periods: Periods) -> TableLoaded:
    """Load what a table is to hold at the head, also if a faster run comes in between."""
    lake.refresh()
    root = lake.config.root
    try:
        return load(url, _sound(lake, name, periods), root=root, statement_hook=hook)
    except Overtaken:
        lake.refresh()
        return load(url, _sound(lake, name, periods), root=root, statement_hook=hook)


def _sound(lake: "Lake", name: str, periods: Periods = ALL) -> TableLoad:
    """Return what a table is to hold, once the files are seen to be those that the log names."""
    wanted = table_load(lake, name, periods)
    check(lake.log, lake.state, wanted.dataset)
    return wanted


def chosen(lake: "Lake", names: Sequence[str]) -> list[str]:
    """Return the names of the tables to load, without their zone.

    Raises:
        NoSuchTable: one is not configured, or none is.
    """
    known = tables(lake)
    if not known:
        raise NoSuchTable(
            'no table is to be loaded: write [warehouse] load = ["NAME"] into lake.toml'
        )
    for name in names:
        if name.removeprefix("curated.") not in known:
            raise NoSuchTable(f"{name!r} is not in [warehouse] load{nearest(name, known)}")
    return [name.removeprefix("curated.") for name in names or known]


def warehouse_url(lake: "Lake", to: str | None) -> str:
    """Return the warehouse's URL: `to`, the configured one, or the file beside a local lake.

    Raises:
        InvalidConfig: a remote lake has no default.
    """
    found = to or lake.config.warehouse.url
    if found:
        return url_of(found)
    if not lake.url.startswith("file:"):
        raise InvalidConfig(
            "no warehouse is named: write [warehouse] url into lake.toml, or give --to"
        )
    beside = Path(lake.log.store.data_url("x")).parent.parent
    return f"duckdb:///{beside / 'warehouse.duckdb'}"


def table_load(lake: "Lake", name: str, periods: Periods = ALL) -> TableLoad:
    """Return what a table is to hold: every current partition of its dataset, each as a SELECT.

    Only those in `periods` are loaded.

    Raises:
        NoSuchDataset: nothing was published yet.
    """
    dataset, state, config = f"curated.{name}", lake.state, table_config(lake, name)
    if dataset not in state.datasets:
        raise NoSuchDataset(
            f"there is no dataset {dataset} yet: land what it reads, then run `lake transform"
            f" {name}`"
        )
    words, columns = described(state, dataset), _columns(state, dataset)
    return TableLoad(
        lake_id=lake.log.identity.id,
        dataset=dataset,
        table=config.table,
        commit=lake.commit,
        columns=columns,
        partitions=_partitions(lake, dataset),
        let_read=lake.log.store.let_read,
        description=words.description,
        owner=words.owner,
        comments=tuple((n, words.columns[n]) for n, _ in columns if n in words.columns),
        mode=config.mode,
        merge_on=config.merge_on,
        periods=periods,
    )


def _partitions(lake: "Lake", dataset: str) -> tuple[PartitionLoad, ...]:
    files = {
        text: list(group)
        for text, group in groupby(lake.state.data_files(dataset), key=lambda file: file.partition)
    }
    over = reader(lake.log, lake.state, dataset)
    return tuple(
        PartitionLoad(
            partition.text,
            partition.current.content,
            sum(file.rows for file in partition.current.files if file.role == "data"),
            over(files.get(partition.text, ())),
        )
        for partition in lake.state.current(dataset)
        if partition.current
    )


def _columns(state: State, dataset: str) -> tuple[tuple[str, str], ...]:
    return tuple((c.name, c.type) for c in crowd(state, dataset).reconciled().columns)


def reconcile_tables(
    lake: "Lake",
    names: Sequence[str] = (),
    *,
    to: str | None = None,
    mend: bool = True,
    told: Callable[[Reconciled], None] = lambda found: None,
) -> list[Reconciled]:
    """Compare tables, row by row, with what is published; write anew what differs.

    Args:
        lake: the lake; moved to its head before.
        names: tables of `[warehouse] load`; all of them without any.
        to: the warehouse's URL, in place of the configured one.
        mend: False: nothing is changed.
        told: hears of each table as soon as it is looked at.

    Raises:
        NoSuchTable: one is not named in `[warehouse] load`.
        WarehouseLocked, LoadRefused, SeveralFailed: what failed; the other tables went through.
    """
    lake.refresh()
    url, root = warehouse_url(lake, to), lake.config.root
    done: list[Reconciled] = []
    errors: list[LakeError] = []
    for name in chosen(lake, names):
        try:
            done.append(reconcile(url, _sound(lake, name), root=root, mend=mend))
        except LakeError as error:
            errors.append(error)
            continue
        told(done[-1])
    raise_all(errors)
    return done


def plan(
    lake: "Lake", names: Sequence[str] = (), *, to: str | None = None, periods: Periods = ALL
) -> dict[str, list[str]]:
    """Return the partitions that a load of some periods would bring or take away, per table."""
    lake.refresh()
    url = warehouse_url(lake, to)
    return {name: _due(lake, name, url, periods) for name in chosen(lake, names)}


def _due(lake: "Lake", name: str, url: str, periods: Periods) -> list[str]:
    wanted = table_load(lake, name, periods)
    found = due(url, wanted, root=lake.config.root)
    return [*(partition.partition for partition in found.changed), *found.removed]
