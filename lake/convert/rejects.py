"""Rows that could not be read or broke the contract, kept with line, reason and text."""

import gzip
import json
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

RAW_CHARACTERS = 1_000_000


class Rejects:
    """Counts rejected rows and writes them as JSON lines, gzipped, if there is a path for them.

    Each line holds `line` (physical, the first is 1; null where a source has no lines), `row` (the
    first is 1; null where there is a line), `reason` and `raw`; `cut` is true where a row is longer
    than a million characters. The file is made with the first row.
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

    def add(
        self,
        line: int | None,
        reason: str,
        raw: bytes,
        *,
        row: int | None = None,
        public: str = "",
    ) -> None:
        """Keep one row.

        Args:
            line: its first physical line; None where the source has no lines.
            reason: why; it may quote a value.
            raw: the row as it came.
            row: its number where there is no line.
            public: the reason without any value, for the log, if `reason` quotes one.
        """
        self.count += 1
        place = f"line {line}" if line is not None else f"row {row}"
        self.first = self.first or f"{place}: {public or reason}"
        if self._path is None:
            return
        if self._file is None:
            plain = self._stack.enter_context(self._path.open("wb"))
            # No time and no name in it: the same rejects are the same bytes.
            self._file = self._stack.enter_context(
                gzip.GzipFile(filename="", mode="wb", fileobj=plain, compresslevel=3, mtime=0)
            )
        self._file.write(_json_line(line, row, reason, raw))


def _json_line(line: int | None, row: int | None, reason: str, raw: bytes) -> bytes:
    text = raw.decode("utf-8", "backslashreplace")
    found: dict[str, object] = {
        "line": line,
        "row": row,
        "reason": reason,
        "raw": text[:RAW_CHARACTERS],
    }
    if len(text) > RAW_CHARACTERS:
        found["cut"] = True
    return json.dumps(found, ensure_ascii=False).encode() + b"\n"
