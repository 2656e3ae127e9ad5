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
    found = _parts(url)
    source = load(url)
    bound = source(**dict(parse_qsl(found[3]))) if found[3] else source
    return replace(write_given(bound, to, name=source.name), url=url)


def load(url: str) -> PythonSource:
    """Return the source that a URL names; its module is imported.

    Raises:
        SourceUnreadable: there is none, or its module fails.
    """
    _, module, name = (_parts(url)[number] for number in range(3))
    with _Loading(url):
        made = getattr(import_module(module), name, None)
    if not isinstance(made, PythonSource):
        raise SourceUnreadable(
            f"{url} is no source: write @lake.source above the function {name} of {module}"
        )
    return made


def _parts(url: str) -> re.Match[str]:
    found = _URL.fullmatch(url)
    if not found:
        raise SourceUnreadable(
            f"{url} names no source: write python:package.module:name, with ?argument=value"
        )
    return found


class _Loading:
    """Tells whatever a module raises while it is imported, in one line."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (Exception, SystemExit)):
            said = next(iter(str(error).splitlines()), "")
            raise SourceUnreadable(
                f"{self._url} cannot be loaded: {type(error).__name__}: {said}; mend or install"
                " its module, or put it beside lake.toml"
            ) from error
