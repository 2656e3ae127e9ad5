"""A PostgreSQL server by its URL: where it is, how it is reached, and why it cannot be."""

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

import psycopg

from lake.errors import InvalidConfig, StoreRefused, StoreUnavailable

# A password may hold any sign, so the last `@` before a host and a database ends it.
_URL = re.compile(
    r"[^:/]+://((?P<who>.*)@)?(?P<hosts>[^@/?#]*)/(?P<database>[^@/?#]+)(\?(?P<query>[^#]*))?",
    re.DOTALL,
)
_PATIENCE_S = "10"
_DEFAULTS = {
    "connect_timeout": _PATIENCE_S,
    "application_name": "clearlake",
    "client_encoding": "UTF8",
    # A server that is gone without a word is noticed within two minutes.
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "9",
}


@dataclass(frozen=True, slots=True)
class Server:
    """Where a database is. `url` may be written down; `settings`, which are libpq's, may not."""

    url: str
    settings: Mapping[str, str] = field(repr=False)


def parse_server(url: str) -> Server:
    """Return the database that `postgresql://USER:PASSWORD@HOST:PORT/DATABASE?…` names.

    What it leaves out libpq looks for where it always does: `PGPASSWORD`, `~/.pgpass`, a service.

    Raises:
        InvalidConfig: it names no database, or says something that libpq does not know.
    """
    found = _URL.fullmatch(url)
    if not found:
        raise InvalidConfig(
            "the warehouse's postgresql:// URL names no database: write"
            " postgresql://USER@HOST/DATABASE"
        )
    user, _, password = (found["who"] or "").partition(":")
    hosts, said = found["hosts"], dict(parse_qsl(found["query"] or "", keep_blank_values=True))
    shown = f"postgresql://{hosts}/{found['database']}"
    named = {
        "user": unquote(user),
        "password": unquote(password),
        "host": ",".join(_host(one) for one in hosts.split(",")),
        "port": _ports(hosts),
        "dbname": unquote(found["database"]),
    }
    settings = _DEFAULTS | said | {key: value for key, value in named.items() if value}
    _refuse_unknown(shown, said)
    return Server(shown, settings)


def _host(text: str) -> str:
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return unquote(text.partition(":")[0])


def _ports(hosts: str) -> str:
    """Return the port of each host, as libpq takes them: empty ones are the default."""
    ports = [one.rpartition("]")[2].partition(":")[2] for one in hosts.split(",")]
    return ",".join(ports) if any(ports) else ""


def _refuse_unknown(shown: str, said: Mapping[str, str]) -> None:
    known = {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()}
    for key in said:
        if key not in known:
            raise InvalidConfig(
                f"warehouse {shown}: libpq knows no parameter {key!r}: take it out of the"
                " warehouse's url"
            )


@contextlib.contextmanager
def connect(server: Server) -> "Iterator[psycopg.Connection[tuple[Any, ...]]]":
    """Give a connection that commits only what it is told to; the end rolls back the rest.

    Raises:
        StoreRefused: the server does not take these credentials, or has no such database.
        StoreUnavailable: it cannot be reached. Safe to retry.
    """
    try:
        connection = psycopg.connect(autocommit=True, prepare_threshold=None, **server.settings)  # type: ignore[arg-type]
    except psycopg.Error as exc:
        raise _cannot_connect(server, exc) from None
    with contextlib.closing(connection):
        yield connection


def _cannot_connect(server: Server, exc: psycopg.Error) -> StoreUnavailable:
    said = " ".join(str(exc).split()).removeprefix("connection failed: ")
    # What libpq says never holds the password, but may quote a setting that does.
    password = server.settings.get("password")
    if password and password in said:
        said = "libpq does not say why"
    asked = exc.pgconn
    if asked is not None and (asked.used_password or asked.needs_password):
        return StoreRefused(
            f"warehouse {server.url} refuses the connection ({said}): correct user, password or"
            " database in the warehouse's url, or what PGPASSWORD and ~/.pgpass hold"
        )
    return StoreUnavailable(
        f"warehouse {server.url} cannot be reached ({said}): start it, or correct the warehouse's"
        " url, then try again"
    )
