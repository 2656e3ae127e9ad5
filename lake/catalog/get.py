"""Getting objects whose absence means something, from a store that may fail to answer."""

import errno
from collections.abc import Callable
from time import sleep

from lake.errors import unavailable
from lake.words import said_by
from storage_backends import Store

TRIES = 4


def get(store: Store, key: str, pause: Callable[[float], None] = sleep) -> bytes | None:
    """Return an object's bytes, or None if it is not there; ask again where the store is unclear.

    Raises:
        StoreUnavailable: the store gave no answer, or may not say. Safe to retry.
    """
    for left in reversed(range(TRIES)):
        try:
            return store.get(key)
        except FileNotFoundError:
            return None
        except OSError as exc:
            # Where no connection comes about, the store has asked for one again and again.
            is_final = isinstance(exc, PermissionError) or exc.errno == errno.ECONNREFUSED
            if left == 0 or is_final:
                text = f"cannot read {key} in {said_by(store.url, exc)}"
                raise unavailable(text, exc) from exc
            pause(0.05 * (TRIES - left))
    raise AssertionError("unreachable")
