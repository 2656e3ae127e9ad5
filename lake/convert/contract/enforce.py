"""The contract held against a Parquet file: rows that break it are taken out and kept aside."""

from contextlib import closing
from pathlib import Path

import duckdb

from lake.config.types import DeclaredColumn, Reading
from lake.convert.contract.sql import Contract, contract_of
from lake.convert.converted import Converted
from lake.convert.rejects import Rejects
from lake.errors import SourceUnreadable, StoreUnavailable
from lake.query.sql import identifier, literal

_AT_ONCE = 1000


def concerns(reading: Reading) -> bool:
    """Tell whether anything that is declared is to be held against rows or columns."""
    return reading.unknown_columns == "reject" or any(map(_says, reading.columns.values()))


def _says(column: DeclaredColumn) -> bool:
    limits = column.required or column.allowed or column.between != (None, None)
    return bool(limits or column.type not in ("", "VARCHAR") or column.null)


def enforce(
    path: Path,
    out: Path,
    *,
    name: str,
    reading: Reading,
    rejects: Path | None = None,
    memory: str = "1GB",
    threads: int = 2,
) -> Converted:
    """Write the rows of the Parquet at `path` that keep to the contract to `out`.

    Text columns become what is declared for them. Where nothing changes, `out` is not written: the
    file is good as it is. Rows that break the contract go to `rejects`, with their numbers and as
    JSON. A declared type of a column that is no text is left to the view.

    Raises:
        SourceUnreadable: the file is no Parquet that DuckDB reads.
        StoreUnavailable: the disk is full or the memory does not suffice. Safe to retry.
        InvalidConfig: a declared format does not go with the declared type.
    """
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory,
        "threads": threads,
        "temp_directory": str(out.parent / "duckdb_temp"),
    }
    try:
        with closing(duckdb.connect(config=config)) as con:
            con.execute("SET enable_progress_bar = false")
            return _enforce(con, path, out, reading, rejects)
    except (duckdb.IOException, duckdb.OutOfMemoryException) as exc:
        raise StoreUnavailable(
            f"{name} could not be held against its contract here: {_first_line(exc)}; make room"
        ) from exc
    except duckdb.InvalidInputException as exc:
        raise SourceUnreadable(f"{name} cannot be read: {_first_line(exc)}; send it anew") from exc


def _enforce(
    con: duckdb.DuckDBPyConnection, path: Path, out: Path, reading: Reading, rejects: Path | None
) -> Converted:
    parquet = con.read_parquet(str(path), hive_partitioning=False)
    columns = [(n, str(t)) for n, t in zip(parquet.columns, parquet.types, strict=True)]
    contract = contract_of(columns, reading)
    names = ", ".join(f"{identifier(n)} AS c{i}" for i, (n, _) in enumerate(columns))
    files = f"read_parquet({literal(str(path))}, hive_partitioning=false)"
    source = f"(SELECT {names} FROM {files})"
    rows, broken = _count(con, contract, source)
    if not broken and not contract.changes:
        return Converted(rows, flaw=contract.flaw)
    first = _reject(con, contract, columns, source, rejects) if broken else ""
    _write(con, contract, columns, source, out)
    return Converted(rows - broken, broken, first_reject=first, flaw=contract.flaw)


def _count(con: duckdb.DuckDBPyConnection, contract: Contract, source: str) -> tuple[int, int]:
    asked = "count(broken)" if contract.rules else "0"
    row = con.execute(f"SELECT count(*), {asked} FROM {contract.judged(source)}").fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


def _reject(
    con: duckdb.DuckDBPyConnection,
    contract: Contract,
    columns: list[tuple[str, str]],
    source: str,
    rejects: Path | None,
) -> str:
    """Keep the rows that break the contract; return where and why the first one does."""
    raw = ", ".join(f"c{i} AS r{i}" for i in range(len(columns)))
    numbered = f"(SELECT *, {raw}, row_number() OVER () AS n FROM {source})"
    told = ", ".join(f"{identifier(name)} := r{i}" for i, (name, _) in enumerate(columns))
    query = (
        f"SELECT n, broken, {contract.shown()}, to_json(struct_pack({told}))::VARCHAR"
        f" FROM {contract.judged(numbered)} WHERE broken IS NOT NULL"
    )
    con.execute(query)
    with Rejects(rejects) as rejected:
        while found := con.fetchmany(_AT_ONCE):
            for n, broken, value, text in found:
                rule = contract.rules[broken]
                reason = rule.reason(value)
                rejected.add(None, reason, text.encode(), row=n, public=rule.public)
        return rejected.first


def _write(
    con: duckdb.DuckDBPyConnection,
    contract: Contract,
    columns: list[tuple[str, str]],
    source: str,
    out: Path,
) -> None:
    made = ", ".join(
        f"{contract.value(i) or f'c{i}'} AS {identifier(name)}"
        for i, (name, _) in enumerate(columns)
    )
    kept = " WHERE broken IS NULL" if contract.rules else ""
    query = f"SELECT {made} FROM {contract.judged(source)}{kept}"
    to = literal(str(out))
    con.execute(f"COPY ({query}) TO {to} (FORMAT parquet, COMPRESSION zstd)")


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
