"""A warehouse's URL: which kind it is, and where.

`duckdb:///rel.duckdb` lies in the folder of `lake.toml`, `duckdb:////abs/f.duckdb` where it says,
as in SQLAlchemy.
"""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lake.errors import InvalidConfig


@dataclass(frozen=True, slots=True)
class DuckDBFile:
    """A warehouse that is one DuckDB file. `url` is how its owner wrote it, for messages."""

    url: str
    path: Path


def parse(url: str, *, root: Path) -> DuckDBFile:
    """Return the warehouse that `url` names; a relative path starts at `root`.

    Raises:
        InvalidConfig: it names none, or a kind that this version cannot load into.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or not scheme:
        raise InvalidConfig(f"warehouse {_shown(url)!r} is no URL: write duckdb:///FILE.duckdb")
    if scheme != "duckdb":
        raise InvalidConfig(
            f"warehouse {_shown(url)!r} is of the kind {scheme!r}, and this version loads into"
            " DuckDB files only: write duckdb:///FILE.duckdb"
        )
    return DuckDBFile(url, root / _file(url, rest))


def _file(url: str, rest: str) -> str:
    if not rest.startswith("/"):
        raise InvalidConfig(
            f"warehouse {url!r} names a host, and DuckDB has none: write three slashes before a"
            " relative path and four before an absolute one, as in duckdb:///FILE.duckdb"
        )
    name = rest[1:]
    if not name.strip("/") or name.startswith(":memory:") or "?" in name or "\0" in name:
        raise InvalidConfig(
            f"warehouse {url!r} names no file: write duckdb:///FILE.duckdb, without parameters"
        )
    return name


def _shown(url: str) -> str:
    """Return `url` without what may be a secret: everything before the host, and parameters."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}" if "://" in url else parts.path
