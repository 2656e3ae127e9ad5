"""From what units built to what a commit would change: partitions as unions of their fragments."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lake.catalog.entries import Built, Change, File, Landed, Remove, Replace, Schema
from lake.catalog.state import NOTHING, Partition, data_files
from lake.models.bench import Bench
from lake.models.build import Fragment, Result
from lake.models.content import content_id
from lake.models.project import Node
from lake.models.unit import Unit, kind_of
from lake.query.sql import file_list


@dataclass(frozen=True, slots=True)
class Outcome:
    """What publishing a model would change: its partitions and its builds, and the new schemas."""

    changes: tuple[Change, ...]
    builds: tuple[Built, ...]
    schemas: Mapping[str, Schema]

    @property
    def changed(self) -> tuple[str, ...]:
        """The partitions that get another content."""
        return tuple(c.partition for c in self.changes if isinstance(c, Replace))

    @property
    def removed(self) -> tuple[str, ...]:
        """The partitions that are produced no longer."""
        return tuple(c.partition for c in self.changes if isinstance(c, Remove))


def assemble(
    at: Bench, node: Node, every: Sequence[Unit], results: Sequence[Result], gone: Sequence[str]
) -> Outcome:
    """Put what was built together with what is still valid.

    Args:
        at: the bench, with the state before.
        node: the model.
        every: all of its units, built or not.
        results: those that were built.
        gone: scopes that are no more.
    """
    by_each = kind_of(node) == "each"
    wanted = _each(at, node, every, results) if by_each else _plain(at, node, every, results)
    changes = [
        change for text in sorted(wanted) for change in _change(at, node, text, wanted[text])
    ]
    schemas = {name: schema for result in results for name, schema in result.schemas.items()}
    return Outcome(tuple(changes), tuple(_builds(node, results, gone, by_each=by_each)), schemas)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a partition is to hold: its files, and the newest of what came with them."""

    files: tuple[File, ...]
    fragment: Fragment | None = None
    build: str = ""


def _plain(
    at: Bench, node: Node, every: Sequence[Unit], results: Sequence[Result]
) -> dict[str, _Wanted]:
    """Return the partitions that were built, and those to remove: nobody makes them any more."""
    wanted = {
        text: _Wanted(fragment.files, fragment, result.unit.key)
        for result in results
        for text, fragment in result.fragments.items()
    }
    built = {result.unit.scope for result in results}
    untouched = {unit.scope for unit in every} - built
    whole = kind_of(node) == "whole"
    for partition in at.state.current(node.dataset):
        kept = bool(untouched) if whole else partition.text in untouched
        if not kept:
            wanted.setdefault(partition.text, _Wanted(()))
    return wanted


def _each(
    at: Bench, node: Node, every: Sequence[Unit], results: Sequence[Result]
) -> dict[str, _Wanted]:
    """Return the partitions that a rebuilt or vanished input partition feeds or fed."""
    kept = {unit.scope for unit in every} - {result.unit.scope for result in results}
    found: dict[str, list[Fragment]] = {}
    for result in results:
        for text, fragment in result.fragments.items():
            found.setdefault(text, []).append(fragment)
    wanted = {}
    for text in {*found, *(p.text for p in at.state.current(node.dataset))}:
        old = data_files(at.state.partition(node.dataset, text).current)
        files = [file for file in old if file.each in kept]
        for fragment in found.get(text, []):
            files += fragment.files
        newest = max(found.get(text, []), key=lambda one: one.landed.at, default=None)
        wanted[text] = _Wanted(tuple(sorted(files, key=lambda file: (file.each, file.key))), newest)
    return wanted


def _change(at: Bench, node: Node, text: str, wanted: _Wanted) -> Iterable[Change]:
    partition = at.state.partition(node.dataset, text)
    old = {file.key for file in data_files(partition.current)}
    if old == {file.key for file in wanted.files}:
        return
    content = _content(at, wanted) if wanted.files else NOTHING
    if content in partition.rejects:
        return  # a rollback took just this back
    if not wanted.files:
        yield Remove(node.dataset, text)
        return
    yield Replace(
        node.dataset,
        text,
        wanted.files,
        content,
        _landed(at, partition, wanted),
        why="publication",
        build=wanted.build,
    )


def _content(at: Bench, wanted: _Wanted) -> str:
    if wanted.fragment and wanted.files == wanted.fragment.files:
        return wanted.fragment.content
    urls = file_list([at.log.store.data_url(file.key) for file in wanted.files])
    return content_id(at.connection, f"read_parquet({urls}, hive_partitioning=false)")


def _landed(at: Bench, partition: Partition, wanted: _Wanted) -> Landed:
    """Return what came with the newest fragment; of a partition that only shrank, the time."""
    if wanted.fragment and wanted.fragment.landed.at:
        return wanted.fragment.landed
    receipt = partition.current.landed.receipt if partition.current else ""
    return Landed(at=at.log.clock().isoformat(timespec="seconds"), receipt=receipt, run=at.run)


def _builds(
    node: Node, results: Sequence[Result], gone: Sequence[str], *, by_each: bool
) -> Iterable[Built]:
    for result in results:
        scope = result.unit.scope
        if by_each:
            feeds = tuple(sorted(result.fragments))
            yield Built(node.dataset, result.unit.key, each=scope, feeds=feeds)
        else:
            yield Built(node.dataset, result.unit.key, scope=scope)
    for scope in gone:
        yield Built(node.dataset, "", scope=scope, gone=True)
