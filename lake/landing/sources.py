"""Landing what `lake.toml`, or the lake's own log, declares."""

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from lake.catalog.entries import Declare
from lake.config import Source, source_from_text, source_text, table
from lake.config.period import AT_ONCE, interval
from lake.config.reading import KEYS, reading, reading_values
from lake.config.source import is_python
from lake.config.table import Table
from lake.config.types import AS_IT_COMES, Reading
from lake.errors import LakeError, NoSuchSource, raise_all
from lake.landing.land import Found, Told, commit, held, stage_all
from lake.landing.newer import database_order, is_appended, land_newer
from lake.landing.order import Landing, Order
from lake.landing.reread import held_orders
from lake.landing.sheets import by_sheet
from lake.landing.stage import Attempt
from lake.sources.partitions import Request, requests
from lake.sources.path import shown
from lake.words import nearest

if TYPE_CHECKING:
    from lake.lake import Lake


def sources(lake: "Lake") -> dict[str, Source]:
    """Return the sources by name: `lake.toml`'s, else those that the lake's log declares."""
    declared = lake.state.declared("source")
    found = {name: source_from_text(text, name) for name, text in declared.items()}
    return (
        {**found, **lake.config.sources} if lake.config.path is None else dict(lake.config.sources)
    )


def chosen(lake: "Lake", names: Sequence[str]) -> list[Source]:
    """Return the sources of these names; without any, all.

    Raises:
        NoSuchSource: one is not declared.
    """
    known = sources(lake)
    for name in names:
        if name not in known:
            raise NoSuchSource(f"there is no source {shown(name)!r}{nearest(name, known)}")
    if not known:
        raise NoSuchSource("no source is declared: write one as [sources.NAME] into lake.toml")
    return [known[name] for name in names or known]


def orders(
    lake: "Lake",
    source: Source,
    *,
    since: str | None,
    until: str | None,
    now: datetime | None = None,
    timezone: str = "",
) -> list[Order]:
    """Return what a source is asked for: an order per partition.

    One without a URL is of a partition that the lake holds, and of which a folder shows no file.

    Args:
        lake: the lake.
        source: one of its sources.
        since: the first period, such as `2024-01`.
        until: the last one.
        now: the time that periods are counted to, aware; this host's if not said.
        timezone: the zone in which they are counted; the lake's if not said.
    """
    if source.database:
        return [database_order(source)]
    asked = requests(
        source,
        since=since,
        until=until,
        now=now or lake.log.clock(),
        timezone=timezone or lake.log.identity.timezone,
        environ=os.environ,
        known=lambda: _current(lake, source),
    )
    return by_sheet([_order(source, one) for one in asked])


def outside(sources: Iterable[Source], since: str | None, until: str | None) -> list[str]:
    """Say of which sources no declared period lies between two, a sentence each."""
    first = interval(since)[0] if since else None
    behind = interval(until)[1] if until else None
    return [
        f"{source.name} has no {key.every} between {since or 'its first'} and {until or 'now'}: it"
        f" is declared since {key.since or 'ever'}, until {key.until or 'now'}"
        for source in sources
        for key in source.partition.values()
        if (behind and key.since and interval(key.since)[0] >= behind)
        or (first and key.until and interval(key.until)[1] <= first)
    ]


def _order(source: Source, one: Request) -> Order:
    return Order(
        source.dataset,
        one.partition,
        one.urls,
        one.names,
        reading=source.reading,
        may_be_missing=one.within_lag,
    )


def reading_for(lake: "Lake", dataset: str, said: Mapping[str, object]) -> Reading:
    """Return how a dataset's bytes are read: as its source declares, but for what is `said`.

    Args:
        lake: whose sources count.
        dataset: such as `raw.trips`.
        said: keys of a source in `lake.toml`, such as `{"sheet": "Trips"}`.

    Raises:
        InvalidConfig: one of them is no such key, or has a wrong value.
    """
    name = dataset.partition(".")[2]
    text = lake.state.declared("source").get(name, "")
    source = lake.config.sources.get(name) or (source_from_text(text, name) if text else None)
    declared = source.reading if source else AS_IT_COMES
    if not said:
        return declared
    given = table.only(Table("what was given", "", said), KEYS)
    values = {**reading_values(declared), **given.values}
    return reading(Table("what was given", "", values), keys=source.partition if source else {})


def _current(lake: "Lake", source: Source) -> list[str]:
    """Return the partitions of a source that the lake holds now."""
    if source.dataset not in lake.state.datasets:
        return []
    return [one.text for one in lake.state.partitions(source.dataset) if one.current]


def land_sources(
    lake: "Lake",
    names: Sequence[str],
    *,
    since: str | None,
    until: str | None,
    force: bool = False,
    at_once: int = AT_ONCE,
    told: Told | None = None,
) -> list[Landing]:
    """Land sources one after the other, a commit each; one that fails does not stop the others.

    Of each, `at_once` partitions are fetched beside each other.
    """
    landings: list[Landing] = []
    errors: list[LakeError] = []
    for source in chosen(lake, names):
        try:
            found, failed = land_source(
                lake, source, since=since, until=until, force=force, at_once=at_once, told=told
            )
        except LakeError as error:
            errors.append(error)
        else:
            landings += found
            errors += failed
    raise_all(errors)
    return landings


def land_source(
    lake: "Lake",
    source: Source,
    *,
    since: str | None,
    until: str | None,
    force: bool = False,
    at_once: int = AT_ONCE,
    told: Told | None = None,
) -> tuple[list[Landing], list[LakeError]]:
    """Land one source as one commit; return what came of it, and what failed."""
    source = ready(source)
    if is_appended(source):
        landing = land_newer(lake, source, declaration(source), force=force)
        if told:
            told(landing)
        return [landing], []
    attempt = Attempt(lake.log, lake.new_id(), lake.run, later=lake.later)
    wanted = orders(lake, source, since=since, until=until)
    found, errors = stage_all(attempt, lake.state, wanted, force=force, at_once=at_once)
    landings, unread = commit_source(
        lake, source, attempt, found, wanted=wanted, force=force, told=told
    )
    return landings, [*errors, *unread, *held(landings)]


def commit_source(
    lake: "Lake",
    source: Source,
    attempt: Attempt,
    found: Sequence[tuple[Order, Found]],
    *,
    wanted: Sequence[Order],
    force: bool = False,
    told: Told | None = None,
) -> tuple[list[Landing], list[LakeError]]:
    """Publish what was staged of a source as one commit, with what it held back and now fits.

    Args:
        lake: the lake.
        source: as `ready` returns it.
        attempt: whose commit it is.
        found: what was staged.
        wanted: all that the source was asked for.
        force: see `stage_all`.
        told: hears of each landing.

    Returns:
        What came of each order, and what is held and could not be read again.
    """
    asked = {order.partition for order in wanted}
    again, unread = held_orders(lake, source, attempt, but=asked)
    landings = commit(
        attempt,
        lake.state,
        [*found, *again],
        declare=[declaration(source)],
        force=force,
        message=f"land {source.dataset}",
        told=told or (lambda landing: None),
    )
    return landings, unread


def ready(source: Source) -> Source:
    """Return a source with the key that its Python says, if it is Python.

    What lies beside `lake.toml` is found, behind everything that is installed.
    """
    if not is_python(source.url):
        return source
    from lake.sources.python_url import load

    folder = str(source.root.absolute())
    if folder not in sys.path:
        sys.path.append(folder)
    key = source.reading.key or load(source.url.partition("?")[0]).key
    return replace(source, reading=replace(source.reading, key=key))


def declaration(source: Source) -> Declare:
    """Return what the log keeps of a source."""
    return Declare("source", source.name, source_text(source))
