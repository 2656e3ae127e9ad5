"""`[sources.NAME.columns]`: former names and types of columns, and their text in the lake's log."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, time
from functools import lru_cache
from typing import Any

from lake.config import table
from lake.config.table import Table
from lake.config.types import DeclaredColumn, Limit
from lake.errors import InvalidConfig
from lake.schema.join import MAX_DIGITS, spell
from lake.schema.types import NAMES, Type, is_opaque, parse

_KEYS = (
    "from",
    "type",
    "description",
    "format",
    "decimal",
    "null",
    "required",
    "between",
    "in",
    "personal",
)
_TIMES = ("DATE", "TIME", "TIMESTAMP")
_FRACTIONS = ("DOUBLE", "FLOAT", "DECIMAL")


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
        found[name] = _column(table.only(item, _KEYS))
        if spell(name) in map(spell, keys):
            _check_key(item, name, found[name])
    _check_claims(values, found)
    return found


def _check_key(item: Table, name: str, declared: DeclaredColumn) -> None:
    if declared.personal:
        table.refuse(
            item,
            "is a key of the partition, which is part of every name in the lake: what is personal"
            " cannot be one",
        )
    if replace(declared, description="") != DeclaredColumn():
        table.refuse(
            item,
            f"is a key of the partition: this version reads {name} as text, from the"
            " partition itself; leave it nothing but a description",
        )


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
    found = DeclaredColumn(
        former=former,
        type=table.parsed(item, "type", _type, default=""),
        description=table.text(item, "description"),
        format=table.text(item, "format"),
        decimal=table.text(item, "decimal"),
        null=table.texts(item, "null"),
        required=table.flag(item, "required", default=False),
        between=_between(item),
        allowed=_allowed(item),
        personal=table.flag(item, "personal", default=False),
    )
    _check_together(item, found)
    return found


def _between(item: Table) -> tuple[Limit, Limit]:
    """Return `[least, greatest]`, or `{ min = …, max = … }` where one of them is enough."""
    said = item.values.get("between")
    if said is None:
        return None, None
    if isinstance(said, dict):
        inner = table.only(table.inner(item, "between"), ("min", "max"))
        said = [inner.values.get("min"), inner.values.get("max")]
    if not isinstance(said, list) or len(said) != 2 or said == [None, None]:
        table.refuse(item, "between: write [least, greatest], or { min = … } or { max = … }")
    low, high = (None if value is None else _limit(item, "between", value) for value in said)
    if low is not None and high is not None and type(low) is type(high) and low > high:  # type: ignore[operator]
        table.refuse(item, f"between: {low!r} is more than {high!r}")
    return low, high


def _limit(item: Table, key: str, value: object) -> int | float | str:
    if isinstance(value, date | time):  # a datetime is a date
        return value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        table.refuse(item, f"{key} holds {value!r}: write a number, a date or text")
    if value != value or value in (math.inf, -math.inf):
        table.refuse(item, f"{key} holds {value!r}: leave that limit out")
    return value


def _allowed(item: Table) -> tuple[int | float | str, ...]:
    said = item.values.get("in", ())
    if not isinstance(said, list | tuple) or ("in" in item and not said):
        table.refuse(item, "in: write the list of the values that may be there")
    return tuple(_limit(item, "in", value) for value in said)


def _check_together(item: Table, said: DeclaredColumn) -> None:
    kind = parse(said.type).kind if said.type else ""
    if said.format and not kind.startswith(_TIMES):
        table.refuse(item, "format is of dates and times: declare type = 'TIMESTAMP', too")
    if said.format and "%" not in said.format:
        table.refuse(item, f"format = {said.format!r}: write one such as '%d/%m/%Y %H:%M'")
    if said.decimal not in ("", ".", ","):
        table.refuse(item, f"decimal = {said.decimal!r}: write '.' or ','")
    if said.decimal and kind not in _FRACTIONS:
        table.refuse(item, "decimal is of numbers: declare type = 'DOUBLE' or 'DECIMAL(18,2)', too")


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
    values: dict[str, Any] = {
        "from": list(column.former),
        "type": column.type,
        "description": column.description,
        "format": column.format,
        "decimal": column.decimal,
        "null": list(column.null),
        "required": column.required,
        "between": _limits(column),
        "in": list(column.allowed),
        "personal": column.personal,
    }
    return {key: value for key, value in values.items() if value}


def _limits(column: DeclaredColumn) -> dict[str, int | float | str]:
    low, high = column.between
    return {key: one for key, one in (("min", low), ("max", high)) if one is not None}


@lru_cache(maxsize=1024)
def columns_from_text(text: str) -> Mapping[str, DeclaredColumn]:
    """Return the columns that a source's declaration in the lake's log names.

    Whatever else the declaration says does not matter here: it is about landing.

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
    limits = item.get("between", {})
    return DeclaredColumn(
        former=tuple(item.get("from", ())),
        type=item.get("type", ""),
        description=item.get("description", ""),
        format=item.get("format", ""),
        decimal=item.get("decimal", ""),
        null=tuple(item.get("null", ())),
        required=item.get("required", False),
        between=(limits.get("min"), limits.get("max")),
        allowed=tuple(item.get("in", ())),
        personal=item.get("personal", False),
    )
