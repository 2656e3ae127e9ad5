"""Casts that a view writes out, because Parquet's reader does not do them or not exactly."""

from lake.query.sql import identifier, literal
from lake.schema.types import NESTED, OPAQUE, Type

_ZONED = "TIMESTAMP WITH TIME ZONE"


def reader_casts(source: Type, target: Type) -> bool:
    """Tell whether the reader itself turns `source` into `target`, exactly, under any settings.

    Structs of another shape it does not turn everywhere: older DuckDBs go by position.
    """
    if source == target:
        return True
    if source.kind == _ZONED and target.kind == "VARCHAR":
        return False  # the reader's text follows the session's time zone
    if not {source.kind, target.kind} & {*NESTED, OPAQUE}:
        return True
    if source.kind != target.kind or source.kind == OPAQUE:
        return False
    names = [name for name, _ in source.fields], [name for name, _ in target.fields]
    return names[0] == names[1] and all(
        reader_casts(own, other)
        for (_, own), (_, other) in zip(source.fields, target.fields, strict=True)
    )


def convert(value: str, source: Type, target: Type, *, depth: int = 0) -> str:
    """Return SQL that gives `value`, an expression of type `source`, as `target`, exactly."""
    if source == target:
        return value
    if source.kind == _ZONED and target.kind == "VARCHAR":
        return _zoned_text(value)
    if source.kind == target.kind and source.kind in NESTED:
        nested = {"STRUCT": _struct, "LIST": _list, "MAP": _map}[source.kind]
        return f"CAST({nested(value, source, target, depth)} AS {target})"
    if {source.kind, target.kind} & {*NESTED, OPAQUE}:
        return null(target)  # only what holds nothing but NULL is joined with another kind
    return f"CAST({value} AS {target})"


def null(target: Type) -> str:
    """Return a NULL of type `target`; an opaque type takes that of the other files."""
    return "NULL" if target.kind == OPAQUE else f"CAST(NULL AS {target})"


def _zoned_text(value: str) -> str:
    # `AT TIME ZONE` would need an extension; infinity is no number of microseconds.
    text = f"CAST(make_timestamp(epoch_us({value})) AS VARCHAR) || 'Z'"
    return f"CASE WHEN isfinite({value}) THEN {text} ELSE CAST({value} AS VARCHAR) END"


def _struct(value: str, source: Type, target: Type, depth: int) -> str:
    found = {name.strip().casefold(): (name, dtype) for name, dtype in source.fields}
    fields = []
    for name, dtype in target.fields:
        field = null(dtype)
        if name.strip().casefold() in found:
            own, own_type = found[name.strip().casefold()]
            inner = f"struct_extract({value}, {literal(own)})"
            field = convert(inner, own_type, dtype, depth=depth)
        fields.append(f"{identifier(name)} := {field}")
    return f"CASE WHEN {value} IS NULL THEN NULL ELSE struct_pack({', '.join(fields)}) END"


def _list(value: str, source: Type, target: Type, depth: int) -> str:
    each = f"_x{depth}"
    inner = convert(each, source.fields[0][1], target.fields[0][1], depth=depth + 1)
    return f"[{inner} FOR {each} IN {value}]"


def _map(value: str, source: Type, target: Type, depth: int) -> str:
    each, pairs = f"_x{depth}", zip(source.fields, target.fields, strict=True)
    key, item = (
        convert(f"struct_extract({each}, {literal(name)})", own, other, depth=depth + 1)
        for (name, own), (_, other) in pairs
    )
    entry = f"struct_pack(key := {key}, value := {item})"
    return f"map_from_entries([{entry} FOR {each} IN map_entries({value})])"
