"""The first page: the datasets of both zones, what needs attention, what happened last."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lake import layout
from lake.browser import health
from lake.browser.ask import Ask
from lake.browser.pages.commits import CommitLine, lines
from lake.browser.snapshot import Snapshot
from lake.query.describe import described

PER_PAGE = 100
RECENT = 7
NEED_ATTENTION = 5
STRIP = 14
_STRIPS = f"""
SELECT dataset, list({{partition: partition, version: version, held: held}} ORDER BY partition)
  AS cells FROM (
    SELECT dataset, partition, max(version) AS version, bool_or(held AND is_last) AS held
    FROM (SELECT *, version = max(version) OVER (PARTITION BY dataset, partition) AS is_last
          FROM every_version)
    GROUP BY dataset, partition HAVING bool_or(current) OR bool_or(held AND is_last)
    QUALIFY row_number() OVER (PARTITION BY dataset ORDER BY partition DESC) <= {STRIP})
GROUP BY dataset
"""


@dataclass(frozen=True, slots=True)
class StripCell:
    """One of the last partitions: `ok`, `again` (published more than once) or `held`."""

    partition: str
    kind: str


@dataclass(frozen=True, slots=True)
class DatasetLine:
    """A dataset in a line of the list."""

    name: str
    description: str
    rows: int
    bytes: int
    files: int
    partitions: int
    changed_at: datetime | None
    state: health.Badge
    strip: Sequence[StripCell]


@dataclass(frozen=True, slots=True)
class ZoneList:
    """A zone's datasets, as many as fit on a page; `total` counts all."""

    zone: str
    total: int
    datasets: Sequence[DatasetLine]
    said: str
    newer: str
    older: str


@dataclass(frozen=True, slots=True)
class LakePage:
    """The whole lake at a glance."""

    name: str
    description: str
    datasets: int
    rows: int
    bytes: int
    files: int
    commit: int
    committed_at: datetime | None
    attention: Sequence[health.Attention]
    needing: int
    zones: Sequence[ZoneList]
    commits: Sequence[CommitLine]


def make(shot: Snapshot, ask: Ask, *, per_page: int = PER_PAGE) -> LakePage:
    """Return the lake's page; `?attention=all` shows everything that needs some."""
    state = shot.lake.state
    needing = health.attention(shot, ask.now)
    badges = health.badges(needing, shot)
    strips = shot.memo("strips", lambda: _strips(shot))
    every = state.datasets.values()
    return LakePage(
        shot.name,
        state.declared("lake").get("description", ""),
        len(state.datasets),
        sum(one.rows for one in every),
        sum(one.bytes for one in every),
        sum(one.files for one in every),
        shot.commit,
        shot.at,
        needing if ask.get("attention") == "all" else needing[:NEED_ATTENTION],
        len(needing),
        [_zone(shot, ask, zone, per_page, badges, strips) for zone in layout.ZONES],
        lines(shot, limit=RECENT),
    )


def _strips(shot: Snapshot) -> dict[str, list[StripCell]]:
    return {
        row["dataset"]: [StripCell(cell["partition"], _kind(cell)) for cell in row["cells"]]
        for row in shot.rows(_STRIPS)
    }


def _kind(cell: Mapping[str, object]) -> str:
    if cell["held"]:
        return "held"
    return "again" if cell["version"] != 1 else "ok"


def _zone(
    shot: Snapshot,
    ask: Ask,
    zone: str,
    per_page: int,
    badges: Mapping[str, health.Badge],
    strips: Mapping[str, Sequence[StripCell]],
) -> ZoneList:
    names = sorted(name for name in shot.lake.state.datasets if name.startswith(f"{zone}."))
    first = min(ask.number(zone, 0), max(len(names) - 1, 0)) // per_page * per_page
    shown = names[first : first + per_page]
    more = len(names) > per_page
    return ZoneList(
        zone,
        len(names),
        [_line(shot, name, badges[name], strips.get(name, ())) for name in shown],
        f"{first + 1} to {first + len(shown)} of {len(names)}" if more else "",
        ask.same(**{zone: first - per_page or None}) if first else "",
        ask.same(**{zone: first + per_page}) if first + per_page < len(names) else "",
    )


def _line(
    shot: Snapshot, name: str, badge: health.Badge, strip: Sequence[StripCell]
) -> DatasetLine:
    state = shot.lake.state
    one = state.datasets[name]
    return DatasetLine(
        name,
        described(state, name).description,
        one.rows,
        one.bytes,
        one.files,
        one.partitions,
        datetime.fromisoformat(one.changed_at) if one.changed_at else None,
        badge,
        strip,
    )
