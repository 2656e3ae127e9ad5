"""Lossless types for columns of text, as SQL: a type is taken only if no two different texts merge.

Every function that returns text returns an expression over `x`, itself a quoted column. The rules
are those of the design: BIGINT and DATE by round trip; DOUBLE if its shortest text has the digits
that were written, else DECIMAL; ISO timestamps; `true` and `false`; all else stays text.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lake.query.sql import literal

TYPES = ("BIGINT", "DOUBLE", "DECIMAL", "DATE", "TIMESTAMP", "BOOLEAN")
REFUTED = "the guessed type is refuted"
_DECIMAL_DIGITS = 38

_PLAIN = r"-?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)"
_SHORT_WHOLE, _SHORT_FRACTION = 8, 6
_SHORT = (
    rf"-?((0|[1-9][0-9]{{0,{_SHORT_WHOLE - 1}}})(\.[0-9]{{0,{_SHORT_FRACTION}}})?"
    rf"|\.[0-9]{{1,{_SHORT_FRACTION}}})"
)
_SCIENTIFIC = _PLAIN + r"([eE][-+]?[0-9]+)?"
_NEGATIVE_ZERO = r"-[0.]+"
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?"
_ISO = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T]" + _CLOCK


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one column: the types that nothing refuted, and a DECIMAL's digits."""

    types: frozenset[str] = frozenset(TYPES)
    has_values: bool = False
    whole_digits: int = 0
    fraction_digits: int = 0

    @property
    def choice(self) -> str:
        """The narrowest type, VARCHAR if there is none, and `""` if no value was seen."""
        if not self.has_values:
            return ""
        digits = max(self.whole_digits + self.fraction_digits, 1)
        for name in TYPES:
            if name in self.types and (name != "DECIMAL" or digits <= _DECIMAL_DIGITS):
                return f"DECIMAL({digits},{self.fraction_digits})" if name == "DECIMAL" else name
        return "VARCHAR"


def evidence_columns(x: str, types: Sequence[str]) -> list[str]:
    """Return the aggregates from which `read_evidence` makes the evidence for one column."""
    # FILTER would hold all columns once more for each aggregate: gigabytes for 400 columns.
    counts = [f"count(CASE WHEN {accepts(name, x)} THEN 1 END)" for name in types]
    return [f"count({x})", *counts, f"max({_whole_digits(x)})", f"max({_fraction_digits(x)})"]


def read_evidence(values: Sequence[int | None], types: Sequence[str]) -> Evidence:
    """Return the evidence in one column's aggregates."""
    count, *accepted, whole, fraction = (value or 0 for value in values)
    held = frozenset(name for name, number in zip(types, accepted, strict=True) if number == count)
    return Evidence(held, count > 0, whole, fraction)


def cast(x: str, choice: str) -> str:
    """Return `x` as the type that evidence over every row chose."""
    if choice in ("", "VARCHAR"):
        return x
    return f"CAST({x} AS {choice})"


def all_short_numbers(columns: Sequence[str]) -> str:
    """Return whether a row's values in these columns are NULL or numbers of 15 digits at most.

    One match for a row costs half of one per value. A text such as `1;5` passes for two numbers,
    but no cast to DOUBLE takes it.
    """
    joined = f"concat_ws(';', {', '.join(columns)})"
    return _matches(joined, f"({_SHORT};)*{_SHORT}") if columns else "false"


def is_short(evidence: Evidence) -> bool:
    """Tell whether what was seen of a DOUBLE column is worth asking `all_short_numbers`."""
    return evidence.choice == "DOUBLE" and (
        evidence.whole_digits <= _SHORT_WHOLE and evidence.fraction_digits <= _SHORT_FRACTION
    )


def checked(x: str, value: str, choice: str, *, short: str = "false") -> str:
    """Return `value`, the cast of `x` to a guessed type; a text that refutes the type fails.

    The failure is `REFUTED`; a text that the cast itself refuses has failed before.

    Args:
        x: the column.
        value: a column that holds `cast(x, choice)`.
        choice: the guessed type.
        short: a column that says whether this row passed `all_short_numbers` with `x` in it.
    """
    if choice == "VARCHAR":
        return value
    refuted = f"error({literal(REFUTED)})"
    if not choice:
        return f"CASE WHEN {x} IS NULL THEN {value} ELSE {refuted} END"
    quick, slow = _quick_and_slow(choice, x, value)
    if choice == "DOUBLE":
        quick, slow = short, f"({quick}) OR ({slow})"
    late = f" WHEN {slow} THEN {value}" if slow else ""
    return f"CASE WHEN {quick} THEN {value} WHEN {x} IS NULL THEN NULL{late} ELSE {refuted} END"


def accepts(name: str, x: str) -> str:
    """Return whether a text may become this type: the exact condition, NULL for NULL."""
    quick, slow = _quick_and_slow(name, x, f"TRY_CAST({x} AS {name})")
    return f"({quick}) OR ({slow})" if slow else quick


def _quick_and_slow(choice: str, x: str, value: str) -> tuple[str, str]:
    """Return a cheap condition that most texts `x` meet, and one for the rest or `""`."""
    if choice == "BIGINT":
        return f"{x} = {value}::VARCHAR", ""
    if choice == "DOUBLE":
        quick = f"strlen({x}) <= 15 AND {_matches(x, _PLAIN)}"
        return quick, _keeps_its_digits(x, value)
    if choice == "DATE":
        # 'infinity' survives the round trip, but has another length.
        return f"strlen({x}) = 10 AND {x} = {value}::VARCHAR", ""
    if choice == "TIMESTAMP":
        quick = f"strlen({x}) = 19 AND {x} = {value}::VARCHAR"
        slow = f"{_matches(x, _ISO)} AND {x} NOT LIKE '0000%' AND {value} IS NOT NULL"
        return quick, slow
    if choice == "BOOLEAN":
        return f"{x} IN ('true', 'false')", ""
    return _is_decimal(choice, x), ""


def _keeps_its_digits(x: str, number: str) -> str:
    same = f"{_significant(x)} = {_significant(f'{number}::VARCHAR')}"
    return f"{_matches(x, _SCIENTIFIC)} AND isfinite({number}) AND {same}"


def _significant(x: str) -> str:
    mantissa = f"regexp_extract({x}, '^[^eE]*')"
    return f"rtrim(ltrim(regexp_replace({mantissa}, '[^0-9]', '', 'g'), '0'), '0')"


def _is_decimal(choice: str, x: str) -> str:
    """Accept a plain number, for `DECIMAL(p,s)` one that fits; it has no negative zero."""
    plain = f"{_matches(x, _PLAIN)} AND NOT {_matches(x, _NEGATIVE_ZERO)}"
    if choice == "DECIMAL":
        return plain
    precision, scale = map(int, choice.removeprefix("DECIMAL(").removesuffix(")").split(","))
    fits = f"{_whole_digits(x)} <= {precision - scale} AND {_fraction_digits(x)} <= {scale}"
    return f"{plain} AND {fits}"


def _whole_digits(x: str) -> str:
    return f"strlen(ltrim(regexp_extract({x}, '^-?([0-9]*)', 1), '0'))"


def _fraction_digits(x: str) -> str:
    return f"strlen(regexp_extract({x}, '[.]([0-9]*)$', 1))"


def _matches(x: str, pattern: str) -> str:
    return f"regexp_full_match({x}, {literal(pattern)})"
