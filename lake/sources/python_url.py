"""A source that is Python: `python:package.module:name?month=2024-01`."""

import re
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from urllib.parse import parse_qsl

from lake.errors import SourceUnreadable
from lake.sources.copy import Fetched
from lake.sources.python import PythonSource, write_given

_URL = re.compile(r"python:([A-Za-z_][\w.]*):([A-Za-z_]\w*)(?:\?(.*))?")


def fetch_python(url: str, to: Path) -> Fetched:
    """Run a source that is Python, with the arguments of its URL, and write its rows to `to`.

    Only what `lake.source` or `lake.from_dlt` made is ever called: a URL may come out of the log.

    Raises:
        SourceUnreadable: there is no such source, it does not take these arguments, or it failed.
        SourceIncomplete: it lost its connection. Safe to retry.
    """
    found = _URL.fullmatch(url)
    if not found:
        raise SourceUnreadable(
            f"{url} names no source: write python:package.module:name, with ?argument=value"
        )
    source = _source(url, found[1], found[2])
    bound = source(**dict(parse_qsl(found[3]))) if found[3] else source
    return replace(write_given(bound, to, name=source.name), url=url)


def _source(url: str, module: str, name: str) -> PythonSource:
    try:
        made = getattr(import_module(module), name, None)
    except ImportError as exc:
        raise SourceUnreadable(
            f"{url} cannot be loaded: {exc}; install it, or put it beside lake.toml"
        ) from exc
    if not isinstance(made, PythonSource):
        raise SourceUnreadable(
            f"{url} is no source: write @lake.source above the function {name} of {module}"
        )
    return made
