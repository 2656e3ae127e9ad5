"""Which column of PostgreSQL takes a published type, and how its values travel.

In PostgreSQL's binary COPY a value has no type of its own, so its width must be the column's:
DuckDB casts it before.
"""

import re
from collections.abc import Mapping

import duckdb
from duckdb.sqltypes import DuckDBPyType

from lake.errors import LoadRefused
from lake.query.sql import identifier
from lake.warehouse.fits import fits

_SCALARS = {
    "BOOLEAN": "boolean",
    "TINYINT": "smallint",
    "SMALLINT": "smallint",
    "INTEGER": "integer",
    "BIGINT": "bigint",
    "UTINYINT": "smallint",
    "USMALLINT": "integer",
    "UINTEGER": "bigint",
    "UBIGINT": "numeric(20,0)",
    "FLOAT": "real",
    "DOUBLE": "double precision",
    "VARCHAR": "text",
    "BLOB": "bytea",
    "DATE": "date",
    "TIME": "time without time zone",
    "TIMESTAMP": "timestamp without time zone",
    "TIMESTAMP_S": "timestamp without time zone",
    "TIMESTAMP_MS": "timestamp without time zone",
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
    "UUID": "uuid",
    "INTERVAL": "interval",
}
_BACK = {
    "boolean": "BOOLEAN",
    "smallint": "SMALLINT",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "real": "FLOAT",
    "double precision": "DOUBLE",
    "text": "VARCHAR",
    "bytea": "BLOB",
    "date": "DATE",
    "time without time zone": "TIME",
    "timestamp without time zone": "TIMESTAMP",
    "timestamp with time zone": "TIMESTAMP WITH TIME ZONE",
    "uuid": "UUID",
    "interval": "INTERVAL",
}
"""The type in which DuckDB writes what a column reads."""

# Others have no array in DuckDB's writer, or one that a column of text does not take.
_LISTED = {
    *("BOOLEAN", "SMALLINT", "INTEGER", "BIGINT", "FLOAT", "DOUBLE", "VARCHAR"),
    *("DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "UUID"),
}
_ADVICE = {
    "HUGEINT": "DECIMAL(38,0)",
    "TIMESTAMP_NS": "TIMESTAMP",
    "TIME WITH TIME ZONE": "TIME",
}
_NESTED = ("struct", "map", "list", "array", "union")
_NUMERIC = re.compile(r"numeric\((\d+),(-?\d+)\)")
_TEXT = re.compile(r"character varying(\((\d+)\))?")
JSON = "jsonb"


def postgres_type(text: str, *, column: str, dataset: str) -> str:
    """Return the type of the column that takes the DuckDB type `text`, every value exactly.

    A struct, a map and a list of such become `jsonb`; a list of plain values an array.

    Raises:
        LoadRefused: there is none; the message holds the cast to write.
    """
    kind = duckdb.sqltype(text)
    if kind.id == "decimal":
        return str(kind).lower().replace("decimal", "numeric")
    if kind.id == "enum":
        return "text"
    if kind.id in ("list", "array"):
        return _list_type(kind)
    if kind.id in _NESTED:
        return JSON
    if str(kind) not in _SCALARS:
        cast = f"CAST({identifier(column)} AS {_ADVICE.get(str(kind), 'VARCHAR')})"
        raise LoadRefused(
            f"column {column} of {dataset} is {kind}, for which PostgreSQL has no exact type:"
            f" nothing was changed; write {cast} in the model"
        )
    return _SCALARS[str(kind)]


def _list_type(kind: DuckDBPyType) -> str:
    item = next(part for _, part in kind.children if isinstance(part, DuckDBPyType))
    if str(item) not in _LISTED:
        return JSON
    # DuckDB marks a list of texts so, and `text[]` does not take it.
    return "character varying[]" if str(item) == "VARCHAR" else f"{_SCALARS[str(item)]}[]"


def takes(held: str, given: str) -> bool:
    """Tell whether a column of the type `held` takes every value of a column `given`.

    A text that is too long for `varchar(n)`, or a number for `numeric(p,s)`, is never cut: the
    server refuses it.
    """
    if held == given or (held == "numeric" and _is_exact(given)):
        return True
    if given == "text":
        return bool(_TEXT.fullmatch(held))
    narrow, wide = _duckdb_type(given), _duckdb_type(held)
    return bool(narrow and wide) and fits(narrow, held=wide)


def longest(held: str) -> int:
    """Return how many signs a column of the type `held` takes; 0 if as many as there are."""
    found = _TEXT.fullmatch(held)
    return int(found[2] or 0) if found else 0


def _is_exact(given: str) -> bool:
    return given.startswith("numeric") or given in ("smallint", "integer", "bigint")


def widens(held: str, given: str) -> bool:
    """Tell whether PostgreSQL makes a column `held` a column `given` without writing it anew."""
    old, new = _NUMERIC.fullmatch(held), _NUMERIC.fullmatch(given)
    return bool(old and new and old[2] == new[2] and int(old[1]) <= int(new[1]))


def _duckdb_type(text: str) -> str:
    numeric = _NUMERIC.fullmatch(text)
    if numeric:
        return f"DECIMAL({numeric[1]},{numeric[2]})"
    return _BACK.get(text, "")


def exported(name: str, given: str, held: str) -> str:
    """Return the expression that gives a column's values as a column of the type `held` reads them.

    Args:
        name: the published column.
        given: its DuckDB type.
        held: the type of the table's column.
    """
    column = identifier(name)
    if held == JSON:
        # What `jsonb` reads is a version, 1, and the text.
        return f"CAST('\\x01' AS BLOB) || encode(CAST(to_json({column}) AS VARCHAR))"
    if held == "numeric" or held.startswith("numeric("):
        is_decimal = given.startswith("DECIMAL")
        return column if is_decimal else f"CAST({column} AS DECIMAL(38,0))"
    if _TEXT.fullmatch(held):
        text, most = f"CAST({column} AS VARCHAR)", longest(held)
        # Blanks at the end that are too many PostgreSQL cuts, and says nothing.
        error = "error('a text is longer than its column')"
        return f"CASE WHEN length({text}) > {most} THEN {error} ELSE {text} END" if most else text
    item = held.removesuffix("[]")
    wanted = "VARCHAR" if _TEXT.fullmatch(item) else _BACK.get(item, "")
    return f"CAST({column} AS {wanted}{'[]' if held.endswith('[]') else ''})" if wanted else column


def refuse_long_names(names: Mapping[str, str], *, dataset: str) -> None:
    """Refuse names of columns that PostgreSQL would cut: two of them could become one.

    Raises:
        LoadRefused: one is longer than 63 bytes.
    """
    for name in names:
        if len(name.encode()) > NAME_BYTES:
            raise LoadRefused(
                f"column {name} of {dataset} has a name of {len(name.encode())} bytes, of which"
                f" PostgreSQL keeps {NAME_BYTES}, so that two could become one: nothing was"
                " changed; give it a shorter one with AS in the model"
            )


NAME_BYTES = 63
