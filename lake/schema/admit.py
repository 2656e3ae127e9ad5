"""Whether files may join a dataset, and what its view needs once they have."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lake import layout
from lake.catalog.entries import Append, Change, File, Remove, Replace, Rewrite, Schema
from lake.catalog.log import Log
from lake.catalog.state import State, data_files
from lake.errors import InvalidName, SchemaConflict
from lake.query.views import schema_files
from lake.schema.reconcile import Member, Reconciled, reconcile


@dataclass(slots=True)
class Crowd:
    """The schemas of a dataset's current files, with how many files have each; changed in place.

    Attributes:
        counts: per schema id the number of files, and the last commit that added one.
        schemas: what the ids mean.
        keys: names of the partition's keys.
    """

    dataset: str
    counts: dict[str, tuple[int, int]]
    schemas: Mapping[str, Schema]
    keys: tuple[str, ...] = ()
    added: dict[str, Schema] = field(default_factory=dict)

    def swap(
        self,
        out: Iterable[File],
        come: Iterable[File],
        schemas: Mapping[str, Schema],
        *,
        commit: int,
    ) -> None:
        """Let some files go and others come."""
        self.added.update({name: s for name, s in schemas.items() if name not in self.schemas})
        for file in come:
            count, _ = self.counts.get(file.schema, (0, 0))
            self.counts[file.schema] = (count + 1, commit)
        for file in out:
            count, last = self.counts[file.schema]
            self.counts[file.schema] = (count - 1, last)

    def copy(self) -> "Crowd":
        """Return an equal one."""
        return Crowd(self.dataset, dict(self.counts), self.schemas, self.keys, dict(self.added))

    def reconciled(self) -> Reconciled:
        """Return the columns that all of them share.

        Raises:
            SchemaConflict: there are none without loss.
        """
        live = {name: last for name, (count, last) in self.counts.items() if count}
        # A dataset whose partitions were all removed keeps the columns that it had last.
        live = live or {name: last for name, (_, last) in self.counts.items()}
        return reconcile(
            [Member(name, self._schema(name), last) for name, last in live.items()],
            partition_keys=self.keys,
            partition_types=self._key_types(live),
        )

    def _key_types(self, live: Iterable[str]) -> dict[str, str]:
        """A model puts its keys into its files, so they keep their types; raw keys are text."""
        if not self.dataset.startswith("curated."):
            return {}
        columns = [column for name in live for column in self._schema(name)]
        return {c.name: c.type for c in columns if c.name in self.keys}

    def live(self) -> dict[str, Schema]:
        """Return the schemas that current files have, by id."""
        return {name: self._schema(name) for name, (count, _) in self.counts.items() if count}

    def _schema(self, name: str) -> Schema:
        return self.added[name] if name in self.added else self.schemas[name]


def crowd(state: State, dataset: str, *, keys: tuple[str, ...] = ()) -> Crowd:
    """Return the schemas of a dataset's current files."""
    found = state.datasets.get(dataset)
    if found is None:
        return Crowd(dataset, {}, state.schemas, keys)
    counts = dict(found.schemas)
    if not counts and found.last_schema:
        counts = {found.last_schema: (0, found.changed_in)}
    return Crowd(
        dataset, counts, state.schemas, found.keys if found.partitions else keys or found.keys
    )


def same_keys(state: State, dataset: str, partition: str) -> None:
    """Make sure that a partition has the keys that the dataset's others have.

    Raises:
        InvalidName: it has others.
    """
    found, keys = state.datasets.get(dataset), tuple(layout.partition_values(partition))
    if found and found.partitions and found.keys != keys:
        has = f"partitioned by {', '.join(found.keys)}" if found.keys else "not partitioned"
        says = f"the keys {', '.join(keys)}" if keys else "none"
        raise InvalidName(f"{dataset} is {has}, and this partition has {says}: give the same keys")


def prepare(
    log: Log, state: State, changes: Iterable[Change], schemas: Mapping[str, Schema]
) -> None:
    """Make sure that the views of all datasets that `changes` touch can be made afterwards.

    Their schema files are uploaded, where the views before did not need the same ones.

    Raises:
        SchemaConflict: the files of a dataset could not be read together any more.
    """
    crowds: dict[str, Crowd] = {}
    for change in changes:
        if isinstance(change, (Replace, Append, Rewrite, Remove)):
            keys = tuple(layout.partition_values(change.partition))
            one = crowds.setdefault(change.dataset, crowd(state, change.dataset, keys=keys))
            one.swap(*_moved(state, change), schemas, commit=state.commit + 1)
    for name, one in crowds.items():
        before = _files(crowd(state, name)) if name in state.datasets else {}
        for digest, data in _files(one).items():
            if digest not in before:
                _put(log, layout.schema(digest), data)


def _moved(
    state: State, change: Replace | Append | Rewrite | Remove
) -> tuple[tuple[File, ...], tuple[File, ...]]:
    old = data_files(state.partition(change.dataset, change.partition).current)
    if isinstance(change, Replace):
        return old, tuple(file for file in change.files if file.role == "data")
    if isinstance(change, Append):
        return (), tuple(file for file in change.files if file.role == "data")
    if isinstance(change, Rewrite):
        return tuple(file for file in old if file.key in change.removed), change.added
    return old, ()


def _files(one: Crowd) -> Mapping[str, bytes]:
    if not any(count for count, _ in one.counts.values()):
        return {}
    return schema_files(one.reconciled())


def _put(log: Log, key: str, data: bytes) -> None:
    try:
        log.store.put_new(key, data)
    except FileExistsError:
        return


def admit(
    one: Crowd,
    old: Iterable[File],
    staged: Iterable[File],
    schemas: Mapping[str, Schema],
    *,
    commit: int,
) -> SchemaConflict | None:
    """Let files join in place of others, or say why they cannot; `one` moves only if they can."""
    trial = one.copy()
    trial.swap(old, [file for file in staged if file.role == "data"], schemas, commit=commit)
    try:
        trial.reconciled()
    except SchemaConflict as conflict:
        return conflict
    one.counts, one.added = trial.counts, trial.added
    return None
