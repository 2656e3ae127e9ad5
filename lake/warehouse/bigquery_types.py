"""Which column of BigQuery takes a published type, and how its values get there.

Values travel in Parquet files into a staging table of plain types, whose columns are called `c0`,
`c1`, …; from there one statement brings them into the table. So nothing depends on how a load job
understands a type that could be understood in two ways.
"""

import re
from collections.abc import Iterable

import duckdb

from lake.errors import LoadRefused
from lake.query.sql import identifier

_SCALARS = {
    "BOOLEAN": "BOOL",
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT"), "INT64"),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER"), "INT64"),
    "UBIGINT": "NUMERIC(20,0)",
    "FLOAT": "FLOAT64",
    "DOUBLE": "FLOAT64",
    "VARCHAR": "STRING",
    "UUID": "STRING",
    "BLOB": "BYTES",
    "DATE": "DATE",
    "TIME": "TIME",
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS"), "DATETIME"),
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP",
    "JSON": "JSON",
}
_ADVICE = {
    "HUGEINT": "DECIMAL(38,0)",
    "TIMESTAMP_NS": "TIMESTAMP",
    "TIME WITH TIME ZONE": "TIME",
}
_NESTED = ("struct", "map", "list", "array", "union")
_SENT = {
    "BOOL": "BOOLEAN",
    "INT64": "BIGINT",
    "FLOAT64": "DOUBLE",
    "STRING": "VARCHAR",
    "BYTES": "BLOB",
    "DATE": "DATE",
    "TIME": "TIME",
    "TIMESTAMP": "TIMESTAMPTZ",
}
"""The type in which DuckDB writes a column of the type before."""
_STAGED = {"DATETIME": "TIMESTAMP", "JSON": "STRING"}
_DECIMAL = re.compile(r"(BIG)?NUMERIC(?:\((\d+)(?:, ?(\d+))?\))?")
_LIMITS = {"": (38, 9), "BIG": (76, 38)}
"""Digits of a plain NUMERIC and BIGNUMERIC, and how many of them stand behind the point."""
_RANGES = {
    "DATE": "{0} BETWEEN DATE '0001-01-01' AND DATE '9999-12-31'",
    "TIME": "{0} < TIME '24:00:00'",
    "TIMESTAMP": "{0} >= TIMESTAMPTZ '0001-01-01 00:00:00+00'"
    " AND {0} < TIMESTAMPTZ '10000-01-01 00:00:00+00'",
}
_NAME = re.compile(r"""[^!"$()*,./;?@\[\\\]^`{}~\x00-\x1f]{1,300}""")
_RESERVED = (
    *("_TABLE_", "_FILE_", "_PARTITION", "_ROW_TIMESTAMP", "__ROOT__", "_COLIDENTIFIER"),
    *("_CHANGE_SEQUENCE_NUMBER", "_CHANGE_TYPE", "_CHANGE_TIMESTAMP"),
)


def bigquery_type(text: str, *, column: str, dataset: str) -> str:
    """Return the type of the column that takes the DuckDB type `text`, every value exactly.

    Lists are `JSON` as structs and maps are: an array of BigQuery's has no NULL in it, and is
    never NULL itself.

    Raises:
        LoadRefused: there is none; the message holds the cast to write.
    """
    kind = duckdb.sqltype(text)
    if kind.id == "decimal":
        return _decimal_type(*(int(part) for part in re.findall(r"\d+", str(kind))))
    if kind.id == "enum":
        return "STRING"
    if kind.id in _NESTED:
        return "JSON"
    if str(kind) not in _SCALARS:
        cast = f"CAST({identifier(column)} AS {_ADVICE.get(str(kind), 'VARCHAR')})"
        raise LoadRefused(
            f"column {column} of {dataset} is {kind}, for which BigQuery has no exact type:"
            f" nothing was changed; write {cast} in the model"
        )
    return _SCALARS[str(kind)]


def _decimal_type(precision: int, scale: int) -> str:
    return f"{_decimal_word(precision, scale)}({precision},{scale})"


def _decimal_word(precision: int, scale: int) -> str:
    return "NUMERIC" if scale <= 9 and precision - scale <= 29 else "BIGNUMERIC"


def refuse_names(columns: Iterable[str], *, dataset: str) -> None:
    """Refuse columns whose names BigQuery does not take.

    Raises:
        LoadRefused: one has a sign that no name has there, is too long or reserved.
    """
    for column in columns:
        if not _NAME.fullmatch(column) or column.upper().startswith(_RESERVED):
            raise LoadRefused(
                f"column {column} of {dataset} has a name that BigQuery does not take: nothing was"
                " changed; give it another, of letters, digits and underscores, with AS in the"
                " model"
            )


def staged(type_: str) -> str:
    """Return the type that a column of the type `type_` has in a staging table."""
    return _STAGED.get(type_, type_.partition("(")[0])


def sent(column: str, type_: str) -> str:
    """Return the DuckDB expression of what is sent of a published column.

    Args:
        column: its name.
        type_: the type of BigQuery that it has.
    """
    quoted = identifier(column)
    if type_ == "JSON":
        return f"CAST(to_json({quoted}) AS VARCHAR)"
    if type_ == "DATETIME":
        return f"timezone('UTC', CAST({quoted} AS TIMESTAMP))"
    if found := _DECIMAL.fullmatch(type_):
        return f"CAST({quoted} AS DECIMAL({found[2]},{found[3]}))"
    return f"CAST({quoted} AS {_SENT[type_]})"


def brought(column: str, type_: str, held: str) -> str:
    """Return the expression of BigQuery's that makes a column `held` of a staged one.

    Args:
        column: its name in the staging table, quoted.
        type_: the type of BigQuery that the load gives it.
        held: the type of the table's column.
    """
    if type_ == "DATETIME":
        return f"DATETIME({column}, 'UTC')"
    if type_ == "JSON":
        return f"PARSE_JSON({column})" if held == "JSON" else column
    return column if staged(type_) == staged(held) else f"CAST({column} AS {staged(held)})"


def out_of_range(column: str, type_: str) -> str:
    """Return the DuckDB condition that finds values which BigQuery does not have; or nothing."""
    holds = _RANGES.get(staged(type_), "")
    return f"NOT ({holds.format(column)})" if holds else ""


def takes(held: str, given: str) -> bool:
    """Tell whether a column of the type `held` takes every value of a column `given`."""
    if held == given or (given == "JSON" and held == "STRING"):
        return True
    narrow, wide = _digits(given), _digits(held)
    return bool(narrow and wide and narrow[0] <= wide[0] and narrow[1] <= wide[1])


def wider(held: str, given: str) -> str:
    """Return the type that a column `held` must get to take a column `given`; nothing if none.

    What BigQuery makes of whole numbers in FLOAT64 is exact up to 2^53 only: whoever asks looks.
    """
    if (held, given) == ("INT64", "FLOAT64"):
        return given
    old, new = _digits(held), _digits(given)
    if not old or not new:
        return ""
    before, behind = max(old[0], new[0]), max(old[1], new[1])
    if before > _LIMITS["BIG"][1]:
        return ""
    word = _decimal_word(before + behind, behind)
    # From one word to another BigQuery is asked for the plain type, which takes every value.
    is_same = held.startswith(f"{word}(")
    return f"{word}({before + behind},{behind})" if is_same else word


def _digits(type_: str) -> tuple[int, int] | None:
    """Return how many digits a number has before the point and behind it; None if it is none."""
    if type_ == "INT64":
        return 19, 0
    found = _DECIMAL.fullmatch(type_)
    if not found:
        return None
    precision, scale = _LIMITS[found[1] or ""]
    if found[2]:
        precision, scale = int(found[2]), int(found[3] or 0)
    return precision - scale, scale
