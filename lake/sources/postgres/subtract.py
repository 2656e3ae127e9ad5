"""Which of the rows that were read again the lake has already."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lake.query.sql import file_list, identifier, literal

_NEWEST = (
    " QUALIFY row_number() OVER (PARTITION BY {key}"
    " ORDER BY list_position({files}, _lake_file) DESC) = 1"
)


def subtract(
    con: Any, new: Path, landed: Sequence[str], to: Path, *, key: Sequence[str], where: str
) -> int:
    """Write those rows of `new` to `to` that `landed` does not hold; return how many.

    A row that is there twice and was landed once is new once. Columns that only one side has do
    not count: a column that was added makes no row new. With a key, a row is compared with the
    newest that was landed of its key, so that one that changed and changed back is new.

    Args:
        con: a DuckDB that may read `landed`.
        new: a Parquet of this machine.
        landed: Parquet files in the order of their landing.
        to: the new Parquet.
        key: columns whose values tell what is the same thing.
        where: the condition for those of their rows that may be read again.
    """
    left = f"(SELECT * EXCLUDE (_lake_file) FROM {_parquet([str(new)])})"
    ours = _types(con, left)
    for files, theirs in _alike(con, landed):
        rows = f"SELECT * FROM {_parquet(landed)} WHERE {where}"
        if key and all(name in theirs for name in key):
            quoted = ", ".join(map(identifier, key))
            rows += _NEWEST.format(key=quoted, files=_texts(landed))
        mine = f"SELECT * FROM ({rows}) WHERE _lake_file IN {_texts(files)}"
        left = f"({_without(left, mine, ours, theirs)})"
    con.execute(f"COPY (FROM {left}) TO {literal(str(to))} (FORMAT parquet)")
    return int(con.execute(f"SELECT count(*) FROM {_parquet([str(to)])}").fetchall()[0][0])


def _without(left: str, mine: str, ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    """Return the rows of `left` but for those of `mine`, by the columns that both have."""
    names = [name for name in ours if name in theirs]
    each = ", ".join(_comparable(name, ours, theirs) for name in names)
    numbered = f"*, row_number() OVER (PARTITION BY {each}) AS _lake_n"
    same = " AND ".join(
        f"{_comparable(name, ours, theirs, 'a.')} IS NOT DISTINCT FROM"
        f" {_comparable(name, ours, theirs, 'b.')}"
        for name in names
    )
    return (
        f"SELECT a.* EXCLUDE (_lake_n) FROM (SELECT {numbered} FROM {left}) a"
        f" ANTI JOIN (SELECT {numbered} FROM ({mine})) b ON a._lake_n = b._lake_n AND {same}"
    )


def _alike(con: Any, files: Sequence[str]) -> list[tuple[list[str], dict[str, str]]]:
    """Return the files in groups of the same columns, with the types of all of them together."""
    types = _types(con, _parquet(files))
    found = con.execute(
        "SELECT list(file_name), names FROM (SELECT file_name, list(name ORDER BY name) AS names"
        f" FROM parquet_schema({file_list(files)}) GROUP BY file_name) GROUP BY names"
    ).fetchall()
    return [
        (group, {name: kind for name, kind in types.items() if name in names})
        for group, names in found
    ]


def _parquet(files: Sequence[str]) -> str:
    return (
        f"read_parquet({file_list(files)}, hive_partitioning=false, union_by_name=true,"
        " filename='_lake_file')"
    )


def _texts(texts: Sequence[str]) -> str:
    return f"[{', '.join(map(literal, texts))}]"


def _types(con: Any, rows: str) -> dict[str, str]:
    described = con.execute(f"DESCRIBE SELECT * FROM {rows}").fetchall()
    return {row[0]: row[1] for row in described if row[0] != "_lake_file"}


def _comparable(
    name: str, ours: Mapping[str, str], theirs: Mapping[str, str], side: str = ""
) -> str:
    """Return a column as both sides have it: as text, unless their types are of one family."""
    column = f"{side}{identifier(name)}"
    families = {_family(ours[name]), _family(theirs[name])}
    return column if len(families) == 1 else f"{column}::VARCHAR"


def _family(kind: str) -> str:
    if (
        kind.endswith("INT")
        or kind in ("INTEGER", "FLOAT", "DOUBLE")
        or kind.startswith("DECIMAL(")
    ):
        return "number" if not kind.endswith("]") else kind
    return "time" if kind in ("DATE", "TIMESTAMP") else kind
