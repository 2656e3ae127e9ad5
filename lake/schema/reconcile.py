"""Many schemas of one dataset become the columns of one view."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lake.catalog.entries import Schema
from lake.errors import InvalidConfig
from lake.schema.join import SAME, Part, align, join, spell
from lake.schema.types import Type, is_opaque, parse

PARTITION = "partition"


@dataclass(frozen=True, slots=True)
class Member:
    """A schema that current files have, and the newest commit that brought one of them."""

    schema_id: str
    schema: Schema
    last_commit: int


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
) -> Reconciled:
    """Return the columns that every value of every schema fits into without loss.

    The order in which `schemas` come does not matter. Columns go by the newest schema's order and
    spelling, then those that only older ones have. A file's column that is called like a
    partition key is left out: the view takes the partition's value.

    Args:
        schemas: the schemas of a dataset's current files, each once.
        partition_keys: in their order.
        partition_types: types that are declared for keys; a key without one is text.

    Raises:
        SchemaConflict: two schemas cannot be joined; its `conflict` says which and why.
        InvalidConfig: a declared type is none.
    """
    members = sorted(schemas, key=lambda member: (member.last_commit, member.schema_id))
    keys = {spell(key) for key in partition_keys}
    fields = [(m.schema_id, [(c.name, parse(c.type)) for c in m.schema]) for m in members]
    columns = [
        _column(name, owners, members)
        for name, owners in align("", fields)
        if spell(name) not in keys
    ]
    types = partition_types or {}
    columns += [_partition(key, types.get(key, "VARCHAR")) for key in partition_keys]
    return Reconciled(tuple(columns))


def _column(
    name: str, owners: Mapping[str, tuple[str, Type]], members: Sequence[Member]
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
    found, rule = join(name, joined)
    return ViewColumn(name, str(found), _rule(rule, name, parts), parts)


def _rule(rule: str, name: str, parts: Mapping[str, FileColumn | None]) -> str:
    phrases = [rule] if rule != SAME else []
    if any(part and part.name != name for part in parts.values()):
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
