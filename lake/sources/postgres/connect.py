"""A connection to a source's PostgreSQL, whose errors say in one line what to do."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lake.config.database import check_url
from lake.config.secrets import resolved
from lake.config.types import Database
from lake.errors import InvalidConfig, MissingExtra, SourceIncomplete, SourceUnreadable
from lake.query.sql import literal

if TYPE_CHECKING:
    from psycopg import Connection, Error

    from lake import postgres_server

# What rows look like as text must not hang on who asks; and whoever asks changes nothing.
_SETTINGS = {
    "TimeZone": "UTC",
    "DateStyle": "ISO,YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
    # One connection holds the snapshot, and has nothing to say while others read.
    "idle_in_transaction_session_timeout": "0",
}
SETTINGS = "; ".join(
    ["SET TRANSACTION READ ONLY", *(f"SET LOCAL {k} = {literal(v)}" for k, v in _SETTINGS.items())]
)
"""The same for one transaction: a pooler may drop what a connection begins with, and gives its
connections to others afterwards."""
# Connections, resources, operator's intervention, locks: what may go away by itself.
_PASSING = ("08", "40", "53", "55", "57", "58")
# Of a connection that fails there is no SQLSTATE.
_NO_SUCH_OPTION = re.compile("(unrecognized configuration|invalid value for) parameter")
TIMED_OUT, READ_ONLY, NO_UTF8 = "57014", "25006", "22021"


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is connected to.

    Attributes:
        name: how messages call what is read: `public.orders of postgresql://db:5432/shop`.
        where: its URL without user and password.
        parameters: libpq's, the password among them.
    """

    name: str
    where: str
    parameters: dict[str, Any] = field(repr=False)
    connection: "Connection"

    def ask(self, query: str) -> tuple[Any, ...]:
        """Return the one row that answers `query`."""
        is_alone = not self.connection.info.transaction_status
        with said(self.name):
            result = self.connection.execute(
                (f"{SETTINGS}; {query}" if is_alone else query).encode()
            )
            while result.nextset():
                pass
            row = result.fetchone()
        assert row is not None
        return row


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a server's transaction sees; other connections see the same by the snapshot's `id`."""

    server: Server
    id: str


@contextmanager
def connected(database: Database) -> Iterator[Server]:
    """Give a connection to the server of a source; each statement is a transaction of its own.

    Raises:
        InvalidConfig: the URL is none, or a secret is not set.
        SourceUnreadable: the server refuses: a wrong password, no such database.
        SourceIncomplete: it does not answer. Safe to retry.
        MissingExtra: psycopg is not installed.
    """
    url = _resolved(database)
    try:
        import psycopg
    except ImportError as exc:
        raise MissingExtra("PostgreSQL needs psycopg: pip install 'clearlake[postgres]'") from exc
    from lake.postgres_server import parse_server, said_by

    at = parse_server(url, whose=database.shown)
    parameters = _parameters(at.settings)
    try:
        connection = psycopg.connect(**parameters, autocommit=True)
    except psycopg.ProgrammingError as exc:
        raise InvalidConfig(f"{database.shown}, {at.url}: {said_by(exc)}: correct the URL") from exc
    except psycopg.Error as exc:
        raise _refused(database, at, exc) from exc
    name = f"{database.table or 'the query'} of {at.url}"
    with connection:
        yield Server(name, at.url, parameters, connection)


def _resolved(database: Database) -> str:
    try:
        return check_url(resolved(database.url, os.environ))
    except InvalidConfig as error:
        raise InvalidConfig(f"{database.shown}: {error}") from None


def _parameters(given: Mapping[str, str]) -> dict[str, Any]:
    """Return libpq's parameters; of a server that keeps text otherwise, it comes as UTF-8, too."""
    both = {**_SETTINGS, "default_transaction_read_only": "on"}
    ours = " ".join(f"-c {name}={value}" for name, value in both.items())
    options = f"{given.get('options') or ''} {ours}".strip()
    return {**given, "options": options, "client_encoding": "UTF8"}


def _refused(
    database: Database, at: "postgres_server.Server", error: "Error"
) -> SourceUnreadable | SourceIncomplete:
    from lake.postgres_server import is_refused, why_not

    why = why_not(at, error).rpartition("FATAL:")[2].strip()
    if _NO_SUCH_OPTION.search(why):
        return SourceUnreadable(
            f"{at.url} refuses the connection: {why}; correct options in the URL that"
            f" {database.shown} names"
        )
    if is_refused(error):
        return SourceUnreadable(
            f"{at.url} refuses the connection: {why}; look at the URL that {database.shown} names"
        )
    return SourceIncomplete(
        f"{at.url} cannot be reached: {why}; nothing was landed: run the same command again when it"
        " answers"
    )


@contextmanager
def said(name: str) -> Iterator[None]:
    """Tell an error of the server in one line, about what messages call `name`."""
    import psycopg

    from lake.postgres_server import said_by

    try:
        yield
    except psycopg.Error as exc:
        state, why = exc.sqlstate or "", said_by(exc)
        is_timed_out = state == TIMED_OUT and "statement timeout" in why
        is_gone = not state and isinstance(exc, psycopg.OperationalError)
        if is_gone or (state.startswith(_PASSING) and not is_timed_out):
            raise SourceIncomplete(
                f"{name} broke off: {why}; nothing was landed: run the same command again"
            ) from exc
        raise unreadable(name, why, state, is_data=state.startswith("22")) from exc


def unreadable(name: str, why: str, state: str, *, is_data: bool) -> SourceUnreadable:
    """Return the error for what a server refuses; what quotes data is not for others to keep."""
    what_to_do = _what_to_do(state)
    error = SourceUnreadable(f"{name} cannot be read: {why}; {what_to_do}")
    if not is_data:
        return error
    return error.told_as(f"{name} cannot be read: the server refuses a value; {what_to_do}")


def _what_to_do(state: str) -> str:
    if state in ("42P01", "3F000"):
        return "look at the name (capitals need quotes), or whether it was dropped or renamed"
    return _ADVICE.get(state, "mend it there, or the source in lake.toml")


_ADVICE = {
    "42703": "correct the column's name in lake.toml, or whether it was dropped or renamed",
    "42501": "grant SELECT on it to this user",
    TIMED_OUT: "raise statement_timeout for this user there",
    READ_ONLY: "a source is only read: take what writes out of the query",
    NO_UTF8: "mend the text there, or leave its column out with a query",
}
