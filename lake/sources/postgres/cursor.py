"""How far a source's rows are landed: the newest value, and from where to look again.

What is guaranteed. A landing takes every row that its snapshot holds from `low` on and that the
lake lacks (`subtract`), so rows of equal cursor are neither lost nor doubled, whenever they were
committed. `low` lies before the newest value as long as others are in the middle of a transaction:
their rows may still appear there.

- A time: `low` is at most the start of the oldest transaction that was open, and the server's clock
  where a row lies ahead of it, so a row that is stamped with `now()` or a later clock of the
  server's is seen however late it is committed. Without a zone the clock may go back two hours, as
  where summer ends; where sessions of several zones stamp, `lookback` says how far they are apart.
- A number, or a time where other users' transactions are hidden from this one (it lacks
  `pg_read_all_stats`) or a standby is asked: as long as transactions are open, of hidden ones those
  that write, `low` stays where the newest value was when none of them had begun. What is drawn from
  a sequence in one transaction and written in a later one is not seen without `lookback`.
- A clock or counter of the application's own may run behind: `lookback` says by how much.

Deleted rows are not seen, nor changes that leave the cursor as it was below `low`.
"""

import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from lake.config.types import Database
from lake.errors import SourceUnreadable
from lake.query.sql import identifier, literal
from lake.sources.postgres.columns import ROWS
from lake.sources.postgres.connect import Server

_TIMES = ("timestamp with time zone", "timestamp without time zone", "date")
_NUMBERS = ("smallint", "integer", "bigint", "numeric")
_MANY = 1_000


@dataclass(frozen=True, slots=True)
class Cursor:
    """What the log keeps.

    Attributes:
        column: the cursor's.
        value: the newest that was landed, as PostgreSQL writes it.
        low: from where rows may still appear; None: from the first on.
        xmax: the transaction ids from here on had not begun.
        rows, digest: how many rows there were from `low` on, and their order-free hash.
        ends: the values of the last landings that reach `low`.
        folders: in how many folders all landings lie.
        clock: the server's, once the snapshot was taken; `""`: another version of ours landed them.
    """

    column: str
    value: str
    low: str | None = None
    xmax: int = 0
    rows: int = 0
    digest: str = ""
    ends: tuple[str, ...] = ()
    folders: int = 0
    clock: str = ""

    def to_text(self) -> str:
        """Return what `from_text` reads."""
        return json.dumps(asdict(self), separators=(",", ":"))


def from_text(text: str, column: str) -> Cursor | None:
    """Return the cursor that a log keeps; None if there is none of this column."""
    said = json.loads(text) if text else {}
    if said.get("column") != column:
        return None
    return Cursor(**{**said, "ends": tuple(said["ends"])})


@dataclass(frozen=True, slots=True)
class Found:
    """What a server says of its rows.

    Attributes:
        value: the newest; None where there are no rows.
        type: of the cursor's column.
        rows, digest: from the former cursor's `low` on.
        is_back: the newest is older than the former.
        xmin, xmax: of the snapshot; between them transactions that write are open.
        clock: the server's, as the statement began.
        oldest: when the oldest open transaction began; None if none is open.
        hidden: how many transactions do not show when they began.
    """

    value: str | None
    type: str
    nulls: int
    rows: int
    digest: str
    is_back: bool
    xmin: int
    xmax: int
    clock: str
    oldest: str | None
    hidden: int

    def is_as(self, cursor: Cursor | None) -> bool:
        """Tell whether nothing has changed behind a cursor."""
        known = cursor and (cursor.value, cursor.rows, cursor.digest)
        return known == (self.value, self.rows, self.digest)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was asked: before the snapshot was taken, in it, and from which cursor on."""

    first: Found
    now: Found
    former: Cursor | None


def look(server: Server, database: Database, rows: str, former: Cursor | None) -> Found:
    """Ask, in one statement, what there is and whether anything has changed since `former`.

    Raises:
        SourceUnreadable: the column is none, holds NULL, goes backwards, or cannot be a cursor.
    """
    from psycopg import errors

    column = identifier(database.cursor)
    try:
        answer = server.ask(_question(column, rows, former))
    except SourceUnreadable as error:
        if former and isinstance(error.__cause__, errors.DataError):
            raise SourceUnreadable(
                f"{server.name}: {former.value!r}, where the last landing ended, is no value of its"
                f" cursor {database.cursor!r} now: its type was changed; name another cursor"
            ) from error
        if isinstance(error.__cause__, errors.UndefinedFunction):  # max, of some types
            (kind,) = server.ask(
                f"SELECT pg_typeof((SELECT {column} FROM {rows} AS {ROWS} LIMIT 0))::text"
            )
            _check_type(server, database, kind)
        raise
    found = Found(*answer)
    _check(server, database, found, former)
    return found


def _question(column: str, rows: str, former: Cursor | None) -> str:
    window = window_of(column, former) if former else "false"
    back = f"value < {literal(former.value)}" if former else "false"
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    veiled = "query = '<insufficient privilege>'"
    row = f"ROW({ROWS}.*)"  # by its name alone it may be a column
    return f"""
WITH newest AS (SELECT max({column}) AS value FROM {rows} AS {ROWS}),
  near AS (SELECT count(*) AS n, coalesce(sum(hashtextextended({row}::text, 0)), 0)::text AS digest
    FROM {rows} AS {ROWS} WHERE {window}),
  open AS (SELECT min(xact_start)::text AS oldest, count(*) FILTER (WHERE {veiled}) AS hidden
    FROM pg_stat_activity WHERE {others})
SELECT value::text, pg_typeof(value)::text,
  (SELECT count(*) FROM (SELECT FROM {rows} AS {ROWS} WHERE {column} IS NULL LIMIT {_MANY}) AS x),
  near.n, near.digest, coalesce({back}, true) AND {"true" if former else "false"},
  txid_snapshot_xmin(txid_current_snapshot()), txid_snapshot_xmax(txid_current_snapshot()),
  now()::text, oldest, hidden + pg_is_in_recovery()::int
    + (SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database())
FROM newest, near, open"""


def window_of(column: str, cursor: Cursor | None) -> str:
    """Return the condition for rows that may be new; `column` is quoted."""
    if cursor is None or cursor.low is None:
        return "true"
    return f"{column} >= {literal(cursor.low)}"


def _check_type(server: Server, database: Database, kind: str) -> None:
    if kind not in (*_TIMES, *_NUMBERS):
        raise SourceUnreadable(
            f"{server.name}: its cursor {database.cursor!r} is of type {kind}: name a column of"
            " integers, numerics, dates or timestamps"
        )


def _check(server: Server, database: Database, found: Found, former: Cursor | None) -> None:
    _check_type(server, database, found.type)
    named = f"{server.name}: its cursor {database.cursor!r}"
    if found.nulls:
        count = f"{found.nulls} or more rows" if found.nulls == _MANY else f"{found.nulls} row(s)"
        raise SourceUnreadable(
            f"{named} is NULL in {count}, which would never land: fill it there, leave them out"
            " with a query, or take cursor out"
        )
    if found.value in ("infinity", "NaN", "Infinity"):
        raise SourceUnreadable(
            f"{named} holds {found.value}, behind which nothing is newer: leave it out with a query"
        )
    if found.is_back and former:
        raise SourceUnreadable(
            f"{named} went backwards: {found.value or 'nothing'} is the newest now, and"
            f" {former.value} was landed: if rows were deleted or the table was restored, `lake"
            " land NAME --force`, with this source's name, goes on from what is there"
        )


def next_cursor(
    server: Server,
    database: Database,
    rows: str,
    seen: Seen,
    *,
    folders: int,
    is_more: bool,
) -> Cursor:
    """Return the cursor behind the rows that the server's snapshot holds.

    Args:
        server: in the transaction of the snapshot.
        database: the source.
        rows: its relation.
        seen: what was asked before, and in the snapshot.
        folders: in how many the rows lie that were landed before.
        is_more: there are rows to land, in a folder more.
    """
    now, former = seen.now, seen.former
    assert now.value is not None
    low = _low(server, database, seen)
    # What was landed without a cursor ends nowhere, so it is looked at once more.
    is_known = former is not None and former.folders == folders
    ends = former.ends if former and is_known else (now.value,) * folders
    if is_more:
        ends, folders = (*ends, now.value), folders + 1
    ends = _reaching(server, ends, low, now.type)
    cursor = Cursor(database.cursor, now.value, low, now.xmax, ends=ends, folders=folders)
    (clock,) = server.ask("SELECT clock_timestamp()::text")
    cursor = replace(cursor, clock=clock)
    near = look(server, database, rows, cursor)
    return replace(cursor, rows=near.rows, digest=near.digest)


def _reaching(server: Server, ends: tuple[str, ...], low: str | None, kind: str) -> tuple[str, ...]:
    """Return those of the ends, which never fall, that lie at `low` or behind it."""
    if low is None or not ends:
        return ends
    asked = ", ".join(f"{literal(end)}::{kind} >= {literal(low)}::{kind}" for end in ends)
    return ends[len(ends) - sum(server.ask(f"SELECT {asked}")) :]


def _low(server: Server, database: Database, seen: Seen) -> str | None:
    first, now, former = seen.first, seen.now, seen.former
    lows: list[str] | None
    if now.type in _TIMES and not first.hidden and first.value is not None:
        # Whoever begins later stamps later: `first` was asked before the snapshot.
        lows = [_clock(first), *([_local(first.oldest, now.type)] if first.oldest else [])]
    elif now.xmin == now.xmax and not first.oldest:
        # Whoever begins between the two may draw the next number, and be overtaken before `now`.
        lows = [literal(first.value)]
    elif former and now.xmin >= former.xmax and (first.oldest or "~") > former.clock > "":
        lows = [literal(former.value)]
    else:
        lows = [literal(former.low)] if former and former.low else None
    if lows is None:
        return None
    least = f"least({', '.join(f'{low}::{now.type}' for low in lows)})"
    (found,) = server.ask(f"SELECT ({least}{_minus(database, now.type)})::{now.type}::text")
    return str(found)


def _clock(first: Found) -> str:
    """Return from where on the server's clock may stamp, however far ahead a single row lies."""
    if first.type != "timestamp without time zone":
        both = (literal(first.value), _local(first.clock, first.type))
        return f"least({', '.join(f'{one}::{first.type}' for one in both)})"
    newest = f"{literal(first.value)}::timestamp"
    utc = f"{literal(first.clock)}::timestamptz AT TIME ZONE 'UTC'"
    # No zone is further ahead; and where summer ends, the clock goes back.
    return (
        f"(CASE WHEN {newest} > {utc} + interval '14 hours' THEN {utc} - interval '12 hours'"
        f" ELSE {newest} - interval '2 hours' END)"
    )


def _local(moment: str, kind: str) -> str:
    """Return a moment as a column of a type may have it: without a zone, in any zone."""
    if kind == "timestamp with time zone":
        return literal(moment)
    return f"({literal(moment)}::timestamptz AT TIME ZONE 'UTC' - interval '12 hours')"


def _minus(database: Database, kind: str) -> str:
    back: Any = database.lookback
    if not back:
        return ""
    if isinstance(back, str) != (kind in _TIMES):
        raise SourceUnreadable(
            f"{database.shown}: lookback = {back!r} does not fit its cursor, of type {kind}: write"
            f" {'a length of time' if kind in _TIMES else 'a number'}"
        )
    return f" - interval {literal(back)}" if isinstance(back, str) else f" - {back}"
