"""Landing what was given by hand: a file, a URL, bytes out of a pipe, or rows of a program."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from lake import layout
from lake.errors import SourceUnreadable
from lake.landing.land import Told, land
from lake.landing.order import Landing, Order, check
from lake.landing.sources import reading_for
from lake.landing.stage import Attempt, Fetch
from lake.sources.copy import Fetched, Readable
from lake.sources.fetch import fetch, fetch_stream
from lake.sources.places import objects_at
from lake.sources.python import PythonSource, is_given, write_given

if TYPE_CHECKING:
    from lake.lake import Lake


def order_for(
    lake: "Lake",
    source: object,
    dataset: str,
    partition: Mapping[str, object],
    read: Mapping[str, object],
) -> Order:
    """Return the order for what is given; a generator's own source may say where it goes.

    Raises:
        InvalidName: a name cannot be one.
        InvalidConfig: `read` says what no source can.
    """
    dataset = dataset or (source.dataset if isinstance(source, PythonSource) else "")
    own = source.partition if isinstance(source, PythonSource) else {}
    values = partition or own
    text = layout.partition({key: str(value) for key, value in values.items()})
    order = check(Order(dataset, text, ("-",)))
    reading = reading_for(lake, dataset, read)
    if isinstance(source, PythonSource) and source.key and not reading.key:
        reading = replace(reading, key=source.key)
    return replace(order, reading=reading)


def land_given(
    lake: "Lake", source: object, order: Order, *, force: bool, told: Told | None
) -> Landing:
    """Land one source into the partition of `order`, as one commit; see `Lake.land`.

    What came through a pipe or out of a program cannot be asked again: after a lost race it is
    landed as it was given.
    """
    with _asked(source, order.name) as (url, how):
        attempt = Attempt(lake.log, lake.new_id(), lake.run, fetch=how, later=lake.later)
        return land(
            attempt,
            lake.state,
            [_placed(order, url)],
            force=force,
            message=f"land {order.name}",
            told=told or (lambda landing: None),
        )[0]


def _placed(order: Order, url: str) -> Order:
    """Return the order for what is at one place; objects may be many there."""
    if order.reading.format != "objects" or url == "-":
        return replace(order, urls=(url,), given=True)
    urls, names = objects_at(url, root=Path())
    return replace(order, urls=urls, names=names, given=True)


@contextmanager
def _asked(source: object, name: str) -> Iterator[tuple[str, Fetch]]:
    if isinstance(source, (str, Path)):
        yield str(source), fetch
        return
    with tempfile.TemporaryDirectory(prefix="clearlake-") as scratch:
        given = _taken(source, Path(scratch) / "given", name)
        yield given.url, partial(_fetch, given)


def _taken(source: object, to: Path, name: str) -> Fetched:
    """Take what can be read once; a stream is what has `readinto`."""
    if hasattr(source, "readinto"):
        return fetch_stream(cast("Readable", source), to, name="stdin")
    if not is_given(source):
        raise SourceUnreadable(
            f"a {type(source).__name__} is no data for {name}: give a path, a URL, a binary stream"
            " such as io.BytesIO(…), a data frame, or an iterable of dicts"
        )
    return write_given(source, to, name=name)


def _fetch(given: Fetched, url: str, to: Path, **how: Any) -> Fetched | None:
    """Give what was taken; a list that came through a pipe names other places."""
    if url != given.url:
        return fetch(url, to, **how)
    shutil.copyfile(given.path, to)
    return replace(given, path=to)
