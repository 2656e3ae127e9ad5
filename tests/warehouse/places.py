"""A warehouse of the tests, and SQL by hand in it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg


@dataclass(frozen=True)
class Place:
    """An empty warehouse: its URL, how messages name it, and what runs SQL in it by hand.

    `comment` is the query of the comment on `marts.daily`.
    """

    url: str
    shown: str
    comment: str
    run: Callable[..., list[tuple[Any, ...]]]


def by_hand(
    connection: "psycopg.Connection[tuple[Any, ...]]", *statements: str
) -> list[tuple[Any, ...]]:
    """Run statements in PostgreSQL, each on its own; return all their rows."""
    found: list[tuple[Any, ...]] = []
    for text in statements:
        done = connection.execute(text.encode())
        found += done.fetchall() if done.description else []
    return found
