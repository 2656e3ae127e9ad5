"""DuckDB connections in which the lake's datasets are views."""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from lake import layout, objects
from lake.catalog.collected import refuse_collected, why_missing
from lake.catalog.log import Log
from lake.catalog.state import DataFile, State
from lake.errors import (
    FileDamaged,
    LakeError,
    NoSuchVersion,
    QueryFailed,
    StoreUnavailable,
    VersionExpired,
)
from lake.query import beside, meta
from lake.query.sql import literal, qualified
from lake.query.trust import Trust
from lake.query.views import ViewFile, plan_view, schema_files
from lake.schema.admit import crowd

CONFIG = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


@dataclass(slots=True)
class Session:
    """A connection at one commit; its views are made when they are asked for.

    Whenever a statement names a dataset, its files must be those that the log names.
    """

    log: Log
    state: State
    connection: Any = None
    made: dict[str, Sequence[DataFile]] = field(default_factory=dict)
    """The views that there are, and the files behind each."""
    commit: int = 0
    trust: Trust = field(init=False)

    def __post_init__(self) -> None:
        self.trust = Trust(self.log.store, self.connection)

    def sql(self, query: str) -> Any:
        """Return the answer to `query`: a DuckDB relation, or None where it gives no rows.

        Only the views that it names are made; where that cannot be told, all of them.

        Raises:
            QueryFailed: it is no text that SQL can be.
            FileDamaged: a file is not the one that the log names. There is no answer then.
        """
        import duckdb

        check_text(query)
        self.log.store.let_read(self.connection)  # credentials end sooner than sessions
        names = named_datasets(self.connection, query, self.state)
        self._look_again(query)
        self.make(names)
        try:
            return self.connection.sql(query)
        except duckdb.CatalogException:
            damaged = self._make_rest()
            try:
                return self.connection.sql(query)
            except duckdb.CatalogException:
                # Another dataset's damage would hide what is wrong here.
                for name, damage in damaged.items():
                    if _is_in(name, query):
                        raise damage from None
            raise

    def _look_again(self, query: str) -> None:
        """Look at the files of the views that a statement may name, which were there before it."""
        for name, files in self.made.items():
            if files and _is_in(name, query):
                with absent(self.log, self.state, name):
                    self.trust.check(name, files)

    def _make_rest(self) -> dict[str, LakeError]:
        """Make every view that can be made; return what is wrong with the others."""
        damaged: dict[str, LakeError] = {}
        for name in ["meta", *readable(self.state), *beside.names(self.state)]:
            try:
                self.make([name])
            except (FileDamaged, VersionExpired) as exc:
                damaged[name] = exc
        return damaged

    def make(self, names: Iterable[str]) -> int:
        """Make the views of `names`, and `meta` for all of its tables; return how many were new."""
        new = [name for name in names if name not in self.made]
        for name in new:
            if name == "meta":
                meta.make(self.connection, self.state)
                self.made[name] = ()
            elif beside.is_one(name, self.state):
                self.made[name] = self._view_beside(name, *beside.split(name))
            else:
                self.made[name] = self._view(name)
        return len(new)

    def _view_beside(self, name: str, dataset: str, kind: str) -> Sequence[DataFile]:
        files = self.state.data_files(dataset) if kind != "rejected" else ()
        with absent(self.log, self.state, dataset):
            self.trust.check(dataset, files)
        self.make(["meta"])
        rows = beside.select(self.connection, self.log, self.state, dataset, kind)
        self.connection.execute(f"CREATE OR REPLACE VIEW {beside.qualified(name)} AS {rows}")
        return files

    def _view(self, name: str) -> Sequence[DataFile]:
        import duckdb

        files = self.state.data_files(name)
        rows = reader(self.log, self.state, name, trust=self.trust)(files)
        try:
            self.connection.execute(f"CREATE OR REPLACE VIEW {qualified(name)} AS {rows}")
        except duckdb.IOException as exc:
            raise missing(self.log, self.state, name) or StoreUnavailable(
                f"{name} cannot be read: {str(exc).splitlines()[0]}; try again"
            ) from exc
        return files

    def make_all(self) -> int:
        """Make every view and the metadata tables."""
        return self.make(["meta", *readable(self.state), *beside.names(self.state)])


def _is_in(dataset: str, query: str) -> bool:
    return dataset.partition(".")[2] in query.lower()


def check_text(query: str) -> None:
    """Make sure that DuckDB takes `query` as text.

    Raises:
        QueryFailed: it does not.
    """
    if "\0" in query:
        raise QueryFailed("the query holds a NUL character, which no SQL can: remove it")
    try:
        query.encode()
    except UnicodeEncodeError as exc:
        raise QueryFailed(
            f"the query is no valid text: character {exc.start + 1} is a lone byte or surrogate;"
            " write it as UTF-8"
        ) from None


def open_session(log: Log, state: State, *, settings: dict[str, str] | None = None) -> Session:
    """Return a session without views, in a DuckDB in memory that downloads nothing."""
    import duckdb

    connection = duckdb.connect(config={**CONFIG, **(settings or {})})
    log.store.let_read(connection)
    connection.execute(f"SET TimeZone = {literal(log.identity.timezone)}")
    for zone in layout.ZONES:
        connection.execute(f"CREATE SCHEMA {zone}")
    return Session(log, state, connection, commit=state.commit)


def missing(log: Log, state: State, dataset: str) -> FileDamaged | VersionExpired | None:
    """Return the error about the first of a dataset's files that is gone, if one is."""
    leaders = [layout.schema(sha256) for sha256 in schema_files(crowd(state, dataset).reconciled())]
    for key in (*leaders, *(file.key for file in state.data_files(dataset))):
        try:
            objects.size(log.store, key)
        except FileNotFoundError:
            return gone(log, state, dataset, key)
    return None


def gone(log: Log, state: State, dataset: str, key: str) -> FileDamaged | VersionExpired:
    """Return the error about a file of a dataset that is gone."""
    what = f"{dataset} at commit {state.commit}"
    return why_missing(log, state, key, what=what) or FileDamaged(
        f"{key} is missing in {log.store.url}, so {dataset} cannot be read: restore it from a copy"
        " of the lake"
    )


@contextmanager
def absent(log: Log, state: State, dataset: str) -> Iterator[None]:
    """Say which of a dataset's files is gone where one proves to be."""
    try:
        yield
    except FileNotFoundError as exc:
        raise missing(log, state, dataset) or StoreUnavailable(
            f"{dataset} cannot be read: a file was gone and is there again; try again"
        ) from exc


def check(log: Log, state: State, dataset: str) -> None:
    """Make sure that all files of a dataset are those that the log names.

    Raises:
        FileDamaged: one is not.
    """
    trust = open_session(log, state).trust
    with absent(log, state, dataset):
        trust.check(dataset, state.data_files(dataset))


def readable(state: State) -> list[str]:
    """Return the datasets that have columns: all but those of which everything was held."""
    return sorted(name for name, dataset in state.datasets.items() if dataset.last_schema)


def select(
    log: Log,
    state: State,
    dataset: str,
    *,
    partitions: Collection[str] | None = None,
    trust: Trust | None = None,
) -> str:
    """Return the SELECT over a dataset's current files, or over those of some partitions."""
    files = state.data_files(dataset)
    if partitions is not None:
        files = [file for file in files if file.partition in partitions]
    return reader(log, state, dataset, trust=trust)(files)


def reader(
    log: Log, state: State, dataset: str, *, trust: Trust | None = None
) -> Callable[[Iterable[DataFile]], str]:
    """Return what gives the SELECT over any of a dataset's files, with the columns of its view.

    Args:
        log: the lake's.
        state: which files and columns there are.
        dataset: such as `raw.green_trips`.
        trust: looks at the files of each SELECT; without it, nobody does.

    Raises:
        NoSuchVersion: nothing of it was ever current.
        FileDamaged: raised by what is returned: a file is not the one that the log names.
    """
    if not state.datasets[dataset].last_schema:
        raise NoSuchVersion(
            f"{dataset} has no columns yet: all that was landed is held; `lake show {dataset}` says"
            " why"
        )
    found = crowd(state, dataset)
    reconciled = found.reconciled()

    def over(files: Iterable[DataFile]) -> str:
        files = list(files)
        what = f"{dataset} at commit {state.commit}"
        refuse_collected(state, (file.key for file in files), what=what)
        chosen = [ViewFile(log.store.data_url(file.key), file.schema) for file in files]
        plan = plan_view(dataset, chosen, state.schemas, reconciled, found.keys)
        if trust:
            with absent(log, state, dataset):
                trust.check_leaders(dataset, plan.schema_files)
                trust.check(dataset, files)
        return plan.select(log.store.data_url)

    return over


def named_datasets(connection: Any, query: str, state: State) -> list[str]:
    """Return the datasets that a query names, and `meta` if it names one of the metadata tables."""
    return _known(tables_of(connection, query), state)


def tables_of(connection: Any, query: str) -> set[tuple[str, str]]:
    """Return schema and name of the tables that a query names, known or not."""
    # Never a parameter: the first one makes DuckDB import pandas, which takes a second.
    row = connection.execute(f"SELECT json_serialize_sql({literal(query)})").fetchone()
    tree = json.loads(row[0])
    if tree.get("error"):
        return _parsed(query)
    return {(node.get("schema_name", ""), node.get("table_name", "")) for node in _tables(tree)}


def _known(names: Iterable[tuple[str, str]], state: State) -> list[str]:
    known = []
    for schema, table in sorted(names):
        name = f"{schema}.{table}".lower()
        if schema.lower() == "meta":
            known.append("meta")
        elif name in state.datasets or beside.is_one(name, state):
            known.append(name)
    return list(dict.fromkeys(known))


def _tables(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if node.get("type") == "BASE_TABLE":
            yield node
        for value in node.values():
            yield from _tables(value)
    elif isinstance(node, list):
        for value in node:
            yield from _tables(value)


def _parsed(query: str) -> set[tuple[str, str]]:
    """Find table names where DuckDB serialises none: DESCRIBE, COPY, PIVOT and the like."""
    import sqlglot
    from sqlglot import exp

    try:
        trees = sqlglot.parse(query, dialect="duckdb")
    except sqlglot.errors.SqlglotError:
        return set()
    tables = [table for tree in trees if tree for table in tree.find_all(exp.Table)]
    return {(table.db, table.name) for table in tables}
