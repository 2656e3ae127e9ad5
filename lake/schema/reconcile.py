"""Many schemas of one dataset become the columns of one view."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from lake.catalog.entries import Schema
from lake.config.types import DeclaredColumn
from lake.errors import InvalidConfig
from lake.schema.join import SAME, Part, align, join, join_declared, spell
from lake.schema.types import Type, is_opaque, parse

PARTITION = "partition"
AS_DECLARED = "as declared"
Declared = Mapping[str, DeclaredColumn]
"""Columns by the name that they are to have."""


@dataclass(frozen=True, slots=True)
class Member:
    """A schema that current files have, and how new it is: more is newer."""

    schema_id: str
    schema: Schema
    newest: int


@dataclass(frozen=True, slots=True)
class FileColumn:
    """A column as files of one schema have it; `null`: it holds nothing but NULL there."""

    name: str
    type: str
    null: bool = False


@dataclass(frozen=True, slots=True)
class ViewColumn:
    """A column of the view, the rule that made it, and what it is made of, per schema id.

    `parts` is None where files of that schema have no such column, and empty for a partition key.
    """

    name: str
    type: str
    rule: str
    parts: Mapping[str, FileColumn | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The columns of a view, in its order; the keys of the partition come last."""

    columns: tuple[ViewColumn, ...]


def reconcile(
    schemas: Sequence[Member],
    *,
    partition_keys: Sequence[str] = (),
    partition_types: Mapping[str, str] | None = None,
    declared: Declared | None = None,
) -> Reconciled:
    """Return the columns that every value of every schema fits into without loss.

    The order in which `schemas` come does not matter. Columns go by the newest schema's order and
    spelling, then those that only older ones have. A file's column that is called like a
    partition key is left out: the view takes the partition's value. What is declared rules: former
    names become the declared one, and a declared type is taken where every value fits.

    Args:
        schemas: the schemas of a dataset's current files, each once.
        partition_keys: in their order.
        partition_types: types that are declared for keys; a key without one is text.
        declared: what the source declares of its columns.

    Raises:
        SchemaConflict: two schemas cannot be joined, or one not with what is declared; its
            `conflict` says which and why.
        InvalidConfig: a declared type is none.
    """
    members = sorted(schemas, key=lambda member: (member.newest, member.schema_id))
    keys = {spell(key) for key in partition_keys}
    said = {spell(name): one for name, one in (declared or {}).items()}
    fields = [(m.schema_id, [(c.name, parse(c.type)) for c in m.schema]) for m in members]
    columns = [
        _column(name, owners, members, said.get(spell(name), DeclaredColumn()))
        for name, owners in align("", fields, rename=renaming(declared or {}))
        if spell(name) not in keys
    ]
    types = partition_types or {}
    columns += [_partition(key, types.get(key, "VARCHAR")) for key in partition_keys]
    return Reconciled(tuple(columns))


def renaming(declared: Declared) -> Callable[[str], str]:
    """Return what gives a file's column the name that is declared for it.

    Case and blanks around a name do not count, but where two columns claim spellings of one name:
    there each claims just what it says.
    """
    claims: dict[str, dict[str, str]] = {}
    for name, column in declared.items():
        for claimed in (name, *column.former):
            claims.setdefault(spell(claimed), {})[claimed] = name

    def rename(field: str) -> str:
        claim = claims.get(spell(field), {})
        names = set(claim.values())
        return names.pop() if len(names) == 1 else claim.get(field, field)

    return rename


def _column(
    name: str,
    owners: Mapping[str, tuple[str, Type]],
    members: Sequence[Member],
    declared: DeclaredColumn,
) -> ViewColumn:
    parts: dict[str, FileColumn | None] = {}
    joined = []
    for member in members:
        if member.schema_id not in owners:
            parts[member.schema_id] = None
            continue
        raw, dtype = owners[member.schema_id]
        facts = frozenset(next(c.facts for c in member.schema if c.name == raw))
        joined.append(Part(member.schema_id, dtype, facts))
        parts[member.schema_id] = FileColumn(raw, str(dtype), null="null" in facts)
    found, rule = _join(name, joined, declared)
    return ViewColumn(name, str(found), _rule(rule, name, parts), parts)


def _join(name: str, parts: Sequence[Part], declared: DeclaredColumn) -> tuple[Type, str]:
    if declared.type:
        return join_declared(name, parts, parse(declared.type)), AS_DECLARED
    return join(name, parts)


def _rule(rule: str, name: str, parts: Mapping[str, FileColumn | None]) -> str:
    phrases = [rule] if rule != SAME else []
    names = {part.name for part in parts.values() if part}
    if any(spell(one) != spell(name) for one in names):
        phrases.append("declared rename")
    if any(one != name and spell(one) == spell(name) for one in names):
        phrases.append("renamed spelling")
    if None in parts.values():
        phrases.append("missing in some files")
    return ", ".join(phrases) or SAME


def _partition(key: str, declared: str) -> ViewColumn:
    dtype = parse(declared)
    if is_opaque(dtype) or dtype.fields:
        raise InvalidConfig(
            f"partition key {key!r} is declared as {declared!r}, which is no type of a single"
            " value: write one such as INTEGER or DATE"
        )
    return ViewColumn(key, str(dtype), PARTITION)
