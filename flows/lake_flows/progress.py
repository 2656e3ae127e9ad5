"""How far a flow run is, as a bar in the UI; a run of a few seconds has none."""

import time
from collections.abc import Iterator, Sequence
from typing import TypeVar
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

T = TypeVar("T")
EVERY_S = 10.0
"""Each change is a request."""


def tracked(things: Sequence[T], key: str) -> Iterator[T]:
    """Give things one by one, and show how many of them are done while that takes long.

    Args:
        things: they are done when the next one is asked for.
        key: of the artifact, lower-case with dashes.
    """
    shown: UUID | None = None
    told = time.monotonic()
    for done, thing in enumerate(things):
        if time.monotonic() - told >= EVERY_S:
            told = time.monotonic()
            percent = 100.0 * done / len(things)
            said = f"{done:,} of {len(things):,}"
            if shown is None:
                made = create_progress_artifact(percent, key=key, description=said)
                assert isinstance(made, UUID)
                shown = made
            else:
                update_progress_artifact(shown, progress=percent, description=said)
        yield thing
    if shown is not None:
        update_progress_artifact(shown, progress=100.0, description=f"{len(things):,} done")
