"""What lies beside the files of versions: receipts, rejects, profiles, and what nobody named."""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Sequence

from lake import layout
from lake.errors import unavailable
from lake.operations.verify_files import Damage, Named
from lake.words import cause, said_by
from storage_backends import Store


def check_receipts(store: Store, files: Sequence[Named]) -> Iterator[Damage]:
    """Read the receipts of files' versions."""
    for key in sorted({file.receipt for file in files if file.receipt}):
        yield from _read(store, key, "receipt", _is_document)


def check_beside(store: Store, files: Sequence[Named]) -> tuple[list[Damage], list[str]]:
    """List everything under raw/ and curated/: what is wrong, and what belongs to no version.

    In a published version's folder nothing may lie that the log does not name, but for sidecars;
    those must be readable. A folder without any published file is what an attempt left behind.
    """
    known = {file.key for file in files} | {file.receipt for file in files}
    folders = {file.key.rpartition("/")[0] for file in files}
    damage: list[Damage] = []
    orphans: list[str] = []
    for key in _listed(store):
        folder, _, name = key.rpartition("/")
        if key in known or layout.is_page(key):
            continue
        if folder not in folders:
            orphans.append(key)
        elif name in _SIDECARS:
            kind, is_sound = _SIDECARS[name]
            damage += _read(store, key, kind, is_sound)
        elif name != layout.RECEIPT:  # a compaction's lies beside the files that it left there
            damage.append(Damage("surplus", key, "its version is published without it"))
    return damage, orphans


def _listed(store: Store) -> Iterator[str]:
    for zone in layout.ZONES:
        try:
            yield from (item.key for item in store.list(f"{zone}/"))
        except OSError as exc:
            text = f"cannot list {zone}/ in {said_by(store.url, exc)}"
            raise unavailable(text, exc) from exc


def _read(store: Store, key: str, kind: str, is_sound: Callable[[bytes], bool]) -> Iterator[Damage]:
    try:
        sound = is_sound(store.get(key))
    except FileNotFoundError:
        yield Damage(kind, key, "there is no such object")
    except gzip.BadGzipFile as exc:
        yield Damage(kind, key, f"cannot be read: {exc}")
    except OSError as exc:
        yield Damage("unreadable", key, cause(exc))
    except (EOFError, ValueError, zlib.error) as exc:
        yield Damage(kind, key, f"cannot be read: {exc}")
    else:
        if not sound:
            yield Damage(kind, key, f"is no {kind}")


def _is_document(data: bytes) -> bool:
    return isinstance(json.loads(data), dict)


def _are_rows(data: bytes) -> bool:
    return all(isinstance(json.loads(line), dict) for line in gzip.decompress(data).splitlines())


_SIDECARS: dict[str, tuple[str, Callable[[bytes], bool]]] = {
    layout.REJECTED: ("rejects", _are_rows),
    layout.FAILED_ROWS: ("rejects", _are_rows),
    layout.PROFILE: ("profile", _is_document),
}
