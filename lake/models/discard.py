"""Taking back what builds put into the bucket, where nobody will publish it."""

from collections.abc import Iterable
from contextlib import suppress

from lake import layout
from lake.catalog import fold
from lake.catalog.entries import Change
from lake.catalog.log import Log
from lake.models.build import Result


def discard(log: Log, results: Iterable[Result], published: Iterable[Change] = ()) -> None:
    """Delete the files of builds that no commit names.

    Call it only when the outcome of publishing is known. No entry ever named these files, so no
    reader sees them and no `doom` is needed. What cannot be deleted is left for `lake verify`.

    Args:
        log: the log, with the store.
        results: builds of this process; another attempt may have published what it left behind.
        published: the changes that became a commit.
    """
    named = {key for change in published for key in fold.named_keys(change)}
    for result in results:
        for fragment in result.fragments.values():
            # Without a time it is not new: its files are those that the lake held before.
            keys = [file.key for file in fragment.files] if fragment.landed.at else []
            if keys and named.isdisjoint(keys):
                receipt = fragment.landed.receipt
                _delete(log, [*keys, receipt, layout.beside(receipt, layout.PROFILE)])


def _delete(log: Log, keys: Iterable[str]) -> None:
    for key in keys:
        with suppress(OSError):
            log.store.delete(key)
