"""Text that cannot be copied as it is: cleaned first, then copied, then without what broke rules.

What a row breaks is found by one ordered query over the clean file; a second cleaning takes those
rows out and keeps them with their lines. Memory stays bounded, however many they are.
"""

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import duckdb

from lake.convert.converted import Converted
from lake.convert.csv.copy import ContractBroken, Table, copy, reader
from lake.convert.csv.scrub import Broken, Scrub, Scrubbed
from lake.errors import SourceUnreadable, StoreUnavailable

# DuckDB's own limit is 2,000,000 bytes; a longer one costs buffers of its size per thread.
_USUAL_ROW_BYTES = 1_900_000
_AT_ONCE = 1000


@contextmanager
def engine(
    out: Path, *, name: str, memory: str, threads: int
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a DuckDB that spills beside `out`, which is taken away if its source is unreadable."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory,
        "threads": threads,
        "temp_directory": str(out.parent / "duckdb_temp"),
    }
    try:
        with closing(duckdb.connect(config=config)) as con:
            con.execute("SET enable_progress_bar = false")
            yield con
    except (duckdb.IOException, duckdb.OutOfMemoryException) as exc:
        raise StoreUnavailable(
            f"{name} could not be converted here: {first_line(exc)}; make room"
        ) from exc
    except SourceUnreadable:
        out.unlink(missing_ok=True)
        raise


def convert_clean(
    con: duckdb.DuckDBPyConnection,
    scrub: Scrub,
    source: Table,
    out: Path,
    *,
    name: str,
    rejects: Path | None,
    written: int | None = None,
) -> Converted:
    """Write what `scrub` makes of `source` to a Parquet, but for the rows that break the contract.

    `written` rows are at `out` already, for sure if there are no more and none is rejected.

    Raises:
        SourceUnreadable: DuckDB reads other rows than we do.
    """
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        clean, second = Path(folder) / "clean.csv", Path(folder) / "kept.csv"
        found = scrub(clean, rejects, ())
        table = _table(clean, source, found)
        try:
            if found.rejected or found.rows != written:
                _copy(con, table, out, found, name)
        except ContractBroken:
            found = scrub(second, rejects, _broken(con, table))
            clean.unlink()
            _copy(con, _table(second, source, found), out, found, name)
    return Converted(
        found.rows,
        found.rejected,
        found.blank_lines,
        found.first_reject,
        found.comment_lines,
        source.contract.flaw,
    )


def _table(path: Path, source: Table, found: Scrubbed) -> Table:
    plain = replace(
        source.dialect, newline=b"\n", escape="", comment="", header_lines=0, lines_before=0
    )
    is_long = found.longest > _USUAL_ROW_BYTES
    return Table(path, plain, source.contract, has_header=False, has_long_rows=is_long)


def _copy(
    con: duckdb.DuckDBPyConnection, table: Table, out: Path, found: Scrubbed, name: str
) -> None:
    try:
        rows = copy(con, table, out)
    except duckdb.InvalidInputException as exc:
        raise SourceUnreadable(
            f"{name} cannot be read as CSV: {first_line(exc)}; correct it"
        ) from exc
    if rows != found.rows:
        raise SourceUnreadable(
            f"{name} cannot be read for sure: {found.rows} rows by one count, {rows} by another;"
            " quote its values"
        )


def _broken(con: duckdb.DuckDBPyConnection, table: Table) -> Iterator[Broken]:
    """Ask for the rows that break the contract, in order."""
    contract = table.contract
    numbered = f"(SELECT *, row_number() OVER () AS n FROM {reader(table)})"
    con.execute(
        f"SELECT n, broken, {contract.shown()} FROM {contract.judged(numbered)}"
        " WHERE broken IS NOT NULL"
    )
    while rows := con.fetchmany(_AT_ONCE):
        for number, broken, value in rows:
            rule = contract.rules[broken]
            yield Broken(number, rule.reason(value), rule.public)


def first_line(error: Exception) -> str:
    """Return what an error of DuckDB says, without its hints."""
    return str(error).splitlines()[0]
