"""The rows of a dataset, fifty at a time, and each of them by itself, with where it came from."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from lake.browser.ask import Ask
from lake.browser.pages.sql import Column, columns_of
from lake.browser.snapshot import Snapshot
from lake.browser.sql.runner import CUT, Answer, Question
from lake.browser.sql.sources import of_rows
from lake.catalog.state import DataFile
from lake.errors import InvalidAddress, NoSuchDataset, NoSuchVersion
from lake.query.sql import identifier, literal, qualified

PER_PAGE = 50
MOST = 10_000
"""Rows that are paged through where they are sorted or filtered: each page reads them anew."""
_ALONE = 65_536
_LEAST = 40
_ROOM = 4 << 20
"""Characters of all texts of a page: in JSON some take six bytes."""
_ORIGIN = 2
"""Columns at the end of an answer that tell where each row lies."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a row lies: the current version of its partition, the file, and its number there."""

    partition: str
    version: int
    file: str
    row_in_file: int


@dataclass(frozen=True, slots=True)
class RowsPage:
    """Some rows of a dataset.

    Attributes:
        numbers: of the rows here, among all of the dataset, from 1.
        rows: plain numbers and truths as such, everything else as DuckDB writes it.
        first: the place of the first row among those that are asked for, from 1.
        total: of those; None: they were not counted.
        column: the one that is filtered by; `""`: none is.
        said: how it is filtered.
        sort: the number of the column that they are sorted by; negative: the other way.
        origin: of the one row that is asked for.
    """

    commit: int
    dataset: str
    columns: Sequence[Column]
    numbers: Sequence[int]
    rows: Sequence[Sequence[Any]]
    first: int
    total: int | None
    has_more: bool
    column: str
    said: str
    sort: int
    origin: Origin | None


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a dataset in their order, and how many rows lie before each."""

    files: Sequence[DataFile]
    before: Sequence[int]
    rows: int

    def at(self, number: int) -> tuple[DataFile, int]:
        """Return the file of a row of the dataset, and its number in there; both from 1."""
        place = bisect_right(self.before, number - 1) - 1
        return self.files[place], number - self.before[place]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows are asked for: the rows themselves, and the query that gives them."""

    dataset: str
    first: int
    row: int
    column: str
    said: str
    sort: int
    sql: str
    files: Sequence[DataFile]


def files_of(shot: Snapshot, dataset: str) -> Files:
    """Return the files of a dataset that hold rows."""

    def look() -> Files:
        found = [file for file in shot.state().data_files(dataset) if file.rows]
        sums = [0, *accumulate(file.rows for file in found)]
        return Files(found, sums[:-1], sums[-1])

    return shot.memo(("files of", dataset), look)


def wanted(shot: Snapshot, ask: Ask) -> Wanted:
    """Return what an address asks for.

    Raises:
        NoSuchDataset, NoSuchVersion: there is none, or no such row.
        InvalidAddress: it says what cannot be.
    """
    dataset = ask.places["dataset"]
    if dataset not in shot.lake.state.datasets:
        raise NoSuchDataset(f"there is no {dataset} at commit {shot.commit}")
    known, row = files_of(shot, dataset), ask.number("row", 0, most=10**15)
    if row:
        if row > known.rows:
            raise NoSuchVersion(f"{dataset} has {known.rows:,} rows at commit {shot.commit}")
        return _of_place(shot, dataset, row, 1, row=row)
    page = max(ask.number("page", 1), 1)
    first = (page - 1) * PER_PAGE + 1
    sort = _sort(shot, ask, dataset)
    column, condition, said = _filter(shot, ask, dataset)
    if not sort and not column:
        first = min(first, max((known.rows - 1) // PER_PAGE * PER_PAGE + 1, 1))
        return _of_place(shot, dataset, first, PER_PAGE)
    if first > MOST:
        raise InvalidAddress(f"only the first {MOST:,} of sorted or filtered rows are shown here")
    where = f" WHERE {condition}" if condition else ""
    name = identifier(columns_of(shot, dataset)[abs(sort) - 1][0]) if sort else ""
    order = f" ORDER BY {name} {'DESC' if sort < 0 else 'ASC'} NULLS LAST" if sort else ""
    rest = f"{where}{order} LIMIT {PER_PAGE + 1} OFFSET {first - 1}"
    sql = f"SELECT * FROM {qualified(dataset)}{rest}"
    return Wanted(dataset, first, 0, column, said, sort, sql, known.files)


def _of_place(shot: Snapshot, dataset: str, first: int, many: int, *, row: int = 0) -> Wanted:
    """Return rows by their place: only the files that hold them are read."""
    known, url_of = files_of(shot, dataset), shot.lake.log.store.data_url
    last = min(first + many - 1, known.rows)
    found: list[DataFile] = []
    number = first
    conditions = []
    while number <= last:
        file, start = known.at(number)
        end = min(start + last - number, file.rows)
        found.append(file)
        conditions.append((url_of(file.key), start, end))
        number += end - start + 1
    rest = _between(conditions) if conditions else ""
    sql = f"SELECT * FROM {qualified(dataset)}{rest}"
    return Wanted(dataset, first if known.rows else 0, row, "", "", 0, sql, found)


def _between(conditions: Sequence[tuple[str, int, int]]) -> str:
    if len(conditions) == 1:
        _, start, end = conditions[0]
        return f" WHERE _row BETWEEN {start} AND {end} ORDER BY _row"
    tests = [
        f"(_url = {literal(url)} AND _row BETWEEN {start} AND {end})"
        for url, start, end in conditions
    ]
    urls = ", ".join(literal(url) for url, _, _ in conditions)
    return f" WHERE {' OR '.join(tests)} ORDER BY list_position([{urls}], _url), _row"


def _sort(shot: Snapshot, ask: Ask, dataset: str) -> int:
    text = ask.get("sort")
    bare = text.removeprefix("-")
    number = int(bare) if bare.isascii() and bare.isdigit() and len(bare) < 6 else 0
    if text and not 1 <= number <= len(columns_of(shot, dataset)):
        raise InvalidAddress(f"sort={text[:40]} is the number of no column of {dataset}")
    return -number if text.startswith("-") else number


def _filter(shot: Snapshot, ask: Ask, dataset: str) -> tuple[str, str, str]:
    """Return the column that is filtered by, the condition, and what it says."""
    name = ask.get("column")
    types = dict(columns_of(shot, dataset))
    if not name:
        if ask.get("from") or ask.get("to"):
            raise InvalidAddress("from and to are limits of a column's values: choose the column")
        return "", "", ""
    if name not in types:
        raise InvalidAddress(f"{dataset} has no column {name[:80]!r}")
    column, kind = identifier(name), types[name]
    if ask.get("null"):
        return name, f"{column} IS NULL", "is null"
    if "is" in ask.query:
        text = ask.get("is")
        return name, f"CAST({column} AS VARCHAR) = {_value(text)}", f"is {text}"
    low, high = ask.get("from"), ask.get("to")
    tests, said = [], []
    if low:
        tests.append(f"{column} >= TRY_CAST({_value(low)} AS {kind})")
        said.append(f"from {low}")
    if high:
        # A range ends before the next one begins, unless it is a single value.
        sign = "<=" if low == high else "<"
        tests.append(f"{column} {sign} TRY_CAST({_value(high)} AS {kind})")
        said.append(f"to {high}")
    return (name, " AND ".join(tests), " ".join(said)) if tests else ("", "", "")


def _value(text: str) -> str:
    if "\0" in text:
        raise InvalidAddress("a value holds a NUL character, which no text here can")
    return literal(text)


def question(shot: Snapshot, ask: Ask, of: Wanted, *, is_uncut: bool) -> Question:
    """Return the question that gives the rows; `is_uncut`: their texts are whole."""
    reads_all = bool(of.sort or of.column)
    sources = of_rows(shot, of.dataset, of.files, is_whole=reads_all)
    cut = 0 if is_uncut else _cut(len(columns_of(shot, of.dataset)), is_one=bool(of.row))
    mark = (of.dataset, *(() if reads_all else (file.key for file in of.files)))
    return Question(
        shot, of.sql, sources, cut=cut, rows=PER_PAGE + 1, mark=("rows", mark), home=ask.same()
    )


def _cut(columns: int, *, is_one: bool) -> int:
    """Return of how many characters texts are sent, so that an answer has room for all of them."""
    cells = max(columns, 1) * (1 if is_one else PER_PAGE + 1)
    most = _ALONE if is_one else CUT
    return max(_LEAST, min(most, _ROOM // cells))


def document(shot: Snapshot, of: Wanted, answer: Answer) -> RowsPage:
    """Return the page of an answer."""
    known = files_of(shot, of.dataset)
    url_of = shot.lake.log.store.data_url
    starts: Mapping[str, int] = {}
    starts = shot.memo(
        ("starts of", of.dataset),
        lambda: {
            url_of(file.key): before for file, before in zip(known.files, known.before, strict=True)
        },
    )
    found = answer.every()
    rows = found[:PER_PAGE]
    numbers = [starts.get(_whole(row[-_ORIGIN]), 0) + row[-1] for row in rows]
    is_whole = not of.column
    return RowsPage(
        shot.commit,
        of.dataset,
        [Column(*one) for one in answer.columns[:-_ORIGIN]],
        numbers,
        [row[:-_ORIGIN] for row in rows],
        of.first,
        known.rows if is_whole else None,
        of.first + len(rows) - 1 < known.rows if is_whole else len(found) > PER_PAGE,
        of.column,
        of.said,
        of.sort,
        _origin(shot, of, known) if of.row else None,
    )


def _whole(url: Any) -> str:
    return str(url["start"] if isinstance(url, Mapping) else url)


def _origin(shot: Snapshot, of: Wanted, known: Files) -> Origin:
    file, row = known.at(of.row)
    current = shot.state().partition(of.dataset, file.partition).current
    return Origin(file.partition, current.number if current else 0, file.key, row)
