"""The SQL page: a query, and its answer as a table and a chart."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from lake import layout
from lake.browser.ask import Ask
from lake.browser.snapshot import Snapshot
from lake.browser.sql.runner import Answer, Failure
from lake.catalog import tables
from lake.catalog.state import State
from lake.query import meta
from lake.query.sql import identifier, literal, qualified
from lake.schema.admit import crowd

LONGEST = 8_000
"""Characters of a query: it stands in the address, and in every link."""
SHORT = 1_500
"""Characters of a query that may stand in many links."""
MOST_NAMES = 250
_OPEN_COLUMNS = 40
_OPEN = 4
_WORD = re.compile(r"\w+")
Became = Literal["empty", "waits", "done", "failed"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of an answer, and its DuckDB type."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class SqlPage:
    """A query, and what became of it.

    Attributes:
        state: `waits`: it is shown, and is run when a person says so.
        error: why there is no answer, in one line.
        line, column: where in the query, from 1; 0: nowhere in it.
        rows: of all that there are, or of the page that is looked at; plain numbers and truths as
            such, everything else as DuckDB writes it.
        total: rows of the answer.
        cut: `rows` or `bytes`: the answer was cut there.
        first: the number of the first row here, from 1.
        sort: the number of the column that it is sorted by; negative: the other way; 0: none.
        files: behind the tables that are named, and their `bytes`.
    """

    commit: int
    sql: str
    state: Became
    error: str = ""
    line: int = 0
    column: int = 0
    columns: Sequence[Column] = ()
    rows: Sequence[Sequence[Any]] = ()
    total: int = 0
    cut: str = ""
    first: int = 0
    sort: int = 0
    seconds: float = 0.0
    files: int = 0
    bytes: int = 0


def make(shot: Snapshot, ask: Ask) -> SqlPage:
    """Return the page before anything is run."""
    sql = ask.get("sql")
    return SqlPage(shot.commit, sql, "waits" if sql.strip() else "empty")


def answered(
    shot: Snapshot,
    sql: str,
    answer: Answer,
    rows: Sequence[Sequence[Any]],
    *,
    first: int,
    sort: int,
) -> SqlPage:
    """Return the page of an answer, with some of its rows."""
    return SqlPage(
        shot.commit,
        sql,
        "done",
        columns=[Column(*one) for one in answer.columns],
        rows=rows,
        total=answer.rows,
        cut=answer.cut,
        first=first,
        sort=sort,
        seconds=round(answer.seconds, 3),
        files=answer.files,
        bytes=answer.bytes,
    )


def failed(shot: Snapshot, sql: str, failure: Failure) -> SqlPage:
    """Return the page of a query that has no answer."""
    line = column = 0
    if failure.position >= 0:
        before = sql.encode(errors="replace")[: failure.position].decode(errors="ignore")
        line = before.count("\n") + 1
        column = len(before) - before.rfind("\n")
    return SqlPage(shot.commit, sql, "failed", failure.text, line, column)


@dataclass(frozen=True, slots=True)
class Table:
    """A table in the list beside the editor; `columns` are shown of those that the query names."""

    name: str
    path: str
    columns: Sequence[tuple[str, str]] = ()
    more: int = 0


def tree(shot: Snapshot, sql: str) -> Sequence[tuple[str, Sequence[Table], int]]:
    """Return schema, tables, and how many more there are, of each schema."""
    said = sql.lower()
    names = sorted(shot.lake.state.datasets)
    words = set(_WORD.findall(said))
    named = [name for name in names if name.partition(".")[2] in words][:_OPEN]
    found = []
    for zone in layout.ZONES:
        mine = [name for name in names if name.startswith(f"{zone}.")]
        shown = [name for name in mine[:MOST_NAMES] if name not in named]
        some = [_table(shot, name, is_open=True) for name in named if name in mine]
        some += [_table(shot, name, is_open=False) for name in shown]
        rest = max(len(mine) - MOST_NAMES, 0)
        found.append((zone, sorted(some, key=lambda one: one.name), rest))
    known = [_meta(name, is_open=f"meta.{name}" in said) for name in meta.TABLES]
    return [*found, ("meta", known, 0)]


def _table(shot: Snapshot, name: str, *, is_open: bool) -> Table:
    zone, _, bare = name.partition(".")
    path = f"/{zone}/{bare}/columns"
    if not is_open:
        return Table(bare, path)
    columns = columns_of(shot, name)
    return Table(bare, path, columns[:_OPEN_COLUMNS], max(len(columns) - _OPEN_COLUMNS, 0))


def _meta(name: str, *, is_open: bool) -> Table:
    return Table(name, "", meta_columns()[name] if is_open else ())


def columns_of(shot: Snapshot, dataset: str) -> Sequence[tuple[str, str]]:
    """Return name and type of a dataset's columns."""
    return shot.memo(
        ("columns of", dataset),
        lambda: [(one.name, one.type) for one in crowd(shot.state(), dataset).reconciled().columns],
    )


@cache
def meta_columns() -> Mapping[str, Sequence[tuple[str, str]]]:
    """Return name and type of the columns of each metadata table: an empty lake has them, too."""
    with tables.connect() as connection:
        meta.make(connection, State(""))
        return {
            name: connection.execute(
                f"SELECT column_name, column_type FROM (DESCRIBE meta.{identifier(name)})"
            ).fetchall()
            for name in meta.TABLES
        }


def names(shot: Snapshot) -> Mapping[str, Sequence[tuple[str, str]]]:
    """Return name and type of every column of every table."""

    def look() -> dict[str, Sequence[tuple[str, str]]]:
        found = {f"meta.{name}": columns for name, columns in meta_columns().items()}
        return {name: columns_of(shot, name) for name in sorted(shot.lake.state.datasets)} | found

    return shot.memo("names", look)


def examples(shot: Snapshot) -> Sequence[tuple[str, str]]:
    """Return queries to begin with, each with what it tells."""
    found = [
        (
            "The largest datasets",
            "SELECT dataset, rows, bytes, files\nFROM meta.datasets\nORDER BY bytes DESC",
        ),
        (
            "Commits by day",
            "SELECT date_trunc('day', committed_at)::DATE AS day, count(*) AS commits\n"
            "FROM meta.commits\nGROUP BY ALL ORDER BY day",
        ),
    ]
    largest = max(shot.lake.state.datasets.values(), key=lambda one: one.rows, default=None)
    if largest and largest.last_schema:
        name = _plain(largest.name)
        if largest.keys:
            by = identifier(largest.keys[0])
            count = f"SELECT {by}, count(*) AS rows\nFROM {name}\nGROUP BY ALL ORDER BY {by}"
            found.append((f"Rows of {largest.name} by {largest.keys[0]}", count))
        found.append((f"Some rows of {largest.name}", f"SELECT *\nFROM {name}\nLIMIT 100"))
        found.append((f"Every column of {largest.name}, summarized", f"SUMMARIZE {name}"))
        versions = (
            "SELECT partition, version, landed_at, rows, bytes\nFROM meta.versions\n"
            f"WHERE dataset = {literal(largest.name)}\nORDER BY landed_at DESC"
        )
        found.append((f"Versions of {largest.name}", versions))
    return found


def _plain(dataset: str) -> str:
    return dataset if dataset.replace(".", "").replace("_", "").isalnum() else qualified(dataset)
