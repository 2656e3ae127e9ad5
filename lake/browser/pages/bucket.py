"""The bucket: its keys as they lie in the store, a folder and a page at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from lake import objects
from lake.browser.ask import Ask
from lake.browser.owners import Owner, owners
from lake.browser.snapshot import Snapshot
from lake.errors import InvalidAddress, NoSuchLake
from storage_backends import Listed

PER_PAGE = 100
LONGEST = 1024
_MOST_BYTES = 60_000
"""Of keys and their links on one page: keys may have 1,024 bytes each."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A folder or an object.

    Attributes:
        key: of a folder with its `/`.
        name: the last part of the key.
        link: where it is shown; `""` where its name is no text, so that no address can name it.
        bytes: None of a folder, which nobody counts.
        version: the page of the version that it belongs to; `""` for none.
    """

    key: str
    name: str
    link: str
    bytes: int | None
    what: str
    of: str
    version: str


@dataclass(frozen=True, slots=True)
class Step:
    """A part of the way down to a folder; `link` is its page."""

    name: str
    link: str


@dataclass(frozen=True, slots=True)
class BucketPage:
    """Some entries of one folder, by key; `older` is the address of the next ones.

    Attributes:
        prefix: the folder, with its `/`; `""` for the root.
        is_former: whether the owners are those of a former commit, and the objects today's.
        newer: the address of the first ones, if these are none.
    """

    prefix: str
    steps: Sequence[Step]
    entries: Sequence[Entry]
    is_former: bool
    newer: str
    older: str


def make(shot: Snapshot, ask: Ask) -> BucketPage:
    """Return one page of one folder of the store, as it is now.

    Raises:
        InvalidAddress: `prefix` is no folder of the lake's.
        NoSuchLake: nothing is there any more.
        StoreUnavailable: the store could not be asked.
    """
    prefix, after = ask.get("prefix"), ask.get("after")
    if prefix and not prefix.endswith("/"):
        prefix += "/"
    if len(prefix.encode(errors="replace")) > LONGEST:
        raise InvalidAddress(f"no key is longer than {LONGEST:,} bytes, and this prefix is")
    listed = _children(shot, prefix, after)
    if not (listed or prefix or after) and shot.commit:
        raise NoSuchLake("nothing lies where the lake was")
    # A key that is no text is a file that was put there by hand: no address can name it.
    found = [one for one in listed if is_text(one.key)]
    shown = list(_some(found))
    whose = owners(shot, [one.key for one in shown])
    is_more = len(listed) > PER_PAGE or len(shown) < len(found)
    older = ask.same(after=shown[-1].key) if shown and is_more else ""
    return BucketPage(
        prefix,
        steps(ask, prefix),
        [_entry(ask, one, prefix, whose[one.key]) for one in shown],
        bool(ask.at),
        ask.same(after=None) if after else "",
        older,
    )


def _children(shot: Snapshot, prefix: str, after: str) -> Sequence[Listed]:
    try:
        return objects.children(shot.lake.log.store, prefix, after=after, limit=PER_PAGE + 1)
    except ValueError:
        raise InvalidAddress("that is no folder of this lake's") from None


def _some(found: Sequence[Listed]) -> Iterator[Listed]:
    """Give as many as have room on a page, one at least."""
    room = _MOST_BYTES
    for at, one in enumerate(found[:PER_PAGE]):
        room -= len(quote(one.key)) + len(one.key)
        if at and room < 0:
            return
        yield one


def is_text(key: str) -> bool:
    """Tell whether a key is one that UTF-8 can say."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True


def steps(ask: Ask, prefix: str) -> list[Step]:
    """Return the folders that lead down to `prefix`, the bucket first."""
    names = prefix.rstrip("/").split("/") if prefix else []
    paths = ["/".join(names[: at + 1]) + "/" for at in range(len(names))]
    below = [
        Step(name, ask.link("/bucket", prefix=path))
        for name, path in zip(names, paths, strict=True)
    ]
    return [Step("bucket", ask.link("/bucket")), *below]


def _entry(ask: Ask, one: Listed, prefix: str, owner: Owner) -> Entry:
    is_folder = one.key.endswith("/")
    link = (
        ask.link("/bucket", prefix=one.key)
        if is_folder
        else ask.link("/bucket/object", key=one.key)
    )
    version = ask.link(owner.path) if owner.path else ""
    return Entry(
        one.key,
        one.key.removeprefix(prefix),
        link,
        None if is_folder else one.byte_count,
        owner.what,
        f"{owner.dataset} {owner.name}".strip(),
        version,
    )
