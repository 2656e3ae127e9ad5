"""What stands at the head of every page of a dataset: what it is, where it is from, how it does."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from lake.browser import health
from lake.browser.ask import Ask
from lake.browser.known import Known, source_of
from lake.browser.pictures.calendar import Calendar, calendar, periods
from lake.browser.snapshot import Snapshot
from lake.config import Source
from lake.config.duration import duration_text
from lake.errors import ModelInvalid
from lake.models.header import parse_header
from lake.operations.status import late
from lake.query.describe import described

_EVERY = {
    "hour": "hourly",
    "day": "daily",
    "week": "weekly",
    "month": "monthly",
    "quarter": "quarterly",
    "year": "yearly",
}
_KINDS = {
    "http": "HTTP",
    "https": "HTTP",
    "s3": "S3",
    "gs": "Google Cloud Storage",
    "az": "Azure",
    "python": "Python",
    "postgres": "PostgreSQL",
    "postgresql": "PostgreSQL",
    "sftp": "SFTP",
    "ftp": "FTP",
}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a dataset is from: a source, a model, or what was given by hand (`kind` is `""`)."""

    kind: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Head:
    """A dataset at a glance.

    Attributes:
        again: partitions that were published more than once.
        missing: periods between the first and the last one that hold nothing.
        late: for how long something new has been expected; `""`: nothing is late.
        checks: that its model declares.
    """

    name: str
    description: str
    owner: str
    origin: Origin
    state: health.Badge
    rows: int
    bytes: int
    files: int
    partitions: int
    versions: int
    again: int
    missing: int
    late: str
    columns: int
    drifting: int
    checks: int
    changed_at: datetime | None
    changed_in: int
    is_cut: bool


def head(shot: Snapshot, ask: Ask, of: Known) -> Head:
    """Return the head of a dataset's pages."""
    dataset = shot.lake.state.datasets[of.name]
    said = described(shot.lake.state, of.name)
    days = shot.memo(("periods", of.name), lambda: periods(of.lines))
    return Head(
        of.name,
        said.description,
        said.owner,
        _origin(shot, of.name),
        badge_of(shot, ask, of.name),
        dataset.rows,
        dataset.bytes,
        dataset.files,
        dataset.partitions,
        dataset.versions,
        of.again,
        days.missing if days else 0,
        late_of(shot, ask, of.name),
        len(of.columns),
        len(of.drift.columns),
        shot.memo(("checks", of.name), lambda: _check_count(shot, of.name)),
        datetime.fromisoformat(dataset.changed_at) if dataset.changed_at else None,
        dataset.changed_in,
        bool(dataset.keys),
    )


def badge_of(shot: Snapshot, ask: Ask, name: str) -> health.Badge:
    """Return how a dataset does; the badges of all are worked out together, once a minute."""
    minute = ask.now.replace(second=0, microsecond=0)
    return _badges(shot, ask, minute)[name]


def _badges(shot: Snapshot, ask: Ask, minute: datetime) -> Mapping[str, health.Badge]:
    return shot.memo(
        ("badges", minute), lambda: health.badges(health.attention(shot, ask.now), shot)
    )


def late_of(shot: Snapshot, ask: Ask, name: str) -> str:
    """Say for how long something new has been expected; `""`: it has not."""
    source = source_of(shot, name)
    changed_at = shot.lake.state.datasets[name].changed_at
    return late(source.expect_every, changed_at, ask.now) if source and changed_at else ""


def calendar_of(shot: Snapshot, ask: Ask, of: Known) -> Calendar | None:
    """Return the calendar of a dataset's partitions; None: they are no periods."""
    said, year = late_of(shot, ask, of.name), ask.get("year")
    found = shot.memo(("periods", of.name), lambda: periods(of.lines))
    if found is None or year:
        return calendar(found, said, year) if found else None
    return shot.memo(("calendar", of.name, said), lambda: calendar(found, said, ""))


def _origin(shot: Snapshot, name: str) -> Origin:
    zone, _, bare = name.partition(".")
    if zone == "curated":
        return Origin("model", f"{bare}.sql", "") if _model(shot, bare) else Origin("", "", "")
    source = source_of(shot, name)
    return Origin("source", source.name, source_words(source)) if source else Origin("", "", "")


def source_words(source: Source) -> str:
    """Return what kind of source it is, and how often it brings something."""
    if source.database:
        kind = "database"
    else:
        kind = _KINDS.get(source.url.partition(":")[0].lower(), "")
        kind = kind or ("" if source.url.startswith("$") else "files")
    every = [key.every for key in source.partition.values() if key.every]
    often = [_EVERY.get(unit, "") for unit in every[-1:]]
    expected = source.expect_every
    due = f"expected every {duration_text(expected)}" if expected else ""
    return ", ".join(filter(None, [kind, *often, due]))


def _model(shot: Snapshot, bare: str) -> str:
    return shot.lake.state.declared("model").get(bare, "")


def _check_count(shot: Snapshot, name: str) -> int:
    bare = name.partition(".")[2]
    text = _model(shot, bare) if name.startswith("curated.") else ""
    try:
        return len(parse_header(text, path=f"models/{bare}.sql").checks) if text else 0
    except ModelInvalid:
        return 0
