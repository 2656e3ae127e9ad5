"""The bytes of a source, brought to a file of ours."""

from pathlib import Path

from lake.config.source import is_http, is_python
from lake.errors import SourceUnreadable
from lake.sources.copy import Fetched
from lake.sources.file import fetch_file, fetch_stream
from lake.sources.path import shown, supported
from lake.sources.patience import PATIENT, Patience

__all__ = ["PATIENT", "Fetched", "Patience", "fetch", "fetch_stream"]


def fetch(
    url: str,
    to: Path,
    *,
    etag: str = "",
    patience: Patience = PATIENT,
    untrusted: bool = False,
) -> Fetched | None:
    """Bring what `url` holds now to the new file `to`; None if a web server says "as before".

    `to` shares no byte with the source: whoever owns it may link it elsewhere. Nothing is left
    there when an error is raised or None returned. Memory is bounded by the chunk.

    Args:
        url: `http(s)://…`, `file:///…`, a path, or `python:package.module:name?argument=value`.
        to: where the bytes go; nothing is there yet.
        etag: what the last fetch of this very URL gave; asks a web server for something newer.
        patience: how long to wait for a web server, and how often to ask.
        untrusted: `url` was found in data: only http(s) and public hosts, at every redirect.

    Raises:
        SourceMissing: there is nothing.
        SourceIncomplete: it broke off, changed meanwhile, or did not answer. Safe to retry.
        SourceUnreadable: it is refused, no file, or a URL of another kind.
        StoreUnavailable: `to` cannot be written.
    """
    if is_http(url):
        from lake.sources.http import fetch_http  # not for a path: it costs 10 ms

        return fetch_http(url, to, etag=etag, patience=patience, untrusted=untrusted)
    if untrusted:
        raise SourceUnreadable(
            f"{shown(url)!r} cannot be fetched: a URL out of data starts with https:// or http://;"
            " look at it there"
        )
    return _fetch_here(url, to)


def _fetch_here(url: str, to: Path) -> Fetched:
    if is_python(url):
        from lake.sources.python_url import fetch_python  # it loads pyarrow

        return fetch_python(url, to)
    return fetch_file(supported(url), to)
