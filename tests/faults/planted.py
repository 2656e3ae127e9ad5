"""Bugs to plant into a walk, each the opposite of a rule that keeps rows; the sweep finds them."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import pytest

from lake import layout
from lake.catalog import fold, publish
from lake.catalog.codec import from_json
from lake.catalog.entries import Replace
from lake.catalog.log import Log
from lake.errors import CommitUnknown, LakeError
from lake.landing import part
from lake.landing.stage import Attempt
from lake.operations import get
from tests.simulation.plants import delete_without_doom, not_know_my_own

Patch = pytest.MonkeyPatch


def take_the_key_for_mine(patch: Patch) -> None:
    """ "Already exists" counts as done."""

    def settle(log: Log, key: str, data: bytes, commit_id: str) -> bool:
        with suppress(FileExistsError):
            log.store.put_new(key, data)
        return True

    patch.setattr(publish, "_settle", settle)


def order_by_time(patch: Patch) -> None:
    """Take for current what has the latest time in its name, as a reader without a log would."""
    move = fold._move

    def newest(state: Any, before: Any, version: Any, **more: Any) -> None:
        former = before.current
        if former and version and _stamp(former) > _stamp(version):
            version = former
        move(state, before, version, **more)

    patch.setattr(fold, "_move", newest)


def _stamp(version: Any) -> str:
    return layout.version_folder(version.files[0].key).rpartition("version=")[2]


def check_no_hash(patch: Patch) -> None:
    """Give what was fetched, whatever it is."""

    def fetch(lake: Any, file: Any, path: Any) -> None:
        lake.log.store.download(file.key, path)

    patch.setattr(get, "_download", fetch)


def acknowledge_before_commit(patch: Patch) -> None:
    """Say that it is done, and find out later whether it is."""

    def settle(log: Log, key: str, data: bytes, commit_id: str) -> bool:
        with suppress(OSError, ValueError):
            log.store.put_new(key, data)
        return True

    patch.setattr(publish, "_settle", settle)


def delete_on_unknown(patch: Patch) -> None:
    """Take back what was uploaded where nobody says whether the commit that names it is stored."""
    settle = publish._settle

    def clean_up(log: Log, key: str, data: bytes, commit_id: str) -> bool:
        try:
            return settle(log, key, data, commit_id)
        except CommitUnknown:
            for change in from_json(data, key=key).changes:
                for file in change.files if isinstance(change, Replace) else ():
                    log.store.delete(file.key)
            raise

    patch.setattr(publish, "_settle", clean_up)


def publish_what_raised(patch: Patch) -> None:
    """Leave a block that uploads by an exception, and publish what it was to upload."""
    upload = part.upload

    def regardless(attempt: Attempt, path: Any, key: str) -> None:
        with suppress(LakeError, OSError):
            upload(attempt, path, key)

    patch.setattr(part, "upload", regardless)


PLANTED: Mapping[str, Callable[[Patch], None]] = {
    "skip the own-id check": not_know_my_own,
    "already exists counts as done": take_the_key_for_mine,
    "delete on unknown": delete_on_unknown,
    "order by time": order_by_time,
    "no hash check": check_no_hash,
    "acknowledge before commit": acknowledge_before_commit,
    "clean-up without doom": delete_without_doom,
    "publish from a block that raised": publish_what_raised,
}
