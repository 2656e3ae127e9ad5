"""`verify`: every byte that the log names, read again and compared."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lake import layout
from lake.catalog.log import Log
from lake.catalog.state import State
from lake.errors import StoreUnavailable
from lake.operations.verify_log import check_log, check_schemas
from lake.query import address as addresses
from lake.query.meta import rows
from lake.query.sql import literal
from storage_backends import Store

if TYPE_CHECKING:
    from lake.lake import Lake

PIECE = 8 << 20
_EVERY = """
SELECT DISTINCT key, bytes, sha256, receipt, dataset, partition FROM meta._history
WHERE key IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Named:
    """A file as the log names it, and the receipt of its version."""

    key: str
    bytes: int
    sha256: str
    receipt: str


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that is not as the log says.

    `kind` is `missing`, `size`, `sha256`, `receipt`, `log`, `checkpoint`, `schema` or `unreadable`.
    """

    kind: str
    key: str
    found: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What `verify` saw.

    `orphans` are objects that no version names, such as a killed landing leaves: no view reads
    them, so they are told and are no damage.
    """

    files: int
    bytes: int
    damage: tuple[Damage, ...]
    orphans: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """What was seen, in words: the damage, and the objects that belong to nothing."""
        said = f"{len(self.damage):,} damaged" if self.damage else "all as the log says"
        if not self.orphans:
            return said
        objects = "1 object" if len(self.orphans) == 1 else f"{len(self.orphans):,} objects"
        return f"{said}; {objects} that no version names, left by attempts that did not finish"


def verify(lake: "Lake", text: str | None = None, *, told: Callable[[int], None]) -> Verified:
    """Read every file that any version of the lake, or of one address, names.

    Without an address the log's chain, the newest checkpoint and the schema files are compared
    too, and what no version names is looked for.

    Args:
        lake: the lake.
        text: an address; one with `@WHEN` means only what was current then.
        told: called with every number of bytes that was read.
    """
    files = named(lake, text)
    damage = list(_check_files(lake.log.store, files, told))
    damage += _check_receipts(lake.log.store, files)
    orphans: list[str] = []
    if text is None:
        damage += [Damage(*one) for one in check_log(lake.log, lake.state)]
        damage += [Damage(*one) for one in check_schemas(lake.log, lake.state)]
        orphans = list(_orphans(lake.log, lake.state, files))
    return Verified(len(files), sum(file.bytes for file in files), tuple(damage), tuple(orphans))


def named(lake: "Lake", text: str | None = None) -> list[Named]:
    """Return the files that versions name, once each, by key; with an address, its files."""
    if text is None:
        return _distinct(rows(lake.state, f"{_EVERY} ORDER BY key"))
    address = addresses.parse(text)
    addresses.find_dataset(lake.state, address.dataset)
    if address.when:
        return _at(lake, address)
    where = f"AND dataset = {literal(address.dataset)}"
    if address.partition:
        partition = addresses.find_partition(lake.state, address)
        where += f" AND partition = {literal(partition.text)}"
    return _distinct(rows(lake.state, f"{_EVERY} {where} ORDER BY key"))


def _distinct(found: Iterable[dict[str, Any]]) -> list[Named]:
    by_key = {
        row["key"]: Named(row["key"], row["bytes"], row["sha256"], row["receipt"] or "")
        for row in found
    }
    return list(by_key.values())


def _at(lake: "Lake", address: addresses.Address) -> list[Named]:
    """Return the files that were current at an address's time."""
    if address.partition or address.version is not None:
        versions = [addresses.version_at(lake.log, lake.state, address)]
    else:
        state = addresses.state_of(lake.log, lake.state, address)
        addresses.find_dataset(state, address.dataset)
        versions = [one.current for one in state.current(address.dataset) if one.current]
    return [
        Named(file.key, file.bytes, file.sha256, version.landed.receipt)
        for version in versions
        for file in version.files
    ]


def _check_files(store: Store, files: list[Named], told: Callable[[int], None]) -> Iterator[Damage]:
    """Hash every file, on all cores: reading and hashing leave the interpreter free."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for damage in pool.map(lambda file: _check_file(store, file, told), files):
            if damage:
                yield damage


def _check_file(store: Store, file: Named, told: Callable[[int], None]) -> Damage | None:
    digest, at = hashlib.sha256(), 0
    try:
        while piece := store.get(file.key, start=at, length=PIECE):
            digest.update(piece)
            at += len(piece)
            told(len(piece))
            if len(piece) < PIECE:
                break
    except FileNotFoundError:
        return Damage("missing", file.key, "there is no such object")
    except OSError as exc:
        return Damage("unreadable", file.key, str(exc))
    if at != file.bytes:
        return Damage("size", file.key, f"{at} bytes, the log says {file.bytes}")
    if digest.hexdigest() != file.sha256:
        return Damage("sha256", file.key, f"{digest.hexdigest()}, the log says {file.sha256}")
    return None


def _check_receipts(store: Store, files: list[Named]) -> Iterator[Damage]:
    for key in sorted({file.receipt for file in files if file.receipt}):
        try:
            document = json.loads(store.get(key))
        except FileNotFoundError:
            yield Damage("receipt", key, "there is no such object")
        except (OSError, ValueError) as exc:
            yield Damage("receipt", key, f"cannot be read: {exc}")
        else:
            if not isinstance(document, dict):
                yield Damage("receipt", key, "is no receipt")


def _orphans(log: Log, state: State, files: list[Named]) -> Iterator[str]:
    """Give the keys under raw/ and curated/ that belong to no version."""
    known = {file.key for file in files} | {file.receipt for file in files}
    folders = {file.key.rpartition("/")[0] for file in files}
    for zone in layout.ZONES:
        try:
            for item in log.store.list(f"{zone}/"):
                folder, _, name = item.key.rpartition("/")
                is_sidecar = name.startswith("_") and folder in folders
                if item.key not in known and not is_sidecar:
                    yield item.key
        except OSError as exc:
            raise StoreUnavailable(f"cannot list {zone}/ in {log.store.url}: {exc}") from exc
