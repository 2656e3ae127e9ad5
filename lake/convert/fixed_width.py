"""Text in columns of fixed width, by declared widths: cut into fields, then read as CSV is."""

import csv
from collections.abc import Iterable
from functools import partial
from itertools import accumulate, pairwise
from pathlib import Path

from lake.config.types import Reading
from lake.convert.contract.sql import contract_of
from lake.convert.converted import Converted
from lake.convert.csv.clean import convert_clean, engine
from lake.convert.csv.copy import Table
from lake.convert.csv.dialect import Dialect
from lake.convert.csv.records import chomp, numbered_lines
from lake.convert.csv.scrub import Broken, Scrubbed, Sieve
from lake.convert.csv.survey import survey
from lake.convert.rejects import Rejects
from lake.errors import InvalidConfig

_MARK = b"\xef\xbb\xbf"


def convert_fixed(
    path: Path,
    out: Path,
    *,
    name: str,
    reading: Reading,
    rejects: Path | None = None,
    memory: str = "1GB",
    threads: int = 2,
) -> Converted:
    """Write the lines of the file at `path`, cut by `reading.widths`, to a zstd Parquet at `out`.

    Blanks around a value are padding; nothing but blanks is NULL. A line that is longer than the
    columns is rejected, unless by blanks only, and so is one that ends before its last column; in
    the last column, only blanks at the end can be missing, but for a last line without a line end,
    which may be cut. Values are typed as in CSV, and rows held against the contract.

    Raises:
        SourceUnreadable: the file is no UTF-8 text, or has a line longer than 16 MiB.
        StoreUnavailable: the disk is full or the memory does not suffice. Safe to retry.
        InvalidConfig: there are no widths, or a declared format does not go with its type.
    """
    if not reading.widths:
        raise InvalidConfig(f"{name} has columns of fixed width: declare their widths")
    columns = tuple(column for column, _ in reading.widths)
    contract = contract_of([(column, "VARCHAR") for column in columns], reading)
    dialect = Dialect(",", b"\n", columns, 0)
    survey(path, dialect, name=name)
    with engine(out, name=name, memory=memory, threads=threads) as con:
        cutting, table = partial(_cut, path, reading, name), Table(path, dialect, contract)
        return convert_clean(con, cutting, table, out, name=name, rejects=rejects)


def _cut(
    path: Path,
    reading: Reading,
    name: str,
    clean: Path,
    rejects: Path | None,
    broken: Iterable[Broken],
) -> Scrubbed:
    """Write the fields of whole lines to a CSV file; what is no whole line goes to `rejects`."""
    edges = list(accumulate((width for _, width in reading.widths), initial=0))
    comment = reading.comment.encode()
    blank_lines = comment_lines = 0
    with (
        path.open("rb") as source,
        clean.open("w", encoding="utf-8", newline="") as target,
        Rejects(rejects) as rejected,
    ):
        sieve, writer = Sieve(rejected, broken), csv.writer(target, lineterminator="\n")
        for number, line in numbered_lines(source, b"\n", name):
            raw = chomp(line.removeprefix(_MARK) if number == 1 else line)
            text = raw.decode()
            if not text.strip(" "):
                blank_lines += 1
            elif comment and raw.startswith(comment):
                comment_lines += 1
            elif reason := _reason(text, edges, is_ended=line.endswith(b"\n")):
                rejected.add(number, reason, raw)
            elif sieve.keeps(number, raw, raw):
                writer.writerow([text[a:b].strip(" ") or None for a, b in pairwise(edges)])
    return Scrubbed(
        sieve.rows, rejected.count, blank_lines, comment_lines, rejected.first, sieve.longest
    )


def _reason(text: str, edges: list[int], *, is_ended: bool) -> str:
    *_, start, end = edges
    size = len(text)
    if len(text.rstrip(" ")) > end or size <= start or (size < end and not is_ended):
        characters = "character" if size == 1 else "characters"
        return f"{size} {characters} where the columns have {end}"
    return ""
