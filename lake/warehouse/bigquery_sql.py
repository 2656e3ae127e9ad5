"""Quoting for BigQuery: its names stand in backticks, and a backslash escapes in its texts."""

import sqlglot

_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\0": "\\0"})


def name(*parts: str) -> str:
    """Return a name, qualified where there are several parts; every part is quoted."""
    return ".".join("`" + part.replace("\\", "\\\\").replace("`", "\\`") + "`" for part in parts)


def text(value: str) -> str:
    """Return `value` as a literal that BigQuery reads back as exactly this text."""
    return f"'{value.translate(_ESCAPES)}'"


def translated(statement: str) -> str:
    """Return a statement of the SQL that DuckDB and PostgreSQL share, as BigQuery spells it."""
    return sqlglot.transpile(statement, read="duckdb", write="bigquery")[0]
