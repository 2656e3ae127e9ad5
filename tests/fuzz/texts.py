"""Texts that lie where types begin and end: what a source might write into a field."""

from collections.abc import Sequence

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

_EDGES = [2**n + d for n in (0, 7, 8, 15, 16, 31, 32, 53, 63, 64, 127) for d in (-2, -1, 0, 1, 2)]
_DIGITS = st.text("0123456789", min_size=1, max_size=22)
_FEW = st.text("0123456789", max_size=4)
_SIGN = st.sampled_from(["", "-"])
_E = st.builds("{}{}".format, st.sampled_from("eE"), st.integers(-330, 330))

integers = st.one_of(
    st.integers(-100, 100).map(str),
    st.sampled_from([sign * edge for edge in _EDGES for sign in (1, -1)]).map(str),
    st.integers(-(2**63), 2**63 - 1).map(str),
)
fractions = st.one_of(
    st.builds("{}{}.{}".format, _SIGN, st.integers(0, 10**6), _FEW),
    st.builds("{}{}.{}".format, _SIGN, st.integers(0, 10**17), _DIGITS),
    st.builds("{}.{}".format, _SIGN, _FEW),
    st.integers(0, 10**6).map(lambda cents: f"{cents // 100}.{cents % 100:02}"),
)
doubles = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.builds("{}{}{}".format, _SIGN, st.integers(0, 10**4), _E),
    st.builds("{}{}.{}{}".format, _SIGN, st.integers(0, 10**18), _FEW, _E),
    st.sampled_from(
        [
            "-0",
            "-0.0",
            "0e0",
            "1e308",
            "1.7976931348623157e308",
            "1e309",
            "5e-324",
            "1e-999",
            "1e23",
        ]
    ),
)
forms = st.one_of(
    st.builds("{}{}".format, st.sampled_from(["0", "00", "+", " ", "-0", "-", "\t"]), integers),
    st.sampled_from(
        ["1_000", "0x1F", "1 ", "1,5", "1.5.5", "--1", "١٢", "½", "1e", "e5", ".", "-"]
    ),
    st.sampled_from(["nan", "inf", "-inf", "infinity", "NULL", "NA", "None", "1f", "1d", "$1"]),
)
_DATES = st.dates().map(str)
_ODD_DATES = ["2024-02-30", "0000-01-01", "2024-1-1", "9999-12-31", "0001-01-01", "1900-02-29"]
_CLOCKS = st.one_of(
    st.times().map(str),
    st.times().map(lambda at: f"{at:%H:%M}"),
    st.times().map(lambda at: f"{at:%H:%M:%S}"),
    st.times().map(lambda at: f"{at:%H:%M:%S.%f}"[:-3]),
    st.sampled_from(["24:00", "23:59:60", "1:00", "10:00:00.1234567", "00:00:00", "10", "10:00:"]),
)
dates = st.one_of(_DATES, _DATES, _DATES, st.sampled_from([*_ODD_DATES, "01/02/03", "20240101"]))
zones = st.sampled_from(["Z", "+00:00", "+02", "-0530", " UTC", " Europe/Paris"])
timestamps = st.one_of(
    st.builds("{}{}{}".format, _DATES, st.sampled_from(" T"), _CLOCKS),
    st.builds("{} {:%H:%M:%S}".format, _DATES, st.times()),
)
zoned = st.builds("{}{}".format, timestamps, zones)
booleans = st.sampled_from(["true", "false"])
nearly_booleans = st.sampled_from(["True", "t", "f", "yes", "no", "1", "0", "TRUE", " true"])
# What only ends a line for Python, and never for CSV, is text as any other.
_LETTERS = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
words = st.one_of(
    st.text(_LETTERS, max_size=12),
    st.text(" \",;\t|\\'#\nab1", max_size=8),
    st.sampled_from(
        ["", " ", '"', '""', "\\", '\\"', "\ufeff", "\u2028", "\x85", "\x1c", "é", "🚕"]
    ),
)

_NEAR_NUMBERS = st.one_of(forms, doubles, fractions)
_NEAR_TIMES = st.one_of(dates, timestamps, zoned)
FAMILIES: tuple[tuple[SearchStrategy[str], SearchStrategy[str]], ...] = (
    (integers, _NEAR_NUMBERS),
    (st.one_of(integers, fractions), _NEAR_NUMBERS),
    (fractions, _NEAR_NUMBERS),
    (st.one_of(integers, fractions, doubles), _NEAR_NUMBERS),
    (_DATES, _NEAR_TIMES),
    (timestamps, _NEAR_TIMES),
    (st.one_of(dates, timestamps), _NEAR_TIMES),
    (booleans, nearly_booleans),
    (words, integers),
)
"""What a column holds, and what looks much like it and may be another type's."""
ODD = st.one_of(
    integers, fractions, doubles, forms, dates, timestamps, zoned, booleans, nearly_booleans, words
)
"""What may stand anywhere, and mostly refutes the type of the others."""


@st.composite
def column(draw: st.DrawFn, size: int, *, is_pure: bool = False) -> list[str | None]:
    """Draw the values of a column: of one family, with NULLs, and sometimes something odd."""
    family, near = draw(st.sampled_from(FAMILIES))
    if is_pure:
        return draw(st.lists(st.one_of(family, family, st.none()), min_size=size, max_size=size))
    return [_field(draw, family, near) for _ in range(size)]


def _field(draw: st.DrawFn, family: SearchStrategy[str], near: SearchStrategy[str]) -> str | None:
    dice = draw(st.integers(0, 40))
    if dice < 4:
        return None
    value: str = draw(near if dice in (20, 21) else ODD if dice == 22 else family)
    return value


@st.composite
def near_row(draw: st.DrawFn, rows: Sequence[Sequence[str | None]]) -> tuple[str | None, ...]:
    """Draw a row more, whose values are mostly such as the first row has, but for one."""
    row, at = list(rows[0]), draw(st.integers(0, len(rows[0]) - 1))
    row[at] = draw(st.one_of(st.sampled_from(FAMILIES).flatmap(lambda pair: pair[1]), ODD))
    return tuple(row)
