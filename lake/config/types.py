"""What `lake.toml` says, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal, TypeAlias

from lake.config.period import Unit


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a source's partitions: a period of `every`, or one of `values`."""

    every: Unit | None = None
    since: str = ""
    until: str = ""
    lag: timedelta = timedelta()
    values: tuple[str, ...] = ()


Limit: TypeAlias = int | float | str | None
Mode: TypeAlias = Literal["replace", "append", "merge"]
Format: TypeAlias = Literal["", "csv", "json", "fixed", "arrow", "excel", "objects", "urls"]


@dataclass(frozen=True, slots=True)
class DeclaredColumn:
    """What a source declares of one column: its names, its type, and what its values keep to.

    Attributes:
        former: names that it has in some files.
        type: as DuckDB writes it; `""`: what the values are.
        format: of dates and times in text, as `strptime` has it, such as `%d/%m/%Y`.
        decimal: the sign between a number's whole and its fraction, `.` or `,`.
        null: texts that mean NULL.
        required: NULL breaks the contract.
        between: the least and the greatest value, inclusive; None where there is no limit.
        allowed: the only values (`in`); empty for any.
        personal: it speaks of people, so that nothing of its values may get into the log.
    """

    former: tuple[str, ...] = ()
    type: str = ""
    description: str = ""
    format: str = ""
    decimal: str = ""
    null: tuple[str, ...] = ()
    required: bool = False
    between: tuple[Limit, Limit] = (None, None)
    allowed: tuple[int | float | str, ...] = ()
    personal: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """How bytes become rows: what cannot be seen in them, and the contract that rows keep to.

    What is empty here is seen in the bytes.

    Attributes:
        format: in place of what the content looks like. `objects`: each file is one row; `urls`:
            each line of the text is the URL of such a file.
        encoding: of text, as Python names it, such as `latin-1`.
        delimiter, quote, escape: one character each, of CSV.
        comment: what lines start with that are no rows, such as `#`.
        widths: names of fixed-width columns with their widths in characters, in order.
        sheet: of a workbook; `*`: each is a dataset of its own.
        members: a glob over the names in an archive.
        columns: the declared ones, by name.
        unknown_columns: `reject`: a column that is not declared breaks the contract of the file.
        extra_fields: `empty`: empty fields behind the header's last column are no fault.
        max_rejects: how many rows may be rejected before the version is held.
        key: columns whose values tell what is the same thing in several versions.
    """

    format: Format = ""
    encoding: str = ""
    delimiter: str = ""
    quote: str = ""
    escape: str = ""
    comment: str = ""
    widths: tuple[tuple[str, int], ...] = ()
    sheet: str = ""
    members: str = ""
    columns: Mapping[str, DeclaredColumn] = field(default_factory=dict)
    unknown_columns: Literal["accept", "reject"] = "accept"
    extra_fields: Literal["reject", "empty"] = "reject"
    max_rejects: int = 0
    keep_original: bool = True
    profile: bool = True
    key: tuple[str, ...] = ()


AS_IT_COMES = Reading()


@dataclass(frozen=True, slots=True)
class Database:
    """A table or a query of a database.

    Attributes:
        url: as it was written, with its `${NAME}`, or a table such as `{"block": "NAME"}`.
        table: such as `public.orders`; `""` where there is a `query`.
        cursor: the column whose greater values are newer; `""`: all rows land, each time.
        lookback: how far behind the cursor rows may still appear: `2 hours`, or a number.
    """

    url: str | Mapping[str, str]
    table: str = ""
    query: str = ""
    cursor: str = ""
    lookback: str | int = 0

    @property
    def shown(self) -> str:
        """What messages and plans call it: names only."""
        where = self.url
        if not isinstance(where, str):
            where = " ".join(f"{kind} {name}" for kind, name in where.items())
        return f"{self.table or 'a query'} of {where}"


@dataclass(frozen=True, slots=True)
class Source:
    """Where `raw.<name>` comes from. `url` is as it was written, with its `{key}` and `${NAME}`.

    One of `url` and `database` is said.
    """

    name: str
    url: str
    partition: Mapping[str, Key] = field(default_factory=dict)
    expect_every: timedelta | None = None
    description: str = ""
    owner: str = ""
    reading: Reading = AS_IT_COMES
    root: Path = field(default=Path(), compare=False)
    """The folder that a relative path in `url` starts from; no part of the declaration."""
    database: Database | None = None

    @property
    def dataset(self) -> str:
        """The dataset that it lands into."""
        return f"raw.{self.name}"

    @property
    def columns(self) -> Mapping[str, DeclaredColumn]:
        """The columns that it declares, by name."""
        return self.reading.columns


@dataclass(frozen=True, slots=True)
class TableConfig:
    """The table in the warehouse that one curated dataset is loaded into.

    `mode` says what becomes of a partition that changed: its rows are replaced; refused, as rows
    are only ever added; or merged by the columns `merge_on`.
    """

    table: str
    mode: Mode = "replace"
    merge_on: tuple[str, ...] = ()


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
    """One flow that a Prefect server runs.

    Attributes:
        flow: `land`, `transform`, `load`, `elt` or `maintain`.
        schedule: when; without one it runs when somebody asks for it.
        parameters: of the flow.
        tags: what its runs are found by.
        concurrency_limit: how many of its runs may be under way at once; 0: any number.
        work_pool: whose workers run it; `""`: Prefect's default one, if there is any.
        image: of the container that it runs in, where the pool makes containers.
        job_variables: what the pool's template leaves open.
    """

    flow: str
    schedule: Schedule | None = None
    parameters: Mapping[str, object] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    concurrency_limit: int = 0
    work_pool: str = ""
    image: str = ""
    job_variables: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mail:
    """Where alerts are mailed: `server` is a URL such as `smtps://user:${NAME}@host`."""

    to: tuple[str, ...]
    sender: str
    server: str


@dataclass(frozen=True, slots=True)
class Alerts:
    """Who is told when something fails.

    Attributes:
        webhook: takes a JSON document; as it was written, with its `${NAME}`, or `block:NAME`.
        slack: an incoming webhook of Slack's, or of what takes the same; likewise.
        email: a mail server and whom it is for.
    """

    webhook: str = ""
    slack: str = ""
    email: Mail | None = None


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
    browser: str = ""
    """The address of the lake browser, which messages of runs link to."""

    @property
    def models(self) -> Path:
        """The folder of the models."""
        return self.root / "models"
