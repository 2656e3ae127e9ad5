"""Places that keep objects, behind one contract (`storage_backends.store`)."""

from importlib import import_module
from pathlib import Path
from urllib.parse import unquote

from storage_backends.place import CLOUDS, Place, in_cloud, is_short_of_a_slash, masked
from storage_backends.store import Listed, Store, is_refusal

__all__ = [
    "Listed",
    "Place",
    "Store",
    "in_cloud",
    "is_refusal",
    "is_short_of_a_slash",
    "masked",
    "open_store",
]


def open_store(url: str) -> Store:
    """Return the store at `url`, which need not exist yet; nothing is asked and nothing is made.

    Args:
        url: `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`, or a folder, as a
            path (`./lake`, `~/lake`) or a URL (`file:///srv/lake`).

    Raises:
        ValueError: no backend for such a URL.
        ImportError: its package is missing; the message holds the command that installs it.
    """
    if place := in_cloud(url):
        return _cloud(place)
    _, is_url, rest = url.partition("://")
    return _local(_file_path(rest) if is_url else url)


def _cloud(place: Place) -> Store:
    name = CLOUDS[place.scheme]
    try:
        module = import_module(f"storage_backends.{name}")
    except ImportError as exc:
        raise ImportError(
            f"{place.scheme}:// needs {exc.name or 'a package'}, which is not installed:"
            f" pip install 'clearlake[{name}]'",
            name=name,
        ) from exc
    found: Store = module.open_store(place.bucket, place.prefix)
    return found


def _file_path(rest: str) -> str:
    path = unquote(rest.removeprefix("localhost"))
    if not path.startswith("/"):
        said = masked(f"file://{rest}")
        raise ValueError(f"{said} names a host or a relative path: write file:///path")
    return path


def _local(path: str) -> Store:
    if not path.strip() or "\0" in path:
        raise ValueError(f"{path!r} is no folder: give a path or file:///path")
    if is_short_of_a_slash(path):
        scheme = path.partition(":")[0]
        raise ValueError(
            f"two slashes belong behind {scheme}: (or write ./{scheme}:/… for a folder)"
        )
    # `import lake` must not pay for the backends that it does not use.
    from storage_backends.local import LocalStore

    return LocalStore(Path(path).expanduser())
