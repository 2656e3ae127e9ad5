"""What `gc` may take: the folders of versions that no kept snapshot needs, and what lies there.

The unit is a version's folder: as long as one of its files is needed, all of it stays, receipt and
other sidecars with it. So a folder is doomed whole, and nobody may publish anything from it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from lake import layout
from lake.catalog import tables
from lake.catalog.log import Log
from lake.catalog.state import State
from lake.errors import unavailable
from lake.query.sql import literal
from lake.words import said_by

_BATCH = 50_000
_FOLDER = "'^(?:[^/]+/)+?version=[^/]+/'"
# Held versions end when a newer one becomes current: from then on they cannot be released. What
# was current ends when the log says so, file by file, for a version may keep some of another's.
_NEEDED = f"""
WITH versions AS (
  SELECT dataset, partition, version, commit, any_value(action) AS action,
    any_value(receipt) AS receipt, coalesce(any_value(held), '') <> '' AS held
  FROM meta._history GROUP BY ALL),
ended AS (
  SELECT *, min(commit) FILTER (WHERE NOT held AND (action <> 'remove' OR NOT was_held))
      OVER later AS until
  FROM (SELECT v.*, w.was_held FROM versions v, (VALUES (true), (false)) w(was_held))
  WINDOW later AS (PARTITION BY dataset, partition, was_held ORDER BY version
    ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)),
intervals AS (
  SELECT receipt AS key, commit, until FROM ended WHERE held = was_held AND receipt <> ''
  UNION ALL
  SELECT h.key, h.commit, CASE WHEN e.held THEN e.until ELSE h.removed_in END
  FROM meta._history h JOIN ended e USING (dataset, partition, version, commit)
  WHERE h.key IS NOT NULL AND e.held = e.was_held)
SELECT regexp_extract(key, {_FOLDER}) AS folder, bool_or(until IS NULL OR until > {{since}}
  OR EXISTS (FROM meta._kept k WHERE i.commit <= k.commit AND k.commit < i.until)) AS needed
FROM intervals i GROUP BY folder
"""

Why = Literal["expired", "unpublished", "doomed"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An object in the folder of a version that no kept snapshot needs.

    `why`: `expired` (former commits named its version), `unpublished` (none ever did), `doomed`
    (an earlier collection was about to delete it).
    """

    key: str
    bytes: int
    why: Why


@dataclass(frozen=True, slots=True)
class Folders:
    """The hashes of the folders that kept snapshots need, and of all that any commit named.

    Of a million folders the names would take too much room. Should two have the same hash, what
    nobody needs is kept, never the other way round.
    """

    needed: frozenset[int]
    named: frozenset[int]


def since(state: State, until: datetime) -> int:
    """Return the oldest snapshot that is kept: the last one published by `until`; 0: all are."""
    connection = tables.connect()
    tables.commits(connection, state)
    found = connection.execute(
        "SELECT max(commit) FROM meta._commits"
        f" WHERE committed_at::TIMESTAMPTZ <= {literal(until.isoformat())}::TIMESTAMPTZ"
    ).fetchone()
    return int(found[0] or 0) if found else 0


def folders(state: State, first: int) -> Folders:
    """Return which folders the head, the tags and all snapshots from `first` on need."""
    connection = tables.connect()
    tables.history(connection, state)
    tags: list[Mapping[str, Any]] = [{"commit": number} for number in state.tags.values()]
    tables.load(connection, "_kept", {"commit": "BIGINT"}, tags)
    found = connection.execute(_NEEDED.format(since=int(first)))
    needed, named = set(), set()
    while batch := found.fetchmany(_BATCH):
        named |= {hash(folder) for folder, _ in batch}
        needed |= {hash(folder) for folder, is_needed in batch if is_needed}
    return Folders(frozenset(needed), frozenset(named))


def candidates(log: Log, state: State, known: Folders) -> list[Candidate]:
    """List what lies in folders of versions that are not needed; nothing else is ever looked at.

    Raises:
        StoreUnavailable: the listing failed: half of it is no listing.
    """
    try:
        return list(_listed(log, state, known))
    except (OSError, ValueError) as exc:
        raise unavailable(
            f"cannot list {said_by(log.store.url, exc)}; nothing was deleted, run the same command"
            " again when that is mended",
            exc,
        ) from exc


def _listed(log: Log, state: State, known: Folders) -> Iterator[Candidate]:
    for zone in layout.ZONES:
        for item in log.store.list(f"{zone}/"):
            folder = layout.version_folder(item.key)
            if folder and hash(folder) not in known.needed:
                yield Candidate(item.key, item.byte_count, _why(state, known, folder))


def _why(state: State, known: Folders, folder: str) -> Why:
    if folder in state.doomed:
        return "doomed"
    return "expired" if hash(folder) in known.named else "unpublished"


def still_dead(found: Iterable[Candidate], known: Folders) -> list[Candidate]:
    """Return those candidates that a later head does not need either."""
    return [one for one in found if hash(layout.version_folder(one.key)) not in known.needed]
