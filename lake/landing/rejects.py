"""Rows that could not be read, kept with their line, the reason and their text."""

import gzip
import json
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

RAW_CHARACTERS = 1_000_000


class Rejects:
    """Counts rejected rows and writes them as JSON lines, gzipped, if there is a path for them.

    Each line holds `line` (physical, the first is 1), `reason` and `raw`; `cut` is true where a
    row is longer than a million characters. The file is made with the first row.
    """

    def __init__(self, path: Path | None) -> None:
        self.count = 0
        self.first = ""
        self._path = path
        self._file: gzip.GzipFile | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def add(self, line: int, reason: str, raw: bytes) -> None:
        """Keep one row."""
        self.count += 1
        self.first = self.first or f"line {line}: {reason}"
        if self._path is None:
            return
        if self._file is None:
            plain = self._stack.enter_context(self._path.open("wb"))
            # No time and no name in it: the same rejects are the same bytes.
            self._file = self._stack.enter_context(
                gzip.GzipFile(filename="", mode="wb", fileobj=plain, compresslevel=3, mtime=0)
            )
        self._file.write(_json_line(line, reason, raw))


def _json_line(line: int, reason: str, raw: bytes) -> bytes:
    text = raw.decode("utf-8", "backslashreplace")
    row: dict[str, object] = {"line": line, "reason": reason, "raw": text[:RAW_CHARACTERS]}
    if len(text) > RAW_CHARACTERS:
        row["cut"] = True
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"
