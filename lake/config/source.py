"""A source: out of `[sources.NAME]`, and to and from the text that the lake's log keeps."""

import json
import re
from collections.abc import Mapping
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from lake import layout
from lake.config import database as databases
from lake.config import reading, table, template
from lake.config.duration import duration, duration_text
from lake.config.period import UNITS, Unit, interval
from lake.config.table import Table
from lake.config.types import Key, Source
from lake.errors import InvalidConfig

_KEYS = (
    "url",
    "partition",
    "expect_every",
    "description",
    "owner",
    *reading.KEYS,
    *databases.KEYS,
)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")


def source(values: Table, *, name: str, root: Path) -> Source:
    """Return the source that the table `[sources.NAME]` describes.

    Raises:
        InvalidConfig: a key is unknown, missing or wrong.
    """
    table.attempt(values, "the name", lambda: layout.dataset(f"raw.{name}"))
    table.only(values, _KEYS)
    keys = {
        key: _key(item, key) for key, item in table.inners(table.inner(values, "partition")).items()
    }
    how = reading.reading(values, keys=keys)
    database = databases.database(values, how)
    return Source(
        name=name,
        url="" if database else _url(values, keys),
        partition=keys,
        expect_every=table.parsed(values, "expect_every", duration, default=None),
        description=table.text(values, "description"),
        owner=table.text(values, "owner"),
        reading=how,
        root=root,
        database=database,
    )


def is_python(url: str) -> bool:
    """Tell whether `url` names what `lake.source` made: `python:package.module:name`."""
    return url.startswith("python:")


def is_http(url: str) -> bool:
    """Tell whether `url` is fetched by HTTP, and not from a path."""
    return url.lower().startswith(("http://", "https://"))


def _url(values: Table, keys: Mapping[str, Key]) -> str:
    url = table.text(values, "url", reads_environment=True)
    if not url:
        table.refuse(
            values, 'has no url: write a path, a glob or https://…, or database = "${NAME}"'
        )
    scheme = _SCHEME.match(url)
    if scheme and scheme[1].lower() not in ("http", "https", "file"):
        table.refuse(
            values,
            f"url: {scheme[1]}:// is not supported by this version: write a path or https://…, or"
            ' database = "${NAME}" for PostgreSQL',
        )
    table.attempt(values, "url", lambda: template.check(url, keys))
    for name, key in keys.items():
        if key.every and not key.since and (is_http(url) or is_python(url)):
            table.refuse(
                values, f"partition.{name} has no since: say which {key.every} is the first"
            )
    return url


def _key(values: Table, name: str) -> Key:
    table.attempt(values, "the name", lambda: layout.partition({name: "x"}))
    table.only(values, ("every", "since", "until", "lag", "values"))
    if ("every" in values) == ("values" in values):
        table.refuse(values, 'says either every = "month" (or another period) or values = [...]')
    if "values" in values:
        return _listed(table.only(values, ("values",)), name)
    key = Key(
        every=_unit(values),
        since=_period(values, "since"),
        until=_period(values, "until"),
        lag=table.parsed(values, "lag", duration, default=Key().lag),
    )
    if key.since and key.until and interval(key.since)[0] >= interval(key.until)[1]:
        table.refuse(values, f"since {key.since} is later than until {key.until}")
    return key


def _unit(values: Table) -> Unit:
    every = table.text(values, "every")
    for unit in UNITS:
        if unit == every:
            return unit
    return table.refuse(values, f"every = {every!r}: {table.nearest(every, UNITS)}")


def _listed(values: Table, name: str) -> Key:
    listed = table.texts(values, "values")
    if not listed:
        table.refuse(values, "values is empty: name one at least")
    for value in listed:
        table.attempt(values, "values", partial(layout.partition, {name: value}))
    return Key(values=listed)


def _period(values: Table, key: str) -> str:
    given = values.values.get(key)
    # TOML has dates of its own: `since = 2023-01-31` without quotes.
    text = given.isoformat() if type(given) is date else table.text(values, key)
    if text:
        table.attempt(values, key, lambda: interval(text))
    return text


def source_text(declared: Source) -> str:
    """Return the text that declares a source in the lake's log; it names secrets only."""
    partition = {name: _key_values(key) for name, key in declared.partition.items()}
    every = declared.expect_every
    values: dict[str, Any] = {
        "url": declared.url,
        "partition": partition,
        "expect_every": duration_text(every) if every is not None else "",
        "description": declared.description,
        "owner": declared.owner,
    }
    said = {key: value for key, value in values.items() if value}
    said |= databases.database_values(declared.database)
    said |= reading.reading_values(declared.reading)
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))


def _key_values(key: Key) -> dict[str, Any]:
    values = {
        "every": key.every,
        "since": key.since,
        "until": key.until,
        "lag": duration_text(key.lag) if key.lag else "",
        "values": list(key.values),
    }
    return {name: value for name, value in values.items() if value}


def source_from_text(text: str, name: str, *, root: Path | None = None) -> Source:
    """Return the source that a lake's log declares: the inverse of `source_text`.

    Args:
        text: what the log says.
        name: the source's name.
        root: what a relative path starts from; the current folder if not said.

    Raises:
        InvalidConfig: the text says what this version does not know.
    """
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise InvalidConfig(
            f"the lake's declaration of source {name!r} is no JSON object: {text[:80]!r}"
        )
    told = Table("the lake's log", f"sources.{name}", values)
    return source(told, name=name, root=root or Path())
