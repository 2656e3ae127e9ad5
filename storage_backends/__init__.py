"""Places that keep objects, behind one contract (`storage_backends.store`)."""

from pathlib import Path
from urllib.parse import unquote

from storage_backends.store import Listed, Store, is_refusal

__all__ = ["Listed", "Store", "is_refusal", "open_store"]

_CLOUDS = ("s3", "gs", "az")


def open_store(url: str) -> Store:
    """Return the store at `url`, which need not exist yet; nothing is asked and nothing is made.

    Args:
        url: a folder, as a path (`./lake`, `~/lake`) or a URL (`file:///srv/lake`).

    Raises:
        ValueError: no backend for such a URL.
    """
    scheme, is_url, rest = url.partition("://")
    if not is_url:
        return _local(url)
    if scheme == "file":
        return _local(_file_path(rest))
    if scheme in _CLOUDS:
        raise ValueError(f"no backend for {scheme}:// in this version: use a folder")
    raise ValueError(f"no backend for {scheme}://: use a folder, as a path or as file:///path")


def _file_path(rest: str) -> str:
    path = unquote(rest.removeprefix("localhost"))
    if not path.startswith("/"):
        raise ValueError(f"file://{rest} names a host or a relative path: write file:///path")
    return path


def _local(path: str) -> Store:
    if not path.strip() or "\0" in path:
        raise ValueError(f"{path!r} is no folder: give a path or file:///path")
    # `import lake` must not pay for the backends that it does not use.
    from storage_backends.local import LocalStore

    return LocalStore(Path(path).expanduser())
