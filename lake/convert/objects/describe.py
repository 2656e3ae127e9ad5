"""Objects that are no tables: each lands as it is, and their dataset is an index of them."""

import codecs
import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

from lake import layout
from lake.convert.objects.measure import Measurer
from lake.convert.objects.media import is_text, media_type
from lake.errors import InvalidName, MissingExtra

_CHUNK = 1 << 20
_PACKAGES = {"puremagic": "puremagic", "PIL": "pillow", "pypdf": "pypdf"}
# What Python makes of bytes in a file's name that are no text.
_NO_TEXT = re.compile("[\udc80-\udcff]")
_SCHEMA = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("media_type", pa.string(), nullable=False),
        pa.field("key", pa.string(), nullable=False),
        pa.field("width", pa.int32()),
        pa.field("height", pa.int32()),
        pa.field("pages", pa.int32()),
        pa.field("characters", pa.int64()),
    ]
)


@dataclass(frozen=True, slots=True)
class Thing:
    """An object on its way into the lake: a file here, its name at the source, its hash."""

    path: Path
    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Described:
    """What an object is, by its content; None where that is not known, or makes no sense."""

    media_type: str
    width: int | None = None
    height: int | None = None
    pages: int | None = None
    characters: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row of an index: an object, what it is, and the key it lies under in the lake."""

    thing: Thing
    key: str
    described: Described


class Describer:
    """Says what objects are; use one for many, in a `with`. Safe to use from several threads."""

    def __init__(self, *, measurer: Measurer | None = None) -> None:
        """Make sure that the libraries are there.

        Raises:
            MissingExtra: one of them is not installed.
        """
        for module, package in _PACKAGES.items():
            if not _is_installed(module):
                raise MissingExtra(
                    f"objects cannot be told apart: {package} is not installed; run pip install"
                    " 'clearlake[objects]'"
                )
        self._measurer = measurer or Measurer()

    def describe(self, path: Path, *, name: str) -> Described:
        """Return what the file at `path` is.

        Never an error about its content: a broken image lands as well, its size unknown. Text is
        read to its end, of all else only what tells its kind and size. `name` plays no part: what a
        thing is called proves nothing.
        """
        media = media_type(path)
        measured = self._measurer.measure(path, media)
        characters = _characters(path) if is_text(media) else None
        return Described(media, measured.width, measured.height, measured.pages, characters)

    def close(self) -> None:
        """End what runs for it."""
        self._measurer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def describe(path: Path, *, name: str) -> Described:
    """Return what one file is; for many, one `Describer` is faster."""
    with closing(Describer()) as describer:
        return describer.describe(path, name=name)


def index(things: Sequence[Thing], out: Path, *, folder: str) -> list[Row]:
    """Describe objects, and write the Parquet of their dataset: one row each, sorted by name.

    Args:
        things: the objects, in any order.
        out: where the index is written.
        folder: of the version, with a `/` at its end; the keys are made for it.

    Returns:
        The rows; each thing is to be stored under its `key`.

    Raises:
        InvalidName: two have the same name.
        MissingExtra: the libraries that look at objects are not installed.
    """
    keys = object_keys([thing.name for thing in things], folder=folder)
    with Describer() as describer:
        rows = [
            Row(thing, keys[thing.name], describer.describe(thing.path, name=thing.name))
            for thing in sorted(things, key=lambda thing: _text(thing.name))
        ]
    write_index(rows, out)
    return rows


def write_index(rows: Sequence[Row], out: Path) -> None:
    """Write an index as Parquet, sorted by name: the same rows give the same bytes.

    Columns: name, bytes, sha256 (hex), media_type, key (in the lake), and, NULL where not known,
    width and height (pixels, as stored), pages, characters.
    """
    values = sorted(map(_values, rows), key=lambda row: (row["name"], row["key"]))
    pq.write_table(pa.Table.from_pylist(values, schema=_SCHEMA), out, compression="zstd")


def object_keys(names: Sequence[str], *, folder: str) -> dict[str, str]:
    """Return the key of every object of a version, by its name; no two are the same.

    Raises:
        InvalidName: two objects have the same name.
    """
    if len(set(names)) < len(names):
        twice = next(name for name in sorted(names) if names.count(name) > 1)
        raise InvalidName(
            f"two objects are called {_text(twice)!r}: land them as two partitions, or rename one"
        )
    # In a bucket, `a` and `a/b` are two keys; in a folder `a` cannot be a file and a folder.
    folders = {name[:at] for name in names for at, sign in enumerate(name) if sign == "/"}
    return {
        name: folder + layout.object_name(name, apart=name.rstrip("/") in folders) for name in names
    }


def _values(row: Row) -> dict[str, str | int | None]:
    thing, what = row.thing, row.described
    return {
        "name": _text(thing.name),
        "bytes": thing.bytes,
        "sha256": thing.sha256,
        "media_type": what.media_type,
        "key": row.key,
        "width": what.width,
        "height": what.height,
        "pages": what.pages,
        "characters": what.characters,
    }


def _characters(path: Path) -> int | None:
    """Count the characters of UTF-8 text without its byte order mark; None if it is none."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    count = 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                count += len(decoder.decode(chunk))
        return count + len(decoder.decode(b"", final=True))
    except UnicodeDecodeError:
        return None


def _text(name: str) -> str:
    """Return a name as text: bytes of it that are none are percent-encoded."""
    return _NO_TEXT.sub(lambda found: quote(found[0], errors="surrogateescape"), name)


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ValueError:
        return False
