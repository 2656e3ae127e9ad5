"""A warehouse of the tests, and SQL by hand in it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg

from tests.warehouse.bigquery_engine import Engine


@dataclass(frozen=True)
class Place:
    """An empty warehouse: its URL, how messages name it, and what runs SQL in it by hand.

    `comment` is the query of the description of `marts.daily`; `takes_quotes` tells whether a name
    of a column may hold them.
    """

    url: str
    shown: str
    comment: str
    run: Callable[..., list[tuple[Any, ...]]]
    takes_quotes: bool = True


def by_hand(
    connection: "psycopg.Connection[tuple[Any, ...]]", *statements: str
) -> list[tuple[Any, ...]]:
    """Run statements in PostgreSQL, each on its own; return all their rows."""
    found: list[tuple[Any, ...]] = []
    for text in statements:
        done = connection.execute(text.encode())
        found += done.fetchall() if done.description else []
    return found


def by_hand_in_bigquery(engine: Engine, project: str, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements where BigQuery's server keeps a project; return all their rows."""
    return engine.by_hand(project, "lake", *statements)
