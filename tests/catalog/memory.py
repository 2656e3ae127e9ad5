"""A store in memory: as far from a local folder as a bucket is."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from storage_backends import Listed
from storage_backends.level import gathered, one_level


class MemoryStore:
    """Keep objects in a dict; the contract of `Store`."""

    url = "memory://bucket"

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put_new(self, key: str, data: bytes) -> None:
        if key in self.objects:
            raise FileExistsError(key)
        self.objects[key] = data

    def put(self, key: str, data: bytes) -> None:
        self.objects[key] = data

    def upload(self, path: Path, key: str) -> None:
        self.put_new(key, path.read_bytes())

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        if key not in self.objects:
            raise FileNotFoundError(key)
        return self.objects[key][start : None if length is None else start + length]

    def download(self, key: str, path: Path) -> None:
        path.write_bytes(self.get(key))

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[Listed]:
        for key in sorted(self.objects):
            if key.startswith(prefix) and key > after:
                yield Listed(key, len(self.objects[key]))

    def children(self, prefix: str = "", *, after: str = "", limit: int) -> tuple[Listed, ...]:
        return gathered([one_level(self.list(prefix), prefix)], prefix, after, limit)

    def size(self, key: str) -> int:
        return len(self.get(key))

    def delete(self, key: str) -> None:
        self.objects.pop(key, None)

    def scratch(self) -> None:
        return None

    def protection(self) -> str:
        return "none"

    def now(self) -> datetime:
        return datetime.now(UTC)

    def data_url(self, key: str) -> str:
        return f"memory://bucket/{key}"

    def let_read(self, connection: object) -> None:
        """Do nothing: no DuckDB reads here."""
