"""A PostgreSQL server by its URL: where it is, how it is reached, and what it says."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

import psycopg

from lake.errors import InvalidConfig

# What is written as it should be says itself where its parts end; else a password may hold any
# sign, so the last `@` before a host and a database ends it.
_WRITTEN_WELL, _ANYHOW = (
    re.compile(
        rf"[^:/]+://((?P<who>{who})@)?(?P<hosts>[^@/?#]*)/(?P<database>[^@/?#]+)"
        r"(\?(?P<query>[^#]*))?",
        re.DOTALL,
    )
    for who in (r"[^@/?#]*", r".*")
)
_PARAMETER = re.compile(r"[a-z_]+")
_PATIENCE_S = "10"
# Of a connection that fails, libpq has the server's words and no SQLSTATE.
_NO_ROOM = re.compile("too many|connection slots|starting up|shutting down")
_NOT_THERE = re.compile(r'(database|role) ".*" does not exist')
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


def parse_server(url: str, *, whose: str) -> Server:
    """Return the database that `postgresql://USER:PASSWORD@HOST:PORT/DATABASE?…` names.

    What it leaves out libpq looks for where it always does: `PGPASSWORD`, `~/.pgpass`, a service.

    Args:
        url: a password in it may be percent-encoded, and need not be.
        whose: what messages call what has this URL.

    Raises:
        InvalidConfig: it names no database, or says something that libpq does not know.
    """
    found = _WRITTEN_WELL.fullmatch(url) or _ANYHOW.fullmatch(url)
    if not found:
        raise InvalidConfig(
            f"{whose}: its postgresql:// URL names no database: write"
            " postgresql://USER@HOST/DATABASE"
        )
    user, _, password = (found["who"] or "").partition(":")
    hosts, said = found["hosts"], _said(found["query"] or "")
    shown = f"postgresql://{hosts}/{found['database']}"
    named = {
        "user": unquote(user),
        "password": unquote(password),
        "host": ",".join(_host(one) for one in hosts.split(",")),
        "port": _ports(hosts),
        "dbname": unquote(found["database"]),
    }
    _refuse_unknown(said, f"{whose}, {shown}")
    return Server(shown, _DEFAULTS | said | {key: value for key, value in named.items() if value})


def _said(query: str) -> dict[str, str]:
    """Return the parameters of a URL, as libpq reads them: a `+` is one."""
    said = dict(parse_qsl(query.replace("+", "%2B"), keep_blank_values=True))
    if said.pop("ssl", "") == "true":
        said["sslmode"] = "require"
    return said


def _host(text: str) -> str:
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return unquote(text.partition(":")[0])


def _ports(hosts: str) -> str:
    """Return the port of each host, as libpq takes them: empty ones are the default."""
    ports = [one.rpartition("]")[2].partition(":")[2] for one in hosts.split(",")]
    return ",".join(ports) if any(ports) else ""


def _refuse_unknown(said: Mapping[str, str], what: str) -> None:
    known = {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()}
    for key in said:
        if key not in known:
            # What is no name may be the end of a password.
            name = repr(key) if _PARAMETER.fullmatch(key) else "of such a name"
            raise InvalidConfig(f"{what}: libpq knows no parameter {name}: take it out of the URL")


def is_refused(error: psycopg.Error) -> bool:
    """Tell whether a connection failed for its user, password or database, and not for a moment."""
    said = str(error)
    if _NO_ROOM.search(said):
        return False
    asked = error.pgconn
    is_asked = asked is not None and bool(asked.used_password or asked.needs_password)
    return is_asked or bool(_NOT_THERE.search(said))


def said_by(error: psycopg.Error) -> str:
    """Return the first line of what the server says, which holds no values of the data."""
    text = error.diag.message_primary or str(error).strip().partition("\n")[0]
    return " ".join(text.split()).rstrip(".") or type(error).__name__


def why_not(server: Server, error: psycopg.Error) -> str:
    """Return why there is no connection, in one line."""
    said = " ".join(str(error).split()).removeprefix("connection failed: ")
    # What libpq says never holds the password, but may quote a setting that does.
    password = server.settings.get("password")
    return "libpq does not say why" if password and password in said else said
