"""CSV to Parquet without losing anything: lossless types, and every row landed or rejected.

A regular file takes one pass. Types are guessed from a sample and checked by the very query that
writes the Parquet; only if a row refutes the guess, all rows are asked for their types first. What
DuckDB's strict reader refuses, or what does not add up line by line, is scrubbed (`csv_scrub`).
"""

import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import duckdb

from lake.errors import SourceUnreadable, StoreUnavailable
from lake.landing.csv_dialect import Dialect, read_dialect
from lake.landing.csv_sample import SMALL_BYTES, write_sample
from lake.landing.csv_scrub import MAX_ROW_BYTES, Scrubbed, scrub
from lake.landing.csv_survey import Survey, survey
from lake.landing.csv_types import (
    REFUTED,
    TYPES,
    Evidence,
    all_short_numbers,
    cast,
    checked,
    evidence_columns,
    is_short,
    read_evidence,
)
from lake.query.sql import identifier, literal

# DuckDB's own limit is 2,000,000 bytes; a longer one costs buffers of its size per thread.
_USUAL_ROW_BYTES = 1_900_000
_ASKED_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Converted:
    """What became of a file's rows: `rows` landed, `rejected` kept aside, and lines without any."""

    rows: int
    rejected: int = 0
    blank_lines: int = 0
    first_reject: str = ""
    """Where and why the first row was rejected, such as `line 4: 2 fields …`."""


@dataclass(frozen=True, slots=True)
class _Table:
    """A file that DuckDB reads: the source itself, its sample or its scrubbed rows."""

    path: Path
    dialect: Dialect
    has_header: bool = True
    has_long_rows: bool = False
    skips_errors: bool = False


def convert_csv(
    path: Path,
    out: Path,
    *,
    name: str,
    rejects: Path | None = None,
    memory: str = "1GB",
    threads: int = 2,
) -> Converted:
    """Write the rows of the CSV file at `path` to a zstd Parquet at `out`, typed without loss.

    The columns are named as in the header. Every row of the source is in `out` or was rejected;
    rejected rows go to `rejects` as gzipped JSON lines, if it is given and there are any. Temporary
    files lie beside `out`. Memory is bounded by `memory`, not by the file. Messages call the source
    `name`.

    Raises:
        SourceUnreadable: the file is no UTF-8 text, its header is bad, or its rows cannot be told
            apart. `out` is not there then.
        StoreUnavailable: the disk is full or the memory does not suffice. Safe to retry.
    """
    dialect = read_dialect(path, name=name)
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory,
        "threads": threads,
        "temp_directory": str(out.parent / "duckdb_temp"),
    }
    try:
        with closing(duckdb.connect(config=config)) as con:
            return _convert(con, _Table(path, dialect), out, name, rejects)
    except (duckdb.IOException, duckdb.OutOfMemoryException) as exc:
        raise StoreUnavailable(
            f"{name} could not be converted here: {_first_line(exc)}; make room"
        ) from exc
    except SourceUnreadable:
        out.unlink(missing_ok=True)
        raise


def _convert(
    con: duckdb.DuckDBPyConnection, table: _Table, out: Path, name: str, rejects: Path | None
) -> Converted:
    with ThreadPoolExecutor(1) as pool:
        bytes_seen = pool.submit(survey, table.path, newline=table.dialect.newline, name=name)
        try:
            rows = _copy(con, table, out)
        except duckdb.InvalidInputException:
            rows = None
        seen = bytes_seen.result()
    if rows is not None and _adds_up(con, rows, out, table.dialect, seen):
        return Converted(rows)
    return _convert_scrubbed(con, table, out, name, rejects, rows)


def _adds_up(
    con: duckdb.DuckDBPyConnection, rows: int, out: Path, dialect: Dialect, seen: Survey
) -> bool:
    """Tell whether every line of the file is the header's, a row's, or inside a quoted value."""
    lines = dialect.header_lines + rows
    if lines != seen.lines and seen.has_quotes:
        lines += _lines_within_values(con, out, dialect.newline)
    return lines == seen.lines


def _lines_within_values(con: duckdb.DuckDBPyConnection, out: Path, newline: bytes) -> int:
    parquet = con.read_parquet(str(out), hive_partitioning=False)
    texts = [c for c, t in zip(parquet.columns, parquet.types, strict=True) if str(t) == "VARCHAR"]
    end = literal(newline.decode())
    sums = [
        f"coalesce(sum(strlen({x}) - strlen(replace({x}, {end}, ''))), 0)"
        for x in map(identifier, texts)
    ]
    row = parquet.aggregate(" + ".join(sums) or "0").fetchone()
    return int(row[0]) if row else 0


def _convert_scrubbed(
    con: duckdb.DuckDBPyConnection,
    table: _Table,
    out: Path,
    name: str,
    rejects: Path | None,
    rows: int | None,
) -> Converted:
    if table.dialect.newline == b"\r":
        raise SourceUnreadable(
            f"{name} ends its lines with bare carriage returns and is not regular otherwise:"
            " convert its line ends to line feeds"
        )
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        clean = Path(folder) / "clean.csv"
        found = scrub(table.path, clean, table.dialect, name=name, rejects=rejects)
        if found.rejected or found.rows != rows:
            _copy_clean(con, clean, table.dialect, out, found, name)
    return Converted(found.rows, found.rejected, found.blank_lines, found.first_reject)


def _copy_clean(
    con: duckdb.DuckDBPyConnection,
    clean: Path,
    dialect: Dialect,
    out: Path,
    found: Scrubbed,
    name: str,
) -> None:
    is_long = found.longest > _USUAL_ROW_BYTES
    table = _Table(clean, dialect, has_header=False, has_long_rows=is_long)
    try:
        rows = _copy(con, table, out)
    except duckdb.InvalidInputException as exc:
        raise SourceUnreadable(
            f"{name} cannot be read as CSV: {_first_line(exc)}; correct it"
        ) from exc
    if rows != found.rows:
        raise SourceUnreadable(
            f"{name} cannot be read for sure: {found.rows} rows by one count, {rows} by another;"
            " quote its values"
        )


def _copy(con: duckdb.DuckDBPyConnection, table: _Table, out: Path) -> int:
    """Write the Parquet, with types that hold for every row, and return how many it has."""
    if table.path.stat().st_size <= SMALL_BYTES:
        return _write_known(con, table, out, _evidence(con, table, _unknown(table)))
    guess = _guess(con, table, out.parent)
    try:
        return _write_checked(con, table, out, guess)
    except duckdb.ConversionException:
        pass
    except duckdb.InvalidInputException as exc:
        if REFUTED not in str(exc):
            raise
    return _write_known(con, table, out, _evidence(con, table, guess))


def _unknown(table: _Table) -> list[Evidence]:
    return [Evidence() for _ in table.dialect.columns]


def _guess(con: duckdb.DuckDBPyConnection, table: _Table, folder: Path) -> list[Evidence]:
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        sample = Path(temporary) / "sample.csv"
        write_sample(table.path, sample, table.dialect, has_header=table.has_header)
        rows = _Table(sample, table.dialect, has_header=False, skips_errors=True)
        return _evidence(con, rows, _unknown(table))


def _evidence(
    con: duckdb.DuckDBPyConnection, table: _Table, known: Sequence[Evidence]
) -> list[Evidence]:
    """Ask every row which of the types that are still possible hold."""
    asked = [[name for name in TYPES if name in e.types] for e in known]
    parts = [evidence_columns(f"c{i}", types) for i, types in enumerate(asked)]
    values = chain.from_iterable(_ask(con, table, batch) for batch in _batches(parts))
    return [
        read_evidence(list(islice(values, len(part))), types)
        for part, types in zip(parts, asked, strict=True)
    ]


def _batches(parts: Sequence[list[str]]) -> Iterator[list[str]]:
    """Join columns' questions to queries; DuckDB plans one in the square of its length."""
    batch: list[str] = []
    for part in parts:
        if len(batch) + len(part) > _ASKED_AT_ONCE:
            yield batch
            batch = []
        batch = batch + part
    yield batch


def _ask(
    con: duckdb.DuckDBPyConnection, table: _Table, expressions: Sequence[str]
) -> Sequence[int | None]:
    query = f"SELECT {', '.join(expressions)} FROM {_reader(table)}"
    return con.execute(query).fetchone() or ()


def _write_known(
    con: duckdb.DuckDBPyConnection, table: _Table, out: Path, known: Sequence[Evidence]
) -> int:
    casts = [cast(f"c{i}", e.choice) for i, e in enumerate(known)]
    return _write(con, table.dialect.columns, casts, _reader(table), out)


def _write_checked(
    con: duckdb.DuckDBPyConnection, table: _Table, out: Path, guess: Sequence[Evidence]
) -> int:
    """Write the guessed types, failing at the first text that refutes one."""
    casts = [f"{cast(f'c{i}', e.choice)} AS v{i}" for i, e in enumerate(guess)]
    short = [is_short(e) for e in guess]
    numbers = [f"c{i}" for i, is_asked in enumerate(short) if is_asked]
    # A query of its own, so that no value is cast twice.
    inner = f"SELECT *, {', '.join(casts)}, {all_short_numbers(numbers)} AS short"
    values = [
        checked(f"c{i}", f"v{i}", e.choice, short="short" if is_asked else "false")
        for i, (e, is_asked) in enumerate(zip(guess, short, strict=True))
    ]
    return _write(con, table.dialect.columns, values, f"({inner} FROM {_reader(table)})", out)


def _write(
    con: duckdb.DuckDBPyConnection,
    columns: Sequence[str],
    values: Sequence[str],
    source: str,
    out: Path,
) -> int:
    named = [f"{v} AS {identifier(c)}" for v, c in zip(values, columns, strict=True)]
    query = f"SELECT {', '.join(named)} FROM {source}"
    to = literal(str(out))
    row = con.execute(f"COPY ({query}) TO {to} (FORMAT parquet, COMPRESSION zstd)").fetchone()
    return int(row[0]) if row else 0


def _reader(table: _Table) -> str:
    """Return the strict reader: all text, `""` an empty text, a bare empty field NULL.

    Never `strict_mode=false`: it cuts off extra fields and quotes without a word.
    """
    columns = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(table.dialect.columns)))
    options = [
        literal(str(table.path)),
        "auto_detect=false, strict_mode=true, allow_quoted_nulls=false, hive_partitioning=false",
        "compression='none', quote='\"', escape='\"'",
        f"delim={literal(table.dialect.delimiter)}, header={literal(table.has_header)}",
        f"columns={{{columns}}}",
    ]
    if table.skips_errors:
        options.append("ignore_errors=true")
    if not table.has_header:
        # Ours; DuckDB would take the line ends inside a first row's quotes for the file's.
        options.append("new_line='\\n'")
    if table.has_long_rows:
        options.append(
            f"max_line_size={MAX_ROW_BYTES}, buffer_size={MAX_ROW_BYTES * 2}, parallel=false"
        )
    return f"read_csv({', '.join(options)})"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
