"""Objects of the store, read: what is absent is told from what the store would not give."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lake.errors import StoreUnavailable
from lake.words import cause
from storage_backends import Store


def download(store: Store, key: str, path: Path) -> None:
    """Write an object's bytes to a new file at `path`; on failure there is none.

    Raises:
        FileNotFoundError: there is no such object.
        StoreUnavailable: it could not be fetched, or not be written.
    """
    with _asking(store, key):
        store.download(key, path)


def read(store: Store, key: str) -> bytes:
    """Return an object's bytes; raises as `download` does."""
    with _asking(store, key):
        return store.get(key)


def size(store: Store, key: str) -> int:
    """Return an object's size in bytes; raises as `download` does."""
    with _asking(store, key):
        return store.size(key)


@contextmanager
def _asking(store: Store, key: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as exc:
        raise StoreUnavailable(
            f"cannot fetch {key} from {store.url}: {cause(exc)}; run the same command again"
        ) from exc
