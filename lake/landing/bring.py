"""Objects fetched: many places, several at a time; or those that a list of URLs names."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from lake.errors import SourceUnreadable
from lake.landing.order import Order
from lake.landing.stage import Attempt
from lake.sources.copy import Fetched
from lake.sources.path import shown
from lake.sources.places import url_places, urls_from

_PARALLEL = 8


def bring(attempt: Attempt, order: Order, scratch: Path) -> list[Fetched]:
    """Fetch every object of an order, each under its name.

    URLs out of a list came as data: they lead to public hosts only.

    Raises:
        SourceMissing, SourceIncomplete, SourceUnreadable: one cannot be had; then none is landed.
    """
    if order.reading.format == "objects":
        names = order.names or ("",) * len(order.urls)
        places = list(zip(order.urls, names, strict=True))
        return _fetched(attempt, places, scratch, trusted=True)
    listed = _one(attempt, order.urls[0], scratch / "list")
    places = url_places(urls_from(listed.path, name=listed.name))
    return _fetched(attempt, places, scratch, trusted=False)


def _one(attempt: Attempt, url: str, to: Path, **more: bool) -> Fetched:
    found = attempt.fetch(url, to, **more)
    if found is None:
        raise SourceUnreadable(
            f"{shown(url)} says that it has not changed, though nobody asked: look at its server"
        )
    return found


def _fetched(
    attempt: Attempt, places: list[tuple[str, str]], scratch: Path, *, trusted: bool
) -> list[Fetched]:
    more = {} if trusted else {"untrusted": True}

    def one(numbered: tuple[int, tuple[str, str]]) -> Fetched:
        number, (url, name) = numbered
        found = _one(attempt, url, scratch / f"fetched-{number}", **more)
        return replace(found, name=name or found.name)

    if attempt.log.parallel == 1 or len(places) == 1:
        return [one(numbered) for numbered in enumerate(places)]
    with ThreadPoolExecutor(_PARALLEL) as pool:
        return list(pool.map(one, enumerate(places)))
