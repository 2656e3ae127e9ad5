"""`[sources.NAME.columns]`: former names and types of columns, and their text in the lake's log."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from lake.config import table
from lake.config.table import Table
from lake.config.types import DeclaredColumn
from lake.errors import InvalidConfig
from lake.schema.join import MAX_DIGITS, spell
from lake.schema.types import NAMES, Type, is_opaque, parse

_KEYS = ("from", "type", "description")
_LATER = ("format", "decimal", "null", "required", "between", "in", "personal")


def columns(values: Table, *, keys: Mapping[str, object]) -> dict[str, DeclaredColumn]:
    """Return the columns that the table `[sources.NAME.columns]` declares, by name.

    Args:
        values: the table.
        keys: the source's partition keys, whose columns are made from the partition.

    Raises:
        InvalidConfig: a key is unknown or wrong, or two columns claim one name.
    """
    found: dict[str, DeclaredColumn] = {}
    for name, item in table.inners(values).items():
        _check_name(item, name, found)
        found[name] = _column(table.only(item, _KEYS, later=_LATER))
        if spell(name) in map(spell, keys) and (found[name].former or found[name].type):
            table.refuse(
                item,
                f"is a key of the partition: this version reads {name} as text, from the"
                " partition itself; take its type and former names out",
            )
    _check_claims(values, found)
    return found


def _check_name(item: Table, name: str, others: Mapping[str, object]) -> None:
    if not name.strip() or name != name.strip() or "\0" in name:
        table.refuse(item, f"{name!r} is no column: give it a name without blanks around it")
    twins = [other for other in others if spell(other) == spell(name)]
    if twins:
        table.refuse(item, f"differs from column {twins[0]!r} only in case: declare it once")


def _column(item: Table) -> DeclaredColumn:
    former = table.texts(item, "from")
    if not all(former_name.strip() for former_name in former):
        table.refuse(item, "from holds an empty name: take it out")
    return DeclaredColumn(
        former=former,
        type=table.parsed(item, "type", _type, default=""),
        description=table.text(item, "description"),
    )


def _type(text: str) -> str:
    """Return a type as DuckDB writes it."""
    found = parse(text.strip())
    if is_opaque(found):
        close = table.nearest(text.strip().upper(), NAMES)
        hint = close if close.startswith("did") else "write one such as BIGINT or DECIMAL(18,2)"
        raise InvalidConfig(f"{text!r} is no type that can be declared: {hint}")
    if not _fits(found):
        raise InvalidConfig(f"{text!r}: a DECIMAL has 1 to {MAX_DIGITS} digits, no more behind")
    return str(found)


def _fits(dtype: Type) -> bool:
    """Tell whether every DECIMAL in a type is one."""
    precision, scale = dtype.size or (1, 0)
    fits = scale <= precision and 1 <= precision <= MAX_DIGITS
    return fits and all(_fits(field) for _, field in dtype.fields)


def _check_claims(values: Table, found: Mapping[str, DeclaredColumn]) -> None:
    owners: dict[str, str] = {}
    for name, column in found.items():
        for claimed in dict.fromkeys((name, *column.former)):
            if claimed in owners:
                table.refuse(
                    values, f"{claimed!r} is claimed by two columns, {owners[claimed]} and {name}"
                )
            owners[claimed] = name


def columns_values(declared: Mapping[str, DeclaredColumn]) -> dict[str, dict[str, Any]]:
    """Return the columns as a source's declaration holds them; what is not said is left out."""
    return {name: _values(column) for name, column in declared.items()}


def _values(column: DeclaredColumn) -> dict[str, Any]:
    values = {
        "from": list(column.former),
        "type": column.type,
        "description": column.description,
    }
    return {key: value for key, value in values.items() if value}


@lru_cache(maxsize=1024)
def columns_from_text(text: str) -> Mapping[str, DeclaredColumn]:
    """Return the columns that a source's declaration in the lake's log names.

    Whatever else the declaration says does not matter: it is about landing, not about reading.

    Raises:
        InvalidConfig: it is no declaration of a source.
    """
    try:
        said = json.loads(text).get("columns", {}) if text else {}
        return {name: _read(item) for name, item in said.items()}
    except (ValueError, TypeError, AttributeError) as exc:
        raise InvalidConfig(
            f"the lake's declaration of a source cannot be read: {text[:80]!r}"
        ) from exc


def _read(item: Mapping[str, Any]) -> DeclaredColumn:
    said = (item.get("type", ""), item.get("description", ""))
    return DeclaredColumn(tuple(item.get("from", ())), *said)
