"""What builds work at: a connection with bounds, a scratch folder, the state as it would be."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lake.catalog.log import Log
from lake.catalog.state import DataFile, State
from lake.errors import BuildFailed
from lake.models.project import Node, Project
from lake.models.rewrite import rewrite
from lake.models.unit import Unit
from lake.query.connect import open_session, reader
from lake.query.sql import literal
from lake.query.trust import Trust

THREAD_BYTES = 125_000_000
"""What DuckDB's guide says that a thread needs at least."""


@dataclass(frozen=True, slots=True)
class _Held:
    """What a dataset holds at a state: its files by partition, and the SELECT over any of them."""

    state: State
    files: Mapping[str, Sequence[DataFile]]
    over: Callable[[Iterable[DataFile]], str]

    def select(self, partitions: Sequence[str] | None) -> str:
        chosen = self.files if partitions is None else sorted(set(partitions))
        return self.over(file for text in chosen for file in self.files.get(text, ()))


@dataclass(slots=True)
class Bench:
    """What builds work at: one connection, a scratch folder, and the state as it would be.

    Attributes:
        state: the lake with everything that this run has built so far; never changed in place,
            but put in the place of the one before.
        commit_id: of the commit that will publish it.
        memory: the bytes that DuckDB may take; without it, DuckDB decides.
    """

    log: Log
    state: State
    project: Project
    commit_id: str
    run: str
    scratch: Path
    connection: Any
    memory: int | None = None
    _held: dict[str, "_Held"] = field(default_factory=dict)
    _trust: Trust = field(init=False)

    def __post_init__(self) -> None:
        self._trust = Trust(self.log.store, self.connection)

    def relation(self, dataset: str, partitions: Sequence[str] | None = None) -> str:
        """Return SQL that stands after FROM for a dataset, or for some of its partitions."""
        if dataset in self.state.datasets and self.state.datasets[dataset].last_schema:
            return f"({self._holding(dataset).select(partitions)})"
        if dataset in self.project.nodes:
            return f"(SELECT * FROM ({self.query(self.project.nodes[dataset])}\n) LIMIT 0)"
        raise BuildFailed(f"{dataset} holds nothing yet: land it first")

    def _holding(self, dataset: str) -> "_Held":
        """Return a dataset's files; looked up once per state, for a model of many partitions."""
        known = self._held.get(dataset)
        if known is None or known.state is not self.state:
            files: dict[str, list[DataFile]] = {}
            for file in self.state.data_files(dataset):
                files.setdefault(file.partition, []).append(file)
            over = reader(self.log, self.state, dataset, trust=self._trust)
            known = self._held[dataset] = _Held(self.state, files, over)
        return known

    def query(self, node: Node, unit: Unit | None = None) -> str:
        """Return a model's SELECT over what its inputs hold."""
        places = [place for item in node.inputs for place in item.references]
        return rewrite(node.model.select, places, self.relations(node, unit))

    def relations(self, node: Node, unit: Unit | None = None) -> dict[str, str]:
        """Return the SQL of each input of a unit."""
        bound = unit.bound if unit else {}
        return {
            item.dataset: self.relation(item.dataset, bound.get(item.dataset))
            for item in node.inputs
        }


@contextmanager
def bench(
    log: Log,
    state: State,
    project: Project,
    *,
    commit_id: str,
    run: str,
    memory: int | None = None,
) -> Iterator[Bench]:
    """Give a bench; what it keeps on local disk is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="clearlake-") as scratch:
        session = open_session(
            log, state, settings={"temp_directory": str(Path(scratch) / "spill")}
        )
        try:
            if memory:
                _bound(session.connection, memory)
            yield Bench(
                log, state, project, commit_id, run, Path(scratch), session.connection, memory
            )
        finally:
            session.connection.close()


def _bound(connection: Any, memory: int) -> None:
    """Let DuckDB take so many bytes, and no more threads than those are enough for."""
    (threads,) = connection.execute("SELECT current_setting('threads')").fetchone()
    connection.execute(f"SET threads = {max(1, min(threads, memory // THREAD_BYTES))}")
    connection.execute(f"SET memory_limit = {literal(f'{memory}B')}")
