"""A version's bytes, looked at when somebody asks: hashed again; and the rows it rejected."""

import hashlib
import json
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from lake import layout, objects
from lake.browser.previews import cut
from lake.browser.snapshot import Snapshot
from lake.errors import StoreUnavailable
from storage_backends import Store

MOST_BYTES = 64 << 20
"""Of a version whose files are hashed when a page is asked for."""
REJECTS = 100
_REJECTS_BYTES = 8 << 20
_LONGEST = 240
_ONE = threading.Lock()
_MOST_BAD = 10_000
_WAIT_S = 5.0

State = Literal["verified", "not checked", "damaged", "missing"]


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found of a file; `found` is the hash of its bytes, if they are others."""

    state: State
    found: str = ""


@dataclass(slots=True)
class _Bad:
    """Files that were found to be others, by store, key and the log's hash; who adds holds `_ONE`.

    Attributes:
        changes: how often one was added or taken away.
    """

    files: dict[tuple[str, str, str], Checked] = field(default_factory=dict)
    changes: int = 0


_bad = _Bad()


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that could not be read or broke the contract; `place` is `line 3` or `row 3`."""

    place: str
    reason: str
    raw: str


def checked(store: Store, files: Iterable[tuple[str, str]]) -> Mapping[str, Checked]:
    """Hash files, given as keys and what the log says of each; one version at a time.

    Raises:
        StoreUnavailable: the store did not answer, so that nothing is known, or others are looked
            at for so long.
    """
    if not _ONE.acquire(timeout=_WAIT_S):
        raise StoreUnavailable("other files are being hashed: try again")
    try:
        return {key: _noted(store, key, sha256) for key, sha256 in files}
    finally:
        _ONE.release()


def _noted(store: Store, key: str, sha256: str) -> Checked:
    found, which = _checked(store, key, sha256), (store.url, key, sha256)
    if found.state != "verified" and len(_bad.files) < _MOST_BAD:
        _bad.changes += _bad.files.get(which) != found
        _bad.files[which] = found
    elif _bad.files.pop(which, None):
        _bad.changes += 1
    return found


def changes() -> int:
    """Return how often it has changed what `remembered` gives."""
    return _bad.changes


def remembered(store: Store, files: Iterable[tuple[str, str]]) -> Mapping[str, Checked]:
    """Return those of some files that were found to be others, when somebody looked last."""
    known = ((key, _bad.files.get((store.url, key, sha256))) for key, sha256 in files)
    return {key: found for key, found in known if found}


def worst(files: Iterable[Checked]) -> State:
    """Return what is to be said of files together."""
    found = {one.state for one in files}
    order: Sequence[State] = ("damaged", "missing", "not checked", "verified")
    return next((state for state in order if state in found), "not checked")


def _checked(store: Store, key: str, sha256: str) -> Checked:
    digest = hashlib.sha256()
    try:
        for piece in objects.pieces(store, key):
            digest.update(piece)
    except FileNotFoundError:
        return Checked("missing")
    found = digest.hexdigest()
    return Checked("verified") if found == sha256 else Checked("damaged", found)


def rejects(shot: Snapshot, receipt: str) -> tuple[Sequence[Reject], str]:
    """Return the first rows that a version's landing rejected, and why there are none to show."""
    store = shot.lake.log.store
    key = layout.beside(receipt, layout.REJECTED)
    try:
        return [_reject(line) for line in _lines(objects.pieces(store, key, length=1 << 18))], ""
    except FileNotFoundError:
        return [], "The object with these rows is missing."
    except StoreUnavailable:
        return [], "The object with these rows cannot be fetched now."
    except (ValueError, KeyError, TypeError, zlib.error):
        return [], "The object with these rows is damaged."


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Give the first lines of a gzipped file, unpacking no more than is needed."""
    unpacking, rest, count, room = zlib.decompressobj(31), b"", 0, _REJECTS_BYTES
    for piece in pieces:
        plain = unpacking.decompress(piece, room)
        room -= len(plain)
        *whole, rest = (rest + plain).split(b"\n")
        for line in whole:
            yield line
            count += 1
            if count == REJECTS:
                return
        if room <= 0:
            return


def _reject(line: bytes) -> Reject:
    said = json.loads(line)
    place = f"line {said['line']}" if said["line"] is not None else f"row {said['row']}"
    return Reject(place, cut(said["reason"], _LONGEST) or "", cut(said["raw"], _LONGEST) or "")
