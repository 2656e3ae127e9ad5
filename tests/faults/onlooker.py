"""Somebody who reads a lake again and again while it is written, and sees whole versions only.

python -m tests.faults.onlooker      # a project's folder comes in, what was wrong goes out
"""

import json
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb

import lake
from lake.errors import LakeError
from tests.faults.example import FEBRUARY, JANUARY, ZONES, config_of, daily
from tests.faults.walker import Worker

WHOLE: Mapping[str, list[set[Any]]] = {
    "SELECT id FROM raw.trips": [{t.id for t in month} for month in (JANUARY, FEBRUARY)],
    "SELECT id FROM raw.zones": [set(ZONES)],
    "SELECT id FROM curated.trips": [{t.id for t in (*JANUARY, *FEBRUARY)}],
    "SELECT day::VARCHAR FROM curated.daily": [{day for _, day, *_ in daily(JANUARY + FEBRUARY)}],
}
"""Per query, the sets of rows of which all or none is seen."""


class Onlooker(Worker):
    """A process that looks on, without the proxy."""

    def __init__(self, surroundings: Mapping[str, str]) -> None:
        super().__init__("tests.faults.onlooker", surroundings)
        self.looks = 0

    def look_at(self, root: Path) -> None:
        """Look at a project's lake from now on."""
        self.say(str(root))

    def saw(self) -> list[str]:
        """Stop looking, and return what was no whole version."""
        self.say("")
        said = self.hear()
        self.looks += said["looks"]
        found: list[str] = said["wrong"]
        return found


def look(root: Path) -> Iterator[str]:
    """Look once, and give what is no whole version."""
    try:
        lk = lake.open(config=config_of(root))
        with lk.connect() as connection:
            for query, wholes in WHOLE.items():
                if query.rpartition(" ")[2] in lk.state.datasets:
                    rows = connection.execute(query).fetchall()
                    yield from _parts(query, [row[0] for row in rows], wholes)
    except (LakeError, OSError):
        return  # there is no lake yet
    except duckdb.Error as exc:
        yield f"{type(exc).__name__}: {exc}"


def _parts(query: str, rows: list[Any], wholes: list[set[Any]]) -> Iterator[str]:
    if len(rows) != len(set(rows)):
        yield f"{query} gave rows twice: {rows}"
    for whole in wholes:
        if set(rows) & whole not in (set(), whole):
            yield f"{query} gave half a version: {rows}"


class _Looking:
    def __init__(self, root: Path) -> None:
        self.wrong: list[str] = []
        self.looks = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, args=(root,))
        self._thread.start()

    def _look(self, root: Path) -> None:
        while not self._over.wait(0.5):
            self.wrong += look(root)
            self.looks += 1

    def end(self) -> None:
        self._over.set()
        self._thread.join()


def main() -> None:
    """Look at what comes in."""
    looking = None
    for line in sys.stdin:
        if line.strip():
            looking = _Looking(Path(line.strip()))
        elif looking:
            looking.end()
            said = json.dumps({"looks": looking.looks, "wrong": looking.wrong[:5]})
            sys.stdout.write(said + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
