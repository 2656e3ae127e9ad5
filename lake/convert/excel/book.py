"""A workbook, opened: its sheets, and what their cells share. Nothing too large is read."""

import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from xml.etree.ElementTree import ParseError

from lake.convert.excel.cells import SheetDamaged
from lake.convert.excel.values import Book, DateStyle
from lake.convert.unpack.spool import CAPS, Caps, check_size
from lake.errors import LakeError, MissingExtra, SourceUnreadable, StoreUnavailable

# What openpyxl raises where a part of a workbook is missing or is not what it should be.
_DAMAGED = (
    *(KeyError, ValueError, TypeError, AttributeError, IndexError, OSError, EOFError),
    *(zipfile.BadZipFile, zlib.error, ParseError, NotImplementedError, SheetDamaged),
)


@dataclass(frozen=True, slots=True)
class Workbook:
    """An open workbook: its zip, and which part of it each sheet is."""

    archive: zipfile.ZipFile
    parts: dict[str, str]
    book: Book


@contextmanager
def opened(path: Path, *, name: str, caps: Caps = CAPS) -> Iterator[Workbook]:
    """Open the workbook at `path`; what is damaged in it is refused in the block, too.

    Raises:
        SourceUnreadable: it is damaged, or its parts are larger than `caps`.
        MissingExtra: openpyxl is not installed.
    """
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            _check_sizes(archive, path.stat().st_size, name, caps)
            yield _workbook(archive, path)
    except LakeError:
        raise
    except _DAMAGED as exc:
        if isinstance(exc, OSError) and exc.errno:
            raise StoreUnavailable(
                f"{name} could not be converted here: {exc.strerror or exc}; make room"
            ) from exc
        reason = str(exc).splitlines()[0] if str(exc) else "it breaks off"
        raise SourceUnreadable(
            f"{name} is a damaged Excel workbook ({reason}): open it in a spreadsheet program and"
            " save it"
        ) from exc


def _check_sizes(archive: zipfile.ZipFile, packed: int, name: str, caps: Caps) -> None:
    entries = archive.infolist()
    check_size(name, sum(entry.file_size for entry in entries), packed, caps)
    whole = [e for e in entries if e.filename.endswith(".xml") and "/worksheets/" not in e.filename]
    size = sum(entry.file_size for entry in whole)
    if size > caps.whole_bytes:
        raise SourceUnreadable(
            f"{name} has {size:,} bytes of texts and styles, at most {caps.whole_bytes:,} can be"
            " read: save it as CSV"
        )


def _workbook(archive: zipfile.ZipFile, path: Path) -> Workbook:
    try:
        from openpyxl import load_workbook
        from openpyxl.utils.datetime import CALENDAR_MAC_1904
    except ImportError as exc:
        raise MissingExtra(
            "an Excel workbook needs openpyxl, which is not installed: run"
            " pip install 'clearlake[excel]'"
        ) from exc
    with path.open("rb") as file, warnings.catch_warnings():
        # It warns of what it leaves out: pictures, validations. Values are all that is read.
        warnings.simplefilter("ignore")
        found: Any = load_workbook(file, read_only=True, data_only=True, keep_links=False)
        sheets = found.worksheets
        # Read-only sheets know their part and their texts, and have no public name for either.
        parts = {sheet.title: sheet._worksheet_path.lstrip("/") for sheet in sheets}
        texts = sheets[0]._shared_strings if sheets else []
        book = Book(texts, _styles(found), found.epoch == CALENDAR_MAC_1904)
        found.close()
    return Workbook(archive, parts, book)


def _styles(found: Any) -> Sequence[DateStyle]:
    """Return of each style whether it shows a number as a date, a time or a length of time."""
    from openpyxl.styles.numbers import (
        BUILTIN_FORMATS,
        BUILTIN_FORMATS_MAX_SIZE,
        is_datetime,
        is_timedelta_format,
    )

    def style(number: int) -> DateStyle:
        if number < BUILTIN_FORMATS_MAX_SIZE:
            text = BUILTIN_FORMATS.get(number, "General")
        else:
            text = found._number_formats[number - BUILTIN_FORMATS_MAX_SIZE]
        if is_timedelta_format(text):
            return "length"
        shows = is_datetime(text)
        return cast(
            "DateStyle", {"datetime": "date", "date": "date", "time": "time"}.get(shows, "")
        )

    return [style(cell.numFmtId) for cell in found._cell_styles]
