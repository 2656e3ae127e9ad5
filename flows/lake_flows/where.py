"""Which lake a run works at, told in names: every task opens it for itself."""

import os
from dataclasses import dataclass
from pathlib import Path

from prefect.runtime import flow_run

from lake.config import expand, load
from lake.lake import Lake
from lake.opening import open_lake


@dataclass(frozen=True, slots=True)
class Where:
    """A lake by name, and the run that works at it. It holds no secret and no connection.

    Attributes:
        lake: its URL; without it `LAKE_URL`, else what `lake.toml` says.
        env: the `[env.NAME]` of `lake.toml`.
        project: the folder of `lake.toml`; the current one if not said. Without a `lake.toml` the
            lake's own log says what to land, transform and load.
        run: the id that receipts and commits carry: of the outermost flow run, so that all commits
            of one `elt` carry one.
    """

    lake: str | None
    env: str | None
    project: str | None
    run: str

    def open(self) -> Lake:
        """Open the lake at its head.

        Raises:
            NoSuchLake, InvalidConfig, StoreUnavailable, LogDamaged: see there.
        """
        folder = Path(self.project or ".").absolute()
        config = load(None, env=self.env, environ=os.environ, cwd=folder)
        lake = open_lake(self.lake, config=config)
        lake.run = self.run
        return lake


def here(lake: str | None, env: str | None, project: str | None) -> Where:
    """Return where the flow run of this context works."""
    return Where(lake, env, project, str(flow_run.root_flow_run_id))


def warehouse_url(text: str | None) -> str | None:
    """Return a warehouse's URL with the `${NAME}` in it looked up where the task runs."""
    return expand(text, os.environ) if text else None


@dataclass(frozen=True, slots=True)
class Asked:
    """The periods that sources are asked for: the first and the last; all of them without."""

    since: str | None = None
    until: str | None = None
