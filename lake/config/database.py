"""A table or a query of a database as a source: out of `[sources.NAME]`, and back to its text."""

import re
from collections.abc import Mapping
from typing import Any

from lake.config import table
from lake.config.duration import duration, duration_text
from lake.config.table import Table
from lake.config.types import Database, Reading
from lake.errors import InvalidConfig

KEYS = ("database", "table", "query", "cursor", "lookback")
_SCHEMES = ("postgresql", "postgres")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_TABLE = re.compile(r'([^".]+|"([^"]|"")+")(\.([^".]+|"([^"]|"")+"))?')
# What says how bytes become rows: a database has rows already.
_OF_BYTES = (
    *("format", "encoding", "delimiter", "quote", "escape", "comment", "widths", "sheet"),
    *("members", "extra_fields", "keep_original"),
)


def database(values: Table, reading: Reading) -> Database | None:
    """Return what the table of a source says of a database; None where it names none.

    Raises:
        InvalidConfig: a key is wrong, or goes together with no database.
    """
    if "database" not in values:
        for key in KEYS[1:]:
            if key in values:
                table.refuse(values, f'{key} is of a database: write database = "${{NAME}}", too')
        return None
    for key in ("url", "partition", *_OF_BYTES):
        if key in values:
            table.refuse(values, f"{key} does not go together with database: take one out")
    if ("table" in values) == ("query" in values):
        table.refuse(values, 'says either table = "public.orders" or query = "SELECT …"')
    found = Database(
        _url(values), _table(values), _query(values), table.text(values, "cursor"), _back(values)
    )
    _check_cursor(values, found, reading)
    return found


def check_url(url: str) -> str:
    """Return the URL of a database, if it is of a kind that this version reads.

    A driver in it, as SQLAlchemy has it (`postgresql+psycopg2://`), is left out.

    Raises:
        InvalidConfig: it is not; the message holds its scheme only.
    """
    scheme = _SCHEME.match(url)
    if not scheme:
        raise InvalidConfig("it is no URL: write postgresql://USER:PASSWORD@HOST/DATABASE")
    kind = scheme[1].lower().partition("+")[0]
    if kind not in _SCHEMES:
        raise InvalidConfig(
            f"{scheme[1]}:// is not supported by this version, which reads postgresql://…: land an"
            " export of it, or write a Python source"
        )
    return f"{kind}://{url[scheme.end() :]}"


def _url(values: Table) -> str | Mapping[str, str]:
    if isinstance(values.values["database"], dict):
        inner = table.inner(values, "database")
        if len(inner.values) != 1:
            table.refuse(inner, 'names one place: write database = { block = "NAME" }')
        (kind,) = inner.values
        if not table.text(inner, kind):
            table.refuse(inner, f"{kind} is empty: write a name")
        return dict(inner.values)
    url = table.text(values, "database", reads_environment=True)
    if not url.startswith("${"):
        table.attempt(values, "database", lambda: check_url(url))
    return url


def _table(values: Table) -> str:
    name = table.text(values, "table")
    if "table" in values and not _TABLE.fullmatch(name):
        table.refuse(
            values, f"table = {name!r} is no table: write SCHEMA.TABLE, with a dot in it in quotes"
        )
    return name


def _query(values: Table) -> str:
    query = table.text(values, "query").strip().rstrip(";").rstrip()
    if "query" in values and not query:
        table.refuse(values, "query is empty: write SELECT …")
    return query


def _back(values: Table) -> str | int:
    """Return how far behind the cursor rows may still appear: a length of time, or a number."""
    if isinstance(values.values.get("lookback"), str):
        length = table.parsed(values, "lookback", duration, default=None)
        return duration_text(length) if length else ""
    return table.count(values, "lookback", default=0)


def _check_cursor(values: Table, found: Database, reading: Reading) -> None:
    if found.lookback and not found.cursor:
        table.refuse(values, "lookback goes behind a cursor: name one, or take lookback out")
    column = reading.columns.get(found.cursor)
    if column and column.personal:
        table.refuse(
            values, f"cursor = {found.cursor!r} is personal, and the log keeps it: name another"
        )


def database_values(said: Database | None) -> dict[str, Any]:
    """Return what a source's declaration holds of a database: names of secrets only."""
    if said is None:
        return {}
    values: dict[str, Any] = {"database": said.url, "table": said.table, "query": said.query}
    values |= {"cursor": said.cursor, "lookback": said.lookback}
    return {key: value for key, value in values.items() if value}
