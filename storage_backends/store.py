"""The contract of a place that keeps objects: a few verbs, and what each guarantees.

Keys are relative to the store's root, use `/`, and never leave it. Errors are builtins:

- `FileExistsError`: a create-only call found the key taken;
- `FileNotFoundError`: the key is not there. A store that may not tell (403) never says this;
- `PermissionError`, `ValueError`: refused; nothing was stored by *this* request. `EACCES` says that
  these credentials may not do that with this key, any other number that they are not taken at all;
- any other `OSError`: unresolved. The request may have been applied, may still be, or never will.

`is_refusal` tells the definite ones from the unresolved ones, a full disk included.
"""

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from storage_backends.place import masked

_DEFINITE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.ENAMETOOLONG}


@dataclass(frozen=True, slots=True)
class Listed:
    """One object of a listing."""

    key: str
    byte_count: int


class Store(Protocol):
    """Objects under one root. Every call may be made from any thread."""

    @property
    def url(self) -> str:
        """The root's URL, canonical, without credentials and without a `/` at its end."""

    def put_new(self, key: str, data: bytes) -> None:
        """Create `key` with `data`, in one request that is sent once.

        Atomic and durable: of any number of callers exactly one succeeds, no reader ever sees a
        part, and what was acknowledged survives a crash of this host.

        Raises:
            FileExistsError: the key is taken, perhaps by an earlier try of this very call.
        """

    def put(self, key: str, data: bytes) -> None:
        """Write `key` whether or not it is there; for the hint and `catalog.duckdb` only.

        Readers see the old object or the new one, whole.
        """

    def upload(self, path: Path, key: str) -> None:
        """Create `key` from the file at `path`, streaming, as durable and create-only as `put_new`.

        Raises:
            FileExistsError: the key is taken, perhaps by an earlier try of this very call.
        """

    def scratch(self) -> Path | None:
        """Return a folder on this machine whose files `upload` takes over cheapest; None: any.

        A file there that was uploaded must not be written to any more.
        """

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        """Return an object's bytes, or `length` of them from `start`; fewer where it ends before.

        Raises:
            FileNotFoundError: the key is not there.
        """

    def download(self, key: str, path: Path) -> None:
        """Write an object's bytes to a new file at `path`, streaming.

        Raises:
            FileNotFoundError: the key is not there; `path` is not made.
        """

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[Listed]:
        """Give every object whose key starts with `prefix` and sorts behind `after`, by key.

        Complete as of the call, or it raises; never silently partial.
        """

    def children(self, prefix: str = "", *, after: str = "", limit: int) -> tuple[Listed, ...]:
        """Return what is one level below a folder and sorts behind `after`, by key: the first.

        What has more below it is one entry, whose key ends in `/` and whose size is 0. It costs as
        much as is given, not as much as there is.

        Args:
            prefix: `""`, or the folder with its `/`.
            after: a key, or that of an entry: `raw/x/` leaves out all that is in there.
            limit: how many to give at most.
        """

    def size(self, key: str) -> int:
        """Return an object's size in bytes.

        Raises:
            FileNotFoundError: the key is not there.
        """

    def delete(self, key: str) -> None:
        """Make sure that `key` is not there; one that never was is fine."""

    def now(self) -> datetime:
        """Return the store's own time (UTC, aware), as its last answer said it."""

    def data_url(self, key: str) -> str:
        """Return where DuckDB reads `key`: a path, `s3://…`, `https://…` or `az://…`."""

    def protection(self) -> str:
        """Return in words what the store itself keeps of what is replaced or deleted.

        Raises:
            OSError: it gave no answer; a PermissionError, where these credentials may not ask.
        """

    def let_read(self, connection: Any) -> None:
        """Let a DuckDB connection read this store's `data_url`s, as long as credentials last."""


def unheard(url: str, key: str) -> ConnectionError:
    """Return the error for an answer that says nothing of the object it should speak of."""
    return ConnectionError(errno.EPROTO, f"{url}: the answer names no object: try again", key)


def misset(url: str, text: str) -> PermissionError:
    """Return the error for a setting that cannot be; `text` names it, and holds no secret."""
    return PermissionError(errno.EINVAL, f"{url}: {text}")


def no_endpoint(url: str, *settings: str) -> PermissionError:
    """Return the error for an endpoint that is none, as the first of `settings` that is set says.

    Where the environment has none of them, a profile speaks for the last.
    """
    name = next((name for name in settings if os.environ.get(name)), settings[-1])
    said = os.environ.get(name, "")
    said = masked(said) if "://" in said else said.rpartition("@")[2]
    what = f"{name} is {said!r}, which" if said else f"what a profile has for {name}"
    return misset(url, f"{what} is no endpoint: write http://host:port, or https://")


def unreached(url: str, key: str, setting: str) -> ConnectionError:
    """Return the error for no connection, for which the SDK has asked again and again."""
    text = "cannot be reached: look at the network and at"
    return ConnectionError(errno.ECONNREFUSED, f"{url} {text} {setting}", key)


def untrusted(url: str, key: str, setting: str) -> ConnectionError:
    """Return the error for TLS that fails, which once in a while it does by chance."""
    text = "does not speak TLS as it must: look at the certificates, and at http:// or https:// in"
    return ConnectionError(errno.EPROTO, f"{url} {text} {setting}", key)


def foreign(url: str, protocol: str, setting: str) -> OSError:
    """Return the error for an answer that no server of the protocol gives: a web page, say."""
    return OSError(errno.EPROTO, f"{url} answers what no {protocol} does: look at {setting}")


def is_refusal(error: Exception) -> bool:
    """Tell whether `error` proves that this request stored nothing."""
    if isinstance(error, FileExistsError):
        return False
    if isinstance(error, (PermissionError, ValueError)):
        return True
    return isinstance(error, OSError) and error.errno in _DEFINITE
