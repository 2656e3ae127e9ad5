"""What a source's PostgreSQL holds now: all of it, or what is newer than its cursor."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from lake.config.types import Database
from lake.errors import SourceUnreadable
from lake.query.sql import identifier
from lake.sources.copy import Fetched
from lake.sources.postgres.columns import columns
from lake.sources.postgres.connect import Server, connected
from lake.sources.postgres.cursor import Cursor, Seen, from_text, look, next_cursor, window_of
from lake.sources.postgres.duck import opening
from lake.sources.postgres.read import Read, described, read, relation, snapshot

Lacking = Callable[[Path, Cursor | None], Path | None]
"""Takes the rows away from a Parquet that the lake has already; None if it has all."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: `name` is what the file is called, `key` columns that must be there."""

    database: Database
    name: str
    key: tuple[str, ...] = ()

    @property
    def rows(self) -> str:
        """What stands behind FROM."""
        return relation(table=self.database.table, query=self.database.query)


@dataclass(frozen=True, slots=True)
class Newer:
    """Rows that the lake lacks, if there are any, and the cursor behind them."""

    fetched: Fetched | None
    cursor: str


def fetch_whole(wanted: Wanted, to: Path) -> Fetched:
    """Write all rows to the new Parquet `to`, as they are in one snapshot of the server.

    The same rows are the same content, in whatever order the server gives them: DuckDB's hash,
    summed over them. Another version of DuckDB hashes otherwise, and lands them once more.

    Raises:
        SourceUnreadable: there is no such table, a key is no column, or the server refuses.
        SourceIncomplete: it does not answer, or broke off. Safe to retry.
        InvalidConfig, MissingExtra, StoreUnavailable: see `connected` and `read`.
    """
    with opening() as opened, connected(wanted.database) as server, snapshot(server) as seen:
        _check_key(server, wanted)
        return _fetched(server, wanted, read(opened, seen, wanted.rows, to), to)


def fetch_newer(
    wanted: Wanted, to: Path, *, cursor: str, folders: int, lacking: Lacking
) -> Newer | None:
    """Write what the lake lacks to a new Parquet, see `cursor`; None if nothing has changed.

    Args:
        wanted: its database has a cursor.
        to: where rows go; what becomes of them lies beside it.
        cursor: what the last landing left; `""` for nothing.
        folders: in how many the lake keeps what was landed.
        lacking: takes away what was landed.

    Raises:
        SourceUnreadable: the cursor cannot be one, see `look`; else as `fetch_whole`.
    """
    database = wanted.database
    former = from_text(cursor, database.cursor)
    with connected(database) as server:
        first = look(server, database, wanted.rows, former)
        if first.value is None or first.is_as(former):
            return None
        with opening() as opened, snapshot(server) as here:
            _check_key(server, wanted)
            now = look(server, database, wanted.rows, former)
            window = window_of(identifier(database.cursor), former)
            found = read(opened, here, wanted.rows, to, where=window)
            left = lacking(to, former)
            seen = Seen(first, now, former)
            after = next_cursor(
                server, database, wanted.rows, seen, folders=folders, is_more=left is not None
            )
            if left is None:
                return Newer(None, after.to_text())
            if left != to:
                found = replace(found, **described(left))
            span = {"cursor": database.cursor, "from": former.value if former else ""}
            fetched = _fetched(server, wanted, found, left, **span, to=after.value)
            return Newer(fetched, after.to_text())


def _check_key(server: Server, wanted: Wanted) -> None:
    there = {one.name for one in columns(server, wanted.rows)} if wanted.key else set()
    for name in wanted.key:
        if name not in there:
            raise SourceUnreadable(
                f"{server.name} has no column {name!r}, which is its key: correct key in lake.toml,"
                " or look whether it was dropped or renamed"
            )


def _fetched(server: Server, wanted: Wanted, found: Read, path: Path, **span: str) -> Fetched:
    database = wanted.database
    snapshot_id, lsn, version = server.ask(
        "SELECT txid_current_snapshot()::text, (CASE WHEN pg_is_in_recovery()"
        " THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END)::text,"
        " current_setting('server_version')"
    )
    what = {"table": database.table} if database.table else {"query": database.query}
    facts = {**what, "snapshot": snapshot_id, "lsn": lsn, "server": f"PostgreSQL {version}"}
    facts |= span | {f"{column} as text": why for column, why in found.as_text.items()}
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return Fetched(
        path,
        f"{wanted.name}.parquet",
        path.stat().st_size,
        sha256,
        server.where,
        content=found.content,
        facts={name: said for name, said in facts.items() if said},
    )
