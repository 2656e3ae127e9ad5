"""One pass of DuckDB over text: types that lose nothing, the contract, and a Parquet.

Types are guessed from a sample and checked by the very query that writes the Parquet; only if a row
refutes the guess, all rows are asked for their types first.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path

import duckdb

from lake.convert.contract.sql import Contract
from lake.convert.csv.dialect import Dialect
from lake.convert.csv.records import MAX_ROW_BYTES
from lake.convert.csv.sample import SMALL_BYTES, write_sample
from lake.convert.csv.types import (
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

_BROKEN = "the contract is broken"
_ASKED_AT_ONCE = 100


class ContractBroken(Exception):
    """A row breaks the contract: which ones is to be asked."""


@dataclass(frozen=True, slots=True)
class Table:
    """A file that DuckDB reads: the source itself, its sample or its scrubbed rows."""

    path: Path
    dialect: Dialect
    contract: Contract = field(default_factory=Contract)
    has_header: bool = True
    has_long_rows: bool = False
    skips_errors: bool = False


def copy(con: duckdb.DuckDBPyConnection, table: Table, out: Path) -> int:
    """Write the Parquet, with types that hold for every row, and return how many it has.

    Raises:
        ContractBroken: a row breaks the contract. `out` is not whole then.
        duckdb.InvalidInputException: DuckDB's strict reader refuses a row.
    """
    try:
        return _copy(con, table, out)
    except duckdb.InvalidInputException as exc:
        if _BROKEN in str(exc):
            raise ContractBroken from exc
        raise


def _copy(con: duckdb.DuckDBPyConnection, table: Table, out: Path) -> int:
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


def _unknown(table: Table) -> list[Evidence]:
    return [Evidence() for _ in table.dialect.columns]


def _guess(con: duckdb.DuckDBPyConnection, table: Table, folder: Path) -> list[Evidence]:
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        sample = Path(temporary) / "sample.csv"
        write_sample(table.path, sample, table.dialect, has_header=table.has_header)
        rows = replace(table, path=sample, has_header=False, skips_errors=True)
        return _evidence(con, rows, _unknown(table))


def _evidence(
    con: duckdb.DuckDBPyConnection, table: Table, known: Sequence[Evidence]
) -> list[Evidence]:
    """Ask every row which of the types that are still possible hold, where none is declared."""
    asked = [
        None if table.contract.value(i) else [name for name in TYPES if name in e.types]
        for i, e in enumerate(known)
    ]
    parts = [evidence_columns(f"c{i}", t) if t is not None else [] for i, t in enumerate(asked)]
    values = chain.from_iterable(_ask(con, table, batch) for batch in _batches(parts) if batch)
    return [
        read_evidence(list(islice(values, len(part))), types) if types is not None else e
        for part, types, e in zip(parts, asked, known, strict=True)
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
    con: duckdb.DuckDBPyConnection, table: Table, expressions: Sequence[str]
) -> Sequence[int | None]:
    source = table.contract.cleaned(reader(table))
    query = f"SELECT {', '.join(expressions)} FROM {source}"
    return con.execute(query).fetchone() or ()


def _write_known(
    con: duckdb.DuckDBPyConnection, table: Table, out: Path, known: Sequence[Evidence]
) -> int:
    contract = table.contract
    casts = [contract.value(i) or cast(f"c{i}", e.choice) for i, e in enumerate(known)]
    return _write(con, table, casts, contract.judged(reader(table)), out)


def _write_checked(
    con: duckdb.DuckDBPyConnection, table: Table, out: Path, guess: Sequence[Evidence]
) -> int:
    """Write the guessed types, failing at the first text that refutes one."""
    contract = table.contract
    guessed = {i: e for i, e in enumerate(guess) if not contract.value(i)}
    casts = [f", {cast(f'c{i}', e.choice)} AS v{i}" for i, e in guessed.items()]
    numbers = {i: f"c{i}" for i, e in guessed.items() if is_short(e)}
    # A query of its own, so that no value is cast twice.
    inner = f"SELECT *{''.join(casts)}, {all_short_numbers(list(numbers.values()))} AS short"
    values = [
        contract.value(i)
        or checked(f"c{i}", f"v{i}", e.choice, short="short" if i in numbers else "false")
        for i, e in enumerate(guess)
    ]
    return _write(con, table, values, f"({inner} FROM {contract.judged(reader(table))})", out)


def _write(
    con: duckdb.DuckDBPyConnection, table: Table, values: Sequence[str], source: str, out: Path
) -> int:
    first, *others = values
    if table.contract.rules:
        first = f"CASE WHEN broken IS NULL THEN {first} ELSE error({literal(_BROKEN)}) END"
    columns = table.dialect.columns
    named = [f"{v} AS {identifier(c)}" for v, c in zip([first, *others], columns, strict=True)]
    query = f"SELECT {', '.join(named)} FROM {source}"
    to = literal(str(out))
    row = con.execute(f"COPY ({query}) TO {to} (FORMAT parquet, COMPRESSION zstd)").fetchone()
    return int(row[0]) if row else 0


def reader(table: Table) -> str:
    """Return the strict reader: all text, `""` an empty text, a bare empty field NULL.

    Never `strict_mode=false`: it cuts off extra fields and quotes without a word.
    """
    quote = literal(table.dialect.quote)
    columns = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(table.dialect.columns)))
    options = [
        literal(str(table.path)),
        "auto_detect=false, strict_mode=true, allow_quoted_nulls=false, hive_partitioning=false",
        f"compression='none', quote={quote}, escape={quote}",
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
