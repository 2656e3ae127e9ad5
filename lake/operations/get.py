"""`get`: the original bytes, given back exactly."""

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lake.catalog.entries import File
from lake.catalog.state import Version
from lake.errors import FileDamaged, InvalidAddress, StoreUnavailable
from lake.landing.stage import sha256_of
from lake.query import address as addresses
from lake.words import cause

if TYPE_CHECKING:
    from lake.lake import Lake


_LONGEST_NAME = 255


def get(lake: "Lake", text: str, to: Path) -> list[Path]:
    """Write the originals of an address into `to`: of one partition, or of all, a folder each.

    A landed file is called as at its source. Files of one name get a folder each, called like their
    version's. All is written, or nothing.

    Raises:
        FileDamaged: the bucket's bytes are not those that were landed.
        InvalidAddress: a file of that name is in `to` already.
        StoreUnavailable: `to` cannot be written.
    """
    wanted = _places(_found(lake, text), to)
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


def originals(files: tuple[File, ...]) -> tuple[File, ...]:
    """Return the files that are the source's own bytes; of a version without any, its rows."""
    kept = {_folder(file) for file in files if file.role == "original"}
    return tuple(file for file in files if file.role == "original" or _folder(file) not in kept)


def _folder(file: File) -> str:
    return file.key.rpartition("/")[0]


def _places(found: Mapping[str, Version], to: Path) -> dict[Path, File]:
    """Return where each file goes."""
    places = {}
    for folder, held in found.items():
        files = originals(held.files)
        if len(files) == 1:
            places[to / folder / _own_name(held, files[0])] = files[0]
            continue
        names = Counter(file.key.rpartition("/")[2] for file in files)
        for file in files:
            version, _, name = file.key.rpartition("/")
            own = version.rpartition("/")[2] if names[name] > 1 else ""
            places[to / folder / own / name] = file
    return places


def _own_name(version: Version, file: File) -> str:
    """Return how a file was called at its source, if it is that file and the name is safe."""
    origin = version.landed.origin
    name = origin.get("name", "")
    is_safe = name not in ("", ".", "..") and not {"/", "\\", "\0"} & set(name)
    if is_safe and len(name.encode()) <= _LONGEST_NAME and origin.get("sha256") == file.sha256:
        return name
    return file.key.rpartition("/")[2]


def _write(lake: "Lake", file: File, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise StoreUnavailable(f"cannot write {path}: {cause(exc)}; choose another folder") from exc
    try:
        lake.log.store.download(file.key, path)
    except FileNotFoundError:
        raise FileDamaged(f"{file.key} is missing in {lake.url}: restore it from a copy") from None
    if sha256_of(path) != file.sha256:
        raise FileDamaged(f"{file.key} is not the file that the log names: restore it from a copy")
