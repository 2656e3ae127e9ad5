"""Lines from all over a large CSV file, from which its types are guessed."""

import csv
from collections.abc import Iterator
from pathlib import Path

from lake.convert.csv.dialect import Dialect

SMALL_BYTES = 256 << 10
_BLOCKS = 16
_BLOCK_BYTES = 8 << 10


def write_sample(path: Path, sample: Path, dialect: Dialect, *, has_header: bool) -> None:
    """Write whole lines from 16 places of the file at `path` to `sample`, without the header.

    A block that may have begun inside a quoted value is left out, so that its halves of rows do
    not speak against a type.
    """
    with sample.open("wb") as target:
        for number, block in enumerate(_blocks(path, dialect.newline)):
            skipped = dialect.header_lines if has_header and number == 0 else 0
            lines = block.splitlines(keepends=True)[skipped:]
            if _is_regular(lines, dialect):
                # Mixed line ends would end the reading, and this is only a sample.
                target.writelines(line.rstrip(b"\r\n") + b"\n" for line in lines)


def _blocks(path: Path, newline: bytes) -> Iterator[bytes]:
    size = path.stat().st_size
    step = max((size - _BLOCK_BYTES) // (_BLOCKS - 1), 1)
    with path.open("rb") as file:
        for number in range(_BLOCKS):
            file.seek(number * step)
            block = file.read(_BLOCK_BYTES)
            start = block.find(newline) + 1 if number else 0
            yield block[start : block.rfind(newline) + 1]


def _is_regular(lines: list[bytes], dialect: Dialect) -> bool:
    block = b"".join(lines)
    quote = dialect.quote.encode()
    if quote not in block:
        return True
    if block.count(quote) % 2:
        return False
    text = (line.decode("utf-8", "replace") for line in lines)
    try:
        rows = csv.reader(text, delimiter=dialect.delimiter, quotechar=dialect.quote)
        widths = {len(row) for row in rows if row}
    except csv.Error:
        return False
    return widths <= {len(dialect.columns)}
