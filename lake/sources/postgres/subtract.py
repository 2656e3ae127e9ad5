"""Which of the rows that were read again the lake has already."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lake.query.sql import file_list, identifier, literal
from lake.sources.postgres.cursor import Cursor

_Families = Mapping[str, frozenset[str]]
_TOLD = {"number", "time", "TIMESTAMP WITH TIME ZONE", "VARCHAR"}
"""The families of types among which text may be another of the same value."""
_ORDER = "rank() OVER (PARTITION BY {key} ORDER BY list_position({files}, _lake_file) DESC)"


def subtract(
    con: Any, new: Path, landed: Sequence[str], to: Path, *, key: Sequence[str], cursor: Cursor
) -> int:
    """Write those rows of `new` to `to` that `landed` does not hold; return how many.

    A row that is there twice and was landed once is new once. Columns that only one side has do
    not count: a column that was added makes no row new. With a key, a row is compared with the
    newest that were landed of its key, so that one that changed and changed back is new; where the
    key repeats among the new ones, as in a history, with all.

    Args:
        con: a DuckDB that may read `landed`.
        new: a Parquet of this machine.
        landed: Parquet files in the order of their landing.
        to: the new Parquet.
        key: columns whose values tell what is the same thing.
        cursor: the former one; rows of `new` lie at its `low` or behind it.
    """
    con.execute("SET TimeZone = 'UTC'")  # what has a zone becomes text as PostgreSQL shows it
    first = f"SELECT * EXCLUDE (_lake_file) FROM {_parquet([str(new)])}"
    ours = _types(con, f"({first})")
    types = _types(con, _parquet(landed))
    window = _window(con, cursor, types)
    quoted = ", ".join(map(identifier, key))
    many = f"count(*) OVER (PARTITION BY {quoted})" if key else "2"
    left = f"(SELECT *, {many} AS _lake_many FROM ({first}))"
    for files, theirs in _alike(con, landed, types):
        is_keyed = key and all(name in theirs for name in key)
        age = _ORDER.format(key=quoted, files=_texts(landed)) if is_keyed else "1"
        rows = f"SELECT *, {age} AS _lake_age FROM {_parquet(landed)} WHERE {window}"
        mine = f"SELECT * FROM ({rows}) WHERE _lake_file IN {_texts(files)}"
        left = f"({_without(left, mine, ours, theirs)})"
    rest = f"SELECT * EXCLUDE (_lake_many) FROM {left}"
    con.execute(f"COPY ({rest}) TO {literal(str(to))} (FORMAT parquet)")
    return int(con.execute(f"SELECT count(*) FROM {_parquet([str(to)])}").fetchall()[0][0])


def _window(con: Any, cursor: Cursor, types: Mapping[str, str]) -> str:
    """Return the condition for landed rows that may be there again; all, if it cannot be told.

    As text, where no other type held all values, they have another order.
    """
    kind = types.get(cursor.column, "VARCHAR")
    if cursor.low is None or kind == "VARCHAR" or cursor.low.endswith("BC"):
        return "true"
    low = f"TRY_CAST({literal(cursor.low)} AS {kind})"
    (is_known,) = con.execute(f"SELECT {low} IS NOT NULL").fetchall()[0]
    return f"{identifier(cursor.column)} >= {low}" if is_known else "true"


def _without(left: str, mine: str, ours: Mapping[str, str], theirs: _Families) -> str:
    """Return the rows of `left` but for those of `mine`, by the columns that both have."""
    names = [name for name in ours if name in theirs]
    each = ", ".join(_comparable(name, ours, theirs) for name in names)
    numbered = "*, row_number() OVER (PARTITION BY {} ORDER BY {}) AS _lake_n"
    same = " AND ".join(
        f"{_comparable(name, ours, theirs, 'a.')} IS NOT DISTINCT FROM"
        f" {_comparable(name, ours, theirs, 'b.')}"
        for name in names
    )
    return (
        "SELECT a.* EXCLUDE (_lake_n)"
        f" FROM (SELECT {numbered.format(each, '1')} FROM {left}) a"
        f" ANTI JOIN (SELECT {numbered.format(each, '_lake_age')} FROM ({mine})) b"
        f" ON a._lake_n = b._lake_n AND {same} AND (b._lake_age = 1 OR a._lake_many > 1)"
    )


def _alike(
    con: Any, files: Sequence[str], types: Mapping[str, str]
) -> list[tuple[list[str], _Families]]:
    """Return the files in groups of the same columns, and what their types are akin to.

    That is what each file has, and what all of them together have: of numbers and texts, text.
    """
    found = con.execute(
        "SELECT file_name, name, coalesce(duckdb_type, '') FROM"
        f" parquet_schema({file_list(files)}) ORDER BY ALL"
    ).fetchall()
    columns: dict[str, dict[str, frozenset[str]]] = {file: {} for file, _, _ in found}
    for file, name, kind in found:
        if name in types:
            own = {_family(kind)} & _TOLD
            columns[file][name] = frozenset({_family(types[name]), *own})
    groups: dict[tuple[tuple[str, frozenset[str]], ...], list[str]] = {}
    for file, families in columns.items():
        groups.setdefault(tuple(families.items()), []).append(file)
    return [(group, dict(families)) for families, group in groups.items()]


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


def _comparable(name: str, ours: Mapping[str, str], theirs: _Families, side: str = "") -> str:
    """Return a column as both sides have it: as text, unless their types are of one family."""
    column = f"{side}{identifier(name)}"
    families = {_family(ours[name]), *theirs[name]}
    if len(families) == 1:
        return column
    text = f"{column}::VARCHAR"
    if "number" not in families:
        # PostgreSQL writes the era behind the time.
        return rf"regexp_replace({text}, '^(\d+-\d\d-\d\d) \(BC\)(.*)$', '\1\2 BC')"
    # The digits of a DECIMAL say nothing of the value: 1.50 is PostgreSQL's 1.5.
    shorter = f"rtrim(rtrim({text}, '0'), '.')"
    return rf"CASE WHEN regexp_full_match({text}, '-?\d+\.\d+') THEN {shorter} ELSE {text} END"


def _family(kind: str) -> str:
    if (
        kind.endswith("INT")
        or kind in ("INTEGER", "FLOAT", "DOUBLE")
        or kind.startswith("DECIMAL(")
    ):
        return "number" if not kind.endswith("]") else kind
    return "time" if kind in ("DATE", "TIMESTAMP") else kind
