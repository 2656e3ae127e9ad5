"""Objects of the store, read: what is absent is told from what the store would not give.

And created, where the key says whose it is: then a lost answer can be asked for again.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lake.errors import unavailable
from lake.words import said_by
from storage_backends import Listed, Store, is_refusal

TRIES = 5
PIECE = 4 << 20


def create(store: Store, key: str, data: bytes, *, pause: Callable[[float], None]) -> None:
    """Create an object that nobody would create with other bytes; it may be there already.

    Where no answer came it is sent again: what stands at the key tells what became of it.

    Raises:
        FileExistsError: other bytes stand there.
        OSError: the store refused, or gave no answer again and again.
    """
    for left in reversed(range(TRIES)):
        try:
            return store.put_new(key, data)
        except FileExistsError:
            found = standing(store, key)
            if found == data:
                return None
            if found is not None or not left:
                raise
        except OSError as exc:
            if is_refusal(exc) or not left:
                raise
        pause(backoff_s(TRIES - 1 - left))
    raise AssertionError("unreachable")


def backoff_s(attempt: int) -> float:
    """Return for how many seconds to wait after a try in vain; `attempt` counts from 0."""
    return random.uniform(0.05, 0.2) * (1 << attempt)


def standing(store: Store, key: str) -> bytes | None:
    """Return what stands at a key; None if nothing does, or if the store would not say."""
    try:
        return store.get(key)
    except OSError:
        return None


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


def piece(store: Store, key: str, start: int, length: int) -> bytes:
    """Return some of an object's bytes, fewer where it ends; raises as `download` does."""
    with _asking(store, key):
        return store.get(key, start=start, length=length)


def pieces(store: Store, key: str, *, length: int = PIECE) -> Iterator[bytes]:
    """Give an object's bytes one piece after the other; raises as `download` does."""
    at = 0
    while found := piece(store, key, at, length):
        yield found
        at += len(found)
        if len(found) < length:
            return


def children(store: Store, prefix: str, *, after: str, limit: int) -> tuple[Listed, ...]:
    """Return one level of a folder, see `Store.children`.

    Raises:
        StoreUnavailable: it could not be listed.
    """
    with _asking(store, prefix):
        return store.children(prefix, after=after, limit=limit)


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
        text = f"cannot fetch {key} from {said_by(store.url, exc)}; run the same command again"
        raise unavailable(text, exc) from exc
