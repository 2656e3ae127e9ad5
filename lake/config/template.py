"""A source's URL with its `{key}` fields: `…/green_{month}.parquet`, `…/{month:%Y/%m}/*.csv`."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from lake.config.period import UNITS, Unit, label
from lake.config.types import Key
from lake.errors import InvalidConfig

# `${NAME}` is a variable of the environment, not a field.
FIELD = re.compile(r"(?<!\$)\{([A-Za-z_][A-Za-z0-9_]*)(?::([^{}]+))?\}")


@dataclass(frozen=True, slots=True)
class Moment:
    """The period of a partition's time key; the key's text is `label(start, unit)`."""

    start: datetime
    unit: Unit

    def __str__(self) -> str:
        """Return the text of the period."""
        return label(self.start, self.unit)


def fields(url: str) -> list[tuple[str, str]]:
    """Return the fields of `url` in order: name, and the `strftime` format or `""`."""
    return [(found[1], found[2] or "") for found in FIELD.finditer(url)]


def fill(url: str, *, field: Callable[[str, str], str], literal: Callable[[str], str]) -> str:
    """Return `url` with its fields replaced by what `field` makes of name and format.

    What stands between them goes through `literal`, so that a `{` in a variable is no field.
    """
    parts, at = [], 0
    for found in FIELD.finditer(url):
        parts += [literal(url[at : found.start()]), field(found[1], found[2] or "")]
        at = found.end()
    return "".join([*parts, literal(url[at:])])


def field_text(name: str, form: str, values: Mapping[str, str | Moment]) -> str:
    """Return what the field `{name:form}` says; `{year}` of a month is that month's year."""
    value = values.get(name) or next(v for v in values.values() if isinstance(v, Moment))
    if isinstance(value, str):
        return value
    if form:
        return value.start.strftime(form)
    unit = value.unit if name in values else next(unit for unit in UNITS if unit == name)
    return label(value.start, unit)


def check(url: str, keys: Mapping[str, Key]) -> None:
    """Make sure that the fields of `url` and the partition's `keys` belong together.

    Raises:
        InvalidConfig: they do not; the message says what to write.
    """
    timed = [name for name, key in keys.items() if key.every]
    if len(timed) > 1:
        raise InvalidConfig(f"only one key of a partition can have 'every', not {', '.join(timed)}")
    for name, form in fields(url):
        _check_field(name, form, keys)
    for name in keys:
        if name not in dict(fields(url)):
            raise InvalidConfig(
                f"the url does not tell one {name} from another: put {{{name}}} in it"
            )


def _check_field(name: str, form: str, keys: Mapping[str, Key]) -> None:
    shown = f"{{{name}:{form}}}" if form else f"{{{name}}}"
    if name not in keys and name not in _derived(keys):
        raise InvalidConfig(
            f"{shown} in the url is no key of the partition: declare partition.{name}"
            ' = { every = "month", since = "2024-01" } or { values = [...] }'
        )
    if form and (name not in keys or not keys[name].every):
        raise InvalidConfig(f"{shown} in the url has a format, but {name} is no key with 'every'")


def _derived(keys: Mapping[str, Key]) -> tuple[str, ...]:
    """Return the units that are longer than the time key's, such as the year of a month."""
    for key in keys.values():
        if key.every:
            longer = UNITS[UNITS.index(key.every) :]
            # A week may lie in two of any longer period.
            return ("week",) if key.every == "week" else tuple(u for u in longer if u != "week")
    return ()
