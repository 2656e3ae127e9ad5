"""A lake of 10,000 commits with 100,000 files: opening it, and adding to it.

A commit is what a landing does from the question "what is there?" to the entry in the log: look up
the partition, fetch, hash, upload, receipt, reconcile, publish. Publishing alone is told beside it.
"""

import shutil
from functools import partial
from pathlib import Path

from benchmarks import lakes, places
from benchmarks.measure import Figure, interleaved, ratio, seconds, timed
from lake.catalog.log import Log
from lake.catalog.state import State

ROUNDS = 20


def figures() -> list[Figure]:
    big = lakes.big_lake()
    with places.scratch() as folder:
        warm, cold = interleaved(
            7,
            lambda: timed(lambda: lakes.opened(big, folder / "kept")),
            lambda: _opened_cold(big, folder / "new"),
        )
        small = lakes.many_commits(folder / "small", 80)
        at = [lakes.opened(path) for path in (big, small)]
        for log, state in at:
            lakes.land_one(log, state)
        ours, theirs = interleaved(ROUNDS, *(partial(_taken, *one) for one in at))
        alone = interleaved(ROUNDS, *(partial(_published, *one) for one in at))
    bare = ratio("publishing alone", 1.2, *alone)
    return [
        seconds("opening 10,000 commits with 100,000 files, warm", 0.5, warm),
        seconds("the same without a local cache", 3, cold),
        ratio(
            "the 10,000th commit : the 100th",
            1.2,
            ours,
            theirs,
            note=f"publishing alone {bare.note}",
        ),
    ]


def _opened_cold(path: Path, cache: Path) -> float:
    shutil.rmtree(cache, ignore_errors=True)
    return timed(lambda: lakes.opened(path, cache))


def _taken(log: Log, state: State) -> float:
    """Land one file; a checkpoint that falls due is done before, so that it is not counted."""
    _make_room(log, state)
    return timed(lambda: lakes.land_one(log, state))


def _published(log: Log, state: State) -> float:
    _make_room(log, state)
    changes = lakes.next_files(log, state)
    return timed(lambda: lakes.publish_files(log, state, changes))


def _make_room(log: Log, state: State) -> None:
    while len(state.tail) >= 126:
        lakes.commit_one(log, state)
