"""What a model's header demands of its rows: the list `checks`.

    { not_null = "c" }                              or a list of columns: no NULL in any
    { unique = ["a", "b"] }                         rows with a NULL among them are not compared
    { accepted_values = "c", values = ["x", "y"] }  NULL passes
    { between = "c", min = 0, max = 9 }             both ends belong to it; NULL passes
    { row_count = { min = 1 } }
    { references = "c", to = "raw.zones.id" }       NULL passes
    { fresh = "ts", within = "2 days" }             no rows is not fresh
    { sql = "SELECT …", name = "…" }                must return no rows

Each takes `name`, `severity` (`error` or `warn`) and `scope` (`dataset` or `partition`).
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any, Literal, TypeAlias

from lake import layout
from lake.config.duration import duration
from lake.errors import InvalidConfig, InvalidName, ModelInvalid
from lake.models.syntax import statement
from lake.words import nearest

Value: TypeAlias = str | int | float | bool | date | datetime | time
Kind: TypeAlias = Literal[
    "not_null", "unique", "accepted_values", "between", "row_count", "references", "fresh", "sql"
]

KINDS: Mapping[str, tuple[str, ...]] = {
    "not_null": (),
    "unique": (),
    "accepted_values": ("values",),
    "between": ("min", "max"),
    "row_count": (),
    "references": ("to",),
    "fresh": ("within",),
    "sql": (),
}
OPTIONS = ("name", "severity", "scope")


@dataclass(frozen=True, slots=True)
class Check:
    """One check. Which fields count depends on `kind`; `path` is its model's file."""

    kind: Kind
    name: str
    path: str
    columns: tuple[str, ...] = ()
    values: tuple[Value, ...] = ()
    min: Value | None = None
    max: Value | None = None
    to: tuple[str, str] = ("", "")
    """The dataset and the column that `references` looks in."""
    within: timedelta = timedelta()
    sql: str = ""
    severity: Literal["error", "warn"] = "error"
    scope: Literal["dataset", "partition"] = "dataset"


def parse_checks(said: Any, *, path: str) -> tuple[Check, ...]:
    """Return the checks of a header.

    Raises:
        ModelInvalid: one of them says something unknown or impossible; the caller adds the place.
    """
    if not isinstance(said, list) or not all(isinstance(item, dict) for item in said):
        raise ModelInvalid('checks is a list, such as [{ not_null = "id" }]')
    checks = tuple(_check(item, path, number) for number, item in enumerate(said, start=1))
    double = [name for name, count in Counter(check.name for check in checks).items() if count > 1]
    if double:
        raise ModelInvalid(f"two checks are named {double[0]!r}: give one of them another `name`")
    return checks


def _check(said: Mapping[str, Any], path: str, number: int) -> Check:
    kinds = [key for key in said if key in KINDS]
    if len(kinds) != 1:
        raise _no_kind(said, kinds, number)
    kind: Any = kinds[0]
    allowed = (kind, *KINDS[kind], *OPTIONS)
    for key in said:
        if key not in allowed:
            raise ModelInvalid(f"check {number} ({kind}) has no key {key!r}{nearest(key, allowed)}")
    check = _PARSE[kind](Check(kind, "", path), said)
    return replace(
        check,
        name=_name(said.get("name", _default_name(check, number)), number),
        severity=_one_of(said, "severity", ("error", "warn"), number),
        scope=_one_of(said, "scope", ("dataset", "partition"), number),
    )


def _no_kind(said: Mapping[str, Any], kinds: list[str], number: int) -> ModelInvalid:
    if kinds:
        return ModelInvalid(
            f"check {number} is both {' and '.join(kinds)}: write them as two checks"
        )
    unknown = next((key for key in said if key not in OPTIONS), "")
    return ModelInvalid(f"check {number} is of no kind{nearest(unknown, KINDS)}")


def _default_name(check: Check, number: int) -> str:
    if check.kind == "sql":
        return f"sql_{number}"
    return "_".join(
        [check.kind, *(re.sub(r"\W+", "_", column.strip()) for column in check.columns)]
    )


def _name(said: Any, number: int) -> str:
    if not isinstance(said, str) or not said.strip() or not said.isprintable():
        raise ModelInvalid(f"the name of check {number} is a text of one line")
    return said.strip()


def _one_of(said: Mapping[str, Any], key: str, words: tuple[str, str], number: int) -> Any:
    value = said.get(key, words[0])
    if value not in words:
        raise ModelInvalid(f"check {number}: {key} is {words[0]!r} or {words[1]!r}, not {value!r}")
    return value


def _columns(check: Check, said: Mapping[str, Any]) -> Check:
    value = said[check.kind]
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not names or not all(isinstance(n, str) and n for n in names):
        raise ModelInvalid(
            f'{check.kind} names a column or a list of them, such as {check.kind} = "id"'
        )
    if len(set(names)) < len(names):
        raise ModelInvalid(f"{check.kind} names a column twice: {', '.join(names)}")
    return replace(check, columns=tuple(names))


def _column(check: Check, said: Mapping[str, Any]) -> Check:
    value = said[check.kind]
    if not isinstance(value, str) or not value:
        raise ModelInvalid(f'{check.kind} names one column, such as {check.kind} = "id"')
    return replace(check, columns=(value,))


def _accepted_values(check: Check, said: Mapping[str, Any]) -> Check:
    values = said.get("values")
    if not isinstance(values, list) or not values or not all(isinstance(v, Value) for v in values):
        raise ModelInvalid('accepted_values needs values, such as values = ["a", "b"]')
    if len({_family(value) for value in values}) > 1:
        raise ModelInvalid(
            f"accepted_values has values of several types: {values}; write them alike"
        )
    return replace(_column(check, said), values=tuple(values))


def _family(value: Value) -> type:
    return float if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value)


def _bounds(check: Check, said: Any) -> Check:
    low, high = said.get("min"), said.get("max")
    if low is None and high is None:
        raise ModelInvalid(f"{check.kind} needs min, max or both")
    if not all(bound is None or isinstance(bound, Value) for bound in (low, high)):
        raise ModelInvalid(f"min and max of {check.kind} are numbers, texts or dates")
    if low is not None and high is not None:
        if _family(low) is not _family(high):
            raise ModelInvalid(
                f"min and max of {check.kind} are of two types: {low!r} and {high!r}"
            )
        if low > high:
            raise ModelInvalid(f"min of {check.kind} is above its max: {low} and {high}")
    return replace(check, min=low, max=high)


def _between(check: Check, said: Mapping[str, Any]) -> Check:
    return _bounds(_column(check, said), said)


def _row_count(check: Check, said: Mapping[str, Any]) -> Check:
    limits = said["row_count"]
    if not isinstance(limits, dict) or limits.keys() - {"min", "max"}:
        raise ModelInvalid("row_count is a table of min and max, such as { min = 1 }")
    if any(type(limit) is not int or limit < 0 for limit in limits.values()):
        raise ModelInvalid("min and max of row_count are whole numbers from 0 on")
    return _bounds(check, limits)


def _references(check: Check, said: Mapping[str, Any]) -> Check:
    to = said.get("to")
    zone, _, rest = str(to).partition(".")
    name, _, column = rest.partition(".")
    try:
        layout.dataset(f"{zone}.{name}")
    except InvalidName as exc:
        raise ModelInvalid(
            f'references: to = {to!r} is no column: write to = "raw.zones.id"'
        ) from exc
    if not column:
        raise ModelInvalid(
            f'references: to = {to!r} lacks the column: write to = "{zone}.{name}.id"'
        )
    return replace(_column(check, said), to=(f"{zone}.{name}", column))


def _fresh(check: Check, said: Mapping[str, Any]) -> Check:
    try:
        within = duration(str(said.get("within", "")))
    except InvalidConfig as exc:
        raise ModelInvalid(f'fresh needs within, such as within = "2 days": {exc}') from exc
    return replace(_column(check, said), within=within)


def _sql(check: Check, said: Mapping[str, Any]) -> Check:
    if not isinstance(said["sql"], str):
        raise ModelInvalid("sql is a SELECT that must return no rows, as a text")
    found = statement(said["sql"], path=f"check {said.get('name', 'sql')!r}")
    return replace(check, sql=found.sql)


_PARSE = {
    "not_null": _columns,
    "unique": _columns,
    "accepted_values": _accepted_values,
    "between": _between,
    "row_count": _row_count,
    "references": _references,
    "fresh": _fresh,
    "sql": _sql,
}
