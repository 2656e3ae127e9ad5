"""A store that breaks the first rule on purpose: what is landed is uploaded after its entry."""

from pathlib import Path

from lake import layout
from storage_backends import Store
from tests.stores import HookedStore


class LateStore(HookedStore):
    """Keep what would be uploaded below `raw/` until the next log entry has been put."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.waiting: dict[str, bytes] = {}

    def put_new(self, key: str, data: bytes) -> None:
        self.inner.put_new(key, data)
        if layout.commit_number(key):
            while self.waiting:
                self.inner.put_new(*self.waiting.popitem())

    def upload(self, path: Path, key: str) -> None:
        if key.startswith("raw/"):
            self.waiting[key] = path.read_bytes()
        else:
            self.inner.upload(path, key)
