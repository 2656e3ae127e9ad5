"""Places that keep objects, behind one contract (`storage_backends.store`)."""

from importlib import import_module
from pathlib import Path
from urllib.parse import unquote

from storage_backends import keys
from storage_backends.store import Listed, Store, is_refusal

__all__ = ["Listed", "Store", "is_refusal", "open_store"]

_CLOUDS = {"s3": "s3", "gs": "gcs", "az": "azure"}
"""The module of each scheme, which is the name of its extra, too."""


def open_store(url: str) -> Store:
    """Return the store at `url`, which need not exist yet; nothing is asked and nothing is made.

    Args:
        url: `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`, or a folder, as a
            path (`./lake`, `~/lake`) or a URL (`file:///srv/lake`).

    Raises:
        ValueError: no backend for such a URL.
        ImportError: its package is missing; the message holds the command that installs it.
    """
    scheme, is_url, rest = url.partition("://")
    if not is_url:
        return _local(url)
    if scheme == "file":
        return _local(_file_path(rest))
    if scheme in _CLOUDS:
        return _cloud(scheme, rest)
    raise ValueError(
        f"no backend for {scheme}://: use s3://, gs://, az://, or a folder (a path or file:///path)"
    )


def _cloud(scheme: str, rest: str) -> Store:
    name = _CLOUDS[scheme]
    bucket, _, prefix = rest.partition("/")
    prefix = prefix.strip("/")
    if not bucket or any(sign in bucket for sign in "@?#:"):
        raise ValueError(f"{scheme}:// is followed by a bucket's name: {scheme}://bucket/prefix")
    if prefix:
        keys.check(prefix)
    try:
        module = import_module(f"storage_backends.{name}")
    except ImportError as exc:
        raise ImportError(
            f"{scheme}:// needs {exc.name or 'a package'}, which is not installed:"
            f" pip install 'clearlake[{name}]'",
            name=name,
        ) from exc
    found: Store = module.open_store(bucket, prefix)
    return found


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
