"""Published types: those that every reader of Parquet gets right.

DuckDB writes HUGEINT as DOUBLE without an error, and `sum(<integer>)` is HUGEINT.
"""

from collections.abc import Sequence

import duckdb
from duckdb.sqltypes import DuckDBPyType

from lake.errors import ModelInvalid
from lake.models.columns import OutputColumn
from lake.query.sql import identifier, literal

_KEPT = {
    *("BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "FLOAT", "DOUBLE", "VARCHAR", "BLOB"),
    *("DATE", "TIME", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"),
}
_CAST = {
    "HUGEINT": "BIGINT",
    "UHUGEINT": "BIGINT",
    "UBIGINT": "DECIMAL(20,0)",
    "UINTEGER": "BIGINT",
    "USMALLINT": "INTEGER",
    "UTINYINT": "SMALLINT",
    "TIMESTAMP_NS": "TIMESTAMP",
    "TIMESTAMP_MS": "TIMESTAMP",
    "TIMESTAMP_S": "TIMESTAMP",
    "JSON": "VARCHAR",
    "UUID": "VARCHAR",
}
_LOSSY = ("HUGEINT", "TIMESTAMP_NS")
_ADVICE = {
    "HUGEINT": "DECIMAL(38,0)",
    "UHUGEINT": "VARCHAR",
    "TIMESTAMP_NS": "TIMESTAMP",
    "INTERVAL": "VARCHAR",
}
_MARK = "cannot be published: "


def published_columns(columns: Sequence[OutputColumn], *, path: str) -> tuple[OutputColumn, ...]:
    """Return the columns as they are published.

    Args:
        columns: what the model's SELECT puts out.
        path: the model's file, for messages.

    Raises:
        ModelInvalid: a name is empty or there twice, a type cannot be published; it holds the cast
            to write.
    """
    _refuse_names([column.name for column in columns], path)
    return tuple(OutputColumn(c.name, _published_column(c, path)) for c in columns)


def _refuse_names(names: Sequence[str], path: str) -> None:
    seen: dict[str, str] = {}
    for number, name in enumerate(names, start=1):
        if not name.strip():
            raise ModelInvalid(f"{path}: output column {number} has no name: give it one with AS")
        if name.lower() in seen:
            both = (
                f"{seen[name.lower()]!r} and {name!r}"
                if seen[name.lower()] != name
                else f"two named {name!r}"
            )
            raise ModelInvalid(f"{path}: the output has {both}: rename one of them with AS")
        seen[name.lower()] = name


def _published_column(column: OutputColumn, path: str) -> str:
    kind = _type(column.type)
    if (bad := _unpublishable(kind)) is not None:
        name = identifier(column.name)
        what = "an untyped NULL" if bad == '"NULL"' else f"of type {bad}"
        inside = "" if bad == column.type else f" inside {column.type}"
        cast = f"CAST({name} AS {_advised(kind)})"
        raise ModelInvalid(
            f"{path}: column {column.name!r} is {what}{inside}, which not every reader of Parquet"
            f" gets right: write {cast}, or another type"
        )
    return published_type(column.type)


def published_type(text: str) -> str:
    """Return the type as which a DuckDB type is published; nested types part by part."""
    return _map(_type(text), _CAST)


def _advised(kind: DuckDBPyType) -> str:
    return _map(kind, {**_CAST, '"NULL"': "VARCHAR"}, other="VARCHAR")


def _type(text: str) -> DuckDBPyType:
    return duckdb.sqltype(text)


def _parts(kind: DuckDBPyType) -> list[tuple[str, DuckDBPyType]]:
    """Return the types inside a nested one, which is a struct, list, array or map."""
    if kind.id not in ("struct", "list", "array", "map"):
        return []
    # An array's size is among its children too.
    return [(name, part) for name, part in kind.children if isinstance(part, DuckDBPyType)]


def _unpublishable(kind: DuckDBPyType) -> str | None:
    if parts := _parts(kind):
        return next((bad for _, part in parts if (bad := _unpublishable(part))), None)
    text = str(kind)
    good = text in _KEPT or text in _CAST or kind.id in ("decimal", "enum")
    return None if good else text


def _map(kind: DuckDBPyType, types: dict[str, str], *, other: str = "") -> str:
    parts = [(name, _map(part, types, other=other)) for name, part in _parts(kind)]
    if kind.id == "struct":
        return f"STRUCT({', '.join(f'{identifier(name)} {part}' for name, part in parts)})"
    if kind.id == "map":
        return f"MAP({parts[0][1]}, {parts[1][1]})"
    if kind.id in ("list", "array"):
        # Parquet has lists only: an array of fixed length comes back as a list.
        return f"{parts[0][1]}[]"
    text = str(kind)
    if kind.id == "enum":
        return "VARCHAR"
    if other and text not in _KEPT and text not in types and kind.id != "decimal":
        return other
    return types.get(text, text)


def published_select(columns: Sequence[OutputColumn], relation: str, *, path: str) -> str:
    """Return the SELECT that gives `relation` its published types, exactly or not at all.

    A value that its published type cannot hold stops the query; `publishing_error` says which.

    Args:
        columns: what the model's SELECT puts out.
        relation: quoted SQL that can stand after FROM and has these columns.
        path: the model's file, for messages.
    """
    published = published_columns(columns, path=path)
    items = [_exact(old, new) for old, new in zip(columns, published, strict=True)]
    return f"SELECT {', '.join(items)} FROM {relation}"


def _exact(old: OutputColumn, new: OutputColumn) -> str:
    name = identifier(old.name)
    if str(_type(old.type)) == str(_type(new.type)):
        return name
    cast = f"CAST({name} AS {new.type})"
    if any(word in old.type for word in _LOSSY):
        back = f"CAST(TRY_CAST({name} AS {new.type}) AS {old.type})"
        kept = f"{back} IS NOT DISTINCT FROM {name}"
        cast = f"CASE WHEN {kept} THEN {cast} ELSE error({_loss(old, new)}) END"
    return f"{cast} AS {name}"


def _loss(old: OutputColumn, new: OutputColumn) -> str:
    name = identifier(old.name)
    advice = _ADVICE.get(old.type, "VARCHAR")
    before = literal(f"{_MARK}column {old.name!r} is {old.type} and holds ")
    after = literal(
        f", which {new.type} cannot hold exactly: write CAST({name} AS {advice}) in the model,"
        " or another type"
    )
    return f"concat({before}, left(CAST({name} AS VARCHAR), 100), {after})"


def publishing_error(exc: duckdb.Error, *, path: str) -> ModelInvalid | None:
    """Return what a failed `published_select` says; None if it failed of something else."""
    _, mark, said = str(exc).partition(_MARK)
    if not mark:
        return None
    column = said.partition(" and holds ")[0]
    return ModelInvalid(f"{path}: {said}").told_as(
        f"{path}: {column} and holds a value that cannot be published exactly"
    )
