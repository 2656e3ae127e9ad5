"""What a key may be, in every store alike, so that a lake can be copied from any to any other."""


def check(key: str) -> None:
    """Make sure that `key` is one.

    Raises:
        ValueError: it would lie outside of the root, or is no key at all.
    """
    if "\\" in key or "\0" in key or not {"", ".", ".."}.isdisjoint(key.split("/")):
        raise ValueError(
            f"{key!r} is no key: it is relative, without '.', '..', empty segments,"
            " backslash or NUL"
        )
    try:
        key.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{key!r} is no key: it is no valid text (a lone surrogate)") from None


def check_prefix(prefix: str) -> None:
    """Make sure that the folder which `prefix` begins with is one below the root.

    Raises:
        ValueError: it leads out.
    """
    if folder := prefix.rpartition("/")[0]:
        check(folder)


def check_folder(prefix: str) -> None:
    """Make sure that `prefix` is a folder below the root, with its `/`, or the root: `""`.

    Raises:
        ValueError: it is none.
    """
    if prefix:
        check(prefix.removesuffix("/"))
        if not prefix.endswith("/"):
            raise ValueError(f"{prefix!r} is no folder: it does not end in '/'")


def check_range(key: str, start: int, length: int | None) -> None:
    """Make sure that a range is one.

    Raises:
        ValueError: it is negative.
    """
    if start < 0 or (length is not None and length < 0):
        raise ValueError(f"cannot read {length} bytes of {key!r} from {start}: both are 0 or more")


def protection(*, versioning: bool, lock: bool) -> str:
    """Return what a bucket keeps, in words, and what that means for a collection."""
    said = f"versioning {'on' if versioning else 'off'}, object lock {'on' if lock else 'off'}"
    if lock:
        return f"{said}: `lake gc` can delete nothing before the lock ends"
    return f"{said}: what `lake gc` deletes is kept" if versioning else said


BYTES = "application/octet-stream"
_TYPES = {".html": "text/html", ".md": "text/markdown", ".css": "text/css"}


def media_type(key: str) -> str:
    """Return what a cloud's console takes an object for: of pages, the text that they are."""
    kind = _TYPES.get(key[key.rfind(".") :])
    return f"{kind}; charset=utf-8" if kind else BYTES
