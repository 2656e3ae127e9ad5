"""What a text means and what a value says, in plain Python: the oracle of lossless typing."""

import re
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

_PLAIN = re.compile(r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)")
_NUMBER = re.compile(_PLAIN.pattern + r"(?:[eE][-+]?[0-9]+)?")
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ISO_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?"
)


def says(value: Any, text: str | None, dtype: str) -> bool:
    """Tell whether a landed value says just what was written."""
    if text is None or value is None:
        return value is text
    if dtype == "VARCHAR":
        return bool(value == text)
    if dtype == "BIGINT":
        return str(value) == text
    if dtype == "BOOLEAN":
        return text == ("true" if value else "false")
    if dtype == "DATE":
        return bool(value.isoformat() == text)
    if dtype == "TIMESTAMP":
        return bool(_ISO_TIME.fullmatch(text)) and bool(datetime.fromisoformat(text) == value)
    return bool(_NUMBER.fullmatch(text)) and same_number(value, text)


def same_number(value: float | Decimal, text: str) -> bool:
    """Tell whether a number is the one that was written.

    -0 and 0 are one number: DuckDB's Parquet writer puts both into its dictionary as one value.
    """
    return Decimal(repr(value) if isinstance(value, float) else value) == Decimal(text)


def type_of(texts: Sequence[str | None]) -> str:
    """Return the type that a column of these texts must get: the narrowest that loses nothing."""
    values = [text for text in texts if text is not None]
    if not values:
        return "VARCHAR"
    if all(map(_is_bigint, values)):
        return "BIGINT"
    if all(map(_is_double, values)):
        return "DOUBLE"
    if all(map(_is_decimal, values)) and (digits := _digits(values)):
        return digits
    if all(map(_is_date, values)):
        return "DATE"
    if all(map(_is_timestamp, values)):
        return "TIMESTAMP"
    return "BOOLEAN" if set(values) <= {"true", "false"} else "VARCHAR"


def _is_bigint(text: str) -> bool:
    if not re.fullmatch("-?[0-9]{1,19}", text):
        return False
    return str(int(text)) == text and -(2**63) <= int(text) < 2**63


def _is_double(text: str) -> bool:
    if not _NUMBER.fullmatch(text):
        return False
    value = float(text)
    return abs(value) != float("inf") and Decimal(repr(value)) == Decimal(text)


def _is_decimal(text: str) -> bool:
    return bool(_PLAIN.fullmatch(text)) and not (text[0] == "-" and Decimal(text) == 0)


def _digits(values: Sequence[str]) -> str:
    parts = [text.lstrip("-").partition(".") for text in values]
    whole = max(len(one.lstrip("0")) for one, _, _ in parts)
    fraction = max(len(one) for _, _, one in parts)
    size = max(whole + fraction, 1)
    return f"DECIMAL({size},{fraction})" if size <= 38 else ""


def _is_date(text: str) -> bool:
    return bool(_ISO_DATE.fullmatch(text)) and _exists(date, text)


def _is_timestamp(text: str) -> bool:
    return bool(_ISO_TIME.fullmatch(text)) and _exists(datetime, text)


def _exists(kind: type[date], text: str) -> bool:
    try:
        # Newer Pythons read 24:00 as the next day's midnight, which is another text.
        kind.fromisoformat(text)
    except ValueError:
        return False
    return " 24" not in text and "T24" not in text
