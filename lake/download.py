"""An object of the store becomes a file."""

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
    try:
        store.download(key, path)
    except FileNotFoundError:
        raise
    except OSError as exc:
        raise StoreUnavailable(
            f"cannot fetch {key} from {store.url}: {cause(exc)}; run the same command again"
        ) from exc
