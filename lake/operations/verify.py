"""`verify`: every byte that the log names, read again and compared."""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lake.catalog.collected import refuse_collected
from lake.catalog.state import State
from lake.operations.verify_beside import check_beside, check_receipts
from lake.operations.verify_files import (
    Damage,
    Named,
    Progress,
    check_files,
    left_over,
    sample,
)
from lake.operations.verify_log import check_log, check_schemas
from lake.query import address as addresses
from lake.query.meta import rows
from lake.query.sql import literal

if TYPE_CHECKING:
    from lake.lake import Lake

_EVERY = """
SELECT DISTINCT key, bytes, sha256, receipt, dataset, partition FROM meta._history
WHERE key IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Verified:
    """What `verify` saw.

    `orphans` are objects that no version names, such as a killed landing leaves: no view reads
    them, so they are told and are no damage. `sound_before` were hashed by an attempt that was
    killed. `seed` draws the same sample again; `""`: all were read.
    """

    files: int
    bytes: int
    damage: tuple[Damage, ...]
    orphans: tuple[str, ...]
    sound_before: int = 0
    seed: str = ""

    @property
    def verdict(self) -> str:
        """What was seen, in words: the damage, and the objects that belong to nothing."""
        unread = sum(one.kind == "unreadable" for one in self.damage)
        counts = {"damaged": len(self.damage) - unread, "that cannot be read": unread}
        bad = " and ".join(f"{number:,} {what}" for what, number in counts.items() if number)
        said = bad or "all as the log says"
        if not self.orphans:
            return said
        objects = "1 object" if len(self.orphans) == 1 else f"{len(self.orphans):,} objects"
        return f"{said}; {objects} that no version names, left by attempts that did not finish"


def verify(
    lake: "Lake",
    text: str | None = None,
    *,
    share: float = 1.0,
    seed: str = "",
    resume: bool = False,
    told: Callable[[int], None] = lambda more: None,
) -> Verified:
    """Read every file that any version of the lake, or of one address, names.

    Without an address the log's chain, the newest checkpoint and the schema files are compared
    too, sidecars are read, and what no version names is looked for.

    Args:
        lake: where.
        text: an address; one with `@WHEN` means only what was current then.
        share: how much of the files to hash, such as 0.05; all else is looked at whole.
        seed: draws the same files again; else others each time.
        resume: leave out what an attempt at this commit, which was killed, found sound.
        told: hears of every number of bytes that was read.
    """
    store, every = lake.log.store, named(lake, text)
    seed = (seed or secrets.token_hex(4)) if share < 1 else ""
    wanted = sample(every, share, seed) if share < 1 else every
    progress = progress_of(lake)
    if not resume:
        progress.forget()
    files = left_over(wanted, progress)
    damage = [*check_files(store, files, told, progress), *check_receipts(store, every)]
    progress.forget()
    orphans: list[str] = []
    if text is None:
        of_log = (*check_log(lake.log, lake.state), *check_schemas(lake.log, lake.state))
        damage += [Damage(*one) for one in of_log]
        beside, orphans = check_beside(store, every)
        damage += beside
    size, before = sum(file.bytes for file in files), len(wanted) - len(files)
    return Verified(len(files), size, tuple(damage), tuple(orphans), before, seed)


def progress_of(lake: "Lake") -> Progress:
    """Return what is kept on this machine of a run at the lake's commit: never in the bucket."""
    return Progress(lake.log.cache.path(f"verified-{lake.commit}.txt"))


def named(lake: "Lake", text: str | None = None) -> list[Named]:
    """Return the files that versions name, once each, by key; with an address, its files."""
    if text is None:
        return _kept(lake.state, rows(lake.state, f"{_EVERY} ORDER BY key"))
    address = addresses.parse(text)
    addresses.find_dataset(lake.state, address.dataset)
    if address.when:
        return _at(lake, address)
    where = f"AND dataset = {literal(address.dataset)}"
    if address.partition:
        partition = addresses.find_partition(lake.state, address)
        where += f" AND partition = {literal(partition.text)}"
    return _kept(lake.state, rows(lake.state, f"{_EVERY} {where} ORDER BY key"))


def _kept(state: State, found: Iterable[dict[str, Any]]) -> list[Named]:
    """Return each file once, but for those that were collected: they are gone on purpose."""
    by_key = {
        row["key"]: Named(row["key"], row["bytes"], row["sha256"], _receipt(state, row))
        for row in found
        if not state.collected(row["key"])
    }
    return list(by_key.values())


def _receipt(state: State, row: dict[str, Any]) -> str:
    receipt = row["receipt"] or ""
    return "" if state.collected(receipt) else receipt


def _at(lake: "Lake", address: addresses.Address) -> list[Named]:
    """Return the files that were current at an address's time."""
    if address.partition or address.version is not None:
        versions = [addresses.version_at(lake.log, lake.state, address)]
    else:
        state = addresses.state_of(lake.log, lake.state, address)
        addresses.find_dataset(state, address.dataset)
        versions = [one.current for one in state.current(address.dataset) if one.current]
    keys = [file.key for version in versions for file in version.files]
    refuse_collected(lake.state, keys, what=f"{address.dataset}@{address.when}")
    return [
        Named(file.key, file.bytes, file.sha256, version.landed.receipt)
        for version in versions
        for file in version.files
    ]
