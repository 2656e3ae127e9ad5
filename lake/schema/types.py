"""DuckDB's type texts, read into a tree and written again."""

import re
from dataclasses import dataclass
from functools import lru_cache

from lake.query.sql import identifier

INTEGERS = {
    "TINYINT": (-(2**7), 2**7 - 1),
    "UTINYINT": (0, 2**8 - 1),
    "SMALLINT": (-(2**15), 2**15 - 1),
    "USMALLINT": (0, 2**16 - 1),
    "INTEGER": (-(2**31), 2**31 - 1),
    "UINTEGER": (0, 2**32 - 1),
    "BIGINT": (-(2**63), 2**63 - 1),
    "UBIGINT": (0, 2**64 - 1),
}
"""The limits of the integers that Parquet knows, narrowest first."""

NESTED = frozenset({"STRUCT", "LIST", "MAP"})
OPAQUE = "?"
_SCALARS = frozenset(
    {
        *INTEGERS,
        *("HUGEINT", "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL", "BOOLEAN", "VARCHAR", "JSON"),
        *("BLOB", "UUID", "DATE", "TIME", "TIME WITH TIME ZONE", "INTERVAL", "TIMESTAMP"),
        *("TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE"),
    }
)
_ALIASES = {
    "INT1": "TINYINT",
    "INT2": "SMALLINT",
    "SHORT": "SMALLINT",
    "INT": "INTEGER",
    "INT4": "INTEGER",
    "SIGNED": "INTEGER",
    "INT8": "BIGINT",
    "LONG": "BIGINT",
    "REAL": "FLOAT",
    "FLOAT4": "FLOAT",
    "FLOAT8": "DOUBLE",
    "NUMERIC": "DECIMAL",
    "BOOL": "BOOLEAN",
    "TEXT": "VARCHAR",
    "STRING": "VARCHAR",
    "CHAR": "VARCHAR",
    "BYTEA": "BLOB",
    "BINARY": "BLOB",
    "VARBINARY": "BLOB",
    "DATETIME": "TIMESTAMP",
    "TIMESTAMP_US": "TIMESTAMP",
    "TIMETZ": "TIME WITH TIME ZONE",
    "TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE",
}
NAMES = _SCALARS | NESTED
"""What the types that are understood are called."""
_SCALAR = re.compile(
    r"\s*([A-Za-z_][A-Za-z0-9_]*(?: [A-Za-z]+)*)\s*(?:\(\s*(\d+)\s*,\s*(\d+)\s*\))?"
)
_FIELD = re.compile(r'\s*(?:"((?:[^"]|"")+)"|([^\s,()\[\]"]+))\s+(?=\S)')


@dataclass(frozen=True, slots=True)
class Type:
    """A type: `kind` is DuckDB's name, or LIST, or `OPAQUE` for what is only equal to itself.

    `fields` are a STRUCT's, the `element` of a LIST, or `key` and `value` of a MAP; `size` holds a
    DECIMAL's precision and scale; `text` an opaque type as DuckDB wrote it.
    """

    kind: str
    fields: tuple[tuple[str, "Type"], ...] = ()
    size: tuple[int, ...] = ()
    text: str = ""

    def __str__(self) -> str:
        if self.kind == OPAQUE:
            return self.text
        if self.kind == "LIST":
            return f"{self.fields[0][1]}[]"
        if self.kind == "MAP":
            return f"MAP({', '.join(str(dtype) for _, dtype in self.fields)})"
        if self.kind == "STRUCT":
            fields = (f"{identifier(name)} {dtype}" for name, dtype in self.fields)
            return f"STRUCT({', '.join(fields)})"
        return f"{self.kind}({self.size[0]},{self.size[1]})" if self.size else self.kind


class _NotParsed(ValueError):
    pass


@lru_cache(maxsize=4096)
def parse(text: str) -> Type:
    """Return the type that `text` names; what is not understood comes back as an opaque type."""
    try:
        dtype, at = _type(text, 0)
    except _NotParsed:
        return Type(OPAQUE, text=text)
    return dtype if not text[at:].strip() else Type(OPAQUE, text=text)


def is_opaque(dtype: Type) -> bool:
    """Tell whether `dtype` is, or holds, one that is only known by its text."""
    return dtype.kind == OPAQUE or any(is_opaque(field) for _, field in dtype.fields)


def _type(text: str, at: int) -> tuple[Type, int]:
    dtype, at = _base(text, at)
    while text.startswith("[]", at):
        dtype, at = Type("LIST", (("element", dtype),)), at + 2
    return dtype, at


def _base(text: str, at: int) -> tuple[Type, int]:
    found = _SCALAR.match(text, at)
    if not found:
        raise _NotParsed
    name = _ALIASES.get(found[1].upper(), found[1].upper())
    if name in ("STRUCT", "MAP") and text.startswith("(", found.end()):
        return (_struct if name == "STRUCT" else _map)(text, found.end() + 1)
    size = (int(found[2]), int(found[3])) if found[2] else ()
    if name not in _SCALARS or bool(size) != (name == "DECIMAL"):
        raise _NotParsed
    return Type(name, size=size), found.end()


def _struct(text: str, at: int) -> tuple[Type, int]:
    fields = []
    while True:
        found = _FIELD.match(text, at)
        if not found:
            raise _NotParsed
        name = found[2] or found[1].replace('""', '"')
        dtype, at = _type(text, found.end())
        fields.append((name, dtype))
        if text.startswith(")", at):
            return Type("STRUCT", tuple(fields)), at + 1
        at = _after(",", text, at)


def _map(text: str, at: int) -> tuple[Type, int]:
    key, at = _type(text, at)
    value, at = _type(text, _after(",", text, at))
    return Type("MAP", (("key", key), ("value", value))), _after(")", text, at)


def _after(mark: str, text: str, at: int) -> int:
    if not text.startswith(mark, at):
        raise _NotParsed
    return at + 1
