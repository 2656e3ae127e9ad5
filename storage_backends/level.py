"""One level below a folder, as `Store.children` gives it: what backends share, and a disk's."""

import heapq
import os
import stat
import time
from bisect import bisect_right
from collections.abc import Iterable, Iterator

from storage_backends.store import Listed

_BEHIND_ALL = "\U0010ffff"
_LARGE = 20_000
_SETTLED_NS = 2_000_000_000


def start_of(prefix: str, after: str) -> str:
    """Return the key behind which a store need not look; behind a folder: all that is in it."""
    is_folder = after.endswith("/") and len(after) > len(prefix)
    return f"{after}{_BEHIND_ALL}" if is_folder else after


def gathered(
    pages: Iterable[Iterable[Listed]], prefix: str, after: str, limit: int
) -> tuple[Listed, ...]:
    """Return the first `limit` of what a store's pages list, by key; each is behind the last."""
    found: dict[str, Listed] = {}
    for page in pages:
        for one in page:
            if one.key > after and one.key != prefix:
                found[one.key] = one
        if len(found) >= limit:
            break
    return tuple(heapq.nsmallest(limit, found.values(), key=lambda one: one.key))


def one_level(listed: Iterable[Listed], prefix: str) -> Iterator[Listed]:
    """Give objects right below `prefix` as they are, and of all others their folders."""
    for one in listed:
        name, slash, _ = one.key.removeprefix(prefix).partition("/")
        yield Listed(f"{prefix}{name}/", 0) if slash else one


class Names:
    """The names in folders; those of the last large one are kept until it changes.

    A million names are 0.3 s to ask for, and 0.05 s to take from where they are kept.
    """

    def __init__(self) -> None:
        self._kept: tuple[tuple[str, int, int], bytes] | None = None

    def of(self, path: str) -> list[bytes]:
        """Return the names in the folder at `path`, in no order; none where there is none."""
        try:
            facts = os.stat(path)
            key, kept = (path, facts.st_ino, facts.st_mtime_ns), self._kept
            if kept and kept[0] == key:
                return kept[1].split(b"/")
            names = os.listdir(os.fsencode(path))
        except (FileNotFoundError, NotADirectoryError):
            return []
        # What changes within one tick of the clock has the time of before.
        if len(names) >= _LARGE and time.time_ns() - facts.st_mtime_ns > _SETTLED_NS:
            self._kept = key, b"/".join(names)
        return names


def on_disk(
    names: list[bytes], path: str, prefix: str, *, after: str, limit: int, hidden: str
) -> tuple[Listed, ...]:
    """Return what lies in the folder at `path`, but for the folder `hidden`; see `Store`."""
    last, wanted = b"", limit
    if after > prefix and not after.startswith(prefix):
        return ()
    if after.startswith(prefix):
        last = os.fsencode(after.removeprefix(prefix)).partition(b"/")[0]
    found: list[Listed] = []
    while len(found) < limit:
        # Some of the names are no keys: sockets, links, what is being written.
        some = heapq.nsmallest(wanted + 1, _from(names, last))
        known = sorted(_listed(path, prefix, some, hidden), key=lambda one: one.key)
        is_all = len(some) <= wanted
        # A folder's key ends in `/`, so others may sort before it that have a later name.
        known = known if is_all else _sure(known, prefix, some[-1])
        found = [one for one in known if one.key > after][:limit]
        if is_all:
            break
        wanted *= 2
    return tuple(found)


def _from(names: list[bytes], last: bytes) -> Iterable[bytes]:
    """Give the names that may hold what is behind `last`: a folder's key sorts as `name/`."""
    if not last:
        return names
    parts = {last[:end] for end in range(1, len(last))}
    return [name for name in names if name >= last or name in parts]


def _sure(known: list[Listed], prefix: str, name: bytes) -> list[Listed]:
    """Leave out what may have something before it that was not looked at: from `name` on."""
    keys = [one.key for one in known]
    return known[: bisect_right(keys, f"{prefix}{os.fsdecode(name)}")]


def _listed(path: str, prefix: str, names: Iterable[bytes], hidden: str) -> Iterator[Listed]:
    for name in map(os.fsdecode, names):
        place, key = os.path.join(path, name), f"{prefix}{name}"
        try:
            facts = os.lstat(place)
        except FileNotFoundError:  # deleted a moment ago
            continue
        if stat.S_ISDIR(facts.st_mode):
            if _holds(place, hidden):
                yield Listed(f"{key}/", 0)
        elif stat.S_ISREG(facts.st_mode):
            yield Listed(key, facts.st_size)


def _holds(path: str, hidden: str) -> bool:
    """Tell whether there is an object anywhere below a folder: a bucket has no empty ones."""
    if path == hidden:
        return False
    try:
        with os.scandir(path) as items:
            return any(
                item.is_file(follow_symlinks=False)
                or (item.is_dir(follow_symlinks=False) and _holds(item.path, hidden))
                for item in items
            )
    except FileNotFoundError:
        return False
