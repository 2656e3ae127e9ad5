"""An object of the bucket: what it is, whose it is, and what its first bytes look like."""

import errno
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from lake import objects
from lake.browser.ask import Ask
from lake.browser.owners import owners
from lake.browser.pages.bucket import Step, is_text, steps
from lake.browser.previews import COLUMNS, Preview, preview
from lake.browser.snapshot import Snapshot
from lake.errors import InvalidAddress, NoSuchVersion, StoreUnavailable

_FEW = threading.Semaphore(4)
"""Previews at a time: one may take as much memory as its rows need."""


@dataclass(frozen=True, slots=True)
class ObjectPage:
    """An object as the store has it now.

    Attributes:
        what: `data`, `original`, `receipt`, `the log` … or `orphan`.
        of: the version that it belongs to, in words; `version` is its page, `dataset` its dataset.
        download, image: addresses of its bytes; `image` is `""` of what is no picture.
        newer, older: addresses of the columns before and behind, of a wide table.
    """

    key: str
    name: str
    steps: Sequence[Step]
    bytes: int
    what: str
    dataset: str
    of: str
    version: str
    preview: Preview
    download: str
    image: str
    newer: str
    older: str


def make(shot: Snapshot, ask: Ask) -> ObjectPage:
    """Return an object's page.

    Raises:
        InvalidAddress: `key` is no key.
        NoSuchVersion: nothing lies there.
        StoreUnavailable: the store could not be asked.
    """
    key, store = ask.get("key"), shot.lake.log.store
    byte_count = size_of(shot, key)
    first = ask.number("columns", 0, most=1_000_000)

    def read(start: int, length: int) -> bytes:
        return objects.piece(store, key, start, length)

    with _FEW:
        found = preview(key, byte_count, read, first_column=first)
    owner = owners(shot, [key])[key]
    folder, _, name = key.rpartition("/")
    is_more = found.kind == "rows" and first + COLUMNS < found.column_count
    return ObjectPage(
        key,
        name,
        steps(ask, f"{folder}/" if folder else ""),
        byte_count,
        owner.what,
        owner.dataset,
        owner.name,
        ask.link(owner.path) if owner.path else "",
        found,
        ask.link("/bucket/object", key=key, download=1),
        ask.link("/bucket/object", key=key, image=1) if found.kind == "image" else "",
        ask.same(columns=max(0, first - COLUMNS) or None) if first else "",
        ask.same(columns=first + COLUMNS) if is_more else "",
    )


def size_of(shot: Snapshot, key: str) -> int:
    """Return an object's size in bytes.

    Raises:
        InvalidAddress: it is no key.
        NoSuchVersion: nothing lies there.
        StoreUnavailable: the store could not be asked.
    """
    nothing = NoSuchVersion("nothing lies at this key now: it may have been collected")
    if not is_text(key):
        raise InvalidAddress("that is no key of this lake's")
    try:
        return objects.size(shot.lake.log.store, key)
    except FileNotFoundError:
        raise nothing from None
    except StoreUnavailable as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.ENAMETOOLONG:
            raise nothing from None
        raise
    except ValueError:
        raise InvalidAddress("that is no key of this lake's") from None
