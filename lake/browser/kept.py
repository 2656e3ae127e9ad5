"""What is kept of what was worked out: as much as there is room for, by a guess at its bytes."""

import dataclasses
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from itertools import chain, islice
from typing import Any

_EACH = 64
"""Bytes of an object without what it holds, more or less."""
_LOOKED_AT = 8
_DEEPEST = 6


def weight(value: Any, depth: int = 0) -> int:
    """Estimate the bytes of a value; of many items, from the first of them."""
    if isinstance(value, (str, bytes)):
        return _EACH + len(value)
    if depth == _DEEPEST:
        return _EACH
    if dataclasses.is_dataclass(value):
        parts = [getattr(value, one.name) for one in dataclasses.fields(value)]
        return _EACH + sum(weight(part, depth + 1) for part in parts)
    if isinstance(value, Mapping):
        items: Iterable[Any] = chain.from_iterable(value.items())
        return _of_items(items, 2 * len(value), depth)
    if isinstance(value, Collection):
        return _of_items(value, len(value), depth)
    return _EACH


def _of_items(items: Iterable[Any], count: int, depth: int) -> int:
    some = [weight(item, depth + 1) for item in islice(items, _LOOKED_AT)]
    return _EACH + (sum(some) * count // len(some) if some else 0)


class Kept:
    """Values by key: the one that came last, and others, as far as those have room.

    Whoever shares it between threads locks it.
    """

    def __init__(self, room: int, most: int = 256) -> None:
        """Take the bytes that there is room for, and how many values are kept at most."""
        self._room, self._most = room, most
        self._found: OrderedDict[Any, tuple[Any, int]] = OrderedDict()
        self._bytes = 0

    def __contains__(self, key: Any) -> bool:
        return key in self._found

    def __getitem__(self, key: Any) -> Any:
        self._found.move_to_end(key)
        return self._found[key][0]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._bytes -= self._found.pop(key, (None, 0))[1]
        self._found[key] = (value, weight(value))
        self._bytes += self._found[key][1]
        if len(self._found) > self._most:
            self._drop(next(iter(self._found)))
        while self._bytes - self._found[key][1] > self._room:
            # What is light and dear to make stays; of equals, what was asked for last.
            others = list(self._found)[:-1]
            self._drop(max(others, key=lambda one: self._found[one][1]))

    def _drop(self, key: Any) -> None:
        self._bytes -= self._found.pop(key)[1]
