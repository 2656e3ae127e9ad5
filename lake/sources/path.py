"""Paths of this machine, however they are written: relative, `~`, absolute, `file:///`."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lake.config.secrets import recorded
from lake.errors import InvalidConfig, SourceUnreadable

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_SUPPORTED = ("http", "https", "file")


def shown(url: str) -> str:
    """Return how messages name what was asked for: a URL without its secrets, a path as it is."""
    return recorded(url) if "://" in url else url


def supported(url: str) -> str:
    """Return `url` if it is a path, or a URL that can be fetched.

    Raises:
        SourceUnreadable: it is a URL of another kind, such as `ftp://`.
    """
    scheme = _SCHEME.match(url)
    if scheme and scheme[1].lower() not in _SUPPORTED:
        raise SourceUnreadable(
            f"{recorded(url)} cannot be fetched: {scheme[1]}:// is not supported by this version;"
            " give a path, file:///… or https://…"
        )
    return url


def local_path(url: str) -> str:
    """Return the path that `url` means; a relative one stays relative.

    Raises:
        InvalidConfig: a `file://` URL of another machine.
    """
    if not url.lower().startswith("file:"):
        return str(Path(url).expanduser()) if url.startswith("~") else url
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise InvalidConfig(
            f"{recorded(url)} is on another machine: write file:/// and an absolute path"
        )
    # Not `parts.path`: `?` and `#` mean nothing in a path, and may be part of a glob.
    rest = url[len("file:") :]
    return unquote(rest.removeprefix("//").removeprefix("localhost"))
