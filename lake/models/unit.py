"""Units of building: which part of a model is built from which partitions, and its build key."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lake import layout
from lake.catalog.state import State
from lake.config.period import ALL, Periods
from lake.models.columns import OutputColumn, columns_read
from lake.models.content import build_key
from lake.models.inputs import Input
from lake.models.project import Node
from lake.models.reads import neighbours
from lake.models.rewrite import canonical
from lake.schema.admit import crowd


@dataclass(frozen=True, slots=True)
class Unit:
    """One build: all of a model, one output partition, or one input partition (`each`).

    Attributes:
        scope: the partition that it is about; `""` for the whole.
        bound: of each input the partitions that it reads; None for all.
        key: the build key: the same key means that there is nothing to run.
    """

    scope: str
    bound: Mapping[str, tuple[str, ...] | None]
    key: str


def kind_of(node: Node) -> str:
    """Return how a model is cut into builds: `each`, `same` (ranges too) or `whole`."""
    kinds = {item.reads.kind for item in node.inputs}
    if "each" in kinds:
        return "each"
    return "same" if kinds & {"same", "range"} else "whole"


def units(node: Node, state: State) -> list[Unit]:
    """Return the builds that make up a model at this state, each with its key."""
    contents = {name: _contents(state, name) for name in _read_by(node)}
    fixed = _fixed(node, state)
    made = []
    for scope in _scopes(node, contents):
        bound = {item.dataset: _bound(item, scope, contents[item.dataset]) for item in node.inputs}
        made.append(Unit(scope, bound, _key(node, bound, contents, fixed)))
    return made


def _read_by(node: Node) -> list[str]:
    return [*(item.dataset for item in node.inputs), *node.looks_at]


def _contents(state: State, dataset: str) -> dict[str, str]:
    """Return the content id of each current partition."""
    return {p.text: p.current.content for p in state.current(dataset) if p.current}


def _scopes(node: Node, contents: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return the partitions that a narrowed model is built by, or the one whole."""
    narrowed = [item for item in node.inputs if item.reads.kind != "whole"]
    if not narrowed:
        return [""]
    return sorted({text for item in narrowed for text in contents[item.dataset]})


def _bound(item: Input, scope: str, contents: Mapping[str, str]) -> tuple[str, ...] | None:
    if item.reads.kind == "whole":
        return None
    if item.reads.kind in ("each", "same"):
        return (scope,) if scope in contents else ()
    near = _near(scope, item)
    return tuple(text for text in near if text in contents)


def _near(scope: str, item: Input) -> Iterable[str]:
    """Give a partition's neighbours: its last key moves along the calendar."""
    values = layout.partition_values(scope)
    *_, key = values
    for value in neighbours(values[key], item.reads.first, item.reads.last):
        yield layout.partition({**values, key: value})


def _fixed(node: Node, state: State) -> dict[str, tuple[OutputColumn, ...]]:
    """Return, of each input, the columns that the model reads, as they are reconciled now."""
    return {item.dataset: _columns(node, item, state) for item in node.inputs}


def _columns(node: Node, item: Input, state: State) -> tuple[OutputColumn, ...]:
    if item.dataset not in state.datasets:
        return ()
    known = {c.name: c for c in crowd(state, item.dataset).reconciled().columns}
    read = columns_read(node.model, item, list(known))
    return tuple(
        OutputColumn(name, f"{known[name].type} {known[name].rule}")
        for name in (known if read is None else read)
    )


def _key(
    node: Node,
    bound: Mapping[str, tuple[str, ...] | None],
    contents: Mapping[str, Mapping[str, str]],
    columns: Mapping[str, tuple[OutputColumn, ...]],
) -> str:
    model = node.model
    read = {name: _digest(contents[name], wanted) for name, wanted in bound.items()}
    looked = {f"check {name}": _digest(contents[name], None) for name in node.looks_at}
    return build_key(
        canonical(model.select, [place for item in node.inputs for place in item.references]),
        config={
            "partition_by": model.partition_by,
            "reads": {item.dataset: repr(item.reads) for item in node.inputs},
            "checks": [repr(check) for check in model.checks],
        },
        inputs={**read, **looked},
        columns=columns,
    )


def _digest(contents: Mapping[str, str], wanted: tuple[str, ...] | None) -> str:
    chosen = contents if wanted is None else {text: contents[text] for text in wanted}
    return hashlib.sha256(json.dumps(sorted(chosen.items())).encode()).hexdigest()


def stale(node: Node, state: State, found: Iterable[Unit], periods: Periods = ALL) -> list[Unit]:
    """Return the builds of some periods whose key differs from the last one that was published."""
    last = state.built.get(node.dataset, {})
    return [
        unit
        for unit in found
        if unit.scope not in last or last[unit.scope].key != unit.key
        if periods.hold(layout.partition_values(unit.scope).values())
    ]


def gone(node: Node, state: State, found: Iterable[Unit]) -> list[str]:
    """Return the scopes that were built once and are there no longer."""
    return sorted(set(state.built.get(node.dataset, {})) - {unit.scope for unit in found})
