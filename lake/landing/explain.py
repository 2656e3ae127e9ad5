"""Why a version is held, in words: both files, the column, both types, and what to declare."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from lake.catalog.entries import File
from lake.catalog.state import State
from lake.config.columns import columns_values
from lake.config.types import DeclaredColumn
from lake.errors import Conflict, SchemaConflict
from lake.schema.admit import Crowd, file_of
from lake.schema.join import DECLARED, Part, join, spell
from lake.schema.reconcile import renaming
from lake.schema.types import Type, parse

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_MANY = 50
Columns = Mapping[str, DeclaredColumn]


def explain(state: State, all_files: Crowd, new: Iterable[File], exc: SchemaConflict) -> str:
    """Return one sentence about two columns that no rule joins, and what to declare.

    Args:
        state: where the files are that were there before.
        all_files: the dataset as it would be, with what was to join it.
        new: files that are not in the state.
        exc: why it cannot be.
    """
    found = exc.conflict
    left, right = (
        file_of(state, all_files.dataset, schema, new)
        for schema in (found.left_schema, found.right_schema)
    )
    sides = f"{left} has {found.left_type}, {right} has {found.right_type}"
    if left == right:
        sides = f"{left} has {found.left_type} and {found.right_type}"
    if found.right_schema == DECLARED:
        sides = f"{left} has {found.left_type}, declared is {found.right_type}"
    problem = f"column {found.column!r} cannot be read together: {sides} ({found.why})"
    return f"{problem}; {_advice(all_files)}"


def _advice(all_files: Crowd) -> str:
    """Say what to declare; only what was tried, and joins all of the files."""
    said = dict(all_files.declared)
    for _ in range(_MANY):
        try:
            replace(all_files, declared=said).reconciled()
        except SchemaConflict as exc:
            changed = _changed(all_files, said, exc.conflict)
            if changed is None:
                break
            said.update(changed)
        else:
            return _ready(all_files, said)
    return "no declaration joins these: have the source mend it, or land it as another dataset"


def _ready(all_files: Crowd, said: Columns) -> str:
    new = {name: one for name, one in said.items() if all_files.declared.get(name) != one}
    lines = [f"{_key(name)} = {_table(item)}" for name, item in columns_values(new).items()]
    return (
        f"declare {' and '.join(lines)} in [sources.{all_files.dataset.partition('.')[2]}.columns]"
        " of lake.toml, run `lake apply` and land it again"
    )


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def _table(item: Mapping[str, object]) -> str:
    pairs = (f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in item.items())
    return f"{{ {', '.join(pairs)} }}" if item else "{}"


def _changed(all_files: Crowd, said: Columns, found: Conflict) -> Columns | None:
    """Return declarations that may settle one conflict, or None where there are none."""
    if found.left_schema == found.right_schema:
        return _told_apart(all_files, said, found)
    name, parts = _owner(all_files, said, found.column)
    kind = _joined(name, parts, said, found.column)
    before = said.get(name, DeclaredColumn())
    return {name: replace(before, type=kind)} if kind not in ("", before.type) else None


def _told_apart(all_files: Crowd, said: Columns, found: Conflict) -> Columns | None:
    """Give each of a file's columns that are one name a name of its own, if DuckDB knows them."""
    rename = renaming(said)
    schema = all_files.live()[found.left_schema]
    twins = [c.name for c in schema if spell(rename(c.name)) == spell(found.column)]
    if len({twin.lower() for twin in twins}) < max(len(twins), 2):
        return None
    name = next((one for one in said if spell(one) == spell(found.column)), "")
    if name:
        former = [one for one in said[name].former if spell(one) not in map(spell, twins)]
        return {name: replace(said[name], former=tuple(former))}
    names = [found.column, *(f"{found.column}_{number}" for number in range(2, len(twins) + 1))]
    twins.sort(key=lambda twin: twin != found.column)
    return {
        called: DeclaredColumn(former=() if twin == called else (twin,))
        for called, twin in zip(names, twins, strict=True)
    }


def _owner(all_files: Crowd, said: Columns, path: str) -> tuple[str, list[Part]]:
    """Return the column that a path leads into, and what the files have of it."""
    rename, name = renaming(said), ""
    parts: list[Part] = []
    for schema_id, schema in all_files.live().items():
        for column in schema:
            called = rename(column.name).strip()
            if spell(f"{path}.").startswith(spell(f"{called}.")) and len(called) >= len(name):
                parts = parts if spell(called) == spell(name) else []
                name = path[: len(called)]
                parts.append(Part(schema_id, parse(column.type), frozenset(column.facts)))
    return name, parts


def _joined(name: str, parts: list[Part], said: Columns, path: str) -> str:
    """Return a type that holds all parts: what is declared, widened; else text where it fails."""
    declared = said[name].type if name in said else ""
    hints = [parse(declared)] if declared else []
    hints += [hint for part in parts if (hint := _texted(part.type, path[len(name) + 1 :]))]
    for hint in hints:
        try:
            return str(join(name, [*parts, Part(DECLARED, hint)])[0])
        except SchemaConflict:
            continue
    return ""


def _texted(dtype: Type, path: str) -> Type | None:
    """Return a type with text in place of the leaf at `path`; None if it has no such leaf."""
    if not path:
        return Type("VARCHAR")
    for number, (name, field) in enumerate(dtype.fields):
        if spell(f"{path}.").startswith(spell(f"{name.strip()}.")):
            inner = _texted(field, path[len(name.strip()) + 1 :])
            fields = list(dtype.fields)
            fields[number] = (name, inner or field)
            return replace(dtype, fields=tuple(fields)) if inner else None
    return None
