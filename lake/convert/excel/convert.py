"""Excel workbooks to Parquet: the values of one sheet, each exactly what the cell holds.

Cells are spooled as exact texts while each column's type is found, then cast in one query, so that
memory is bounded by the chunk and the workbook's shared texts.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from lake.config.types import AS_IT_COMES, Reading
from lake.convert.converted import Converted
from lake.convert.excel.book import Workbook, opened
from lake.convert.excel.cells import Row, SheetReader, corner, place_of
from lake.convert.excel.values import CellBad, NoValue, Type, Value, column_type, value_of
from lake.convert.rejects import Rejects
from lake.convert.unpack.spool import CAPS, Caps
from lake.errors import SourceUnreadable, StoreUnavailable
from lake.query.sql import identifier, literal

_CHUNK_ROWS = 5_000
_NAMED = 5


@dataclass(slots=True)
class _Column:
    """One column: its name, and what was seen in it."""

    name: str
    types: set[Type] = field(default_factory=set)
    is_wide: bool = False

    @property
    def type(self) -> Type:
        return column_type(sorted(self.types), is_wide=self.is_wide)


@dataclass(slots=True)
class _Sheet:
    """The sheet that is read, and what was found in it so far."""

    name: str
    title: str
    rejects: Rejects
    columns: list[_Column] = field(default_factory=list)
    header_row: int = 0
    last_row: int = 0
    rows: int = 0


def sheets(path: Path, *, name: str, caps: Caps = CAPS) -> list[str]:
    """Return the names of the sheets in the workbook at `path`, hidden ones too, in its order.

    Raises:
        SourceUnreadable: it is damaged, or larger than `caps`.
        MissingExtra: openpyxl is not installed.
    """
    with opened(path, name=name, caps=caps) as workbook:
        return list(workbook.parts)


def convert_excel(
    path: Path,
    out: Path,
    *,
    name: str,
    reading: Reading = AS_IT_COMES,
    rejects: Path | None = None,
    caps: Caps = CAPS,
) -> Converted:
    """Write the values of a sheet of the workbook at `path` to a zstd Parquet at `out`.

    The sheet is `reading.sheet`, or the only one; its first row that is not empty names the
    columns. An empty cell is NULL, a formula its last result; `excel_values` says the types. Empty
    rows are counted, but those behind the last. A row with an error (`#DIV/0!`), or with a value
    behind the last column, is rejected, under its number in the sheet.

    Raises:
        SourceUnreadable: it is damaged, the sheet is not there or not named, its header is bad,
            cells are merged, or a formula has no result. `out` is not there then.
        StoreUnavailable: the disk is full. Safe to retry.
        MissingExtra: openpyxl is not installed.
    """
    try:
        with (
            tempfile.TemporaryDirectory(dir=out.parent) as folder,
            opened(path, name=name, caps=caps) as workbook,
            Rejects(rejects) as kept,
        ):
            sheet = _Sheet(name, _chosen(workbook, reading.sheet, name), kept)
            spooled = Path(folder) / "cells"
            _spool(workbook, sheet, spooled)
            _cast(sheet, spooled, out)
    except duckdb.Error as exc:
        out.unlink(missing_ok=True)
        raise StoreUnavailable(
            f"{name} could not be converted here: {str(exc).splitlines()[0]}; make room"
        ) from exc
    blank = sheet.last_row - sheet.header_row - sheet.rows - kept.count
    return Converted(sheet.rows, kept.count, blank, kept.first)


def _chosen(workbook: Workbook, wanted: str, name: str) -> str:
    titles = list(workbook.parts)
    listed = ", ".join(map(repr, titles))
    if wanted in titles:
        return wanted
    if wanted and wanted != "*":
        raise SourceUnreadable(f"{name} has no sheet {wanted!r}: it has {listed}")
    if not titles:
        raise SourceUnreadable(f"{name} has no sheet with cells: look at what its source sends")
    if len(titles) > 1:
        raise SourceUnreadable(
            f'{name} has {len(titles)} sheets, {listed}: say which, as in sheet = "{titles[0]}"'
        )
    return titles[0]


def _spool(workbook: Workbook, sheet: _Sheet, to: Path) -> None:
    """Write the sheet's rows as texts, and find the types of its columns."""
    reader = SheetReader()
    with workbook.archive.open(workbook.parts[sheet.title]) as file:
        rows = reader.rows(file)
        header = next((found for row in rows if any(found := _values(row, workbook, sheet))), None)
        if header is None:
            raise SourceUnreadable(
                f"{sheet.name} has no cells in sheet {sheet.title!r}: look at what its source sends"
            )
        sheet.columns = [_Column(text) for text in _names(header, sheet)]
        schema = pa.schema([(f"c{i}", pa.large_string()) for i in range(len(sheet.columns))])
        with pq.ParquetWriter(to, schema, compression="zstd") as writer:
            for chunk in _chunks(rows, workbook, sheet):
                columns = [list(column) for column in zip(*chunk, strict=True)]
                writer.write_table(pa.table(columns, schema=schema))
    _check_merged(reader.merged, sheet)


def _values(row: Row, workbook: Workbook, sheet: _Sheet) -> list[Value | None]:
    """Return a header's values from the first column on; an error in it cannot name a column."""
    try:
        found = _row_values(row, workbook, sheet)
    except CellBad as exc:
        raise SourceUnreadable(
            f"{sheet.name} has no readable header: {exc}; mend it in the workbook"
        ) from exc
    if any(found):
        sheet.header_row = sheet.last_row = row.number
    return found


def _row_values(row: Row, workbook: Workbook, sheet: _Sheet) -> list[Value | None]:
    found: list[Value | None] = []
    for cell in row.cells:
        place = place_of(cell.column, row.number)
        try:
            value = value_of(cell, workbook.book)
        except CellBad as exc:
            raise CellBad(f"cell {place} {exc}") from exc
        except NoValue:
            raise SourceUnreadable(
                f"{sheet.name} has a formula without a result in cell {place} of sheet"
                f" {sheet.title!r}: open it in a spreadsheet program, which computes it, and save"
                " it"
            ) from None
        if value is not None:
            found += [None] * (cell.column - 1 - len(found))
            found.append(value)
    return found


def _names(header: Sequence[Value | None], sheet: _Sheet) -> list[str]:
    seen: dict[str, str] = {}
    for number, value in enumerate(header, 1):
        text = value.text if value else ""
        key = text.strip().casefold()
        if not key or "\0" in text:
            raise SourceUnreadable(
                f"{sheet.name} has no name for column {number} of {len(header)}: complete its"
                " header"
            )
        if key in seen:
            same = (
                "" if seen[key] == text else f" and {text!r}, which differ only in case or blanks"
            )
            raise SourceUnreadable(
                f"{sheet.name} has two columns {seen[key]!r}{same}: rename one in its header"
            )
        seen[key] = text
    return list(seen.values())


def _chunks(
    rows: Iterator[Row], workbook: Workbook, sheet: _Sheet
) -> Iterator[list[list[str | None]]]:
    chunk: list[list[str | None]] = []
    for row in rows:
        texts = _texts(row, workbook, sheet)
        if texts is None:
            continue
        chunk.append(texts)
        sheet.rows += 1
        if len(chunk) == _CHUNK_ROWS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _texts(row: Row, workbook: Workbook, sheet: _Sheet) -> list[str | None] | None:
    """Return a row's texts, or None if it holds nothing or was rejected."""
    try:
        values = _row_values(row, workbook, sheet)
    except CellBad as exc:
        _reject(row, str(exc), sheet)
        return None
    if not values:
        return None
    width = len(sheet.columns)
    if len(values) > width:
        place = place_of(len(values), row.number)
        _reject(row, f"cell {place} lies behind the header's {width} columns", sheet)
        return None
    sheet.last_row = row.number
    for value, column in zip(values, sheet.columns, strict=False):
        if value:
            column.types.add(value.type)
            column.is_wide = column.is_wide or value.is_wide
    texts = [value.text if value else None for value in values]
    return texts + [None] * (width - len(texts))


def _reject(row: Row, reason: str, sheet: _Sheet) -> None:
    sheet.last_row = row.number
    raw = json.dumps([cell.text for cell in row.cells], ensure_ascii=False)
    sheet.rejects.add(None, reason, raw.encode("utf-8", "backslashreplace"), row=row.number)


def _check_merged(merged: Sequence[str], sheet: _Sheet) -> None:
    """Refuse merged cells among the rows: all but one of them would be NULL without a word."""
    bad = [region for region in merged if _covers(region, sheet)]
    if bad:
        some = ", ".join(bad[:_NAMED]) + (" …" if len(bad) > _NAMED else "")
        raise SourceUnreadable(
            f"{sheet.name} has merged cells in sheet {sheet.title!r}, {some}, of which all but the"
            " first would be empty: unmerge them in the workbook"
        )


def _covers(region: str, sheet: _Sheet) -> bool:
    first, _, last = region.partition(":")
    (left, top), (_, bottom) = corner(first), corner(last or first)
    outside = bottom < sheet.header_row or top > sheet.last_row or left > len(sheet.columns)
    return bool(last) and first != last and not outside


def _cast(sheet: _Sheet, spooled: Path, out: Path) -> None:
    query = ", ".join(
        f"CAST({identifier(f'c{i}')} AS {column.type}) AS {identifier(column.name)}"
        for i, column in enumerate(sheet.columns)
    )
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": "1GB",
        "threads": 2,
        "temp_directory": str(out.parent / "duckdb_temp"),
    }
    with closing(duckdb.connect(config=config)) as con:
        con.execute(
            f"COPY (SELECT {query} FROM read_parquet({literal(str(spooled))}))"
            f" TO {literal(str(out))} (FORMAT parquet, COMPRESSION zstd)"
        )
