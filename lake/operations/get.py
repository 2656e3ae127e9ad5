"""`get`: the original bytes, given back exactly."""

from pathlib import Path
from typing import TYPE_CHECKING

from lake.catalog.entries import File
from lake.errors import FileDamaged, InvalidAddress
from lake.landing.stage import sha256_of
from lake.query import address as addresses

if TYPE_CHECKING:
    from lake.lake import Lake


def get(lake: "Lake", text: str, to: Path) -> list[Path]:
    """Write the originals of an address into `to`: of one partition, or of all, a folder each.

    Raises:
        FileDamaged: the bucket's bytes are not those that were landed; that file was not written.
        InvalidAddress: a file of that name is in `to` already.
    """
    address = addresses.parse(text)
    state = addresses.state_of(lake.log, lake.state, address)
    addresses.find_dataset(state, address.dataset)
    if address.partition or address.version is not None or not state.datasets[address.dataset].keys:
        version = addresses.version_at(lake.log, lake.state, address)
        return [_write(lake, file, to) for file in originals(version.files)]
    return [
        _write(lake, file, to / partition.text)
        for partition in state.current(address.dataset)
        if partition.current
        for file in originals(partition.current.files)
    ]


def originals(files: tuple[File, ...]) -> tuple[File, ...]:
    """Return the files that are the source's own bytes; where none were kept, the rows."""
    kept = tuple(file for file in files if file.role == "original")
    return kept or files


def _write(lake: "Lake", file: File, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / file.key.rpartition("/")[2]
    if path.exists():
        raise InvalidAddress(f"{path} is there already: choose an empty folder")
    try:
        lake.log.store.download(file.key, path)
    except FileNotFoundError:
        raise FileDamaged(f"{file.key} is missing in {lake.url}: restore it from a copy") from None
    if sha256_of(path) != file.sha256:
        path.unlink()
        raise FileDamaged(f"{file.key} is not the file that the log names: restore it from a copy")
    return path
