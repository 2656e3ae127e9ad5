"""A store whose every request is a question to the scheduler: the point where others may run."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple

from storage_backends import Listed
from storage_backends.level import gathered, one_level

Verb = Literal["get", "put_new", "put", "list", "delete", "fetch"]
Status = Literal["ok", "missing", "exists", "409", "unknown", "refused"]


class Request(NamedTuple):
    """What a process asks; `fetch` asks the source, everything else the store.

    An upload is a `put_new`, and a download a `get`: they go wrong in the same ways.
    """

    verb: Verb
    key: str
    data: bytes = b""
    after: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.key}"


class Response(NamedTuple):
    """What it is told."""

    status: Status
    data: bytes = b""
    listed: tuple[tuple[str, int], ...] = ()


Ask = Callable[[Request], Response]


class SimStore:
    """The store of one simulated process; the objects are the scheduler's."""

    def __init__(self, ask: Ask, url: str, now: Callable[[], datetime]) -> None:
        self.url = url
        self.now = now
        self._ask = ask

    def protection(self) -> str:
        return "none"

    def put_new(self, key: str, data: bytes) -> None:
        self._told(Request("put_new", key, data))

    def put(self, key: str, data: bytes) -> None:
        self._told(Request("put", key, data))

    def upload(self, path: Path, key: str) -> None:
        self._told(Request("put_new", key, path.read_bytes()))

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        data = self._told(Request("get", key)).data
        return data[start : None if length is None else start + length]

    def download(self, key: str, path: Path) -> None:
        path.write_bytes(self._told(Request("get", key)).data)

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[Listed]:
        found = self._told(Request("list", prefix, after=after)).listed
        return iter([Listed(key, byte_count) for key, byte_count in found])

    def children(self, prefix: str = "", *, after: str = "", limit: int) -> tuple[Listed, ...]:
        return gathered([one_level(self.list(prefix), prefix)], prefix, after, limit)

    def size(self, key: str) -> int:
        return len(self._told(Request("get", key)).data)

    def delete(self, key: str) -> None:
        self._told(Request("delete", key))

    def scratch(self) -> None:
        return None

    def data_url(self, key: str) -> str:
        return f"{self.url}/{key}"

    def let_read(self, connection: object) -> None:
        """Do nothing: no DuckDB reads here."""

    def _told(self, request: Request) -> Response:
        response = self._ask(request)
        match response.status:
            case "missing":
                raise FileNotFoundError(f"{request.key} is not there")
            case "exists":
                raise FileExistsError(f"412: {request.key} is there")
            case "409":
                raise OSError(f"409: another request at {request.key}")
            case "unknown":
                raise ConnectionError(f"no answer to {request}")
            case "refused":
                raise PermissionError(f"403: {request}")
        return response
