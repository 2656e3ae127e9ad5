"""What follows every verb that publishes: the catalog file, and what was left for later."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lake.lake import Lake


@dataclass(slots=True)
class Published:
    """Makes `catalog.duckdb` anew after a verb that moved the lake, even if part of it failed.

    And after one that found nothing to do where a former one was killed before it came to that.
    Waits for what the verb does meanwhile.
    """

    lake: "Lake"
    before: int = 0

    def __enter__(self) -> None:
        """Remember where the lake is."""
        self.before = self.lake.commit

    def __exit__(self, *_: object) -> None:
        """See whether it moved."""
        from lake.query.attach import is_behind, refresh

        if self.lake.commit != self.before or is_behind(self.lake.log, self.lake.state):
            refresh(self.lake.log, self.lake.state)
        while self.lake.jobs:
            self.lake.jobs.pop().join()
