"""Whether files may join a dataset, and what its view needs once they have."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lake import layout, objects
from lake.catalog.entries import (
    Append,
    Change,
    Declare,
    File,
    Hold,
    Note,
    Release,
    Remove,
    Replace,
    Rewrite,
    Schema,
)
from lake.catalog.fold import touched
from lake.catalog.log import Log
from lake.catalog.state import State, data_files
from lake.config.columns import columns_from_text
from lake.errors import FileDamaged, InvalidName, SchemaConflict, unavailable
from lake.query.views import schema_files
from lake.schema.drift import drifted
from lake.schema.join import DECLARED
from lake.schema.reconcile import Declared, Member, Reconciled, reconcile
from lake.words import said_by


@dataclass(slots=True)
class Crowd:
    """The schemas of a dataset's current files, with how many files have each; changed in place.

    Attributes:
        counts: per schema id the number of files, and the newest of the versions with one.
        schemas: what the ids mean.
        keys: names of the partition's keys.
        declared: what the source declares of its columns.
        versions: how many the dataset had so far; each swap is one more.
    """

    dataset: str
    counts: dict[str, tuple[int, int]]
    schemas: Mapping[str, Schema]
    keys: tuple[str, ...] = ()
    declared: Declared = field(default_factory=dict)
    versions: int = 0
    added: dict[str, Schema] = field(default_factory=dict)

    def swap(
        self, out: Iterable[File], come: Iterable[File], schemas: Mapping[str, Schema]
    ) -> None:
        """Let some files go and others come, as the dataset's next version."""
        self.versions += 1
        self.added.update({name: s for name, s in schemas.items() if name not in self.schemas})
        for file in come:
            count, _ = self.counts.get(file.schema, (0, 0))
            self.counts[file.schema] = (count + 1, self.versions)
        for file in out:
            count, last = self.counts[file.schema]
            self.counts[file.schema] = (count - 1, last)

    def with_files(
        self, out: Iterable[File], come: Iterable[File], schemas: Mapping[str, Schema]
    ) -> "Crowd":
        """Return what it would be, with some files in place of others."""
        other = replace(self, counts=dict(self.counts), added=dict(self.added))
        other.swap(out, [file for file in come if file.role == "data"], schemas)
        return other

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
            declared=self.declared,
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


def crowd(
    state: State, dataset: str, *, keys: tuple[str, ...] = (), changes: Iterable[Change] = ()
) -> Crowd:
    """Return the schemas of a dataset's current files.

    Args:
        state: where to look.
        dataset: such as `raw.green_trips`.
        keys: names of the partition's keys, should the dataset have no partition yet.
        changes: what is about to be published; only its declarations count here.
    """
    found, declared = state.datasets.get(dataset), _declared(state, dataset, changes)
    if found is None:
        return Crowd(dataset, {}, state.schemas, keys, declared)
    counts = dict(found.schemas)
    if not counts and found.last_schema:
        counts = {found.last_schema: (0, 0)}
    keys = found.keys if found.partitions else keys or found.keys
    return Crowd(dataset, counts, state.schemas, keys, declared, found.versions)


def _declared(state: State, dataset: str, changes: Iterable[Change]) -> Declared:
    zone, _, name = dataset.partition(".")
    if zone != "raw":
        return {}
    text = state.declared("source").get(name, "")
    for change in changes:
        if isinstance(change, Declare) and (change.kind, change.name) == ("source", name):
            text = change.text
    return columns_from_text(text)


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
    log: Log, state: State, changes: Sequence[Change], schemas: Mapping[str, Schema]
) -> list[Note]:
    """Make sure that the views of all datasets that `changes` touch can be made afterwards.

    Their schema files are uploaded, where the views before did not need the same ones. A source's
    declaration among `changes` touches its dataset. Returns what belongs into the same commit: a
    note for each column whose type is another than before.

    Raises:
        SchemaConflict: the files of a dataset could not be read together any more, or not as it is
            declared.
    """
    crowds: dict[str, Crowd] = {}
    for change in changes:
        if isinstance(change, (Replace, Append, Rewrite, Remove, Hold, Release)):
            keys = tuple(layout.partition_values(change.partition))
            if change.dataset not in crowds:
                crowds[change.dataset] = crowd(state, change.dataset, keys=keys, changes=changes)
            if not isinstance(change, (Remove, Hold)):
                crowds[change.dataset].keys = keys  # a model may be cut by others from now on
            crowds[change.dataset].swap(*_moved(state, change), schemas)
    for name in _declared_datasets(changes):
        crowds.setdefault(name, crowd(state, name, changes=changes))
    notes: list[Note] = []
    for name, one in crowds.items():
        before = _columns(crowd(state, name))
        after = _columns(_fitting(state, one, changes))
        known = schema_files(before)
        for digest, data in schema_files(after).items():
            if digest not in known:
                _put(log, layout.schema(digest), data)
        notes += drifted(name, _partition_of(name, changes), before, after)
    return notes


def _partition_of(dataset: str, changes: Sequence[Change]) -> str:
    """Return the partition that changes of a dataset are about; `""` if there are several."""
    found = {text for name, text in touched(changes) if name == dataset}
    return found.pop() if len(found) == 1 else ""


def restore(log: Log, state: State, names: Iterable[str] | None = None) -> None:
    """Make sure that the files which lead the views are there: they follow from the log."""
    for name in state.datasets if names is None else names:
        for digest, data in _files(crowd(state, name)).items():
            _put(log, layout.schema(digest), data)


def check_declarations(state: State, changes: Sequence[Change]) -> None:
    """Make sure that the declarations among `changes` fit the current files.

    Raises:
        SchemaConflict: one contradicts them.
    """
    for name in _declared_datasets(changes):
        _fitting(state, crowd(state, name, changes=changes), changes)


def _declared_datasets(changes: Iterable[Change]) -> list[str]:
    return [f"raw.{c.name}" for c in changes if isinstance(c, Declare) and c.kind == "source"]


def _fitting(state: State, one: Crowd, changes: Sequence[Change]) -> Crowd:
    """Return a crowd that can be read together; an error names files, and where to mend it."""
    try:
        one.reconciled()
    except SchemaConflict as exc:
        files = [file for change in changes if isinstance(change, Replace) for file in change.files]
        left, right = (
            file_of(state, one.dataset, schema, files)
            for schema in (exc.conflict.left_schema, exc.conflict.right_schema)
        )
        name = one.dataset.partition(".")[2]
        is_declared = one.dataset in _declared_datasets(changes)
        where = f"[sources.{name}.columns] does not fit the current files: " if is_declared else ""
        raise SchemaConflict(exc.conflict, left=left, right=right, where=where) from exc
    return one


def file_of(state: State, dataset: str, schema: str, files: Iterable[File] = ()) -> str:
    """Return the key of a file of a schema: one of `files`, else a current one of the dataset."""
    if schema == DECLARED:
        return "the declaration"
    keys = [file.key for file in files if file.schema == schema]
    keys = keys or [known.key for known in state.data_files(dataset) if known.schema == schema]
    return keys[0] if keys else f"a file of schema {schema}"


def _moved(
    state: State, change: Replace | Append | Rewrite | Remove | Hold | Release
) -> tuple[tuple[File, ...], tuple[File, ...]]:
    partition = state.partition(change.dataset, change.partition)
    old = data_files(partition.current)
    if isinstance(change, Hold):
        return (), ()
    if isinstance(change, Replace):
        return old, tuple(file for file in change.files if file.role == "data")
    if isinstance(change, Append):
        return (), tuple(file for file in change.files if file.role == "data")
    if isinstance(change, Rewrite):
        return tuple(file for file in old if file.key in change.removed), change.added
    if isinstance(change, Release):
        held = [version for version in partition.held if version.number == change.version]
        return old, tuple(file for version in held for file in data_files(version))
    return old, ()


def _files(one: Crowd) -> Mapping[str, bytes]:
    return schema_files(_columns(one))


def _columns(one: Crowd) -> Reconciled:
    """Return the columns of a dataset's view; none where no file is current."""
    has_files = any(count for count, _ in one.counts.values())
    return one.reconciled() if has_files else Reconciled(())


def _put(log: Log, key: str, data: bytes) -> None:
    """Store a file named by its content; that it is there already is looked at, not believed."""
    try:
        objects.create(log.store, key, data, pause=log.pause)
    except FileExistsError:
        raise FileDamaged(
            f"{key} in {log.store.url} is not the file that it is named after: restore it from a"
            " copy of the lake; nothing was published"
        ) from None
    except OSError as exc:
        raise unavailable(
            f"{key} could not be stored in {said_by(log.store.url, exc)}; nothing was published,"
            " run the same command again",
            exc,
        ) from exc
