"""Quoting: the only place where names and values become SQL text."""

import re
from collections.abc import Sequence

from lake import layout

_GLOB = re.compile(r"[*?\[]")


def identifier(name: str) -> str:
    """Return `name` as a SQL identifier, always in double quotes."""
    return '"' + _no_nul(name).replace('"', '""') + '"'


def literal(value: str | int | float | bool | None) -> str:
    """Return `value` as a SQL literal that DuckDB reads back as exactly this value."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"CAST('{value!r}' AS DOUBLE)"
    return "'" + _no_nul(value).replace("'", "''") + "'"


def file_list(urls: Sequence[str]) -> str:
    """Return a DuckDB list of texts, as `read_parquet` takes it; a name with `*` is no pattern."""
    return "[" + ", ".join(literal(_no_glob(url)) for url in urls) + "]"


def _no_glob(url: str) -> str:
    if url.startswith(("http://", "https://")):
        return url  # percent-encoded, and never a pattern
    return _GLOB.sub(r"[\g<0>]", url)


def qualified(dataset: str) -> str:
    """Return the name of a dataset's view: `"raw"."green_trips"` of `raw.green_trips`."""
    zone, name = layout.dataset(dataset).split(".")
    return f"{identifier(zone)}.{identifier(name)}"


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError(f"{text!r} holds a NUL character, which no SQL text can: remove it")
    return text
