"""CSV files with all that is known of them, and what must come of each."""

from dataclasses import dataclass, replace
from pathlib import Path

from hypothesis import strategies as st

from lake.config.types import Reading
from lake.convert.csv.convert import convert_csv
from lake.convert.fixed_width import convert_fixed
from tests.fuzz.landed import landed_texts
from tests.fuzz.texts import column, near_row

Row = tuple[str | None, ...]
LARGE_BYTES = 500_000
WIDTH = 14


@dataclass(frozen=True, slots=True)
class Written:
    """A file as it is written.

    Attributes:
        rows: what its rows mean, in order.
        broken: by the number of a row: a line before it that has not the header's fields.
        quoted: how values are quoted that need not be: in every, or in no row.
        times: how often all rows come.
        odd: one more row somewhere.
    """

    rows: tuple[Row, ...]
    delimiter: str
    newline: str
    escape: str
    broken: tuple[int, ...] = ()
    quoted: bool = False
    is_declared: bool = True
    has_mark: bool = False
    times: int = 1
    odd: tuple[int, Row] | None = None

    @property
    def reading(self) -> Reading:
        """How it is declared: what cannot be seen for sure must be."""
        if self.is_declared:
            return Reading(delimiter=self.delimiter, escape=self.escape or '"')
        return Reading(escape=self.escape or '"')

    @property
    def meant(self) -> list[Row]:
        """The rows that must land."""
        rows = list(self.rows) * self.times
        if self.odd:
            rows.insert(self.odd[0] % (len(rows) + 1), self.odd[1])
        return rows

    def data(self) -> bytes:
        """Return its bytes."""
        width = len(self.rows[0])
        lines = [self.delimiter.join(f"c{i}" for i in range(width))]
        known: dict[Row, str] = {}
        for number, row in enumerate(self.meant):
            if number in self.broken:
                lines.append(self.delimiter.join(["x"] * (width + 1)))
            if row not in known:
                known[row] = self.delimiter.join(map(self._field, row))
            lines.append(known[row])
        text = self.newline.join([*lines, ""])
        return (b"\xef\xbb\xbf" if self.has_mark else b"") + text.encode()

    def _field(self, value: str | None) -> str:
        if value is None:
            return ""
        special = {self.delimiter, "\n", "\r", '"', self.escape} - {""}
        # What is around a value, or may begin a file or a comment, is left to the quotes.
        plain = value and not special & set(value) and not self.quoted
        if plain:
            return value
        if self.escape:
            value = value.replace(self.escape, self.escape * 2)
        return f'"{value.replace(chr(34), (self.escape or chr(34)) + chr(34))}"'


@st.composite
def small(draw: st.DrawFn) -> Written:
    """Draw a file of a few rows in any dialect."""
    width, size = draw(st.integers(1, 4)), draw(st.integers(1, 12))
    columns = [draw(column(size)) for _ in range(width)]
    rows = tuple(zip(*columns, strict=True))
    newline = draw(st.sampled_from(["\n", "\n", "\r\n", "\r"]))
    texts = "".join(value or "" for row in rows for value in row)
    if newline == "\r" and "\n" in texts:
        newline = "\n"  # a file with line feeds ends its lines with them
    delimiter = draw(st.sampled_from(",;\t|"))
    clear = width > 1 and not {*",;\t|"} & set(texts)
    return Written(
        rows,
        delimiter,
        newline,
        draw(st.sampled_from(["", "", "\\"])),
        broken=draw(st.sampled_from([(), (), (0,), (size // 2,)])) if width > 1 else (),
        quoted=draw(st.booleans()),
        is_declared=not clear or draw(st.booleans()),
        has_mark=draw(st.booleans()),
    )


@st.composite
def large(draw: st.DrawFn) -> Written:
    """Draw a file whose types are guessed from a sample, with a row somewhere that may refute."""
    columns = [draw(column(6, is_pure=True)) for _ in range(draw(st.integers(1, 3)))]
    rows = tuple(zip(*columns, strict=True))
    once = Written(
        rows,
        draw(st.sampled_from(",;\t|")),
        draw(st.sampled_from(["\n", "\n", "\r\n"])),
        draw(st.sampled_from(["", "", "\\"])),
        broken=draw(st.sampled_from([(), (), (5,)])) if len(rows[0]) > 1 else (),
        quoted=draw(st.booleans()),
    )
    odd = draw(st.none() | st.tuples(st.integers(0, 1_000_000), near_row(rows)))
    return replace(once, times=LARGE_BYTES // len(once.data()) + 1, odd=odd)


def lands_whole(file: Written, folder: Path) -> None:
    """Hold a file against what came of it: rows, rejects, types, values."""
    path = folder / "in.csv"
    path.write_bytes(file.data())
    landed_texts(path, folder, convert_csv, file.reading, file.meant, rejected=len(file.broken))


@st.composite
def fixed(draw: st.DrawFn) -> tuple[Row, ...]:
    """Draw rows for columns of fixed width: values without blanks around them or line ends."""
    size = draw(st.integers(1, 10))
    columns = [draw(column(size)) for _ in range(draw(st.integers(1, 3)))]
    return tuple(tuple(map(_fitting, row)) for row in zip(*columns, strict=True))


def _fitting(value: str | None) -> str | None:
    text = (value or "").replace("\n", "").replace("\r", "").strip(" ")[:WIDTH].strip(" ")
    return text.lstrip("\ufeff") or None


def fixed_lands_whole(rows: tuple[Row, ...], folder: Path) -> None:
    """Hold a file of fixed width against what came of it; a row of blanks is none."""
    widths = tuple((f"c{i}", WIDTH) for i in range(len(rows[0])))
    lines = ["".join((value or "").ljust(WIDTH) for value in row) + "\n" for row in rows]
    path = folder / "in.txt"
    path.write_bytes("".join(lines).encode())
    meant = [row for row in rows if any(row)]
    landed_texts(path, folder, convert_fixed, Reading(widths=widths), meant)
