"""Which lake a run works at, told in names: every task opens it for itself."""

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from zoneinfo import available_timezones

from prefect.runtime import flow_run

from lake.config import expand, find, literal_secrets, load, url_of
from lake.config.period import AT_ONCE, MOST_AT_ONCE, Periods
from lake.errors import InvalidConfig
from lake.lake import Lake
from lake.opening import open_lake


@dataclass(frozen=True, slots=True)
class Where:
    """A lake by name, and the run that works at it. It holds no secret and no connection.

    Attributes:
        lake: its URL, with `${NAME}` for what is looked up here, or `block:NAME`; without it
            `LAKE_URL`, else what `lake.toml` says.
        env: the `[env.NAME]` of `lake.toml`; where there is none and the lake is named, its log
            says what was declared with it.
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
        env = self.env if find(folder) or not self.lake else None
        config = load(None, env=env, environ=os.environ, cwd=folder)
        lake = open_lake(_lake_url(self.lake, self.run), config=config)
        lake.run = self.run
        return lake


def here(lake: str | None, env: str | None, project: str | None) -> Where:
    """Return where the flow run of this context works.

    Raises:
        InvalidConfig: the URL holds a secret.
    """
    no_secret("lake", lake)
    return Where(lake, env, project, str(flow_run.root_flow_run_id))


def looked_up(text: str | None) -> str | None:
    """Return a URL with the `${NAME}` in it looked up where the task runs."""
    return expand(text, os.environ) if text else None


@lru_cache(maxsize=1)
def _lake_url(text: str | None, run: str) -> str | None:
    """Ask once a run what a block stands for: every task opens the lake.

    A process that turns to another lake, as a worker of a cluster may, gets its credentials anew.
    """
    found = looked_up(text)
    return url_of(found) if found else None


def warehouse_named(text: str | None) -> str | None:
    """Return the parameter that names a warehouse, if it holds no secret.

    Raises:
        InvalidConfig: it does, and Prefect keeps parameters.
    """
    no_secret("warehouse", text)
    return text


def no_secret(name: str, text: str | None) -> None:
    """Refuse a parameter that holds a secret.

    Raises:
        InvalidConfig: it does.
    """
    if any(literal_secrets({name: text or ""})):
        raise InvalidConfig(
            f"the parameter {name} holds a secret, which Prefect keeps once it is told:"
            " change that secret, and name it by ${NAME} or block:NAME"
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run is asked for.

    Attributes:
        since, until: the first and the last period; all of them without.
        timezone: the zone in which periods are counted to the scheduled time; the lake's without.
        at_once: how many partitions of a source are fetched beside each other.

    Raises:
        InvalidConfig: one of them cannot be.
    """

    since: str | None = None
    until: str | None = None
    timezone: str | None = None
    at_once: int = AT_ONCE

    def __post_init__(self) -> None:
        """Look at all of it."""
        _ = self.periods
        if not 1 <= self.at_once <= MOST_AT_ONCE:
            raise InvalidConfig(f"at_once = {self.at_once}: write 1 to {MOST_AT_ONCE}")
        if self.timezone and self.timezone not in available_timezones():
            raise InvalidConfig(
                f"timezone = {self.timezone!r} is no time zone: write one such as 'Europe/Paris'"
            )

    @property
    def periods(self) -> Periods:
        """The periods, as models take them."""
        return Periods(self.since or "", self.until or "")
