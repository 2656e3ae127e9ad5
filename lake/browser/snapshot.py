"""The lake at one commit, as pages see it: its metadata in tables, and what was worked out once."""

import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar, cast

from lake.browser.kept import Kept
from lake.catalog import tables
from lake.catalog.state import State
from lake.lake import Lake
from lake.query import meta
from lake.query.sql import literal

T = TypeVar("T")
_KEPT_BYTES = 256 << 20
"""Of what was worked out at a commit; the files of 600,000 partitions take as much."""
_ROOM_MB = 96
"""Per 100,000 versions, and what smaller lakes get, too; what has no room is spilled."""
_FRUGAL = {
    "threads": "2",
    "preserve_insertion_order": "false",
    "parquet_metadata_cache": "true",
}


class Snapshot:
    """A lake at one commit. Every method may be called from any thread.

    Attributes:
        lake: open at that commit; it stays there.
        commit: its number.
    """

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self.commit = lake.commit
        self._lock = threading.Lock()
        self._memo = Kept(_KEPT_BYTES)
        self._locks: dict[Any, threading.Lock] = {}

    @property
    def name(self) -> str:
        """What the lake is called: its bucket and prefix; of a folder, its end."""
        scheme, _, place = self.lake.url.partition("://")
        parts = place.strip("/").split("/")
        return "/".join(parts[-2:] if scheme == "file" else parts)

    @property
    def at(self) -> datetime | None:
        """When the commit was published, UTC; None for the empty lake."""
        text = self.lake.state.committed_at
        return datetime.fromisoformat(text) if text else None

    def state(self) -> State:
        """Return the state, to be looked at: partitions that it looks up are forgotten with it."""
        return self.lake.state.fork()

    def rows(self, select: str) -> list[dict[str, Any]]:
        """Return what a SELECT of ours over `meta.…` gives, a dict per row.

        `every_version` is `meta.versions`, sorted by dataset and kept: the quick one to ask. Values
        stand in the text by `lake.query.sql.literal`; a parameter would load pandas.
        """
        with self.meta() as connection:
            found = connection.execute(select)
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    @contextmanager
    def meta(self) -> Iterator[Any]:
        """Give a DuckDB connection, for one thread, with the metadata tables."""
        connection = self.memo("meta", self._meta).cursor()
        try:
            yield connection
        finally:
            connection.close()

    def _meta(self) -> Any:
        """Return a connection with the metadata, in little memory: what is large lies on disk."""
        scratch = tempfile.TemporaryDirectory(prefix="clearlake-browser-")
        weakref.finalize(self, scratch.cleanup)
        connection = tables.connect()
        versions = sum(one.versions for one in self.lake.state.datasets.values())
        room = max(_ROOM_MB, _ROOM_MB * versions // 100_000)
        more = {"memory_limit": f"{room}MB", "temp_directory": f"{scratch.name}/spill"}
        for name, value in {**_FRUGAL, **more}.items():
            connection.execute(f"SET {name} = {literal(value)}")
        meta.make(connection, self.state())
        path = literal(f"{scratch.name}/versions.parquet")
        connection.execute(
            "COPY (SELECT * FROM meta.versions ORDER BY dataset, partition, version)"
            f" TO {path} (FORMAT parquet, ROW_GROUP_SIZE 4096)"
        )
        connection.execute(f"CREATE VIEW every_version AS SELECT * FROM read_parquet({path})")
        return connection

    def memo(self, key: Any, make: Callable[[], T]) -> T:
        """Return what `make` gave for `key`; it is asked once, also by many at a time."""
        with self._lock:
            if key in self._memo:
                return cast(T, self._memo[key])
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            with self._lock:
                if key in self._memo:
                    return cast(T, self._memo[key])
            try:
                made = make()
            finally:
                with self._lock:
                    self._locks.pop(key, None)
            with self._lock:
                self._memo[key] = made
            return made
