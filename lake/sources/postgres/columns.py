"""A relation's columns: how each leaves the server so that no value changes on the way."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from lake.errors import SourceUnreadable
from lake.query.sql import identifier, literal
from lake.sources.postgres.connect import Server, said

ROWS = '"_lake_rows"'
"""How statements call the rows of a table or a query."""
# DuckDB's scanner gives these exactly; `_LIMITED` but for values that its types lack.
_EXACT = ("bool", "int2", "int4", "int8", "float4", "float8", "text", "varchar", "uuid", "bytea")
_LIMITED = ("date", "timestamp", "timestamptz", "time")
# How DuckDB calls the elements of arrays; those of other types land as PostgreSQL's text.
_ELEMENTS = {
    "bool": "BOOLEAN",
    "int2": "SMALLINT",
    "int4": "INTEGER",
    "int8": "BIGINT",
    "float4": "FLOAT",
    "float8": "DOUBLE",
    "text": "VARCHAR",
    "varchar": "VARCHAR",
    "uuid": "UUID",
}
# A type of somebody's own may have the name of one of PostgreSQL's, which says nothing of it.
_TYPES = """
SELECT t.oid, CASE WHEN t.typnamespace = 'pg_catalog'::regnamespace THEN t.typname ELSE '' END,
  t.typcategory,
  CASE WHEN e.typnamespace = 'pg_catalog'::regnamespace THEN e.typname END
FROM pg_type t LEFT JOIN pg_type e ON e.oid = t.typelem WHERE t.oid = ANY(%s)
"""
OTHERS = "other values than a moment ago"
"""What the server's words hold where a query gives other rows each time."""
_DIGITS = 38
# A numeric of so many digits is the double that DuckDB's scanner makes of it, rounded: that is
# within 2^-50 of it, and the number without its point is less than 2^50. Zeros at the end do not
# count, as long as the power of ten that the scanner divides by is exact.
_DIGITS_OF_DOUBLE = 15
_ZEROS_OF_DOUBLE = 22
_NAN = "NaN"
_HAS_MIN_SCALE = 130_000
"""PostgreSQL's version, as libpq has it."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column and its way out.

    Attributes:
        type: PostgreSQL's, that of a domain the one below it; `""` for what is not built in.
        taken: the expression that the server gives; `made` what DuckDB makes of it.
        element: of an array.
        digits: of a numeric with limits, and how many of them behind the point.
        why: what made it text though its type has a better one: `2 NaN`.
        fits: the condition on each value that the way out relies on.
    """

    name: str
    type: str
    taken: str = ""
    made: str = ""
    element: str = ""
    digits: tuple[int, int] | None = None
    why: str = ""
    fits: str = ""

    @property
    def quoted(self) -> str:
        """Its name as SQL."""
        return identifier(self.name)

    @property
    def is_plain(self) -> bool:
        """Tell whether it is taken as it is."""
        return self.taken == self.quoted

    @property
    def is_limited(self) -> bool:
        """Tell whether its type has values that DuckDB's lacks, which show after the fact."""
        return self.type in _LIMITED and not self.why


def columns(server: Server, relation: str) -> list[Column]:
    """Return the columns of a relation, in order.

    Raises:
        SourceUnreadable: it cannot be read, has no columns, or two of one name.
    """
    with said(server.name):
        result = server.connection.execute(
            f"SELECT * FROM {relation} AS {ROWS} LIMIT 0".encode()
        ).pgresult
        assert result is not None
        found = [
            (_text(result.fname(i)), result.ftype(i), result.fmod(i)) for i in range(result.nfields)
        ]
        types: dict[int, tuple[str, str, str | None]] = {
            row[0]: (row[1], row[2], row[3])
            for row in server.connection.execute(
                _TYPES,
                [[oid for _, oid, _ in found]],
            )
        }
    _check_names(server, [name for name, _, _ in found])
    return [_column(name, types[oid], mod) for name, oid, mod in found]


def _text(name: bytes | None) -> str:
    return (name or b"").decode()


def _check_names(server: Server, names: Sequence[str]) -> None:
    if not names:
        raise SourceUnreadable(f"{server.name} has no columns: name another table")
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            raise SourceUnreadable(
                f"{server.name} has two columns {name!r} (capitals aside): write a query that"
                " gives one of them another name, with AS"
            )
        seen.add(name.lower())


def _column(name: str, of: tuple[str, str, str | None], mod: int) -> Column:
    kind, category, element = of
    one = Column(name, kind, made=identifier(name))
    quoted = one.quoted
    if kind in (*_EXACT, *_LIMITED):
        return replace(one, taken=quoted)
    if kind in ("json", "jsonb"):
        return replace(one, taken=quoted, made=f"{quoted}::VARCHAR")
    if kind == "numeric":
        digits = _digits(mod)
        without_limits = quoted if mod < 4 else f"{quoted}::numeric"
        return replace(one, taken=quoted if digits else without_limits, digits=digits)
    if kind == "money":
        return replace(one, type="numeric", taken=f"{quoted}::numeric")
    if kind == "bpchar":  # a cast would take its blanks off
        return replace(one, taken=f"textin(bpcharout({quoted}))")
    if kind == "oid":
        return replace(one, taken=f"{quoted}::bigint")
    if category == "A" and element in _ELEMENTS:
        return replace(one, taken=quoted, element=element)
    return as_text(one)


def _digits(mod: int) -> tuple[int, int] | None:
    """Return a numeric's digits and scale, if DuckDB has a DECIMAL of these."""
    if mod < 4:
        return None
    precision, scale = (mod - 4) >> 16 & 0xFFFF, (mod - 4) & 0x7FF
    return (precision, scale) if scale <= precision <= _DIGITS else None


def as_text(one: Column, why: str = "") -> Column:
    """Return a column that lands as the text that PostgreSQL shows."""
    # A composite IS NOT NULL only if none of its fields is.
    shown = f"CASE WHEN num_nulls({one.quoted}) = 0 THEN format('%s', {one.quoted}) END"
    return replace(one, taken=shown, made=one.quoted, why=why)


def surveyed(
    server: Server, found: Sequence[Column], rows: str, *, is_stored: bool
) -> list[Column]:
    """Return the columns as their values need them, out of the snapshot that is read.

    Args:
        server: in the transaction that reads.
        found: the columns.
        rows: what stands behind FROM.
        is_stored: they are a table's; else the server raises (`OTHERS` is in its words) where they
            have other values, which do not fit, when they are read.
    """
    asked = [(one, _questions(one, server.connection.info.server_version)) for one in found]
    questions = [question for _, several in asked for question in several]
    if not questions:
        return list(found)
    answers = iter(server.ask(f"SELECT {', '.join(questions)} FROM {rows}"))
    settled = [_settled(one, [next(answers) for _ in several]) for one, several in asked]
    if not is_stored:
        settled = [_guarded(one) for one in settled]
    return [_counted(server, one, rows) if one.why == _NAN else one for one in settled]


def _guarded(one: Column) -> Column:
    """Return a column that the server refuses to give where a value does not fit."""
    if not one.fits or one.why:
        return one
    # It hangs on the row, so that nothing is raised before there is one.
    raised = f"concat({literal(OTHERS)}, nullif({one.quoted}::text, {one.quoted}::text))::boolean"
    is_other = f"({one.fits}) IS FALSE AND {raised}"
    # Both are the same, so that the type keeps its digits.
    return replace(one, taken=f"CASE WHEN {is_other} THEN {one.taken} ELSE {one.taken} END")


def _counted(server: Server, one: Column, rows: str) -> Column:
    (count,) = server.ask(f"SELECT count(*) FILTER (WHERE {one.quoted} = 'NaN') FROM {rows}")
    return replace(one, why=f"{count} {_NAN}")


def _questions(one: Column, version: int) -> list[str]:
    if one.type == "numeric":
        # NaN is greater than all numbers.
        greatest = f"max(abs({one.taken}))::text"
        if one.digits:
            return [greatest]
        without_zeros = "min_scale" if version >= _HAS_MIN_SCALE else "scale"
        return [greatest, *(f"max({name}({one.taken}))" for name in ("scale", without_zeros))]
    if one.element:
        return [
            rf"count(*) FILTER (WHERE NOT {_has_bounds(one)})",
            f"min(array_ndims({one.quoted}))",
            f"max(array_ndims({one.quoted}))",
        ]
    return []


def _has_bounds(one: Column) -> str:
    return rf"array_dims({one.quoted}) ~ '^(\[1:\d+\])+$'"


def _has_shape(one: Column, dimensions: int) -> str:
    return f"{_has_bounds(one)} AND array_ndims({one.quoted}) = {dimensions}"


def _settled(one: Column, answers: Sequence[Any]) -> Column:
    if one.element:
        odd, least, most = answers
        if odd or least != most:
            return as_text(one, "arrays of unlike dimensions or bounds")
        kind = _ELEMENTS[one.element] + "[]" * (most or 1)
        taken = f"array_to_json({one.quoted})::text"
        made = f"{one.quoted}::JSON::{kind}"
        return replace(one, taken=taken, made=made, fits=_has_shape(one, most or 1))
    if one.type != "numeric":
        return one
    if one.digits:
        fits = f"{one.quoted} <> 'NaN'"
        return as_text(one, _NAN) if answers[0] == _NAN else replace(one, fits=fits)
    return _fitted(one, *answers)


def _fitted(
    one: Column, greatest: str | None, scale: int | None, without_zeros: int | None
) -> Column:
    """Return a numeric without limits as the DECIMAL that its values fit in, or as text.

    Zeros at the end are kept as long as there is room; a division makes many of them.
    """
    whole = re.sub(r"\..*", "", greatest or "0").lstrip("0")
    if not re.fullmatch(r"\d*", whole):
        return as_text(one, whole)
    behind = scale or 0
    if len(whole) + behind > _DIGITS_OF_DOUBLE:
        behind = without_zeros or 0
    precision = max(len(whole) + behind, 1)
    if precision > _DIGITS:
        return as_text(one, f"{precision} digits")
    limit = f"1e{precision - behind}::numeric"
    fits = f"abs({one.taken}) < {limit} AND {one.taken} = round({one.taken}, {behind})"
    one = replace(one, fits=fits)
    if precision <= _DIGITS_OF_DOUBLE and (scale or 0) <= _ZEROS_OF_DOUBLE:
        return replace(one, made=f"{one.quoted}::DECIMAL({precision},{behind})")
    return replace(one, taken=f"({one.taken})::numeric({precision},{behind})")
