"""`get`: the original bytes, given back exactly."""

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from lake.catalog.collected import refuse_collected, why_missing
from lake.catalog.entries import File
from lake.catalog.state import Version
from lake.errors import FileDamaged, InvalidAddress, StoreUnavailable
from lake.landing.stage import sha256_of
from lake.layout import object_name, version_folder
from lake.objects import download
from lake.query import address as addresses
from lake.words import cause

if TYPE_CHECKING:
    from lake.lake import Lake

_LONGEST_NAME = 255
_SOME = 3
_RANK = {"original": 0, "object": 1, "data": 2}
_INDEX = ("name", "bytes", "sha256", "media_type", "key")


def get(lake: "Lake", text: str, to: Path, *, only: str = "") -> list[Path]:
    """Write the originals of an address into `to`: of one partition, or of all, a folder each.

    A landed file is called as at its source; of objects, with the folders that it lay in. Where two
    would be one file, they lie below folders called like their versions. All is written, or
    nothing.

    Args:
        lake: the lake.
        text: the address.
        to: a folder, made if it is not there.
        only: a glob that the name, or the whole path below `to` or its partition's folder, must
            fit. The objects of an archive are given only so; without it, the archive itself.

    Raises:
        FileDamaged: the bucket's bytes are not those that were landed.
        InvalidAddress: a file of that name is in `to` already, or nothing fits `only`.
        StoreUnavailable: `to` cannot be written.
    """
    found = _found(lake, text)
    keys = [file.key for version in found.values() for file in version.files]
    refuse_collected(lake.state, keys, what=text)
    wanted = _wanted(lake, found, to, text, only)
    for path in wanted:
        if path.exists():
            raise InvalidAddress(f"{path} is there already: choose an empty folder")
    written: list[Path] = []
    try:
        for path, file in wanted.items():
            written.append(path)
            _write(lake, file, path)
    except BaseException:
        for path in written:
            with suppress(OSError):
                path.unlink()
        raise
    return written


def _found(lake: "Lake", text: str) -> dict[str, Version]:
    """Return the versions of an address, by the folder below `to` that they go into."""
    address = addresses.parse(text)
    state = addresses.state_of(lake.log, lake.state, address)
    addresses.find_dataset(state, address.dataset)
    if address.partition or address.version is not None or not state.datasets[address.dataset].keys:
        return {"": addresses.version_at(lake.log, lake.state, address)}
    return {
        partition.text: partition.current
        for partition in state.current(address.dataset)
        if partition.current
    }


def originals(files: Sequence[File]) -> tuple[File, ...]:
    """Return the files that are the source's own bytes.

    Of a version without any: the objects in what it sent, else its rows.
    """
    best = {folder: min(_RANK[f.role] for f in group) for folder, group in _by_folder(files)}
    return tuple(file for file in files if _RANK[file.role] == best[version_folder(file.key)])


def _named(files: Sequence[File]) -> tuple[File, ...]:
    """Return the files that one may ask for by name: originals, and the objects in them."""
    best = {folder: min(_RANK[f.role] for f in group) for folder, group in _by_folder(files)}
    return tuple(
        file
        for file in files
        if file.role != "data" or _RANK["data"] == best[version_folder(file.key)]
    )


def _by_folder(files: Sequence[File]) -> list[tuple[str, list[File]]]:
    groups: dict[str, list[File]] = {}
    for file in files:
        groups.setdefault(version_folder(file.key), []).append(file)
    return list(groups.items())


def _wanted(
    lake: "Lake", found: Mapping[str, Version], to: Path, text: str, only: str
) -> dict[Path, File]:
    """Return where each file goes."""
    places: dict[Path, File] = {}
    there: list[str] = []
    for folder, held in found.items():
        files = _named(held.files) if only else originals(held.files)
        named = _paths(_names(lake, held, files))
        there += named
        places |= {
            to / folder / path: file
            for path, file in named.items()
            if not only or fnmatchcase(path, only) or fnmatchcase(path.rpartition("/")[2], only)
        }
    if only and not places:
        raise InvalidAddress(_nothing(text, only, there))
    return places


def _nothing(text: str, only: str, there: Sequence[str]) -> str:
    some = ", ".join(map(repr, there[:_SOME])) + (" …" if len(there) > _SOME else "")
    return f"no file of {text} fits {only!r}: it has {some or 'none'}"


def _names(lake: "Lake", version: Version, files: Sequence[File]) -> list[tuple[str, File]]:
    """Return how each file was called at its source, if that is known and safe on a disk."""
    told = {key: name for file in version.files for key, name in _told(lake, file)}
    kept, origin = originals(version.files), version.landed.origin
    if len(kept) == 1 and kept[0].sha256 == origin.get("sha256"):
        told = {kept[0].key: origin.get("name", "")} | told
    return [(safe_path(told.get(file.key, ""), file), file) for file in files]


def _told(lake: "Lake", file: File) -> Iterator[tuple[str, str]]:
    """Give keys of objects and how they were called, if `file` is the index of them."""
    columns = tuple(column.name for column in lake.state.schemas.get(file.schema, ()))
    if file.role != "data" or columns[: len(_INDEX)] != _INDEX:
        return
    with tempfile.TemporaryDirectory(prefix="clearlake-") as scratch:
        path = Path(scratch) / "index"
        _download(lake, file, path)
        with duckdb.connect() as connection:
            yield from connection.execute(
                "SELECT key::VARCHAR, name::VARCHAR FROM read_parquet(?)", [str(path)]
            ).fetchall()


def safe_path(name: str, file: File) -> str:
    """Return a path for a file that leads nowhere else: its name, else what its key says."""
    below = file.key.removeprefix(version_folder(file.key))
    below = below.removeprefix("_archive/") if file.role == "original" else below
    return next(filter(_stays, (name, below)), "") or object_name(below)


def _stays(path: str) -> bool:
    segments = path.split("/")
    odd = {"", ".", ".."} & set(segments) or {"\\", "\0"} & set(path)
    return not odd and all(len(s.encode()) <= _LONGEST_NAME for s in segments)


def _paths(named: Sequence[tuple[str, File]]) -> dict[str, File]:
    """Return a path for each file; where two clash, below a folder called like its version."""
    counts = Counter(path for path, _ in named)
    folders = {path[:at] for path, _ in named for at, sign in enumerate(path) if sign == "/"}
    places = {}
    for path, file in named:
        version = version_folder(file.key)
        if counts[path] > 1 or path in folders:
            below = file.key.removeprefix(version)
            below = below if _stays(below) else object_name(below)
            path = f"{version.rstrip('/').rpartition('/')[2]}/{below}"
        places[path] = file
    return places


def _write(lake: "Lake", file: File, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise StoreUnavailable(f"cannot write {path}: {cause(exc)}; choose another folder") from exc
    _download(lake, file, path)


def _download(lake: "Lake", file: File, path: Path) -> None:
    try:
        download(lake.log.store, file.key, path)
    except FileNotFoundError:
        raise why_missing(lake.log, lake.state, file.key, what=file.key) or FileDamaged(
            f"{file.key} is missing in {lake.url}: restore it from a copy"
        ) from None
    if sha256_of(path) != file.sha256:
        raise FileDamaged(f"{file.key} is not the file that the log names: restore it from a copy")
