"""CSV to Parquet without losing anything: lossless types, and every row landed or rejected.

A regular file takes one pass (`csv_copy`). What DuckDB's strict reader refuses, or what does not
add up byte by byte, is scrubbed (`csv_scrub`), and so is what breaks its contract.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import duckdb

from lake.config.types import AS_IT_COMES, Reading
from lake.convert.contract.sql import contract_of
from lake.convert.converted import Converted
from lake.convert.csv.clean import convert_clean, engine
from lake.convert.csv.copy import ContractBroken, Table, copy
from lake.convert.csv.dialect import Dialect, read_dialect
from lake.convert.csv.scrub import Broken, Scrubbed, scrub
from lake.convert.csv.survey import Survey, survey
from lake.query.sql import identifier, literal


def convert_csv(
    path: Path,
    out: Path,
    *,
    name: str,
    reading: Reading = AS_IT_COMES,
    rejects: Path | None = None,
    memory: str = "1GB",
    threads: int = 2,
) -> Converted:
    """Write the rows of the CSV file at `path` to a zstd Parquet at `out`, typed without loss.

    The columns are named as in the header, and typed as declared or as every value allows. Every
    row of the source is in `out` or was rejected; rejected rows go to `rejects` as gzipped JSON
    lines, if it is given and there are any. Temporary files lie beside `out`. Memory is bounded by
    `memory`, not by the file. Messages call the source `name`.

    Raises:
        SourceUnreadable: the file is no UTF-8 text, its header is bad, or its rows cannot be told
            apart. `out` is not there then.
        StoreUnavailable: the disk is full or the memory does not suffice. Safe to retry.
        InvalidConfig: a declared format does not go with the declared type.
    """
    dialect = read_dialect(path, name=name, reading=reading)
    contract = contract_of([(column, "VARCHAR") for column in dialect.columns], reading)
    table = Table(path, dialect, contract)
    with engine(out, name=name, memory=memory, threads=threads) as con:
        rows, is_regular = _copied_at_once(con, table, out, name)
        if rows is not None and is_regular:
            return Converted(rows, flaw=contract.flaw)
        scrubbing = partial(_scrub, path, dialect, name)
        return convert_clean(con, scrubbing, table, out, name=name, rejects=rejects, written=rows)


def _scrub(
    path: Path,
    dialect: Dialect,
    name: str,
    clean: Path,
    rejects: Path | None,
    broken: Iterable[Broken],
) -> Scrubbed:
    return scrub(path, clean, dialect, name=name, rejects=rejects, broken=broken)


def _copied_at_once(
    con: duckdb.DuckDBPyConnection, table: Table, out: Path, name: str
) -> tuple[int | None, bool]:
    """Write the rows that DuckDB sees; return how many, if any, and whether the file is regular."""
    with ThreadPoolExecutor(1) as pool:
        bytes_seen = pool.submit(survey, table.path, table.dialect, name=name)
        rows = _copied(con, table, out) if table.dialect.is_plain else None
        seen = bytes_seen.result()
    if rows is None or seen.has_other_ends:
        return None, False
    return rows, _adds_up(con, rows, out, table.dialect, seen)


def _copied(con: duckdb.DuckDBPyConnection, table: Table, out: Path) -> int | None:
    try:
        return copy(con, table, out)
    except (duckdb.InvalidInputException, duckdb.NotImplementedException, ContractBroken):
        return None


def _adds_up(
    con: duckdb.DuckDBPyConnection, rows: int, out: Path, dialect: Dialect, seen: Survey
) -> bool:
    """Tell whether every line and delimiter is the header's, a row's, or inside a quoted value.

    DuckDB takes a row with one empty field too many for a whole one.
    """
    lines = dialect.header_lines + rows
    delimiters = (1 + rows) * (len(dialect.columns) - 1)
    if (lines, delimiters) != (seen.lines, seen.delimiters) and seen.has_quotes:
        delimiters += sum(column.count(dialect.delimiter) for column in dialect.columns)
        signs = (dialect.newline.decode(), dialect.delimiter)
        more_lines, more_delimiters = (_within_values(con, out, sign) for sign in signs)
        lines, delimiters = lines + more_lines, delimiters + more_delimiters
    return (lines, delimiters) == (seen.lines, seen.delimiters)


def _within_values(con: duckdb.DuckDBPyConnection, out: Path, sign: str) -> int:
    parquet = con.read_parquet(str(out), hive_partitioning=False)
    texts = [c for c, t in zip(parquet.columns, parquet.types, strict=True) if str(t) == "VARCHAR"]
    sums = [
        f"coalesce(sum(strlen({x}) - strlen(replace({x}, {literal(sign)}, ''))), 0)"
        for x in map(identifier, texts)
    ]
    row = parquet.aggregate(" + ".join(sums) or "0").fetchone()
    return int(row[0]) if row else 0
