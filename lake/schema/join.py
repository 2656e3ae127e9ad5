"""The rules by which columns of several files become one, over all files at once.

The result depends only on the set of what is joined, never on an order: of the parts, the order
decides spelling and the order of a struct's fields, nothing else.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from lake.errors import Conflict, SchemaConflict
from lake.schema.types import INTEGERS, NESTED, OPAQUE, Type

SAME = "same"
_FLOATS = frozenset({"FLOAT", "DOUBLE"})
_STRINGS = frozenset({"VARCHAR", "JSON"})
_ZONED = "TIMESTAMP WITH TIME ZONE"
_UNITS = ("DATE", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP", "TIMESTAMP_NS")
# Their texts say exactly what the value is, and DuckDB's cast writes them so under any settings
# (but for zoned timestamps, which a view casts itself).
_TEXTUAL = frozenset(
    {
        *INTEGERS,
        *_FLOATS,
        *_STRINGS,
        *_UNITS,
        _ZONED,
        *("HUGEINT", "UHUGEINT", "DECIMAL", "BOOLEAN", "UUID", "TIME", "TIME WITH TIME ZONE"),
    }
)
_DIGITS = {kind: len(str(limits[1])) for kind, limits in INTEGERS.items()}
MAX_DIGITS = 38
"""Of a DECIMAL."""
DECLARED = "declared"
"""Stands for the declaration where a conflict names schemas."""


@dataclass(frozen=True, slots=True)
class Part:
    """A column of one schema, or a leaf of it; `path` leads from the column to the leaf."""

    schema_id: str
    type: Type
    facts: frozenset[str] = frozenset()
    path: str = ""

    def has(self, fact: str) -> bool:
        """Tell whether `fact` is known of this leaf."""
        return (f"{self.path}:{fact}" if self.path else fact) in self.facts


def join(name: str, parts: Sequence[Part]) -> tuple[Type, str]:
    """Return the type that holds every value of `parts` (oldest first), and the rule that gave it.

    Raises:
        SchemaConflict: there is none. `name` is the column's, for the message.
    """
    live = [part for part in parts if not part.has("null")]
    if not live:
        return _of_nulls(name, parts)
    found, rule = _together(name, live)
    if any(part.type != found for part in parts if part.has("null")):
        rule = f"null with {found}" if rule == SAME else f"{rule}, null with {found}"
    return found, rule


def join_declared(name: str, parts: Sequence[Part], declared: Type) -> Type:
    """Return the type that was declared, if every value of `parts` (oldest first) fits into it.

    It is one more type that is seen: nothing fits but what joins with it into just this type.

    Raises:
        SchemaConflict: some values may not fit; it names the newest such part.
    """
    says = Part(DECLARED, declared)
    for part in reversed(parts):
        try:
            found = join(name, [part, says])[0]
        except SchemaConflict as exc:
            raise SchemaConflict(exc.conflict, right="the declaration") from None
        if found != declared:
            why = f"together they are {found}, so not every value fits into what is declared"
            types = (str(part.type), str(declared))
            conflict = Conflict(name, *types, part.schema_id, DECLARED, why)
            raise SchemaConflict(conflict, right="the declaration")
    return declared


def spell(name: str) -> str:
    """Return `name` without case and blanks around it: columns equal in this are one column."""
    return name.strip().casefold()


def align(
    name: str,
    members: Sequence[tuple[str, Sequence[tuple[str, Type]]]],
    *,
    rename: Callable[[str], str] = str,
) -> list[tuple[str, dict[str, tuple[str, Type]]]]:
    """Match the fields of several schemas or structs (id and fields, oldest first) by name.

    A field goes by what `rename` calls it.

    Returns:
        The newest spelling of every name, without blanks around it, and per id the field; in the
        order of the newest member, then what only older ones have, newer before older.

    Raises:
        SchemaConflict: one member has two fields of one name, or a field without a name.
    """
    found: dict[str, tuple[str, dict[str, tuple[str, Type]]]] = {}
    for member, fields in reversed(members):
        for field, dtype in fields:
            called = rename(field).strip()
            spelled, owners = found.setdefault(spell(called), (called, {}))
            if member in owners or not spelled:
                first = owners.get(member, (field, dtype))
                raise _same_name(_dotted(name, spelled), member, first, (field, dtype))
            owners[member] = (field, dtype)
    return list(found.values())


def _same_name(
    name: str, member: str, first: tuple[str, Type], second: tuple[str, Type]
) -> SchemaConflict:
    """Name two fields of one schema that are one, or a field without a name."""
    left, right = (f"{dtype} ({field!r})" for field, dtype in (first, second))
    if not second[0].strip():
        why = "a column needs a name; have the source give it one"
    elif spell(first[0]) == spell(second[0]):
        why = "these are one name"
    else:
        why = "both are declared as one column; take one out of its former names"
    return SchemaConflict(Conflict(name, left, right, member, member, why))


def _dotted(*names: str) -> str:
    return ".".join(filter(None, names))


def _of_nulls(name: str, parts: Sequence[Part]) -> tuple[Type, str]:
    alive = [replace(part, facts=part.facts - {_fact(part, "null")}) for part in parts]
    try:
        return _together(name, alive)
    except SchemaConflict:
        return Type("VARCHAR"), "all null"


def _fact(part: Part, fact: str) -> str:
    return f"{part.path}:{fact}" if part.path else fact


def _together(name: str, parts: Sequence[Part]) -> tuple[Type, str]:
    types = {part.type for part in parts}
    if len(types) == 1:
        return types.pop(), SAME
    kinds = {dtype.kind for dtype in types}
    if len(kinds) == 1 and kinds <= NESTED:
        return (_structs if "STRUCT" in kinds else _elements)(name, parts)
    for belongs, rule in _RULES:
        if belongs(kinds):
            found = rule(parts)
            if found:
                return found
            break
    raise _conflict(name, parts)


def _structs(name: str, parts: Sequence[Part]) -> tuple[Type, str]:
    by_id = {part.schema_id: part for part in parts}
    fields = []
    for spelled, owners in align(name, [(part.schema_id, part.type.fields) for part in parts]):
        leaves = [_leaf(by_id[member], *owners[member]) for member in by_id if member in owners]
        fields.append((spelled, join(_dotted(name, spelled), leaves)[0]))
    return Type("STRUCT", tuple(fields)), "field by field"


def _elements(name: str, parts: Sequence[Part]) -> tuple[Type, str]:
    kind, fields = parts[0].type.kind, []
    for at, (label, _) in enumerate(parts[0].type.fields):
        leaves = [_leaf(part, *part.type.fields[at]) for part in parts]
        fields.append((label, join(_dotted(name, label), leaves)[0]))
    return Type(kind, tuple(fields)), "by element" if kind == "LIST" else "by key and value"


def _leaf(part: Part, field: str, dtype: Type) -> Part:
    return replace(part, type=dtype, path=_dotted(part.path, field))


def _as_text(parts: Sequence[Part]) -> tuple[Type, str] | None:
    return Type("VARCHAR"), "as text"


def _widest_integer(parts: Sequence[Part]) -> tuple[Type, str]:
    limits = [INTEGERS[part.type.kind] for part in parts]
    low, high = min(limit[0] for limit in limits), max(limit[1] for limit in limits)
    for kind, (least, most) in INTEGERS.items():
        if least <= low and high <= most:
            return Type(kind), "widened"
    return Type("DECIMAL", size=(20, 0)), "widened to DECIMAL"


def _double(parts: Sequence[Part]) -> tuple[Type, str] | None:
    integers = [part for part in parts if part.type.kind in INTEGERS]
    if any(part.has("wide") for part in integers):
        return None
    return Type("DOUBLE"), "integers as DOUBLE" if integers else "widened"


def _decimal(parts: Sequence[Part]) -> tuple[Type, str] | None:
    sizes = [part.type.size or (_DIGITS[part.type.kind], 0) for part in parts]
    scale = max(size[1] for size in sizes)
    precision = max(size[0] - size[1] for size in sizes) + scale
    if precision > MAX_DIGITS:
        return None
    return Type("DECIMAL", size=(precision, scale)), "widened"


def _finest_unit(parts: Sequence[Part]) -> tuple[Type, str] | None:
    finest = max((part.type.kind for part in parts), key=_UNITS.index)
    limit = "beyond_ns" if finest == "TIMESTAMP_NS" else "beyond_us"
    if any(part.has(limit) for part in parts if part.type.kind != finest):
        return None
    has_dates = any(part.type.kind == "DATE" for part in parts)
    return Type(finest), f"dates as {finest}" if has_dates else "finer unit"


_Rule = Callable[[Sequence[Part]], tuple[Type, str] | None]
_RULES: Sequence[tuple[Callable[[Iterable[str]], bool], _Rule]] = (
    (lambda kinds: not _STRINGS.isdisjoint(kinds) and set(kinds) <= _TEXTUAL, _as_text),
    (lambda kinds: set(kinds) <= set(INTEGERS), _widest_integer),
    (lambda kinds: set(kinds) <= _FLOATS | set(INTEGERS), _double),
    (lambda kinds: set(kinds) <= {"DECIMAL", *INTEGERS}, _decimal),
    (lambda kinds: set(kinds) <= set(_UNITS), _finest_unit),
)


def _conflict(name: str, parts: Sequence[Part]) -> SchemaConflict:
    """Name two parts that do not go together, as new as can be."""
    left, right = parts[0], parts[-1]
    if len(parts) > 2:
        for newer, older in combinations(reversed(parts), 2):
            try:
                _together(name, [older, newer])
            except SchemaConflict:
                left, right = older, newer
                break
    return SchemaConflict(
        Conflict(
            name,
            str(left.type),
            str(right.type),
            left.schema_id,
            right.schema_id,
            _why(left, right),
        )
    )


def _why(left: Part, right: Part) -> str:
    kinds = {left.type.kind, right.type.kind}
    for fits, reason in _REASONS:
        if fits(kinds):
            return reason
    return "no type holds the values of both exactly"


_REASONS: Sequence[tuple[Callable[[set[str]], bool], str]] = (
    (
        lambda kinds: kinds <= _FLOATS | set(INTEGERS),
        "some of the integers are beyond ±2^53, which DOUBLE does not hold exactly",
    ),
    (
        lambda kinds: "DECIMAL" in kinds and bool(kinds & _FLOATS),
        "a DOUBLE does not hold decimals exactly",
    ),
    (
        lambda kinds: kinds <= {"DECIMAL", *INTEGERS},
        f"both together need more than the {MAX_DIGITS} digits of a DECIMAL",
    ),
    (
        lambda kinds: _ZONED in kinds and bool(kinds & set(_UNITS)),
        "one has a time zone, the other has none",
    ),
    (
        lambda kinds: kinds <= set(_UNITS),
        "some of the times are outside what the finer type can hold",
    ),
    (lambda kinds: OPAQUE in kinds, "this type only goes with itself"),
)
