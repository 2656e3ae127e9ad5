"""The catalog as tables of one DuckDB connection: a checkpoint's Parquet plus the tail behind it.

The same statements write the next checkpoint and answer the metadata tables.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lake.catalog.base import ParquetBase
from lake.catalog.codec import plain
from lake.catalog.entries import Built, Entry, Note
from lake.catalog.state import State, VersionEvent
from lake.query.sql import literal

_LONG = 10_000_000
_GROUP = 10_240
"""Rows that one look-up reads: small groups cost no space, as the rows are sorted."""
_CURRENT = {
    "dataset": "VARCHAR",
    "partition": "VARCHAR",
    "info": "VARCHAR",
    "ordinal": "BIGINT",
    "key": "VARCHAR",
    "bytes": "BIGINT",
    "sha256": "VARCHAR",
    "rows": "BIGINT",
    "schema": "VARCHAR",
    "role": "VARCHAR",
    "each": "VARCHAR",
}
_HISTORY = {
    "dataset": "VARCHAR",
    "partition": "VARCHAR",
    "version": "BIGINT",
    "commit": "BIGINT",
    "landed_at": "VARCHAR",
    "action": "VARCHAR",
    "content": "VARCHAR",
    "source": "VARCHAR",
    "run": "VARCHAR",
    "receipt": "VARCHAR",
    "rejected": "BIGINT",
    "version_rows": "BIGINT",
    "version_bytes": "BIGINT",
    "version_files": "BIGINT",
    "current": "BOOLEAN",
    "held": "VARCHAR",
    "key": "VARCHAR",
    "bytes": "BIGINT",
    "rows": "BIGINT",
    "sha256": "VARCHAR",
    "schema": "VARCHAR",
    "role": "VARCHAR",
    "removed_in": "BIGINT",
}
_COMMITS = {
    "commit": "BIGINT",
    "id": "VARCHAR",
    "committed_at": "VARCHAR",
    "author": "VARCHAR",
    "run": "VARCHAR",
    "message": "VARCHAR",
    "changes": "VARCHAR",
    "notes": "VARCHAR",
}


def history(connection: Any, state: State) -> None:
    """Make the view `meta._history`: a row per file and interval, in which version it came.

    `commit` is where it was added, `removed_in` where it stopped being current (NULL: it is); what
    was held never was, so both are the same.
    """
    load(connection, "_events", _HISTORY, (row for e in state.events for row in event_rows(e)))
    removed = [
        {"dataset": e.dataset, "key": key, "commit": e.commit}
        for e in state.events
        for key in e.removed
    ]
    load(
        connection,
        "_removed",
        {"dataset": "VARCHAR", "key": "VARCHAR", "commit": "BIGINT"},
        removed,
    )
    connection.execute(
        f"CREATE OR REPLACE VIEW meta._history AS WITH every AS ("
        f"{_renamed(state)} SELECT * FROM meta._events)"
        " SELECT * REPLACE (coalesce(removed_in, CASE WHEN held <> '' THEN commit END,"
        " (SELECT min(r.commit) FROM meta._removed r WHERE"
        " r.dataset = every.dataset AND r.key = every.key AND r.commit > every.commit))"
        " AS removed_in) FROM every"
    )


def _renamed(state: State) -> str:
    if not isinstance(state.base, ParquetBase):
        return ""
    name = "dataset"
    for old, new in state.renames:
        name = f"CASE {name} WHEN {literal(old)} THEN {literal(new)} ELSE {name} END"
    return (
        f"SELECT * REPLACE ({name} AS dataset) FROM"
        f" read_parquet({literal(str(state.base.path('history')))}) UNION ALL"
    )


def commits(connection: Any, state: State) -> None:
    """Make the view `meta._commits`: a row per commit, its checks and loads as JSON."""
    load(connection, "_tail", _COMMITS, map(_commit_row, state.tail))
    base = ""
    if isinstance(state.base, ParquetBase):
        base = f"SELECT * FROM read_parquet({literal(str(state.base.path('commits')))}) UNION ALL"
    connection.execute(f"CREATE OR REPLACE VIEW meta._commits AS {base} SELECT * FROM meta._tail")


def event_rows(event: VersionEvent) -> Iterable[dict[str, Any]]:
    """Give a version as rows of `_history`: one per file that came with it, or one without."""
    common = {
        "dataset": event.dataset,
        "partition": event.partition,
        "version": event.version,
        "commit": event.commit,
        "landed_at": event.landed.at,
        "action": event.action,
        "content": event.content,
        "source": event.landed.origin.get("url", ""),
        "run": event.landed.run,
        "receipt": event.landed.receipt,
        "rejected": event.landed.rejected,
        "version_rows": event.rows,
        "version_bytes": event.bytes,
        "version_files": event.files,
        "current": event.current,
        "held": event.held,
    }
    names = ("key", "bytes", "rows", "sha256", "schema", "role")
    for file in event.added:
        yield {**common, **{name: getattr(file, name) for name in names}}
    if not event.added:
        yield common


def _commit_row(entry: Entry) -> dict[str, Any]:
    actions = [change.action for change in entry.changes]
    counted = {action: actions.count(action) for action in dict.fromkeys(actions)}
    return {
        "commit": entry.commit,
        "id": entry.id,
        "committed_at": entry.committed_at,
        "author": f"{entry.author.host} {entry.author.version}".strip(),
        "run": entry.author.run,
        "message": entry.message,
        "changes": ", ".join(f"{count} {action}" for action, count in counted.items()),
        "notes": json.dumps([note for change in entry.changes for note in _notes(change)]),
    }


def _notes(change: Any) -> list[dict[str, Any]]:
    if isinstance(change, Built):
        return [
            {"note": "check", "dataset": change.dataset, "scope": "", **plain(c)}
            for c in change.checks
        ]
    if isinstance(change, Note):
        return [
            {
                "note": change.kind,
                "dataset": change.dataset,
                "partition": change.partition,
                "text": change.text,
                **change.data,
            }
        ]
    return []


def load(
    connection: Any, name: str, columns: Mapping[str, str], rows: Iterable[Mapping[str, Any]]
) -> None:
    """Make a table `meta.<name>` of rows; a column that a row lacks is NULL."""
    shape = literal(json.dumps([columns]))
    text = json.dumps([{column: row.get(column) for column in columns} for row in rows])
    # A parameter is faster than a long literal, but the first one makes DuckDB import pandas.
    is_long = len(text) > _LONG
    value = "?" if is_long else literal(text)
    connection.execute(
        f"CREATE OR REPLACE TABLE meta.{name} AS SELECT row.* FROM"
        f" (SELECT unnest(from_json({value}::JSON, {shape})) AS row)",
        *([[text]] if is_long else []),
    )


def write_current(
    base: ParquetBase | None,
    rows: Iterable[Mapping[str, Any]],
    known: Iterable[Mapping[str, str]],
    path: Path,
) -> None:
    """Write `current.parquet`: the checkpoint's rows but for the `known` partitions, and `rows`."""
    connection = connect()
    load(connection, "_rows", _CURRENT, rows)
    load(connection, "_known", {"dataset": "VARCHAR", "partition": "VARCHAR"}, known)
    old = ""
    if base:
        old = (
            f"SELECT * FROM read_parquet({literal(str(base.path('current')))})"
            " ANTI JOIN meta._known USING (dataset, partition) UNION ALL "
        )
    _copy(
        connection,
        f"{old}SELECT * REPLACE (unhex(sha256) AS sha256) FROM meta._rows"
        " ORDER BY dataset, partition, ordinal",
        path,
    )


def write_history(state: State, path: Path) -> None:
    """Write `history.parquet`."""
    connection = connect()
    history(connection, state)
    _copy(connection, "SELECT * FROM meta._history ORDER BY dataset, partition, version", path)


def write_commits(state: State, path: Path) -> None:
    """Write `commits.parquet`."""
    connection = connect()
    commits(connection, state)
    _copy(connection, "SELECT * FROM meta._commits ORDER BY commit", path)


def connect() -> Any:
    """Return a DuckDB connection with an empty schema `meta`."""
    import duckdb

    connection = duckdb.connect(config={"threads": 2})
    connection.execute("CREATE SCHEMA meta")
    return connection


def _copy(connection: Any, select: str, path: Path) -> None:
    connection.execute(
        f"COPY ({select}) TO {literal(str(path))}"
        f" (FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2, ROW_GROUP_SIZE {_GROUP})"
    )
