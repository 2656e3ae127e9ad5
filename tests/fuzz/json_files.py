"""JSON of any shape, written by hand so that its numbers are just so, and what must come of it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from lake.config.types import Reading
from lake.convert.json.convert import convert_json
from lake.schema.types import Type, parse
from tests.fuzz import texts
from tests.fuzz.landed import landed
from tests.fuzz.says import same_number

_WHOLE = texts.integers.filter(lambda text: text != "-0")


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it is written."""

    text: str


def _json_number(text: str) -> str:
    """Return the text as JSON has it: digits on both sides of a point."""
    sign, text = ("-", text[1:]) if text.startswith("-") else ("", text)
    mantissa, mark, exponent = text.replace("E", "e").partition("e")
    whole, point, fraction = mantissa.partition(".")
    return f"{sign}{whole.lstrip('0') or '0'}{point}{fraction or '0' * bool(point)}{mark}{exponent}"


def _numbers(written: SearchStrategy[str]) -> SearchStrategy[Any]:
    return written.map(lambda text: Number(_json_number(text)))


_KEYS = st.sampled_from(["a", "b", "c d", "é"])
_FAMILIES: tuple[SearchStrategy[Any], ...] = (
    _numbers(_WHOLE),
    _numbers(st.one_of(_WHOLE, texts.fractions)),
    _numbers(st.one_of(_WHOLE, texts.fractions, texts.doubles)),
    texts.dates,
    st.one_of(texts.dates, texts.timestamps),
    st.booleans(),
    texts.words,
)
_ODD = st.one_of(*_FAMILIES, st.just([]), st.just({}), st.lists(_FAMILIES[0], max_size=2))


Shape: TypeAlias = "int | list[Shape] | dict[str, Shape]"
"""The number of a family, a list of one shape, or the shapes of an object's fields."""


def _shapes(depth: int) -> SearchStrategy[Shape]:
    scalars = st.integers(0, len(_FAMILIES) - 1)
    if not depth:
        return scalars
    inner = _shapes(depth - 1)
    return (
        scalars
        | inner.map(lambda shape: [shape])
        | st.dictionaries(_KEYS, inner, min_size=1, max_size=3)
    )


@st.composite
def records(draw: st.DrawFn) -> tuple[str, list[dict[str, Any]]]:
    """Draw records of some shape, and whether they lie in lines or in an array."""
    shape = draw(st.dictionaries(_KEYS, _shapes(2), min_size=1, max_size=3))
    rows = [_object(draw, shape) for _ in range(draw(st.integers(1, 8)))]
    return draw(st.sampled_from(["lines", "array"])), [{"id": Number("1")}, *rows]


def _object(draw: st.DrawFn, shape: dict[str, Shape]) -> dict[str, Any]:
    dice = {key: draw(st.integers(0, 30)) for key in shape}
    return {key: _value(draw, shape[key], number) for key, number in dice.items() if number > 2}


def _value(draw: st.DrawFn, shape: Shape, dice: int) -> Any:
    if dice < 5:
        return None
    if dice == 5:
        return draw(_ODD)
    if isinstance(shape, dict):
        return _object(draw, shape)
    if isinstance(shape, list):
        size = draw(st.integers(0, 3))
        return [_value(draw, shape[0], draw(st.integers(4, 30))) for _ in range(size)]
    return draw(_FAMILIES[shape])


def lands_whole(drawn: tuple[str, list[dict[str, Any]]], folder: Path) -> None:
    """Hold a file of JSON against what came of it."""
    form, rows = drawn
    path, parts = folder / "in.json", [written(row) for row in rows]
    text = "\n".join(parts) if form == "lines" else f"[{', '.join(parts)}]"
    path.write_text(text, encoding="utf-8", newline="")
    done, found, types = landed(path, folder, convert_json, Reading())
    assert (done.rows, done.rejected) == (len(rows), 0)
    for record, values in zip(rows, found, strict=True):
        assert record.keys() <= types.keys()
        for (name, dtype), value in zip(types.items(), values, strict=True):
            meant = record.get(name)
            assert says(value, meant, parse(dtype)), f"{value!r} for {meant!r} as {dtype}"


def written(value: Any) -> str:
    """Return a value as JSON."""
    if isinstance(value, Number):
        return value.text
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)}: {written(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value)


def says(value: Any, meant: Any, dtype: Type) -> bool:
    """Tell whether a landed value says just what was written."""
    if meant is None or value is None:
        return value is meant
    if dtype.kind == "STRUCT":
        fields = dict(dtype.fields)
        return isinstance(meant, dict) and all(_fields_say(value, meant, fields))
    if dtype.kind == "LIST":
        if not isinstance(meant, list) or len(meant) != len(value):
            return False
        item = dtype.fields[0][1]
        return all(says(own, other, item) for own, other in zip(value, meant, strict=True))
    if isinstance(meant, Number):
        return _says_number(value, meant.text, dtype.kind)
    if isinstance(meant, bool):
        return value is meant if dtype.kind == "BOOLEAN" else value in _texts_of(meant)
    if isinstance(meant, (dict, list)):
        return bool(json.loads(value, parse_int=Number, parse_float=Number) == meant)
    if dtype.kind == "VARCHAR":
        return bool(value == meant or value == json.dumps(meant, ensure_ascii=False))
    is_time = dtype.kind in ("DATE", "TIMESTAMP")
    return is_time and datetime.fromisoformat(meant) == datetime.fromisoformat(str(value))


def _fields_say(value: Any, meant: Any, fields: dict[str, Type]) -> Iterator[bool]:
    yield meant.keys() <= fields.keys()
    for name, dtype in fields.items():
        yield says(value[name], meant.get(name), dtype)


def _says_number(value: Any, text: str, kind: str) -> bool:
    if kind == "VARCHAR":
        return bool(value == text)
    return isinstance(value, (int, float, Decimal)) and same_number(
        Decimal(value) if isinstance(value, int) else value, text
    )


def _texts_of(value: bool) -> tuple[str, ...]:
    return ("true",) if value else ("false",)
