"""What must hold of every refusal: one line that says it all, nothing changed, and on it goes."""

import re
from collections.abc import Callable
from typing import Any

import pytest

import lake
from lake.lake import Lake


def exactly(message: str) -> str:
    """Return the pattern of just this message."""
    assert "\n" not in message
    return f"^{re.escape(message)}$"


def like(message: str) -> str:
    """Return the pattern of a message in which `…` stands for times, ids and paths of this run."""
    assert "\n" not in message
    return f"^{re.escape(message).replace('…', '[^ ]*')}$"


def refuses(
    lk: Lake, act: Callable[[], Any], kind: type[Exception], message: str, *, commits: int = 0
) -> None:
    """Make sure that `act` is refused with `message`, and that the lake is what it was.

    Args:
        lk: the lake, at its head.
        act: what is refused.
        kind: the error's type.
        message: all of it; `…` stands for what differs from run to run.
        commits: how many commits it makes nevertheless: a hold, or what else could be published.
    """
    before = lk.refresh()
    current = contents(lk)
    with pytest.raises(kind, match=like(message)):
        act()
    fresh = lake.open(lk.url, config=lk.config)
    assert fresh.commit == before + commits
    if not commits:
        assert contents(fresh) == current


def contents(lk: Lake) -> list[tuple[Any, ...]]:
    """Return every current version."""
    found: list[tuple[Any, ...]] = lk.sql(
        "SELECT dataset, partition, version, sha256 FROM meta.versions WHERE current ORDER BY ALL"
    ).fetchall()
    return found
