"""Text as the type that is declared for it, as SQL; what a type cannot hold exactly becomes NULL.

A declaration says what the text means, so that forms of one value are one value here: `007`, `+7`
and ` 7.0 ` are the integer 7. Nothing is rounded, cut or shifted to another time zone.
"""

from lake.errors import InvalidConfig
from lake.query.sql import literal
from lake.schema.types import INTEGERS, Type

WIDE = ("HUGEINT", "UHUGEINT")
ZONED = "TIMESTAMP WITH TIME ZONE"
_INTEGER = r"[-+]?[0-9]+(\.0*)?|[-+]?[0-9]+[eE]\+?[0-9]{1,2}"
_PLAIN = r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)"
_SCIENTIFIC = _PLAIN + r"([eE][-+]?[0-9]+)?"
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_MINUTE = r"([01][0-9]|2[0-3]):[0-5][0-9]"
_OFFSET = r" ?(Z|z|[-+][0-9]{2}(:?[0-9]{2})?)"
_FRACTION = {"TIMESTAMP_S": 0, "TIMESTAMP_MS": 3, "TIMESTAMP_NS": 9}
_TRUE = ("true", "t", "yes", "y", "1")
_FALSE = ("false", "f", "no", "n", "0")


def as_type(x: str, dtype: Type, *, form: str = "", decimal: str = "", name: str = "") -> str:
    """Return the text `x` as `dtype`, NULL where that cannot hold it exactly.

    Args:
        x: a column of text; it is looked at several times.
        dtype: what is declared, another type than VARCHAR.
        form: of dates and times, as `strptime` has it.
        decimal: the sign between a number's whole and its fraction.
        name: what messages call the column.

    Raises:
        InvalidConfig: the format has a time zone and the type none, or the other way round.
    """
    kind, text = dtype.kind, f"trim({x})"
    if form:
        return _formatted(text, dtype, form, name)
    if kind in INTEGERS or kind in WIDE:
        return _integer(x, text, dtype)
    if kind in ("DECIMAL", "DOUBLE", "FLOAT"):
        return _fraction(x, text, dtype, decimal)
    if kind == "BOOLEAN":
        return _boolean(f"lower({text})")
    if kind == "DATE":
        midnight = r"([ T]00:00(:00(\.0+)?)?)?"
        slow = _checked(text, _DAY + midnight, f"TRY_CAST(left({text}, 10) AS DATE)")
        return _either(f"strlen({x}) = 10 AND {_same(x, 'DATE')}", _cast(x, "DATE"), slow)
    if kind.startswith("TIME"):
        return _time(x, text, kind)
    if kind == "JSON":
        return f"CASE WHEN json_valid({x}) THEN {x}::JSON END"
    return _either(_same(x, str(dtype)), _cast(x, str(dtype)), "NULL")


def stored(dtype: Type) -> str:
    """Return the type that a Parquet holds it as: DuckDB writes a HUGEINT as a DOUBLE."""
    return "DECIMAL(38,0)" if dtype.kind in WIDE else str(dtype)


def _integer(x: str, text: str, dtype: Type) -> str:
    kind = stored(dtype)
    whole = f"regexp_replace({text}, '\\.0*$', '')"
    if dtype.kind in WIDE:
        return _checked(text, r"[-+]?[0-9]+(\.0*)?", f"TRY_CAST({whole} AS {kind})")
    slow = _checked(text, _INTEGER, f"TRY_CAST({whole} AS {kind})")
    return _either(_same(x, kind), _cast(x, kind), slow)


def _fraction(x: str, text: str, dtype: Type, decimal: str) -> str:
    if decimal == ",":
        # A point would be a sign between thousands, or a mistake: who knows.
        text = f"CASE WHEN NOT contains({x}, '.') THEN replace({text}, ',', '.') END"
        return _decimal(text, dtype) if dtype.kind == "DECIMAL" else _double(text, dtype)
    if dtype.kind == "DECIMAL":
        return _either(_same(x, str(dtype)), _cast(x, str(dtype)), _decimal(text, dtype))
    short = f"strlen({x}) <= {15 if dtype.kind == 'DOUBLE' else 6} AND {_matches(x, _PLAIN)}"
    return _either(short, _cast(x, str(dtype)), _double(text, dtype))


def _decimal(text: str, dtype: Type) -> str:
    precision, scale = dtype.size
    whole = f"strlen(ltrim(regexp_extract({text}, '^[-+]?([0-9]*)', 1), '0'))"
    fraction = f"strlen(rtrim(regexp_extract({text}, '[.]([0-9]*)$', 1), '0'))"
    fits = f"{_matches(text, _PLAIN)} AND {whole} <= {precision - scale} AND {fraction} <= {scale}"
    return f"CASE WHEN {fits} THEN {_cast(text, str(dtype))} END"


def _double(text: str, dtype: Type) -> str:
    """Take a number whose digits come back from its shortest text."""
    value = _cast(text, str(dtype))
    same = f"{_significant(text)} = {_significant(f'{value}::VARCHAR')}"
    return (
        f"CASE WHEN {_matches(text, _SCIENTIFIC)} AND isfinite({value}) AND {same} THEN {value} END"
    )


def _significant(x: str) -> str:
    mantissa = f"regexp_extract({x}, '^[^eE]*')"
    return f"rtrim(ltrim(regexp_replace({mantissa}, '[^0-9]', '', 'g'), '0'), '0')"


def _boolean(text: str) -> str:
    yes, no = (", ".join(map(literal, words)) for words in (_TRUE, _FALSE))
    return f"CASE WHEN {text} IN ({yes}) THEN true WHEN {text} IN ({no}) THEN false END"


def _time(x: str, text: str, kind: str) -> str:
    digits = _FRACTION.get(kind, 6)
    fraction = rf"(\.[0-9]{{0,{digits}}}0*)?"
    clock = rf"{_MINUTE}(:[0-5][0-9]{fraction})?"
    if kind == ZONED:
        return _checked(text, rf"{_DAY}[ T]{clock}{_OFFSET}", _cast(text, kind))
    if kind.startswith("TIMESTAMP"):
        slow = _checked(text, rf"{_DAY}([ T]{clock})?", _cast(text, kind))
        return _either(f"strlen({x}) = 19 AND {_same(x, kind)}", _cast(x, kind), slow)
    return _checked(text, clock if kind == "TIME" else clock + _OFFSET, _cast(text, kind))


def _formatted(text: str, dtype: Type, form: str, name: str) -> str:
    zoned = "%z" in form or "%Z" in form
    if zoned != ("ZONE" in dtype.kind):
        other = "without a zone: declare TIMESTAMPTZ" if zoned else "with one: write %z in it"
        raise InvalidConfig(
            f"column {name!r}: format = {form!r} does not go with {dtype}, a time {other}"
        )
    value = f"try_strptime({text}, {literal(form)})"
    made = _cast(value, str(dtype))
    if dtype.kind.startswith("TIMESTAMP"):
        return f"CASE WHEN {made} = {value} THEN {made} END"
    if dtype.kind == "DATE":
        return f"CASE WHEN {made}::TIMESTAMP = {value} THEN {made} END"
    return made


def _either(quick: str, value: str, slow: str) -> str:
    return f"CASE WHEN {quick} THEN {value} ELSE {slow} END"


def _checked(x: str, pattern: str, value: str) -> str:
    return f"CASE WHEN {_matches(x, pattern)} THEN {value} END"


def _same(x: str, dtype: str) -> str:
    return f"{x} = {_cast(x, dtype)}::VARCHAR"


def _cast(x: str, dtype: str) -> str:
    return f"TRY_CAST({x} AS {dtype})"


def _matches(x: str, pattern: str) -> str:
    return f"regexp_full_match({x}, {literal(pattern)})"
