"""JSON to Parquet without losing anything: lossless types, and every record landed or rejected.

Two passes over the file: the first finds the type that holds every value of a column, and rejects
what is no record; the second writes. A column of numbers, or of ISO dates or timestamps in texts,
is typed by the rules of CSV; any other text stays text.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from lake.config.types import AS_IT_COMES, Reading
from lake.convert.converted import Converted
from lake.convert.json.frames import Frame, frames
from lake.convert.json.parse import NoRecord, parse, parse_again
from lake.convert.records.convert import CHUNK_BYTES, CHUNK_ROWS, observe, write_seen
from lake.convert.records.types import Seen
from lake.convert.rejects import Rejects
from lake.errors import SourceUnreadable
from lake.schema.join import spell
from lake.schema.reconcile import renaming

_READ_CHARACTERS = 1 << 20


def convert_json(
    path: Path,
    out: Path,
    *,
    name: str,
    reading: Reading = AS_IT_COMES,
    rejects: Path | None = None,
) -> Converted:
    """Write the records of the JSON file at `path` to a zstd Parquet at `out`, typed without loss.

    They are one per line, the items of one array, or objects one after the other. The columns are
    their keys, in the order of first appearance; a key that is missing is NULL. Every record is in
    `out` or was rejected; rejected ones go to `rejects` as gzipped JSON lines, if it is given and
    there are any. Temporary files lie beside `out`. Memory is bounded by the record. Messages call
    the source `name`.

    Raises:
        SourceUnreadable: the file is cut off within an array, has a record over 16 MiB, no record
            at all, or two keys that differ only by case. `out` is not there then.
    """
    with ExitStack() as stack:
        encoding = reading.encoding or _encoding(path)
        if encoding:
            folder = stack.enter_context(tempfile.TemporaryDirectory(dir=out.parent))
            path = _as_utf8(path, Path(folder) / "utf8", encoding, name)
        return _convert(path, out, name, reading, stack.enter_context(Rejects(rejects)))


def _convert(path: Path, out: Path, name: str, reading: Reading, rejects: Rejects) -> Converted:
    source = _Records(path, name, rejects)
    seen = observe(source.chunks(), Seen(dated=True), name=name)
    if not source.records:
        if not reading.columns:
            raise _without_records(name, rejects)
        seen.fields = {column: Seen(column, level=1) for column in reading.columns}
    called = renaming(reading.columns)
    types = {spell(column): one.type for column, one in reading.columns.items()}
    for column, field in seen.fields.items():
        field.wanted = types.get(spell(called(column)), "")
    rows = write_seen(source.chunks(), seen, out, name=name)
    return Converted(rows, rejects.count, source.blank_lines, rejects.first)


def _without_records(name: str, rejects: Rejects) -> SourceUnreadable:
    if not rejects.count:
        return SourceUnreadable(
            f"{name} holds no record, so its columns are unknown: look at what its source sends, or"
            " declare them"
        )
    return SourceUnreadable(
        f"{name} holds no record that can be read ({rejects.count} rejected), the first:"
        f" {rejects.first}; mend the source"
    )


class _Records:
    """The records of a file, parsed anew each time; what is rejected counts the first time only."""

    def __init__(self, path: Path, name: str, rejects: Rejects) -> None:
        self.records = self.blank_lines = 0
        self._is_read = False
        self._path, self._name, self._rejects = path, name, rejects

    def chunks(self) -> Iterator[Sequence[dict[str, Any]]]:
        """Give the records, some at once."""
        chunk: list[dict[str, Any]] = []
        size = 0
        for frame in frames(self._path, name=self._name):
            record = self._parsed(frame)
            if record is None:
                continue
            chunk.append(record)
            size += len(frame.data)
            if len(chunk) >= CHUNK_ROWS or size >= CHUNK_BYTES:
                yield chunk
                chunk, size = [], 0
        if chunk:
            yield chunk
        self._is_read = True

    def _parsed(self, frame: Frame) -> dict[str, Any] | None:
        if frame.is_blank:
            self.blank_lines += not self._is_read
            return None
        if self._is_read and not self._rejects.count:
            return parse_again(frame.data)
        try:
            record = parse(frame.data)
        except NoRecord as exc:
            if not self._is_read:
                self._rejects.add(frame.line, str(exc), frame.data)
            return None
        self.records += not self._is_read
        return record


def _encoding(path: Path) -> str:
    """Return the encoding that a mark at the file's beginning names; `""` for UTF-8."""
    with path.open("rb") as file:
        return "utf-16" if file.read(2) in (b"\xff\xfe", b"\xfe\xff") else ""


def _as_utf8(path: Path, to: Path, encoding: str, name: str) -> Path:
    try:
        with path.open(encoding=encoding, newline="") as source, to.open("wb") as target:
            while text := source.read(_READ_CHARACTERS):
                target.write(text.encode())
    except UnicodeError as exc:
        raise SourceUnreadable(
            f"{name} is no text in {encoding} ({exc}): declare its encoding"
        ) from exc
    except LookupError as exc:
        raise SourceUnreadable(
            f"{name} is declared to be in {encoding}, which Python does not know: correct it"
        ) from exc
    return to
