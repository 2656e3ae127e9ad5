"""What a landing would bring: asked of the sources, fetched from none."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from lake.catalog.state import Partition, State, Version
from lake.errors import LakeError, SourceMissing
from lake.landing.order import Order
from lake.landing.stage import Known, content_of, recognised, sha256_of
from lake.sources.glance import Glance, glance

What = Literal["missing", "changed", "unknown", "unchanged", "not yet", "gone", "failed"]
DUE: tuple[What, ...] = ("missing", "changed", "unknown")
"""What a landing has to fetch; of what is `unknown` only that tells whether it has changed."""
_TOGETHER = 16


@dataclass(frozen=True, slots=True)
class Planned:
    """What landing one order would come to.

    Attributes:
        version: the partition's newest version; 0 for none.
        bytes: how many would be fetched; None where the source does not say.
        known: what staging what is `unchanged` would find.
        error: why that cannot be told.
    """

    order: Order
    what: What
    version: int
    bytes: int | None = None
    known: Known | None = None
    error: LakeError | None = None


def plan(state: State, orders: Sequence[Order]) -> list[Planned]:
    """Say of each order whether it would be fetched; many are asked at once.

    A web server is asked for its headers, behind the ETag that it gave; files of this machine are
    read where the lake has something to compare. A database and Python tell nothing before they
    are run.
    """
    state.prefetch((order.dataset, order.partition) for order in orders)
    with ThreadPoolExecutor(_TOGETHER) as pool:
        return list(pool.map(lambda order: _planned(state, order), orders))


def _planned(state: State, order: Order) -> Planned:
    partition = state.partition(order.dataset, order.partition)
    current, number = partition.current, partition.versions
    if not order.urls:
        return Planned(order, "gone", number)
    if order.database or order.is_of_objects:
        return Planned(order, "unknown" if current else "missing", number)
    try:
        return _looked_at(partition, order)
    except SourceMissing as error:
        if order.may_be_missing:
            return Planned(order, "not yet", number)
        if current:
            return Planned(order, "gone", number)
        return Planned(order, "failed", number, error=error)
    except LakeError as error:
        return Planned(order, "failed", number, error=error)


def _looked_at(partition: Partition, order: Order) -> Planned:
    current, number = partition.current, partition.versions
    seen = [glance(url, etag=_etag(current, order, url)) for url in order.urls]
    there = [one for one in seen if one]
    known = Known() if len(there) < len(seen) else _known(partition, order, there)
    if known:
        return Planned(order, "unchanged", number, known=known)
    sizes = [one.bytes for one in there]
    total = None if None in sizes else sum(size or 0 for size in sizes)
    if current is None:
        return Planned(order, "missing", number, total)
    is_told = all(one.path for one in there) or bool(current.landed.origin.get("etag"))
    return Planned(order, "changed" if is_told else "unknown", number, total)


def _etag(current: Version | None, order: Order, url: str) -> str:
    origin = current.landed.origin if current else {}
    return origin.get("etag", "") if len(order.urls) == 1 and origin.get("url") == url else ""


def _known(partition: Partition, order: Order, there: Sequence[Glance]) -> Known | None:
    """Recognise what is there: by its bytes, or as far as a server tells."""
    if not partition.versions:
        return None
    paths = [one.path for one in there if one.path]
    if len(paths) == len(there):
        content = content_of([sha256_of(path) for path in paths])
        return recognised(partition, content, order.reading)
    if partition.current is None or len(there) > 1:
        return None
    origin = partition.current.landed.origin
    dated = there[0].last_modified
    is_old = bool(dated) and "etag" not in origin and dated == origin.get("last_modified")
    return Known() if is_old else None
