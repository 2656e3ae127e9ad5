"""One table of `lake.toml`, read key by key; what is wrong is named with file, table and key."""

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from lake.errors import InvalidConfig, LakeError

T = TypeVar("T")
_KINDS = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    dict: "a table",
    list: "a list",
}


@dataclass(frozen=True, slots=True)
class Table:
    """`name` is as in the file, such as `sources.green_trips`; `file` is what errors start with."""

    file: str
    name: str
    values: Mapping[str, Any]

    def __contains__(self, key: str) -> bool:
        """Tell whether the table says `key`."""
        return key in self.values


def refuse(table: Table, problem: str) -> NoReturn:
    """Raise `InvalidConfig` about `table`."""
    where = f"[{table.name}] " if table.name else ""
    raise InvalidConfig(f"{table.file}: {where}{problem}")


def only(table: Table, keys: Iterable[str]) -> Table:
    """Return `table`, if it has no keys but `keys`."""
    known = sorted(keys)
    for key in table.values:
        if key not in known:
            refuse(table, f"knows no key {key!r}: {nearest(key, known)}")
    return table


def nearest(name: str, known: Iterable[str]) -> str:
    """Return what to write instead of `name`: the nearest of `known`, or all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"there is {', '.join(names)}" if names else "there is none"


def inner(table: Table, key: str) -> Table:
    """Return the table at `key`, an empty one where there is none."""
    name = f"{table.name}.{key}" if table.name else key
    return Table(table.file, name, _value(table, key, dict, {}))


def inners(table: Table) -> dict[str, Table]:
    """Return all tables in `table`, by their keys."""
    return {key: inner(table, key) for key in table.values}


def text(table: Table, key: str, default: str = "", *, reads_environment: bool = False) -> str:
    """Return the text at `key`; a `${NAME}` is refused where nobody would look it up."""
    value = _value(table, key, str, default)
    if "${" in value and not reads_environment:
        refuse(table, f"{key} = {value!r} does not read the environment: write it without ${{…}}")
    return value


def flag(table: Table, key: str, *, default: bool) -> bool:
    """Return the boolean at `key`."""
    return _value(table, key, bool, default)


def count(table: Table, key: str, *, default: int) -> int:
    """Return the number at `key`, 0 or more."""
    value = _value(table, key, int, default)
    return value if value >= 0 else refuse(table, f"{key} = {value} is below zero")


def texts(table: Table, key: str) -> tuple[str, ...]:
    """Return the list of texts at `key`, without a repetition."""
    values = _value(table, key, list, [])
    for value in values:
        if not isinstance(value, str):
            refuse(table, f"{key} holds {_shown(value)}: write text, in quotes")
        if values.count(value) > 1:
            refuse(table, f"{key} names {value!r} twice")
    return tuple(values)


def parsed(table: Table, key: str, parse: Callable[[str], T], *, default: T) -> T:
    """Return what `parse` makes of the text at `key`."""
    return attempt(table, key, lambda: parse(text(table, key))) if key in table else default


def attempt(table: Table, key: str, make: Callable[[], T]) -> T:
    """Return what `make` gives; its error is told with file, table and key."""
    try:
        return make()
    except InvalidConfig as error:
        if str(error).startswith(f"{table.file}: "):
            raise
        refuse(table, f"{key}: {error}")
    except LakeError as error:
        refuse(table, f"{key}: {error}")


def _value(table: Table, key: str, kind: type[T], default: T) -> T:
    value = table.values.get(key, default)
    # A bool is an int to Python, not to whoever wrote `max_rejects = true`.
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        refuse(table, f"{key} is {_shown(value)}: write {_KINDS[kind]}")
    return value


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, bool):
        return str(value).lower()
    return (
        "a list"
        if isinstance(value, list)
        else repr(value)
        if isinstance(value, str)
        else f"{value}"
    )
