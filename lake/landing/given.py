"""Landing what was named by hand: a file, a URL, or bytes that come through a pipe."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lake.landing.land import Told, land
from lake.landing.order import Landing, Order
from lake.landing.stage import Attempt, Fetch
from lake.sources.copy import Fetched, Readable
from lake.sources.fetch import fetch, fetch_stream

if TYPE_CHECKING:
    from lake.lake import Lake


def land_given(
    lake: "Lake", source: str | Path | Readable, order: Order, *, force: bool, told: Told | None
) -> Landing:
    """Land one source into the partition of `order`, as one commit; see `Lake.land`.

    What came through a pipe cannot be asked again: after a lost race it is landed as it was given.
    """
    with _asked(source) as (url, how):
        attempt = Attempt(lake.log, lake.new_id(), lake.run, fetch=how)
        return land(
            attempt,
            lake.state,
            [replace(order, urls=(url,), given=True)],
            force=force,
            message=f"land {order.name}",
            told=told or (lambda landing: None),
        )[0]


@contextmanager
def _asked(source: str | Path | Readable) -> Iterator[tuple[str, Fetch]]:
    if isinstance(source, (str, Path)):
        yield str(source), fetch
        return
    with tempfile.TemporaryDirectory(prefix="clearlake-") as scratch:
        given = fetch_stream(source, Path(scratch) / "given", name="stdin")
        yield given.url, lambda url, to, **_: _copy(given, to)


def _copy(given: Fetched, to: Path) -> Fetched:
    shutil.copyfile(given.path, to)
    return replace(given, path=to)
