"""Which of the rows that were read again the lake has already."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lake.query.sql import file_list, identifier, literal

_READ = "read_parquet({files}, hive_partitioning=false, union_by_name=true, filename='_lake_file')"
_IS_NEWEST = (
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
    source = f"read_parquet({literal(str(new))}, hive_partitioning=false)"
    old = _READ.format(files=file_list(landed))
    ours, theirs = _types(con, source), _types(con, old)
    names = [name for name in ours if name in theirs]
    each = ", ".join(_alike(name, ours[name], theirs[name]) for name in names)
    newest = ""
    if key and all(name in theirs for name in key):
        quoted = ", ".join(map(identifier, key))
        newest = _IS_NEWEST.format(key=quoted, files=file_list(landed))
    numbered = f"row_number() OVER (PARTITION BY {each}) AS _lake_n"
    same = " AND ".join(
        f"{_alike(name, ours[name], theirs[name], 'a.')} IS NOT DISTINCT FROM"
        f" {_alike(name, ours[name], theirs[name], 'b.')}"
        for name in names
    )
    con.execute(
        f"COPY (SELECT a.* EXCLUDE (_lake_n) FROM (SELECT *, {numbered} FROM {source}) a"
        f" ANTI JOIN (SELECT *, {numbered} FROM (SELECT * FROM {old} WHERE {where}{newest})) b"
        f" ON a._lake_n = b._lake_n AND {same}) TO {literal(str(to))} (FORMAT parquet)"
    )
    made = f"read_parquet({literal(str(to))}, hive_partitioning=false)"
    return int(con.execute(f"SELECT count(*) FROM {made}").fetchall()[0][0])


def _types(con: Any, rows: str) -> dict[str, str]:
    described = con.execute(f"DESCRIBE SELECT * FROM {rows}").fetchall()
    return {row[0]: row[1] for row in described if row[0] != "_lake_file"}


def _alike(name: str, ours: str, theirs: str, side: str = "") -> str:
    """Return a column as both sides have it: where one of them is text, the other is, too."""
    column = f"{side}{identifier(name)}"
    return f"{column}::VARCHAR" if ours != theirs and "VARCHAR" in (ours, theirs) else column
