"""Databases of a real PostgreSQL, and lakes that land from them."""

import select
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

from lake.config import source
from lake.config.table import Table
from lake.config.types import Config
from lake.lake import Lake
from lake.landing.order import Landing
from lake.opening import init, open_lake


@dataclass(frozen=True, slots=True)
class Shop:
    """A database of its own, and a connection to it whose statements take effect at once."""

    url: str
    root: Path
    connection: psycopg.Connection

    def run(self, *statements: str) -> None:
        for statement in statements:
            self.connection.execute(statement.encode())

    def other(self, *, autocommit: bool = False) -> psycopg.Connection:
        """Return another connection, in a transaction unless it is said otherwise."""
        return psycopg.connect(self.url, autocommit=autocommit)

    def lake(self, **said: object) -> Lake:
        """Return the lake, as a new process opens it, with a source `orders` of this database."""
        values = {"database": "${SHOP_URL}", **said}
        if "query" not in values:
            values.setdefault("table", "public.orders")
        made = source.source(
            Table("lake.toml", "sources.orders", values), name="orders", root=self.root
        )
        url = init(str(self.root / ".lake"), timezone="UTC").url
        return open_lake(url, config=Config(root=self.root, sources={"orders": made}))


@contextmanager
def shop(server: str, root: Path) -> Iterator[Shop]:
    """Make a database, and drop it at the end, whoever is still connected."""
    name = f"shop_{uuid.uuid4().hex[:12]}"
    url = urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
        try:
            with psycopg.connect(url, autocommit=True) as connection:
                yield Shop(url, root, connection)
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def landed(lk: Lake, *, force: bool = False) -> Landing:
    """Land the one source; return what came of it."""
    (found,) = lk.land_sources((), force=force)
    return found


def rows(lk: Lake, query: str = "FROM raw.orders ORDER BY ALL") -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = lk.sql(query).fetchall()
    return found


def without_password(url: str) -> str:
    """Return the URL without user and password, as messages have it."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


class Counting:
    """Listens before a server, and counts the statements that pass.

    Args:
        url: the server's.
        meanwhile: is called with each statement before it passes.
        forgets: whether it keeps the settings that a connection begins with from the server, as
            some poolers do.
    """

    def __init__(
        self, url: str, meanwhile: Callable[[bytes], object] = bytes, *, forgets: bool = False
    ) -> None:
        self._meanwhile, self._forgets = meanwhile, forgets
        parts = urlsplit(url)
        self._server = (str(parts.hostname), parts.port or 5432)
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        netloc = f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{port}"
        # Not encrypted, for it reads along.
        self.url = urlunsplit(parts._replace(netloc=netloc, query="sslmode=disable"))
        self.statements: list[bytes] = []
        Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Let nobody connect any more."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        waiting, started = b"", False
        with client, socket.create_connection(self._server) as server:
            while True:
                for come in select.select([client, server], [], [])[0]:
                    data = come.recv(1 << 16)
                    if not data:
                        return
                    if come is client:
                        if self._forgets and not started:
                            data = _without_options(data)
                        waiting, started = self._read(waiting + data, started)
                    (server if come is client else client).sendall(data)

    def _read(self, data: bytes, started: bool) -> tuple[bytes, bool]:
        """Take whole messages off `data`: a kind (not the first one), and a length."""
        while len(data) > 5:
            kind, rest = (data[:1], data[1:]) if started else (b"", data)
            length = int.from_bytes(rest[:4])
            if len(rest) < length:
                break
            if kind in (b"Q", b"P"):
                self.statements.append(rest[4:length])
                self._meanwhile(rest[4:length])
            started, data = True, rest[length:]
        return data, started


def _without_options(startup: bytes) -> bytes:
    """Take `options` out of a client's first message: a length, a version, names and values."""
    words = startup[8:].split(b"\0")
    pairs = zip(words[::2], words[1::2], strict=False)
    kept = [b"%b\0%b\0" % pair for pair in pairs if pair[0] not in (b"", b"options")]
    rest = startup[4:8] + b"".join(kept) + b"\0"
    return (len(rest) + 4).to_bytes(4) + rest
