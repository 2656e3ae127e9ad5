"""The tables in a file as it came: unpacked, recognised, converted, held against the contract."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from shutil import copyfileobj

from lake.config.types import Reading
from lake.convert.converted import Converted
from lake.convert.recognise import Kind, recognise
from lake.convert.unpack.unpack import Unpacked, unpack

Convert = Callable[..., Converted]
_TEXTS = ("csv", "json", "fixed")
# Text is held against the contract while it is read: only there its lines are known.
_CHECKED = ("csv", "fixed")
_CONVERTERS = {
    "csv": ("csv.convert", "convert_csv"),
    "json": ("json.convert", "convert_json"),
    "fixed": ("fixed_width", "convert_fixed"),
    "arrow": ("arrow.convert", "convert_arrow"),
    "excel": ("excel.convert", "convert_excel"),
}


@dataclass(frozen=True, slots=True)
class Table:
    """A Parquet with the rows of one table, and what became of the others.

    Attributes:
        is_source: `path` is the file that came, byte for byte.
        rejects: files of rejected rows, gzipped JSON lines.
        flaw: why the version cannot become current, whatever the rows are.
    """

    path: Path
    name: str
    is_source: bool = False
    rejected: int = 0
    first_reject: str = ""
    rejects: tuple[Path, ...] = ()
    flaw: str = ""
    blank_lines: int = 0
    comment_lines: int = 0


def tables(
    path: Path, *, name: str, reading: Reading, convert: Convert | None = None
) -> list[Table]:
    """Return the tables in the file at `path`; what is made of it lies beside it.

    Args:
        path: the source's bytes.
        name: how messages call them.
        reading: what is declared of them.
        convert: in place of the converter of every format.

    Raises:
        SourceUnreadable: it is not what it claims to be, or no table.
        StoreUnavailable: there is no room to convert it. Safe to retry.
        MissingExtra: its format needs a package that is not installed.
    """
    found = unpack(path, path.with_suffix(".members"), name=name, reading=reading)
    return [
        _table(one, path.with_suffix(f".{number}"), path, reading, convert)
        for number, one in enumerate(found)
    ]


def _table(
    one: Unpacked, beside: Path, source: Path, reading: Reading, convert: Convert | None
) -> Table:
    kind = recognise(one.path, name=one.name, reading=reading)
    table = Table(one.path, one.name, is_source=one.path == source)
    if kind != "parquet":
        table = _converted(one, kind, beside, reading, convert)
    has_contract = reading.columns or reading.unknown_columns == "reject"
    return _enforced(table, beside, reading) if has_contract and kind not in _CHECKED else table


def _converted(
    one: Unpacked, kind: Kind, beside: Path, reading: Reading, convert: Convert | None
) -> Table:
    # Not .parquet: who globs over the whole lake must not meet it before it is uploaded.
    out, rejects = beside.with_suffix(f"{beside.suffix}.rows"), _rejects(beside, "unread")
    path = one.path
    if kind in _TEXTS:
        from lake.convert.encoding import as_utf8

        path = as_utf8(path, path.parent, name=one.name, reading=reading)
        reading = replace(reading, encoding="")
    make = convert or _converter(kind)
    done = make(path, out, name=one.name, reading=reading, rejects=rejects)
    kept = (rejects,) if done.rejected else ()
    return Table(
        out,
        one.name,
        False,
        done.rejected,
        done.first_reject,
        kept,
        done.flaw,
        done.blank_lines,
        done.comment_lines,
    )


def _enforced(table: Table, beside: Path, reading: Reading) -> Table:
    """Return the table without the rows that break the contract."""
    from lake.convert.contract.enforce import concerns, enforce  # a Parquet seldom needs it

    if not concerns(reading):
        return table
    out = beside.with_suffix(f"{beside.suffix}.kept")
    rejects = _rejects(beside, "broken")
    done = enforce(table.path, out, name=table.name, reading=reading, rejects=rejects)
    return replace(
        table,
        path=out if out.exists() else table.path,
        is_source=table.is_source and not out.exists(),
        rejected=table.rejected + done.rejected,
        first_reject=table.first_reject or done.first_reject,
        rejects=(*table.rejects, *((rejects,) if done.rejected else ())),
        flaw=table.flaw or done.flaw,
    )


def _rejects(beside: Path, why: str) -> Path:
    return beside.with_suffix(f"{beside.suffix}.{why}")


def _converter(kind: Kind) -> Convert:
    """Load a format's converter when a file needs it."""
    module, called = _CONVERTERS[kind]
    found: Convert = getattr(import_module(f"lake.convert.{module}"), called)
    return found


def join_rejects(parts: Sequence[Path], to: Path) -> Path:
    """Write rejected rows of several files as one: gzip members one after the other are gzip."""
    if len(parts) == 1:
        return parts[0]
    with to.open("wb") as target:
        for part in parts:
            with part.open("rb") as source:
                copyfileobj(source, target)
    return to
