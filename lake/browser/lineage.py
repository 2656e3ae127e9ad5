"""What is made of what: sources, datasets, tables of a warehouse, and the arrows between them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from lake.browser.known import every_source
from lake.browser.snapshot import Snapshot
from lake.errors import LakeError, ModelInvalid
from lake.models.check import check_inputs
from lake.models.inputs import inputs
from lake.models.parse import Model, parse_model
from lake.warehouse.declared import table_config, tables

MOST = 60
Kind = Literal["source", "dataset", "table"]


@dataclass(frozen=True, slots=True)
class Node:
    """A source, a dataset or a table; `dataset` is the one that its page is about."""

    id: str
    kind: Kind
    name: str
    dataset: str


@dataclass(frozen=True, slots=True)
class Graph:
    """All of a lake's lineage; `invalid` names the models that cannot be read."""

    nodes: Mapping[str, Node]
    after: Mapping[str, Sequence[str]]
    before: Mapping[str, Sequence[str]]
    invalid: Sequence[str] = field(default=())


def graph(shot: Snapshot) -> Graph:
    """Return the lineage of a lake at its commit, as its log declares it."""
    return shot.memo("lineage", lambda: _graph(shot))


def _graph(shot: Snapshot) -> Graph:
    state, models = shot.lake.state, shot.lake.state.declared("model")
    sources = every_source(shot)
    known = frozenset({*state.datasets, *sources, *(f"curated.{name}" for name in models)})
    nodes = {name: Node(name, "dataset", name, name) for name in sorted(known)}
    edges: list[tuple[str, str]] = []
    for dataset, source in sources.items():
        node = Node(f"source {source.name}", "source", source.name, dataset)
        nodes[node.id] = node
        edges.append((node.id, dataset))
    invalid = []
    for name, text in sorted(models.items()):
        read = _reads(name, text, known)
        if read is None:
            invalid.append(name)
        edges += [(one, f"curated.{name}") for one in read or ()]
    for dataset, table in _tables(shot):
        node = Node(f"table {dataset} {table}", "table", table, dataset)
        nodes[node.id] = node
        edges.append((dataset, node.id))
    return _linked(nodes, edges, invalid)


def _linked(
    nodes: Mapping[str, Node], edges: Sequence[tuple[str, str]], invalid: Sequence[str]
) -> Graph:
    after: dict[str, list[str]] = {}
    before: dict[str, list[str]] = {}
    for one, other in dict.fromkeys(edges):
        if one in nodes and other in nodes:
            after.setdefault(one, []).append(other)
            before.setdefault(other, []).append(one)
    return Graph(nodes, after, before, invalid)


def _reads(name: str, text: str, known: frozenset[str]) -> tuple[str, ...] | None:
    """Return what a model and its checks read; None: it is no model that can be read."""
    model = _model(name, text)
    if model is None:
        return None
    try:
        found = [one.dataset for one in inputs(model, known)]
        for check in model.checks:
            found += check_inputs(check, model.dataset, known)
    except ModelInvalid:
        return None
    return tuple(one for one in dict.fromkeys(found) if one != model.dataset)


@lru_cache(maxsize=1024)
def _model(name: str, text: str) -> Model | None:
    try:
        return parse_model(text, name=name, path=f"models/{name}.sql")
    except ModelInvalid:
        return None


def _tables(shot: Snapshot) -> Iterator[tuple[str, str]]:
    """Give datasets and the tables that they are loaded into, or have been."""
    for name in tables(shot.lake):
        try:
            yield f"curated.{name}", table_config(shot.lake, name).table
        except LakeError:
            continue
    for row in shot.rows('SELECT DISTINCT dataset, "table" FROM meta.loads ORDER BY ALL'):
        yield row["dataset"], row["table"]


def around(of: Graph, node: str, *, most: int = MOST) -> tuple[list[str], int]:
    """Return a node with its ancestors and descendants, the nearest first; and how many are more.

    What is only a relative of theirs is left out.
    """
    up, down = _reached(of.before, node), _reached(of.after, node)
    found = sorted({**up, **down}.items(), key=lambda pair: (pair[1], pair[0]))
    names = [name for name, _ in found if name != node]
    return [node, *names[: most - 1]], max(len(names) - most + 1, 0)


def _reached(edges: Mapping[str, Collection[str]], start: str) -> dict[str, int]:
    """Return what can be reached, and in how many steps."""
    found, new, step = {start: 0}, [start], 0
    while new:
        step += 1
        new = [name for one in new for name in edges.get(one, ()) if name not in found]
        found.update(dict.fromkeys(new, step))
    return found
