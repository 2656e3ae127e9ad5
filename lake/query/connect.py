"""DuckDB connections in which the lake's datasets are views."""

import json
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from lake import layout
from lake.catalog.log import Log
from lake.catalog.state import DataFile, State
from lake.errors import FileDamaged, NoSuchVersion, QueryFailed, StoreUnavailable
from lake.query import meta
from lake.query.sql import literal, qualified
from lake.query.views import ViewFile, plan_view, schema_files
from lake.schema.admit import crowd

CONFIG = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


@dataclass(slots=True)
class Session:
    """A connection at one commit; its views are made when they are asked for."""

    log: Log
    state: State
    connection: Any = None
    made: set[str] = field(default_factory=set)
    commit: int = 0

    def sql(self, query: str) -> Any:
        """Return the answer to `query`: a DuckDB relation, or None where it gives no rows.

        Only the views that it names are made; where that cannot be told, all of them.

        Raises:
            QueryFailed: it is no text that SQL can be.
        """
        import duckdb

        check_text(query)
        names = named_datasets(self.connection, query, self.state)
        self.make(names)
        try:
            return self.connection.sql(query)
        except duckdb.CatalogException:
            # Another dataset's missing file would hide what is wrong here.
            with suppress(FileDamaged):
                if self.make_all():
                    return self.connection.sql(query)
            raise

    def make(self, names: Iterable[str]) -> int:
        """Make the views of `names`, and `meta` for all of its tables; return how many were new."""
        new = [name for name in names if name not in self.made]
        for name in new:
            if name == "meta":
                meta.make(self.connection, self.state)
            else:
                self._view(name)
            self.made.add(name)
        return len(new)

    def _view(self, name: str) -> None:
        import duckdb

        view = f"CREATE OR REPLACE VIEW {qualified(name)} AS {select(self.log, self.state, name)}"
        try:
            self.connection.execute(view)
        except duckdb.IOException as exc:
            raise missing(self.log, self.state, name) or StoreUnavailable(
                f"{name} cannot be read: {str(exc).splitlines()[0]}; try again"
            ) from exc

    def make_all(self) -> int:
        """Make every view and the metadata tables."""
        return self.make(["meta", *readable(self.state)])


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
    connection.execute(f"SET TimeZone = {literal(log.identity.timezone)}")
    for zone in layout.ZONES:
        connection.execute(f"CREATE SCHEMA {zone}")
    return Session(log, state, connection, commit=state.commit)


def missing(log: Log, state: State, dataset: str) -> FileDamaged | None:
    """Return the error about the first of a dataset's files that is gone, if one is."""
    leaders = [layout.schema(sha256) for sha256 in schema_files(crowd(state, dataset).reconciled())]
    for key in (*leaders, *(file.key for file in state.data_files(dataset))):
        try:
            log.store.size(key)
        except FileNotFoundError:
            return FileDamaged(
                f"{key} is missing in {log.store.url}, so {dataset} cannot be read: restore it from"
                " a copy of the lake"
            )
    return None


def readable(state: State) -> list[str]:
    """Return the datasets that have columns: all but those of which everything was held."""
    return sorted(name for name, dataset in state.datasets.items() if dataset.last_schema)


def select(
    log: Log, state: State, dataset: str, *, partitions: Collection[str] | None = None
) -> str:
    """Return the SELECT over a dataset's current files, or over those of some partitions."""
    files = state.data_files(dataset)
    if partitions is not None:
        files = [file for file in files if file.partition in partitions]
    return reader(log, state, dataset)(files)


def reader(log: Log, state: State, dataset: str) -> Callable[[Iterable[DataFile]], str]:
    """Return what gives the SELECT over any of a dataset's files, with the columns of its view.

    Raises:
        NoSuchVersion: nothing of it was ever current.
    """
    if not state.datasets[dataset].last_schema:
        raise NoSuchVersion(
            f"{dataset} has no columns yet: all that was landed is held; `lake show {dataset}` says"
            " why"
        )
    found = crowd(state, dataset)
    reconciled = found.reconciled()

    def over(files: Iterable[DataFile]) -> str:
        chosen = [ViewFile(log.store.data_url(file.key), file.schema) for file in files]
        plan = plan_view(dataset, chosen, state.schemas, reconciled, found.keys)
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
        elif name in state.datasets:
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
