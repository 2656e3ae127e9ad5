"""Small helps for messages."""

import difflib
from collections.abc import Iterable, Sequence

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


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


def short(text: str, most: int) -> str:
    """Return a text of at most `most` characters, the last of them `…` where it was cut."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def counted(number: int, noun: str) -> str:
    """Return `1 row`, `2 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(names: Sequence[str]) -> str:
    """Return up to ten names, separated by commas, and `…` where there are more."""
    return ", ".join(names[:10]) + (" …" if len(names) > 10 else "")


def size(byte_count: int) -> str:
    """Return `1.5 MB`: three digits, decimal units."""
    value, unit = float(byte_count), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    digits = 0 if unit == 0 or value >= 99.5 else 1
    return f"{value:.{digits}f} {_UNITS[unit]}"
