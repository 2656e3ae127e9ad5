"""The columns of two tables side by side: what differs, and as which type values are compared."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from lake.catalog.entries import Schema
from lake.catalog.state import DataFile, State
from lake.errors import InvalidName, SchemaConflict
from lake.query.sql import identifier
from lake.schema.admit import Crowd, crowd
from lake.schema.cast import convert
from lake.schema.join import Part, join, spell
from lake.schema.reconcile import PARTITION, Reconciled, ViewColumn
from lake.schema.types import INTEGERS, Type, parse

_NUMBERS = {*INTEGERS, "HUGEINT", "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL"}
_TEXT = Type("VARCHAR")


@dataclass(frozen=True, slots=True)
class ColumnDiff:
    """A column that only one side has, or that has another type: `""` where it is not."""

    column: str
    kind: Literal["added", "removed", "type"]
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Compared:
    """A column of both sides: its names, and SQL that gives its value as one type of both."""

    name: str
    before: str
    after: str


def schema_of(state: State, dataset: str, files: Sequence[DataFile]) -> tuple[Crowd, Reconciled]:
    """Return what the files alone say of their columns; a version that is held is read too."""
    found = crowd(state, dataset)
    ids = dict.fromkeys(file.schema for file in files)
    if ids:
        found = replace(found, counts={one: found.counts.get(one, (1, 0)) for one in ids})
        found = replace(found, counts={one: (1, n) for one, (_, n) in found.counts.items()})
    return found, found.reconciled()


def column_diffs(before: Reconciled, after: Reconciled) -> tuple[ColumnDiff, ...]:
    """Return the columns that were added, were removed, or have another type."""
    old = {spell(column.name): column for column in before.columns}
    new = {spell(column.name): column for column in after.columns}
    found = [ColumnDiff(c.name, "removed", c.type, "") for n, c in old.items() if n not in new]
    for name, column in new.items():
        was = old.get(name)
        if was is None:
            found.append(ColumnDiff(column.name, "added", "", column.type))
        elif was.type != column.type:
            found.append(ColumnDiff(column.name, "type", was.type, column.type))
    return tuple(found)


def compared(
    before: Reconciled,
    after: Reconciled,
    schemas: tuple[Mapping[str, Schema], Mapping[str, Schema]],
    *,
    is_one_partition: bool,
) -> tuple[Compared, ...]:
    """Return the columns that both have, in the order of the newer side.

    Where one partition is compared with another, the columns that are made from their names are no
    difference.
    """
    old = {spell(column.name): column for column in before.columns}
    pairs = [(old[spell(c.name)], c) for c in after.columns if spell(c.name) in old]
    return tuple(
        _compared(was, now, schemas)
        for was, now in pairs
        if not (is_one_partition and PARTITION in (was.rule, now.rule))
    )


def _compared(
    was: ViewColumn,
    now: ViewColumn,
    schemas: tuple[Mapping[str, Schema], Mapping[str, Schema]],
) -> Compared:
    sides = (was, now)
    parts = [
        Part(side, parse(column.type), _facts(column, known))
        for side, column, known in zip(("before", "after"), sides, schemas, strict=True)
    ]
    values = [
        _as_one(part, parts, identifier(c.name)) for part, c in zip(parts, sides, strict=True)
    ]
    return Compared(now.name, *values)


def _facts(column: ViewColumn, schemas: Mapping[str, Schema]) -> frozenset[str]:
    """Return what is known of the values of any file: `null` only where it is so in all."""
    found = [
        frozenset(next(c.facts for c in schemas[name] if c.name == part.name))
        for name, part in column.parts.items()
        if part
    ]
    if not found:
        return frozenset()
    return (frozenset.union(*found) - {"null"}) | ({"null"} & frozenset.intersection(*found))


def _as_one(part: Part, parts: Sequence[Part], value: str) -> str:
    kinds = {one.type.kind for one in parts}
    if len({one.type for one in parts}) == 1:
        return value
    try:
        joined, _ = join("", parts)
        return convert(value, part.type, joined)
    except SchemaConflict:
        return _number(value, part.type) if kinds <= _NUMBERS else _text(value, part.type)


def _text(value: str, source: Type) -> str:
    if source.fields:
        return f"CAST({value} AS VARCHAR)"
    return convert(value, source, _TEXT)


def _number(value: str, source: Type) -> str:
    """Return SQL that gives a number as the text of its value: equal where the values are."""
    if source.kind in ("FLOAT", "DOUBLE"):
        whole = f"isfinite({value}) AND {value} = trunc({value}) AND abs({value}) < 1e37"
        text = f"CAST({value} AS VARCHAR)"
        return f"CASE WHEN {whole} THEN CAST(CAST({value} AS HUGEINT) AS VARCHAR) ELSE {text} END"
    if source.kind == "DECIMAL" and source.size and source.size[1]:
        text = f"CAST({value} AS VARCHAR)"
        return f"rtrim(rtrim({text}, '0'), '.')"
    return f"CAST({value} AS VARCHAR)"


def find_key(key: Iterable[str], columns: Sequence[Compared], *, must: bool) -> tuple[str, ...]:
    """Return the columns to match rows by, as they are called; none where one is missing.

    Raises:
        InvalidName: `must` is set and one is missing.
    """
    names = {spell(column.name): column.name for column in columns}
    missing = [name for name in key if spell(name) not in names]
    if missing and must:
        raise InvalidName(
            f"rows cannot be matched by {missing[0]!r}: it is no column of both; both have"
            f" {', '.join(names.values()) or 'none'}"
        )
    return () if missing else tuple(dict.fromkeys(names[spell(name)] for name in key))
