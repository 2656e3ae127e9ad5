"""`log`: the commits, or those that touched an address; newest first."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from lake.catalog import snapshot
from lake.catalog.state import State
from lake.query import address as addresses
from lake.query.meta import rows
from lake.query.sql import literal

if TYPE_CHECKING:
    from lake.lake import Lake

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]")
_COMMITS = "SELECT commit, committed_at, message, changes, author, id FROM meta.commits"
_VERSIONS = """
SELECT v.commit, landed_at, partition, version, action, rows, bytes, source, run, current, held
FROM meta.versions v JOIN meta.commits c ON c.commit = v.commit
"""


@dataclass(frozen=True, slots=True)
class Span:
    """Which commits are meant: a WHEN each, both inclusive, and how many of the newest."""

    since: str | None = None
    until: str | None = None
    limit: int | None = None


ALL = Span()


def commits(lake: "Lake", span: Span = ALL) -> list[dict[str, Any]]:
    """Return commits, newest first.

    Raises:
        NoSuchVersion, InvalidAddress: a limit names no commit, tag or time.
    """
    where = bounds(lake, span, "commit")
    return rows(lake.state, f"{_COMMITS} WHERE {where} ORDER BY commit DESC {_limit(span)}")


def versions(lake: "Lake", text: str, span: Span = ALL) -> list[dict[str, Any]]:
    """Return every version of an address, newest first, and when its dataset was renamed.

    Raises:
        NoSuchDataset, NoSuchPartition, NoSuchVersion: there is none.
        InvalidAddress: a limit names no commit, tag or time.
    """
    address = addresses.parse(text)
    state = addresses.state_of(lake.log, lake.state, address)
    addresses.find_dataset(state, address.dataset)
    where = f"dataset = {literal(address.dataset)} AND {bounds(lake, span, 'v.commit')}"
    if address.partition:
        partition = addresses.find_partition(state, address).text
        where += f" AND partition = {literal(partition)}"
    found = rows(state, f"{_VERSIONS} WHERE {where} ORDER BY v.commit DESC, partition")
    found += _renames(state, address.dataset, bounds(lake, span, "commit"))
    found.sort(key=lambda one: -int(one["commit"]))
    return found[: span.limit]


def _renames(state: State, name: str, where: str) -> list[dict[str, Any]]:
    """Return when a dataset got its names, as rows among its versions."""
    was: dict[int, str] = {}
    for number, old, new in reversed(state.renamed):
        if new == name:
            was[number] = name = old
    if not was:
        return []
    numbers = ", ".join(str(int(number)) for number in was)
    found = rows(state, f"{_COMMITS} WHERE commit IN ({numbers}) AND {where}")
    empty = dict.fromkeys(("partition", "version", "rows", "bytes", "run", "current", "held"))
    return [
        {
            "commit": one["commit"],
            "landed_at": one["committed_at"],
            **empty,
            "action": "rename",
            "source": f"was {was[one['commit']]}",
        }
        for one in found
    ]


def _limit(span: Span) -> str:
    return "" if span.limit is None else f"LIMIT {int(span.limit)}"


def bounds(lake: "Lake", span: Span, column: str) -> str:
    """Return a condition on a column of commits that a span means.

    Raises:
        NoSuchVersion, InvalidAddress: a limit names no commit, tag or time.
    """
    parts = ["true"]
    if span.until is not None:
        parts.append(f"{column} <= {snapshot.resolve(lake.log, lake.state, span.until)}")
    if span.since is not None:
        parts.append(_from(lake, span.since, column))
    return " AND ".join(parts)


def _from(lake: "Lake", since: str, column: str) -> str:
    """Return which commits came no earlier than a WHEN; of a date, than its beginning."""
    if _DATE.fullmatch(since):
        snapshot.moment(lake.log, since)
        eve = str(date.fromisoformat(since) - timedelta(days=1))
        return f"committed_at > {literal(snapshot.moment(lake.log, eve).isoformat())}::TIMESTAMPTZ"
    if _TIME.match(since):
        at = snapshot.moment(lake.log, since)
        return f"committed_at >= {literal(at.isoformat())}::TIMESTAMPTZ"
    return f"{column} >= {snapshot.resolve(lake.log, lake.state, since)}"
