"""Databases of a real PostgreSQL, and lakes that land from them."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
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
