"""Which types of a load a table's column takes without loss."""

import re

_INTEGERS = {
    "TINYINT": (True, 8),
    "SMALLINT": (True, 16),
    "INTEGER": (True, 32),
    "BIGINT": (True, 64),
    "HUGEINT": (True, 128),
    "UTINYINT": (False, 8),
    "USMALLINT": (False, 16),
    "UINTEGER": (False, 32),
    "UBIGINT": (False, 64),
    "UHUGEINT": (False, 128),
}
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")


def fits(given: str, *, held: str) -> bool:
    """Tell whether every value of type `given` is the same value in a column of type `held`."""
    if given == held:
        return True
    if given in _INTEGERS and held in _INTEGERS:
        return _integer_fits(_INTEGERS[given], _INTEGERS[held])
    if held == "DOUBLE":
        return given == "FLOAT" or (given in _INTEGERS and _INTEGERS[given][1] <= 32)
    narrow, wide = _DECIMAL.fullmatch(given), _DECIMAL.fullmatch(held)
    return narrow is not None and wide is not None and _decimal_fits(narrow, wide)


def _integer_fits(given: tuple[bool, int], held: tuple[bool, int]) -> bool:
    signed, bits = given
    held_signed, held_bits = held
    return (held_signed or not signed) and held_bits - held_signed >= bits - signed


def _decimal_fits(given: re.Match[str], held: re.Match[str]) -> bool:
    precision, scale = int(given[1]), int(given[2])
    held_precision, held_scale = int(held[1]), int(held[2])
    return held_scale >= scale and held_precision - held_scale >= precision - scale
