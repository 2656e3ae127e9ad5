"""A connection to a source's PostgreSQL, whose errors say in one line what to do."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lake.config.database import check_url
from lake.config.secrets import recorded, resolved
from lake.config.types import Database
from lake.errors import InvalidConfig, MissingExtra, SourceIncomplete, SourceUnreadable

if TYPE_CHECKING:
    from psycopg import Connection, Error

# What rows look like as text must not hang on who asks; and whoever asks changes nothing.
_SETTINGS = {
    "TimeZone": "UTC",
    "DateStyle": "ISO,YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "default_transaction_read_only": "on",
    # One connection holds the snapshot, and has nothing to say while others read.
    "idle_in_transaction_session_timeout": "0",
}
# Connections, resources, operator's intervention, locks: what may go away by itself.
_PASSING = ("08", "40", "53", "55", "57", "58")


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
        with said(self.name):
            row = self.connection.execute(query.encode()).fetchone()
        assert row is not None
        return row


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
        from psycopg import conninfo
    except ImportError as exc:
        raise MissingExtra("PostgreSQL needs psycopg: pip install 'clearlake[postgres]'") from exc
    where = recorded(url)
    try:
        parameters = _parameters(conninfo.conninfo_to_dict(url))
    except psycopg.Error as exc:
        raise InvalidConfig(
            f"{database.shown}: its URL cannot be read: write"
            " postgresql://USER:PASSWORD@HOST/DATABASE, with / and @ of a password as %2F and %40"
        ) from exc
    try:
        connection = psycopg.connect(**parameters, autocommit=True)
    except psycopg.OperationalError as exc:
        raise _refused(database, where, exc) from exc
    name = f"{database.table or 'the query'} of {where}"
    with connection:
        yield Server(name, where, parameters, connection)


def _resolved(database: Database) -> str:
    try:
        return check_url(resolved(database.url, os.environ))
    except InvalidConfig as error:
        raise InvalidConfig(f"{database.shown}: {error}") from None


def _parameters(given: dict[str, Any]) -> dict[str, Any]:
    """Return libpq's parameters; what the URL says goes before what we would."""
    ours = " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items())
    options = f"{given.get('options') or ''} {ours}".strip()
    patient = {"connect_timeout": 10, "keepalives_idle": 60, "application_name": "clearlake"}
    # Of a server that keeps text in another encoding, too, text comes as UTF-8.
    return {**patient, **given, "options": options, "client_encoding": "UTF8"}


def _refused(database: Database, where: str, error: "Error") -> SourceUnreadable | SourceIncomplete:
    why = _first_line(error).rpartition("FATAL:")[2].strip()
    pgconn = error.pgconn
    if pgconn and (pgconn.used_password or pgconn.needs_password):
        return SourceUnreadable(
            f"{where} refuses the connection: {why}; look at the URL that {database.shown} names"
        )
    return SourceIncomplete(
        f"{where} cannot be reached: {why}; nothing was landed: run the same command again when it"
        " answers"
    )


@contextmanager
def said(name: str) -> Iterator[None]:
    """Tell an error of the server in one line, about what messages call `name`."""
    import psycopg

    try:
        yield
    except psycopg.Error as exc:
        state = exc.sqlstate or ""
        why = _first_line(exc)
        if state.startswith(_PASSING) or (not state and isinstance(exc, psycopg.OperationalError)):
            raise SourceIncomplete(
                f"{name} broke off: {why}; nothing was landed: run the same command again"
            ) from exc
        raise SourceUnreadable(f"{name} cannot be read: {why}; {_what_to_do(state)}") from exc


def _first_line(error: "Error") -> str:
    said = error.diag.message_primary or str(error)
    lines = [line.strip() for line in said.strip().splitlines()]
    return (lines[0] if lines else type(error).__name__).rstrip(".")


def _what_to_do(state: str) -> str:
    if state in ("42P01", "3F000"):
        return "look at the name (capitals need quotes), or whether it was dropped or renamed"
    if state == "42703":
        return "correct the column's name in lake.toml, or whether it was dropped or renamed"
    if state == "42501":
        return "grant SELECT on it to this user"
    return "mend it there, or the source in lake.toml"
