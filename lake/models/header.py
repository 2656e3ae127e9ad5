"""The header of a model's file: TOML in comments, between `-- /// lake` and `-- ///`."""

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from lake import layout
from lake.errors import InvalidName, ModelInvalid
from lake.models.checks import Check, parse_checks
from lake.models.reads import Reads, parse_reads
from lake.models.syntax import invalid
from lake.words import nearest

KEYS = ("description", "owner", "columns", "partition_by", "reads", "checks")

_FENCE = re.compile(r"^[ \t]*--[ \t]*///[ \t]*(.*?)[ \t\r]*$", re.MULTILINE)
_PREFIX = re.compile(r"[ \t]*--[ \t]?")


@dataclass(frozen=True, slots=True)
class Header:
    """What a model's file says about itself; `columns` are descriptions by name."""

    description: str = ""
    owner: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    partition_by: tuple[str, ...] = ()
    reads: Mapping[str, Reads] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True)
class _Block:
    path: str
    text: str
    start: int
    end: int

    def invalid(self, message: str, key: str = "") -> ModelInvalid:
        """Point at the first place in the header that names `key`."""
        inside = self.text[self.start : self.end]
        match = re.search(rf"(?<![\w]){re.escape(key)}(?![\w])", inside) if key else None
        return invalid(self.path, self.text, self.start + (match.start() if match else 0), message)


def parse_header(text: str, *, path: str) -> Header:
    """Return the header of a model's file; an empty one if it has none.

    Raises:
        ModelInvalid: it is no TOML, or says something unknown or impossible.
    """
    block = _block(text, path)
    if block is None:
        return Header()
    said = _toml(block)
    _known(block, said, KEYS, what="a header")
    partition_by = _partition_by(block, said.get("partition_by", []))
    reads = _reads(block, said.get("reads", {}))
    if reads and not partition_by:
        raise block.invalid(
            "reads needs partition_by: name the output column that cuts it", "reads"
        )
    try:
        checks = parse_checks(said.get("checks", []), path=path)
    except ModelInvalid as exc:
        raise block.invalid(str(exc), "checks") from None
    text_of = {key: _text(block, said.get(key, ""), key) for key in ("description", "owner")}
    columns = _columns(block, said.get("columns", {}))
    return Header(**text_of, columns=columns, partition_by=partition_by, reads=reads, checks=checks)


def _block(text: str, path: str) -> _Block | None:
    fences = list(_FENCE.finditer(text))
    if not fences:
        return None
    if fences[0][1] != "lake":
        raise invalid(path, text, fences[0].start(), "a header starts with the line `-- /// lake`")
    if len(fences) == 1:
        raise invalid(
            path, text, fences[0].start(), "the header has no end: close it with `-- ///`"
        )
    if fences[1][1] or len(fences) > 2:
        extra = fences[2] if not fences[1][1] else fences[1]
        raise invalid(
            path, text, extra.start(), "a file has one header, closed by the line `-- ///`"
        )
    return _Block(path, text, fences[0].end(), fences[1].start())


def _toml(block: _Block) -> dict[str, Any]:
    lines = block.text[block.start : block.end].split("\n")
    places, toml, place = [], [], block.start
    for line in lines:
        prefix = _PREFIX.match(line)
        if line.strip() and prefix is None:
            raise invalid(block.path, block.text, place, "a line of the header starts with `--`")
        cut = prefix.end() if prefix else 0
        places.append(place + cut)
        toml.append(line[cut:].rstrip("\r"))
        place += len(line) + 1
    try:
        return tomllib.loads("\n".join(toml))
    except tomllib.TOMLDecodeError as exc:
        raise _no_toml(block, places, str(exc)) from exc


def _no_toml(block: _Block, places: list[int], message: str) -> ModelInvalid:
    match = re.search(r" ?\(at line ([0-9]+), column ([0-9]+)\)", message)
    place = places[int(match[1]) - 1] + int(match[2]) - 1 if match else block.end
    said = message[: match.start()] if match else message.split(" (")[0]
    return invalid(block.path, block.text, place, f"the header is no TOML: {said}")


def _known(block: _Block, said: Mapping[str, Any], keys: Collection[str], *, what: str) -> None:
    for key in said:
        if key not in keys:
            raise block.invalid(f"{what} has no key {key!r}{nearest(key, keys)}", key)


def _columns(block: _Block, value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise block.invalid('columns describes columns, as in columns.revenue = "…"', "columns")
    return {name: _text(block, said, name) for name, said in value.items()}


def _text(block: _Block, value: Any, key: str) -> str:
    if not isinstance(value, str):
        raise block.invalid(f'{key} is a text, such as {key} = "…"', key)
    return value.strip()


def _partition_by(block: _Block, value: Any) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise block.invalid(
            'partition_by is a column or a list of columns, such as "month"', "partition_by"
        )
    for name in names:
        try:
            layout.partition({name: "x"})
        except InvalidName as exc:
            raise block.invalid(f"partition_by: {exc}", "partition_by") from None
    if len({name.lower() for name in names}) < len(names):
        raise block.invalid(
            f"partition_by names a column twice: {', '.join(names)}", "partition_by"
        )
    return tuple(names)


def _reads(block: _Block, value: Any) -> dict[str, Reads]:
    if not isinstance(value, dict):
        raise block.invalid('reads says how an input is read: reads.trips = "same"', "reads")
    return {name: _read(block, name, said) for name, said in value.items()}


def _read(block: _Block, name: str, said: Any) -> Reads:
    if isinstance(said, dict) and name in layout.ZONES:
        inner = next(iter(said), "NAME")
        raise block.invalid(f'a name with a dot is quoted here: reads."{name}.{inner}"', name)
    if not isinstance(said, str):
        raise block.invalid(f'reads.{name} is "each", "same" or a range such as "-1..+0"', name)
    try:
        return parse_reads(said)
    except ModelInvalid as exc:
        raise block.invalid(f"reads.{name}: {exc}", name) from None
