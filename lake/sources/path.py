"""Paths of this machine, however they are written: relative, `~`, absolute, `file:///`."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from lake.errors import InvalidConfig


def local_path(url: str) -> str:
    """Return the path that `url` means; a relative one stays relative.

    Raises:
        InvalidConfig: a `file://` URL of another machine.
    """
    if not url.lower().startswith("file:"):
        return str(Path(url).expanduser()) if url.startswith("~") else url
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise InvalidConfig(f"{url} is on another machine: write file:/// and an absolute path")
    # Not `parts.path`: `?` and `#` mean nothing in a path, and may be part of a glob.
    rest = url[len("file:") :]
    return unquote(rest.removeprefix("//").removeprefix("localhost"))
