"""Documents: what a page says, as dataclasses; their JSON, and the schema of that."""

import dataclasses
import json
import math
import re
import types
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_SURROGATE = re.compile("[\ud800-\udfff]")


def encoded(document: Any) -> bytes:
    """Return a document as JSON; times are ISO texts, UTC."""
    text = json.dumps(plain(document), ensure_ascii=False, separators=(",", ":"))
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()


def plain(value: Any) -> Any:
    """Return a document as JSON has it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {one.name: plain(getattr(value, one.name)) for one in fields}
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no NaN and no infinity
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def schema(document: type) -> dict[str, Any]:
    """Return the JSON Schema of a kind of document."""
    hints = get_type_hints(document)
    return {
        "type": "object",
        "properties": {name: _of(hint) for name, hint in hints.items()},
        "required": list(hints),
        "additionalProperties": False,
    }


_SIMPLE: dict[Any, dict[str, Any]] = {
    Any: {},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": ["number", "string"]},
    str: {"type": "string"},
    type(None): {"type": "null"},
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
}


def _of(hint: Any) -> dict[str, Any]:
    if hint in _SIMPLE:
        return _SIMPLE[hint]
    if dataclasses.is_dataclass(hint):
        return schema(hint)  # type: ignore[arg-type]
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return {"anyOf": [_of(part) for part in parts]}
    if origin is Literal:
        return {"enum": list(parts)}
    if origin is tuple and parts[-1] is not ...:
        return {"type": "array", "prefixItems": [_of(part) for part in parts]}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _of(parts[1])}
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return {"type": "array", "items": _of(parts[0])}
    raise TypeError(f"{hint!r} is nothing that a document can hold")
