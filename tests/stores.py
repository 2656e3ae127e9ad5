"""Stores around a store, for tests that count requests or break off between two of them."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from storage_backends import Listed, Store

T = TypeVar("T")
Hook = Callable[[str, str], None]


def _nothing(verb: str, key: str) -> None:
    pass


class HookedStore:
    """Call `before(verb, key)` and `after(verb, key)` around every request to `inner`.

    `after` is called for a request that failed, too; a listing is one request, of its prefix.
    """

    def __init__(self, inner: Store, *, before: Hook = _nothing, after: Hook = _nothing) -> None:
        self.inner = inner
        self.before = before
        self.after = after

    @property
    def url(self) -> str:
        return self.inner.url

    def put_new(self, key: str, data: bytes) -> None:
        self._ask("put_new", key, lambda: self.inner.put_new(key, data))

    def put(self, key: str, data: bytes) -> None:
        self._ask("put", key, lambda: self.inner.put(key, data))

    def upload(self, path: Path, key: str) -> None:
        self._ask("upload", key, lambda: self.inner.upload(path, key))

    def scratch(self) -> Path | None:
        return self.inner.scratch()

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        return self._ask("get", key, lambda: self.inner.get(key, start=start, length=length))

    def download(self, key: str, path: Path) -> None:
        self._ask("download", key, lambda: self.inner.download(key, path))

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[Listed]:
        return iter(self._ask("list", prefix, lambda: [*self.inner.list(prefix, after=after)]))

    def children(self, prefix: str = "", *, after: str = "", limit: int) -> tuple[Listed, ...]:
        return self._ask(
            "children", prefix, lambda: self.inner.children(prefix, after=after, limit=limit)
        )

    def size(self, key: str) -> int:
        return self._ask("size", key, lambda: self.inner.size(key))

    def delete(self, key: str) -> None:
        self._ask("delete", key, lambda: self.inner.delete(key))

    def protection(self) -> str:
        return self.inner.protection()

    def now(self) -> datetime:
        return self.inner.now()

    def data_url(self, key: str) -> str:
        return self.inner.data_url(key)

    def let_read(self, connection: Any) -> None:
        self.inner.let_read(connection)

    def _ask(self, verb: str, key: str, request: Callable[[], T]) -> T:
        self.before(verb, key)
        try:
            return request()
        finally:
            self.after(verb, key)


class CountingStore(HookedStore):
    """Record every request as `(verb, key)` in `requests`, in the order in which they began."""

    def __init__(self, inner: Store) -> None:
        self.requests: list[tuple[str, str]] = []
        super().__init__(inner, before=lambda verb, key: self.requests.append((verb, key)))

    def count(self, *verbs: str) -> int:
        """Return how many requests there were, of `verbs` or of all."""
        return sum(not verbs or verb in verbs for verb, _ in self.requests)
