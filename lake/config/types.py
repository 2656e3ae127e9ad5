"""What `lake.toml` says, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from lake.config.period import Unit


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a source's partitions: a period of `every`, or one of `values`."""

    every: Unit | None = None
    since: str = ""
    until: str = ""
    lag: timedelta = timedelta()
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeclaredColumn:
    """What a source declares of one column: its former names, and its type as DuckDB writes it."""

    former: tuple[str, ...] = ()
    type: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """Where `raw.<name>` comes from. `url` is as it was written, with its `{key}` and `${NAME}`."""

    name: str
    url: str
    partition: Mapping[str, Key] = field(default_factory=dict)
    expect_every: timedelta | None = None
    description: str = ""
    owner: str = ""
    keep_original: bool = True
    max_rejects: int = 0
    columns: Mapping[str, DeclaredColumn] = field(default_factory=dict)
    root: Path = field(default=Path(), compare=False)
    """The folder that a relative path in `url` starts from; no part of the declaration."""

    @property
    def dataset(self) -> str:
        """The dataset that it lands into."""
        return f"raw.{self.name}"


@dataclass(frozen=True, slots=True)
class TableConfig:
    """The table in the warehouse that one curated dataset is loaded into."""

    table: str


@dataclass(frozen=True, slots=True)
class Warehouse:
    """Where curated datasets are loaded, and which."""

    url: str | None = None
    load: tuple[str, ...] = ()
    """Names without their zone, such as `daily_revenue`."""
    tables: Mapping[str, TableConfig] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a deployment runs: one of `cron`, `interval` and `rrule`."""

    cron: str = ""
    interval: timedelta | None = None
    rrule: str = ""
    timezone: str = ""


@dataclass(frozen=True, slots=True)
class Deployment:
    """One flow that a Prefect server runs."""

    flow: str
    schedule: Schedule | None = None
    parameters: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Alerts:
    """Who is told when something fails; `webhook` is as it was written, with its `${NAME}`."""

    webhook: str = ""


@dataclass(frozen=True, slots=True)
class Config:
    """All of `lake.toml`; without one, the defaults at the current folder."""

    root: Path
    path: Path | None = None
    env: str = ""
    url: str | None = None
    timezone: str = "UTC"
    sources: Mapping[str, Source] = field(default_factory=dict)
    warehouse: Warehouse = Warehouse()
    deployments: Mapping[str, Deployment] = field(default_factory=dict)
    alerts: Alerts = Alerts()

    @property
    def models(self) -> Path:
        """The folder of the models."""
        return self.root / "models"
