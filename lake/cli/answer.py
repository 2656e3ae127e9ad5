"""The answer to a query, written as it comes: as a table, CSV, JSON or Parquet."""

import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from lake import layout
from lake.cli.output import aligned, line, plain
from lake.errors import FileDamaged, LakeError, QueryFailed, StoreUnavailable, unavailable
from lake.models.columns import OutputColumn
from lake.models.types import published_select, publishing_error
from lake.query.connect import Session, check_text, tables_of
from lake.query.meta import TABLES
from lake.query.sql import identifier, literal
from lake.query.trust import unread_in
from lake.words import nearest

BATCH = 1000
_PLACE = re.compile(r"\n\nLINE ([0-9]+): (.*)\n( *)\^", re.DOTALL)
_NO_TABLE = re.compile(r'Table with name "?(.*?)"? does not exist!')
_PRIVATE = re.compile(r'\nDid you mean "(meta\.)?_[^"]*"\?')
_METADATA = [f"meta.{name}" for name in TABLES]
_OPTIONS = {
    "csv": "FORMAT csv, HEADER",
    "json": "FORMAT json, ARRAY true",
    "parquet": "FORMAT parquet, COMPRESSION zstd",
}
_NAME = "lake_answer"


@dataclass(frozen=True, slots=True)
class Answer:
    """How and where answers go; without a file, to stdout."""

    kind: str = "table"
    file: Path | None = None


def run(session: Session, text: str, answer: Answer) -> None:
    """Run every statement of `text` and write what they give.

    Raises:
        QueryFailed: DuckDB refuses one; those before it were run.
    """
    check_text(text)
    statements = _statements(text)
    many = [one for one in statements if one.type == duckdb.StatementType.SELECT]
    if len(many) > 1 and (answer.kind != "table" or answer.file):
        raise QueryFailed(
            f"{len(many)} statements give rows, and {answer.kind} holds one answer: run them one by"
            " one"
        )
    is_written = False
    for statement in statements:
        with refused(session, statement.query):
            relation = session.sql(statement.query)
            if relation is not None:
                _write(relation, answer)
                is_written = True
    if answer == Answer("json") and not is_written:
        line("[]")


def _statements(text: str) -> list[Any]:
    try:
        return list(duckdb.extract_statements(text))
    except duckdb.Error as exc:
        raise _query_failed(exc, text) from exc


@contextmanager
def refused(session: Session, query: str) -> Iterator[None]:
    """Turn what DuckDB refuses into one line with the place in the query."""
    try:
        yield
    except duckdb.IOException as exc:
        if why := unread_in(session.log.store, str(exc)):
            raise unavailable(f"{why}; then ask again", why) from exc
        raise _query_failed(exc, query) from exc
    except duckdb.Error as exc:
        _refuse_damaged(exc)
        placed = _with_place(session, query, exc)
        raise _unknown(session, query, placed) or _query_failed(placed, query) from exc


def _refuse_damaged(exc: duckdb.Error) -> None:
    """Say what is wrong where DuckDB names a file of a dataset: no person's SQL does that."""
    if isinstance(exc, duckdb.InvalidInputException):
        for key in layout.data_keys(str(exc)):
            raise FileDamaged(
                f"{key} is not what the log says ({_said(exc)}): see what else is damaged by"
                " `lake verify`, and restore it from a copy of the lake"
            ) from exc


def _unknown(session: Session, query: str, exc: duckdb.Error) -> QueryFailed | None:
    """Return what is to say of a dataset that is not there; DuckDB may know nothing of ours."""
    found = _NO_TABLE.search(str(exc))
    for schema, table in sorted(tables_of(session.connection, query)) if found else ():
        zone, name = schema.lower(), f"{schema}.{table}".lower()
        if found and found[1].lower() == table.lower() and zone in (*layout.ZONES, "meta"):
            known = _METADATA if zone == "meta" else list(session.state.datasets)
            what = "table" if zone == "meta" else "dataset"
            return QueryFailed(
                f"there is no {what} {name} at commit {session.state.commit}"
                f"{_place(str(exc), query)}{nearest(name, known)}"
            )
    return None


def _with_place(session: Session, query: str, exc: duckdb.Error) -> duckdb.Error:
    """Let DuckDB refuse a query once more where it says the place, which relations do not."""
    if _PLACE.search(str(exc)) or not isinstance(exc, duckdb.ProgrammingError):
        return exc
    try:
        session.connection.execute(f"EXPLAIN {query}")
    except duckdb.Error as again:
        return again
    return exc


def _query_failed(exc: duckdb.Error, query: str) -> QueryFailed:
    return QueryFailed(_said(exc) + _place(str(exc), query))


def _said(exc: duckdb.Error) -> str:
    return " ".join(_PRIVATE.sub("", str(exc).partition("\n\n")[0]).split("\n"))


def _place(text: str, query: str) -> str:
    """Return where in `query` DuckDB points; nothing where it shows another text or a part."""
    found = _PLACE.search(text)
    if not found:
        return ""
    number, shown = int(found[1]), found[2]
    column = len(found[3]) - len(f"LINE {number}: ") + 1
    if number == 1 and shown.startswith("EXPLAIN "):
        shown, column = shown.removeprefix("EXPLAIN "), column - len("EXPLAIN ")
    lines = query.split("\n")
    is_there = number <= len(lines) and lines[number - 1].rstrip(";") == shown.rstrip(";")
    return f" (line {number}, column {column})" if is_there else ""


def _write(relation: Any, answer: Answer) -> None:
    if answer.file:
        _write_file(relation, answer.kind, answer.file)
    elif answer.kind == "table":
        for text in _lines(relation):
            sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    else:
        _stream(relation, answer.kind)


def _write_file(relation: Any, kind: str, path: Path) -> None:
    """Write an answer to a file that is whole or not there."""
    part = path.with_name(f".{path.name}.part")
    try:
        if kind == "table":
            part.write_text("".join(f"{text}\n" for text in _lines(relation)), encoding="utf-8")
        else:
            _copy(relation, kind, str(part))
        part.replace(path)
    except OSError as exc:
        raise StoreUnavailable(
            f"cannot write {path}: {exc.strerror}; choose another place"
        ) from exc
    finally:
        with suppress(OSError):
            part.unlink()


def _stream(relation: Any, kind: str) -> None:
    """Write an answer to stdout while it is computed."""
    source, target = os.pipe()
    failed: list[duckdb.Error | LakeError] = []

    def produce() -> None:
        try:
            _copy(relation, kind, f"/dev/fd/{target}")
        except (duckdb.Error, LakeError) as exc:
            failed.append(exc)
        finally:
            os.close(target)

    thread = threading.Thread(target=produce)
    thread.start()
    try:
        with open(source, "rb") as pipe:
            while chunk := pipe.read1(1 << 16):
                sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
    finally:
        thread.join()
    if failed:
        raise failed[0]


def _copy(relation: Any, kind: str, path: str) -> None:
    columns = list(zip(relation.columns, relation.types, strict=True))
    select = _select(columns, kind)
    copy = f"COPY ({select}) TO {literal(path)} ({_OPTIONS[kind]}, USE_TMP_FILE false)"
    try:
        relation.query(_NAME, copy)
    except duckdb.Error as exc:
        raise _unpublished(exc) or exc from exc


def _unpublished(exc: duckdb.Error) -> QueryFailed | None:
    """Return what a value says that Parquet cannot hold; it was written for models."""
    error = publishing_error(exc, path="the answer")
    return QueryFailed(str(error).replace(" in the model,", " in the query,")) if error else None


def _select(columns: list[tuple[str, Any]], kind: str) -> str:
    if kind == "parquet":
        # As a model's result would be: DuckDB writes HUGEINT as DOUBLE without a word.
        named = [OutputColumn(name, str(type_)) for name, type_ in columns]
        return published_select(named, identifier(_NAME), path="the answer")
    if kind == "json":
        names = [name.lower() for name, _ in columns]
        for name, _ in columns:
            if names.count(name.lower()) > 1:
                raise QueryFailed(f"the answer has column {name!r} twice: rename one with AS")
        items = [f"{_json(identifier(n), t)} AS {identifier(n)}" for n, t in columns]
        return f"SELECT {', '.join(items)} FROM {identifier(_NAME)}"
    return f"SELECT * FROM {identifier(_NAME)}"


def _json(value: str, type_: Any, depth: int = 0) -> str:
    """Return `value` with NULL for every number in it that JSON cannot say."""
    if not _has_floats(type_):
        return value
    if type_.id in ("double", "float"):
        return f"CASE WHEN isfinite({value}) THEN {value} END"
    item = f"item{depth}"
    if type_.id == "struct":
        fields = [(n, f"struct_extract({value}, {literal(n)})", t) for n, t in type_.children]
        parts = ", ".join(f"{identifier(n)} := {_json(field, t, depth)}" for n, field, t in fields)
        return f"CASE WHEN {value} IS NOT NULL THEN struct_pack({parts}) END"
    if type_.id == "map":
        inner = _json(f"{item}.value", type_.children[1][1], depth + 1)
        pair = f"struct_pack(key := {item}.key, value := {inner})"
        return f"map_from_entries(list_transform(map_entries({value}), lambda {item}: {pair}))"
    inner = _json(item, type_.children[0][1], depth + 1)
    return f"list_transform({value}, lambda {item}: {inner})"


def _has_floats(type_: Any) -> bool:
    if type_.id == "map":
        return _has_floats(type_.children[1][1])
    if type_.id in ("list", "array"):
        return _has_floats(type_.children[0][1])
    if type_.id == "struct":
        return any(_has_floats(part) for _, part in type_.children)
    return type_.id in ("double", "float")


def _lines(relation: Any) -> Iterator[str]:
    """Give the lines of a table; columns are as wide as the first rows need."""
    names = [plain(name) for name in relation.columns]
    right = [type_.id in _NUMBERS for type_ in relation.types]
    text = relation.query(_NAME, f"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM {identifier(_NAME)}")
    rows = [_cells(row) for row in text.fetchmany(BATCH)]
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    yield aligned(names, widths, right)
    while rows:
        yield from (aligned(row, widths, right) for row in rows)
        rows = [_cells(row) for row in text.fetchmany(BATCH)]


_NUMBERS = {
    *("tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint", "uinteger"),
    *("ubigint", "uhugeint", "float", "double", "decimal"),
}


def _cells(row: tuple[str | None, ...]) -> list[str]:
    return ["NULL" if value is None else plain(value) for value in row]
