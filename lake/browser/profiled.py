"""The profiles of datasets, kept beyond a commit: most commits leave most datasets as they are."""

import threading
from datetime import datetime

from lake.browser.kept import Kept
from lake.browser.snapshot import Snapshot
from lake.operations.profiles import Profiles, column_profiles
from lake.schema.admit import crowd

NEWEST = 200
"""Files whose profiles are read: those of the last partitions."""
_found = Kept(64 << 20)
_lock = threading.Lock()


def profiles(shot: Snapshot, name: str, now: datetime) -> Profiles:
    """Return what the profiles of a dataset's newest files say of its columns; reads no data.

    Where some are missing, they may be on their way: they are looked for again a minute later.

    Raises:
        StoreUnavailable: one could not be fetched. Safe to retry.
    """
    state = shot.lake.state
    declared = tuple(crowd(state, name).declared.items())
    key = (shot.lake.url, state.lake, name, state.datasets[name].changed_in, declared)
    with _lock:
        if key in _found:
            kept: Profiles = _found[key]
            return kept
    minute = now.replace(second=0, microsecond=0)
    found = shot.memo(
        ("profiles", name, minute), lambda: column_profiles(shot.lake, name, newest=NEWEST)
    )
    if not found.missing:
        with _lock:
            _found[key] = found
    return found
