"""Small helps for messages."""

import difflib
from collections.abc import Iterable


def cause(error: Exception) -> str:
    """Return why something failed, without the number and the path that Python puts around it."""
    said = error.strerror if isinstance(error, OSError) else ""
    return said or str(error)


def said_by(url: str, error: Exception) -> str:
    """Return `URL: why`, for a store's error, which may name the URL itself."""
    return f"{url}: {cause(error).removeprefix(url).lstrip(': ')}"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean X?` for the known word most like `name`, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""
