"""What a fetch would bring, as far as that can be told without fetching."""

from dataclasses import dataclass
from pathlib import Path

from lake.config.source import is_http, is_python
from lake.sources.file import look_at_file
from lake.sources.path import supported


@dataclass(frozen=True, slots=True)
class Glance:
    """What is there.

    Attributes:
        bytes: how many; None where nobody says.
        last_modified: as a web server wrote it, or `""`.
        path: the file, where it is one.
    """

    bytes: int | None
    last_modified: str = ""
    path: Path | None = None


def glance(url: str, *, etag: str) -> Glance | None:
    """Look at what `url` holds now; None if a web server says "as before".

    Args:
        url: see `fetch`.
        etag: what the last fetch of this very URL gave.

    Raises:
        SourceMissing, SourceIncomplete, SourceUnreadable: see `fetch`.
    """
    if is_http(url):
        from lake.sources.http import glance_http

        return glance_http(url, etag=etag)
    if is_python(url):
        return Glance(None)
    path, size = look_at_file(supported(url))
    return Glance(size, path=path)
