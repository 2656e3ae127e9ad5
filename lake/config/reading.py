"""How a source's bytes become rows: out of `[sources.NAME]`, and as the lake's log keeps it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, get_args

from lake.config import table
from lake.config.columns import columns, columns_values
from lake.config.table import Table
from lake.config.types import AS_IT_COMES, Format, Reading

KEYS = tuple(field.name for field in fields(Reading))
_FORMATS: tuple[Format, ...] = get_args(Format)
_ACCEPT = ("accept", "reject")
_EMPTY = ("reject", "empty")


def reading(values: Table, *, keys: Mapping[str, object]) -> Reading:
    """Return what the table of a source says about how it is read.

    Args:
        values: the table; keys that are none of `KEYS` are left to whoever knows them.
        keys: the source's partition keys, whose columns are made from the partition.

    Raises:
        InvalidConfig: a key is wrong.
    """
    found = Reading(
        format=_one_of(values, "format", _FORMATS),
        encoding=_encoding(values),
        delimiter=_character(values, "delimiter"),
        quote=_character(values, "quote"),
        escape=_character(values, "escape"),
        comment=table.text(values, "comment"),
        widths=_widths(table.inner(values, "widths")),
        sheet=table.text(values, "sheet"),
        members=table.text(values, "members"),
        columns=columns(table.inner(values, "columns"), keys=keys),
        unknown_columns=_one_of(values, "unknown_columns", _ACCEPT),
        extra_fields=_one_of(values, "extra_fields", _EMPTY),
        max_rejects=table.count(values, "max_rejects", default=0),
        keep_original=table.flag(values, "keep_original", default=True),
        profile=table.flag(values, "profile", default=True),
        key=table.texts(values, "key"),
    )
    _check_together(values, found)
    return found


def _one_of(values: Table, key: str, known: tuple[Any, ...]) -> Any:
    """Return the text at `key`, which is one of `known`; the first of them if nothing is said."""
    text = table.text(values, key, known[0])
    if text not in known:
        table.refuse(values, f"{key} = {text!r}: {table.nearest(text, filter(None, known))}")
    return text


def _encoding(values: Table) -> str:
    name = table.text(values, "encoding")
    try:
        "".encode(name or "utf-8")  # raises LookupError for a codec that is not of text, too
    except (LookupError, ValueError):
        table.refuse(
            values, f"encoding = {name!r} is none: write one such as 'utf-16' or 'latin-1'"
        )
    return name


def _character(values: Table, key: str) -> str:
    text = table.text(values, key)
    if text and (len(text) > 1 or not text.isascii() or text in "\r\n\0"):
        table.refuse(values, f"{key} = {text!r}: write one character of ASCII, and no line end")
    return text


def _widths(values: Table) -> tuple[tuple[str, int], ...]:
    found = tuple((name, table.count(values, name, default=0)) for name in values.values)
    for name, width in found:
        if not name.strip() or not width:
            table.refuse(values, f"{name!r} = {width}: write a column's name and its characters")
    return found


def _check_together(values: Table, said: Reading) -> None:
    if said.format == "fixed" and not said.widths:
        table.refuse(values, "format = 'fixed' needs widths: write widths = { name = 10, … }")
    if said.widths and said.format not in ("", "fixed"):
        table.refuse(values, f"widths are of fixed-width text, and format is {said.format!r}")
    used = [c for c in (said.delimiter, said.quote, said.comment[:1]) if c]
    if len(set(used)) < len(used):
        table.refuse(values, "delimiter, quote and comment must be different characters")
    if said.sheet == "*" and said.columns:
        table.refuse(
            values,
            "sheet = '*' makes a dataset of each sheet: declare columns in a source of one sheet",
        )
    if any(not name.strip() for name in said.key):
        table.refuse(values, "key holds an empty name: take it out")


def reading_id(said: Reading) -> str:
    """Return what tells two readings of the same bytes apart; `""` for one that says nothing."""
    values = reading_values(replace(said, keep_original=True, profile=True, key=()))
    for column in values.get("columns", {}).values():
        column.pop("description", None)
    if not values:
        return ""
    text = json.dumps(values, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def reading_values(said: Reading) -> dict[str, Any]:
    """Return what a source's declaration holds of it: only what is not said anyway."""
    values = {key: getattr(said, key) for key in KEYS}
    values |= {
        "columns": columns_values(said.columns),
        "widths": dict(said.widths),
        "key": list(said.key),
    }
    default = {key: getattr(AS_IT_COMES, key) for key in KEYS}
    default |= {"columns": {}, "widths": {}, "key": []}
    return {key: value for key, value in values.items() if value != default[key]}
