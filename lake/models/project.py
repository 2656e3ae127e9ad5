"""All models together: from `models/`, else from the lake's log; their inputs and order."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lake.catalog.state import State
from lake.config.period import ALL, Periods
from lake.errors import ModelInvalid, NoSuchModel
from lake.landing.sources import sources
from lake.models import graph
from lake.models.check import check_inputs
from lake.models.inputs import Input, inputs
from lake.models.parse import Model, parse_model
from lake.models.rowwise import validate_reads
from lake.words import nearest

if TYPE_CHECKING:
    from lake.lake import Lake


@dataclass(frozen=True, slots=True)
class Node:
    """A model in its place: what its SELECT reads, and what its checks look at."""

    model: Model
    inputs: tuple[Input, ...]
    looks_at: tuple[str, ...] = ()

    @property
    def dataset(self) -> str:
        """The dataset that it makes."""
        return self.model.dataset


@dataclass(frozen=True, slots=True)
class Project:
    """Every model by dataset, each behind those that it reads; `periods` are those to build."""

    nodes: Mapping[str, Node]
    periods: Periods = ALL

    def chosen(self, names: Sequence[str]) -> list[Node]:
        """Return the models of these names with all upstreams, in order; without names, all.

        Raises:
            NoSuchModel: one is not there.
        """
        wanted = [name if "." in name else f"curated.{name}" for name in names]
        for name, dataset in zip(names, wanted, strict=True):
            if dataset not in self.nodes:
                known = [node.model.name for node in self.nodes.values()]
                raise NoSuchModel(f"there is no model {name!r}{nearest(name, known)}")
        keep = {*wanted, *graph.upstream(self.reads(), wanted)} if names else set(self.nodes)
        return [node for dataset, node in self.nodes.items() if dataset in keep]

    def reads(self) -> dict[str, set[str]]:
        """Return which models each model waits for: what its SELECT and its checks read."""
        return {
            name: {other for other in reads_of(node) if other in self.nodes}
            for name, node in self.nodes.items()
        }


def reads_of(node: Node) -> tuple[str, ...]:
    """Return every dataset that a model or one of its checks reads."""
    return tuple(dict.fromkeys([*(item.dataset for item in node.inputs), *node.looks_at]))


def project(lake: "Lake", periods: Periods = ALL) -> Project:
    """Read all models and put them in order.

    Args:
        lake: the lake.
        periods: those of which partitions are built; what is not cut into periods is built anyway.

    Raises:
        ModelInvalid: one is wrong, reads what is not there, or they wait for each other.
    """
    models = read_models(lake)
    known = {
        *lake.state.datasets,
        *(model.dataset for model in models),
        *(f"raw.{name}" for name in sources(lake)),
    }
    nodes = {model.dataset: _node(model, known, lake.state) for model in models}
    unordered = Project(nodes)
    return Project({name: nodes[name] for name in graph.order(unordered.reads())}, periods)


def read_models(lake: "Lake") -> list[Model]:
    """Return the models of `models/`; without such a folder, those that the log declares."""
    folder = lake.config.models
    if folder.is_dir():
        return [_read(path, lake.config.root) for path in sorted(folder.glob("*.sql"))]
    declared = lake.state.declared("model")
    return [
        parse_model(text, name=name, path=f"models/{name}.sql")
        for name, text in sorted(declared.items())
    ]


def _read(path: Path, root: Path) -> Model:
    shown = str(path.relative_to(root))
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise ModelInvalid(
            f"{shown} cannot be read: {exc}; a model is a text file in UTF-8"
        ) from exc
    return parse_model(text, name=path.stem, path=shown)


def _node(model: Model, known: Collection[str], state: State) -> Node:
    found = inputs(model, known)
    keys = {name: dataset.keys for name, dataset in state.datasets.items() if dataset.partitions}
    validate_reads(model, found, keys)
    looked = [name for check in model.checks for name in check_inputs(check, model.dataset, known)]
    return Node(model, found, tuple(dict.fromkeys(looked)))
