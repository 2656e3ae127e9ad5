"""One JSON record: parsed exactly, or the reason why it is none."""

import json
import re
from collections import Counter
from typing import Any

from lake.convert.records.values import Written

MAX_DEPTH = 100
_LONGEST_INTEGER = 4_000
# Python would read -0 as 0, and refuses integers of more than 4,300 digits.
_ODD_INTEGER = re.compile(rf"-0[\s,\]}}]|[0-9]{{{_LONGEST_INTEGER}}}")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_BRACKET = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|([\[{])|([\]}])', re.S)


class NoRecord(ValueError):
    """Why a piece of JSON is no record, in words."""


def parse(data: bytes) -> dict[str, Any]:
    """Return the object that `data` is, with numbers as they were written (`Written`) or integers.

    Raises:
        NoRecord: it is no JSON, no object, or cannot be kept: a key twice, a lone surrogate, more
            than 100 levels.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as exc:
        raise NoRecord(
            f"no UTF-8: byte 0x{data[exc.start]:02x} at its offset {exc.start}"
        ) from None
    _check_depth(text)
    found = _decoded(text)
    if type(found) is not dict:
        raise NoRecord(f"{_named(found)} where an object must be")
    if _SURROGATE.search(text):
        _check_surrogates(found)
    return found


def parse_again(data: bytes) -> dict[str, Any]:
    """Return what `parse` gave before, in half the time."""
    text = data.decode()
    found: dict[str, Any] = (_AGAIN_CAREFUL if _ODD_INTEGER.search(text) else _AGAIN).decode(text)
    return found


def _decoded(text: str) -> Any:
    decoder = _CAREFUL if _ODD_INTEGER.search(text) else _QUICK
    try:
        return decoder.decode(text)
    except json.JSONDecodeError as exc:
        what = exc.msg.removesuffix(" at").removesuffix(" starting").lower()
        raise NoRecord(f"no JSON: {what} at character {exc.pos + 1}") from None


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for match in _BRACKET.finditer(text):
        depth += (match[1] is not None) - (match[2] is not None)
        if depth > MAX_DEPTH:
            raise NoRecord(f"nested deeper than {MAX_DEPTH} levels")


def _check_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as exc:
        code = ord(exc.object[exc.start])
        raise NoRecord(f"a lone surrogate \\u{code:04x}, which is half a character") from None


def _named(value: Any) -> str:
    names = {list: "an array", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise NoRecord(f"the key {twice!r} twice in one object")
    return found


def _no_constant(text: str) -> None:
    raise NoRecord(f"{text}, which is no JSON")


def _integer(text: str) -> int | Written:
    return Written(text) if text == "-0" or len(text) > _LONGEST_INTEGER else int(text)


_QUICK = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=Written, parse_constant=_no_constant
)
_CAREFUL = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_float=Written,
    parse_constant=_no_constant,
    parse_int=_integer,
)
_AGAIN = json.JSONDecoder(parse_float=Written)
_AGAIN_CAREFUL = json.JSONDecoder(parse_float=Written, parse_int=_integer)
