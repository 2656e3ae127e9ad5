"""A local copy of what never changes in a lake: entries and checkpoints.

It can be lost at any time. It lies under `$LAKE_CACHE` (else the platform's cache folder), by the
lake's URL and id, and mirrors the lake's keys. An empty `LAKE_CACHE` turns it off.

Each object lies behind its SHA-256: what is published next names the hash of the entry before it,
so a damaged copy that passed for the head would break the log for everybody.
"""

import hashlib
import os
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_DIGEST = hashlib.sha256().digest_size


@dataclass(frozen=True, slots=True)
class Cache:
    """Immutable objects by key, below `root`; `None` keeps nothing."""

    root: Path | None = None

    def get(self, key: str) -> bytes | None:
        """Return an object's bytes, or None where it is not there or not what was put."""
        path = self.path(key)
        if path is None:
            return None
        try:
            stored = path.read_bytes()
        except OSError:
            return None
        digest, data = stored[:_DIGEST], stored[_DIGEST:]
        return data if hashlib.sha256(data).digest() == digest else None

    def put(self, key: str, data: bytes) -> None:
        """Keep an object; a cache that cannot be written is no error."""
        path = self.path(key)
        if path is None:
            return
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=".")
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(data).digest() + data)
            Path(name).replace(path)

    def drop(self, key: str) -> None:
        """Forget an object that proved to be wrong."""
        path = self.path(key)
        if path is not None:
            with suppress(OSError):
                path.unlink()

    def path(self, key: str) -> Path | None:
        """Return where an object of this key is kept, whether or not it is there."""
        return self.root / key if self.root else None


def cache_for(url: str, lake_id: str, environ: Mapping[str, str]) -> Cache:
    """Return the cache of one lake."""
    base = _base(environ)
    if base is None:
        return Cache()
    name = hashlib.sha256(f"{url}\n{lake_id}".encode()).hexdigest()[:32]
    return Cache(base / name)


def _base(environ: Mapping[str, str]) -> Path | None:
    if "LAKE_CACHE" in environ:
        return Path(environ["LAKE_CACHE"]) if environ["LAKE_CACHE"] else None
    home = Path(environ.get("HOME", "~")).expanduser()
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "clearlake"
    return Path(environ.get("XDG_CACHE_HOME") or home / ".cache") / "clearlake"
