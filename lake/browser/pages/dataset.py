"""A dataset at a glance: partitions, columns, drift, lineage, versions, and how to use it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from lake.browser import lineage
from lake.browser.ask import Ask, dataset_path
from lake.browser.known import Known, every_source, known, partition_lines
from lake.browser.pages.columns import ColumnLine, Drift, Profiled, column_lines, drift
from lake.browser.pages.head import Head, badge_of, calendar_of, head, source_words
from lake.browser.pages.snippets import Snippet, snippets
from lake.browser.pages.versions import VersionLine, version_lines
from lake.browser.pictures import calendar
from lake.browser.snapshot import Snapshot
from lake.browser.words import plural
from lake.query.sql import literal

COLUMNS, DRIFTING, LATEST, LOADS = 10, 8, 5, 10
LISTED = 50
LONGEST_MODEL = 20_000


@dataclass(frozen=True, slots=True)
class PartitionList:
    """Partitions that are no periods, by text."""

    total: int
    cells: Sequence[calendar.Cell]
    said: str
    newer: str
    older: str


@dataclass(frozen=True, slots=True)
class LineageNode:
    """A node; `text` says how it is, `path` is its page's, without what is asked for."""

    id: str
    name: str
    text: str
    path: str
    is_bad: bool


@dataclass(frozen=True, slots=True)
class Lineage:
    """What a dataset is made of, and what of it; `more` nodes are left out."""

    nodes: Sequence[LineageNode]
    arrows: Sequence[tuple[str, str]]
    more: int
    invalid: Sequence[str]


@dataclass(frozen=True, slots=True)
class LoadLine:
    """A load into a table of a warehouse: how many partitions and rows, of which commit."""

    table: str
    warehouse: str
    partitions: int
    removed: int
    rows: int
    loaded_commit: int
    commit: int
    at: datetime


@dataclass(frozen=True, slots=True)
class DatasetPage:
    """The overview of a dataset.

    Attributes:
        calendar: of its partitions, where they are periods; else they are `listed`.
        columns: the first ones.
        model: the text of its model as the log declares it; `""`: it has none.
    """

    head: Head
    calendar: calendar.Calendar | None
    listed: PartitionList | None
    profiled: Profiled
    columns: Sequence[ColumnLine]
    drift: Drift
    lineage: Lineage
    versions: Sequence[VersionLine]
    loads: Sequence[LoadLine]
    snippets: Sequence[Snippet]
    model: str


def make(shot: Snapshot, ask: Ask) -> DatasetPage:
    """Return the overview of a dataset.

    Raises:
        NoSuchDataset: there is none.
    """
    of = known(shot, ask.places["dataset"])
    found, profiled = column_lines(shot, ask, of)
    days = calendar_of(shot, ask, of)
    zone, _, bare = of.name.partition(".")
    text = shot.lake.state.declared("model").get(bare, "") if zone == "curated" else ""
    return DatasetPage(
        head(shot, ask, of),
        days,
        None if days else _list(shot, ask, of),
        profiled,
        found[:COLUMNS],
        drift(of, ask, most=DRIFTING),
        _lineage(shot, ask, of.name),
        shot.memo(("latest", of.name), lambda: version_lines(shot, of.name, limit=LATEST)),
        shot.memo(("loads", of.name), lambda: _loads(shot, of.name)),
        snippets(shot, ask, of),
        text[:LONGEST_MODEL],
    )


def _list(shot: Snapshot, ask: Ask, of: Known) -> PartitionList:
    first = min(ask.number("partitions", 0), max(of.every - 1, 0)) // LISTED * LISTED
    lines = partition_lines(shot, of.name, f"LIMIT {LISTED} OFFSET {first}")
    cells = []
    for line in lines:
        kind: calendar.Kind = "again" if line.versions > 1 else "ok"
        text, version = "", line.version or 0
        if line.held:
            kind, text, version = "held", "held", line.newest
        elif line.version is None:
            kind, text = "missing", f"taken away ({line.action})"
        cells.append(
            calendar.Cell(line.partition, line.partition, kind, line.rows, version, 0, text)
        )
    more = of.every > LISTED
    return PartitionList(
        of.every,
        cells,
        f"{first + 1} to {first + len(lines)} of {of.every}" if more else "",
        ask.same(partitions=first - LISTED or None) if first else "",
        ask.same(partitions=first + LISTED) if first + LISTED < of.every else "",
    )


def _lineage(shot: Snapshot, ask: Ask, name: str) -> Lineage:
    graph = lineage.graph(shot)
    names, more = lineage.around(graph, name)
    kept = set(names)
    loaded = shot.memo("warehouses", lambda: _warehouses(shot))
    nodes = [_node(shot, ask, graph.nodes[one], loaded) for one in names]
    arrows = [(one, other) for one in names for other in graph.after.get(one, ()) if other in kept]
    return Lineage(nodes, arrows, more, graph.invalid)


def _node(
    shot: Snapshot, ask: Ask, node: lineage.Node, loaded: dict[tuple[str, str], str]
) -> LineageNode:
    path = dataset_path(node.dataset)
    if node.kind == "source":
        source = every_source(shot)[node.dataset]
        return LineageNode(node.id, node.name, source_words(source) or "source", path, False)
    if node.kind == "table":
        text = loaded.get((node.dataset, node.name), "table, not loaded yet")
        return LineageNode(node.id, node.name, text, path, False)
    dataset = shot.lake.state.datasets.get(node.name)
    if dataset is None:
        return LineageNode(node.id, node.name, "nothing in it yet", path, False)
    badge = badge_of(shot, ask, node.name)
    text = plural(dataset.partitions, "partition")
    if not dataset.keys:
        text = plural(dataset.rows, "row")
    if badge.kind in ("bad", "warn"):
        text = f"{text}, {badge.text}"
    return LineageNode(node.id, node.name, text, path, badge.kind == "bad")


def _warehouses(shot: Snapshot) -> dict[tuple[str, str], str]:
    """Return what kind of warehouse each table was loaded into last; never where it is."""
    rows = shot.rows(
        'SELECT dataset, "table", max_by(warehouse, commit) AS warehouse FROM meta.loads'
        " GROUP BY ALL"
    )
    return {(row["dataset"], row["table"]): warehouse_kind(row["warehouse"]) for row in rows}


def warehouse_kind(url: str | None) -> str:
    """Return what kind of warehouse a URL names."""
    scheme = (url or "").partition(":")[0].partition("+")[0].lower()
    kinds = {"duckdb": "DuckDB", "bigquery": "BigQuery"}
    kinds |= dict.fromkeys(("postgres", "postgresql"), "PostgreSQL")
    return kinds.get(scheme, "warehouse")


def _loads(shot: Snapshot, name: str) -> list[LoadLine]:
    rows = shot.rows(
        'SELECT "table", warehouse, partitions, removed, rows, loaded_commit, commit,'
        f" loaded_at AS at FROM meta.loads WHERE dataset = {literal(name)}"
        f" ORDER BY commit DESC LIMIT {LOADS}"
    )
    counted = ("partitions", "removed", "rows", "loaded_commit")
    return [
        LoadLine(
            **{
                **row,
                "warehouse": warehouse_kind(row["warehouse"]),
                **{key: row[key] or 0 for key in counted},
            }
        )
        for row in rows
    ]
