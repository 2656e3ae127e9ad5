"""Building: one unit's SELECT run over its inputs, cut into partitions, and staged."""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from lake import layout, objects
from lake.catalog.codec import sha256
from lake.catalog.entries import File, Landed, Schema, schema_id
from lake.catalog.state import data_files
from lake.errors import BuildFailed, FileDamaged, LakeError, unavailable
from lake.landing.stage import sha256_of
from lake.models.bench import Bench
from lake.models.columns import output_columns
from lake.models.content import content_hex, content_id, same_engine
from lake.models.partitions import (
    OutputPartition,
    inside,
    leak,
    output_partitions,
    partition_value,
    validate_keys,
)
from lake.models.profiling import built_profile
from lake.models.project import Node
from lake.models.rewrite import rewrite
from lake.models.syntax import one_line, valueless
from lake.models.types import published_select, publishing_error
from lake.models.unit import Unit, kind_of
from lake.parquet.inspect import inspect_parquet
from lake.query.connect import missing
from lake.query.sql import file_list, identifier, literal
from lake.query.trust import unread_in
from lake.version import VERSION
from lake.words import said_by, size


@dataclass(frozen=True, slots=True)
class Fragment:
    """What one unit put into one partition: files in the bucket that nobody sees yet."""

    partition: str
    content: str
    files: tuple[File, ...]
    landed: Landed


@dataclass(frozen=True, slots=True)
class Result:
    """What one unit built: a fragment per partition that it feeds, and their files' schemas."""

    unit: Unit
    fragments: Mapping[str, Fragment]
    schemas: Mapping[str, Schema]


def build(at: Bench, node: Node, unit: Unit) -> Result:
    """Run one unit and stage what it put out; fragments that the lake holds already are reused.

    Raises:
        ModelInvalid: the SELECT is wrong, or a value does not fit its published type.
        BuildFailed: a row lies outside its partition, a key is NULL, an input holds nothing.
        StoreUnavailable: no room on disk or in the bucket. Safe to retry.
    """
    with tempfile.TemporaryDirectory(dir=at.scratch) as folder:
        whole = Path(folder) / "whole.parquet"
        _run(at, node, unit, whole)
        relation = _parquet([str(whole)])
        _refuse_leaks(at, node, unit, relation)
        parts = output_partitions(
            at.connection, relation, node.model.partition_by, path=node.model.path
        )
        schemas: dict[str, Schema] = {}
        fragments = {
            part.text: _fragment(at, node, unit, part, path, schemas)
            for part, path in _cut(at, whole, parts, Path(folder))
        }
    return Result(unit, fragments, schemas)


def _run(at: Bench, node: Node, unit: Unit, path: Path) -> None:
    """Write the whole result of a unit, in published types, to one Parquet file."""
    try:
        relations = at.relations(node, unit)
    except FileDamaged as exc:
        raise FileDamaged(f"{node.model.path} could not be built: {exc}") from exc
    try:
        columns = output_columns(at.connection, node.model, node.inputs, relations)
    except BuildFailed as exc:
        raise _without_input(at, node) or exc from exc
    validate_keys(columns, node.model.partition_by, path=node.model.path)
    places = [place for item in node.inputs for place in item.references]
    sql = rewrite(node.model.select, places, relations)
    published = published_select(columns, f"({sql}\n)", path=node.model.path)
    if kind_of(node) == "same" and _is_range(node):
        published += f" WHERE {inside(_values(node, unit))}"
    try:
        at.connection.execute(
            f"COPY ({published}) TO {literal(str(path))} (FORMAT parquet, COMPRESSION zstd)"
        )
    except duckdb.Error as exc:
        raise failed(at, node, exc, unit.scope) from exc


def _without_input(at: Bench, node: Node) -> BuildFailed | None:
    """Return the error about the first input of which a file is gone, if one is."""
    found = (missing(at.log, at.state, item.dataset) for item in node.inputs)
    damage = next(filter(None, found), None)
    return BuildFailed(f"{node.model.path} could not be built: {damage}") if damage else None


def _is_range(node: Node) -> bool:
    return any(item.reads.kind == "range" for item in node.inputs)


def _values(node: Node, unit: Unit) -> dict[str, str]:
    return layout.partition_values(unit.scope)


def failed(at: Bench, node: Node, exc: duckdb.Error, scope: str = "") -> LakeError:
    """Return what it means for a model, or for one scope of it, that DuckDB failed at it."""
    if at.memory and isinstance(exc, duckdb.OutOfMemoryException):
        return BuildFailed(
            f"{node.dataset} {scope} could not be built with the {size(at.memory)} that its worker"
            f" has for it: {_said(exc)}; give each worker more memory or make the partitions"
            " smaller"
        )
    if isinstance(exc, (duckdb.IOException, duckdb.OutOfMemoryException)):
        why = unread_in(at.log.store, str(exc)) or exc
        said = _said(exc) if why is exc else why
        return unavailable(
            f"{node.model.path} could not be built: {said}; mend that, then transform again", why
        )
    if wrong := publishing_error(exc, path=node.model.path):
        return wrong
    what, todo = f"{node.model.path} could not be built", "change the SELECT, or what it reads"
    return BuildFailed(f"{what}: {_said(exc)}; {todo}").told_as(f"{what}: {valueless(exc)}; {todo}")


def _said(exc: duckdb.Error) -> str:
    """Return what DuckDB says, without the kind of error in front."""
    text = one_line(str(exc))
    return text.partition("Error: ")[2] or text


def _parquet(paths: Sequence[str]) -> str:
    return f"read_parquet({file_list(paths)}, hive_partitioning=false)"


def _refuse_leaks(at: Bench, node: Node, unit: Unit, relation: str) -> None:
    """Refuse rows outside the partition that `same` builds."""
    if kind_of(node) != "same" or _is_range(node):
        return
    found = leak(at.connection, relation, _values(node, unit))
    if found.count:
        rows = "1 row lies" if found.count == 1 else f"{found.count:,} rows lie"
        what = f"{node.model.path}: {rows} outside of {unit.scope}, which it builds"
        todo = 'filter them out, or read with "each"'
        first = _row(found.columns, found.rows[0])
        raise BuildFailed(f"{what}, the first: {first}; {todo}").told_as(f"{what}; {todo}")


def _row(columns: Sequence[str], row: Sequence[Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in zip(columns, row, strict=True))


def _cut(
    at: Bench, whole: Path, parts: Sequence[OutputPartition], folder: Path
) -> Iterator[tuple[OutputPartition, list[Path]]]:
    """Give each partition's files: of one partition the whole, of several a cut of it."""
    if len(parts) <= 1:
        yield from ((part, [whole]) for part in parts)
        return
    keys = list(parts[0].values)
    names = at.connection.execute(f"DESCRIBE SELECT * FROM {_parquet([str(whole)])}").fetchall()
    number = _unused("partition_number", {row[0].lower() for row in names})
    shape = {"number": "BIGINT", **{f"k{i}": "VARCHAR" for i in range(len(keys))}}
    rows = [
        {"number": i, **{f"k{j}": value for j, value in enumerate(part.values.values())}}
        for i, part in enumerate(parts)
    ]
    matches = " AND ".join(f"{partition_value(key)} = p.k{i}" for i, key in enumerate(keys))
    at.connection.execute(
        f"COPY (SELECT w.*, p.number AS {identifier(number)} FROM {_parquet([str(whole)])} w JOIN"
        f" (SELECT unnest(from_json({literal(json.dumps(rows))}, {literal(json.dumps([shape]))}),"
        f" recursive := true)) p ON {matches}) TO {literal(str(folder / 'cut'))}"
        f" (FORMAT parquet, COMPRESSION zstd, PARTITION_BY ({identifier(number)}))"
    )
    whole.unlink()
    for i, part in enumerate(parts):
        yield part, sorted((folder / "cut" / f"{number}={i}").iterdir())


def _unused(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _fragment(
    at: Bench,
    node: Node,
    unit: Unit,
    part: OutputPartition,
    paths: list[Path],
    schemas: dict[str, Schema],
) -> Fragment:
    content = content_id(at.connection, _parquet([str(path) for path in paths]))
    each = unit.scope if kind_of(node) == "each" else ""
    held = _held(at, node, part.text, each)
    if held and _same(at, node, part.text, each, held, content):
        schemas.update({file.schema: at.state.schemas[file.schema] for file in held})
        return Fragment(part.text, content, held, Landed(at=""))
    return _upload(at, node, unit, part, paths, content, each, schemas)


def _held(at: Bench, node: Node, text: str, each: str) -> tuple[File, ...]:
    """Return the files that the lake holds of this fragment now."""
    files = data_files(at.state.partition(node.dataset, text).current)
    return tuple(file for file in files if file.each == each)


def _same(
    at: Bench, node: Node, text: str, each: str, held: tuple[File, ...], content: str
) -> bool:
    """Tell whether those files hold `content`, or what a rollback put in its place."""
    partition = at.state.partition(node.dataset, text)
    if content in partition.rejects:
        return True
    known = partition.current.content if partition.current and not each else ""
    if known and same_engine(known):
        return known == content
    return (
        content_id(at.connection, _parquet([at.log.store.data_url(f.key) for f in held])) == content
    )


def _upload(
    at: Bench,
    node: Node,
    unit: Unit,
    part: OutputPartition,
    paths: list[Path],
    content: str,
    each: str,
    schemas: dict[str, Schema],
) -> Fragment:
    now = at.log.clock()
    # Two fragments of one partition may have equal content: the unit tells their folders apart.
    named = sha256(f"{content}{each}".encode()) if each else content_hex(content)
    folder = layout.version(node.dataset, part.text, at=now, content=named, commit_id=at.commit_id)
    files, seen = [], []
    for number, path in enumerate(paths):
        found = inspect_parquet(path, name=path.name, connection=at.connection)
        schemas[schema_id(found.schema)] = found.schema
        key = f"{folder}part-{number}.parquet"
        seen.append((path, key, found))
        _stored(at, node, partial(at.log.store.upload, path, key))
        files.append(
            File(
                key,
                path.stat().st_size,
                sha256_of(path),
                found.rows,
                schema_id(found.schema),
                found.bounds,
                each=each,
            )
        )
    receipt = folder + layout.RECEIPT
    _put(at, node, folder + layout.PROFILE, built_profile(at.connection, at.state, node, seen))
    _put(at, node, receipt, _receipt(at, node, unit, part, content, files))
    landed = Landed(at=now.isoformat(timespec="seconds"), receipt=receipt, run=at.run)
    return Fragment(part.text, content, tuple(files), landed)


def _put(at: Bench, node: Node, key: str, said: bytes) -> None:
    _stored(at, node, partial(objects.create, at.log.store, key, said, pause=at.log.pause))


def _stored(at: Bench, node: Node, store: Callable[[], None]) -> None:
    try:
        store()
    except OSError as exc:
        raise unavailable(
            f"{node.model.path} could not be stored in {said_by(at.log.store.url, exc)}; nothing"
            " was published, run the same command again when that is mended",
            exc,
        ) from exc


def _receipt(
    at: Bench, node: Node, unit: Unit, part: OutputPartition, content: str, files: Sequence[File]
) -> bytes:
    document = {
        "lake": at.log.identity.id,
        "dataset": node.dataset,
        "partition": part.text,
        "model": node.model.path,
        "build_key": unit.key,
        "built_from": {
            name: "all" if wanted is None else list(wanted) for name, wanted in unit.bound.items()
        },
        "at_commit": at.state.commit,
        "run": at.run,
        "clearlake": VERSION,
        "content": content,
        "rows": sum(file.rows for file in files),
        "files": [
            {"key": f.key, "bytes": f.bytes, "rows": f.rows, "sha256": f.sha256} for f in files
        ],
    }
    return json.dumps(document, indent=1, ensure_ascii=False).encode()
