"""What a pattern of paths finds: files, and the partitions that their names say."""

import glob
import os
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from lake.config.period import UNITS, Unit, floor, start
from lake.config.period import pattern as period
from lake.config.template import Moment, field_text, fields, fill
from lake.config.types import Key, Source
from lake.errors import InvalidConfig, SourceMissing
from lake.sources.path import local_path

Values = dict[str, str | Moment]
_TOKEN = re.compile(r"\0([0-9]+)\0|\*\*/|\*+|\?|\[!?\]?[^\]]*\]|.", re.DOTALL)
_DIGITS = {"%Y": 4, "%G": 4, "%j": 3, **dict.fromkeys(("%m", "%d", "%H", "%V", "%y", "%g"), 2)}
_GLOB = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}


def files(path: str, *, root: Path) -> tuple[str, ...]:
    """Return the files that a path or glob names, in natural order.

    A path without `*`, `?` and `[`, and one that is there as it stands, is returned as it is.
    """
    literal = os.path.join(root, path)
    if not glob.has_magic(path) or os.path.lexists(literal):
        return (literal,)
    return _matches(os.path.join(glob.escape(str(root)), path))


def partitions(
    source: Source, *, root: Path, literal: Callable[[str], str]
) -> list[tuple[Values, tuple[str, ...]]]:
    """Return the partitions that the files of a folder show, each with its files.

    Args:
        source: one with a path, and a key with `every`.
        root: where a relative path starts.
        literal: looks up the variables in what stands between the fields.

    Raises:
        SourceMissing: no file fits. An empty folder looks like a wrong path.
    """
    pattern = _pattern(source.url, root, literal)
    regex = re.compile(_regex(pattern, source), re.DOTALL)
    # Of objects, a folder may be a partition.
    fits = os.path.exists if source.reading.format == "objects" else os.path.isfile
    paths = _matches(re.sub("\0[0-9]+\0", "*", pattern), fits)
    found: dict[tuple[str, ...], tuple[Values, tuple[str, ...]]] = {}
    for path in paths:
        match = regex.fullmatch(path)
        values = match and _values(source, list(match.groups()))
        if values:
            known = tuple(map(str, values.values()))
            found[known] = (values, (*found.get(known, ((), ()))[1], path))
    if not found:
        raise SourceMissing(_nothing(source, paths))
    return [found[known] for known in sorted(found, key=lambda k: tuple(map(natural, k)))]


def natural(text: str) -> tuple[tuple[int, str], ...]:
    """Return what sorts texts as people do: `part-2` before `part-10`."""
    parts = re.split("([0-9]+)", text)
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in parts)


def _matches(pattern: str, fits: Callable[[str], bool] = os.path.isfile) -> tuple[str, ...]:
    found = (path for path in glob.glob(pattern, recursive=True) if fits(path))
    return tuple(sorted(found, key=natural))


def _pattern(url: str, root: Path, literal: Callable[[str], str]) -> str:
    """Return the absolute glob of `url`, with NUL, number, NUL where its fields are."""
    numbers = iter(range(len(fields(url))))
    text = fill(url, field=lambda *_: f"\0{next(numbers)}\0", literal=literal)
    return os.path.join(glob.escape(str(root)), local_path(text))


def _regex(pattern: str, source: Source) -> str:
    groups = [f"({_field(name, form, source)})" for name, form in fields(source.url)]
    return "".join(_translated(token, groups) for token in _TOKEN.finditer(pattern))


def _field(name: str, form: str, source: Source) -> str:
    """Return the regular expression of what `{name:form}` may say."""
    key = source.partition.get(name)
    if key and key.values:
        return "|".join(map(re.escape, key.values))
    if not form:
        return period(next(unit for unit in UNITS if unit == (key.every if key else name)))
    return "".join(_directive(part) for part in re.findall("%.|.", form, re.DOTALL))


def _directive(part: str) -> str:
    if part in _DIGITS:
        return f"[0-9]{{{_DIGITS[part]}}}"
    return "[^/]+?" if part.startswith("%") and len(part) == 2 else re.escape(part)


def _translated(token: re.Match[str], groups: list[str]) -> str:
    text = token[0]
    if token[1]:
        return groups[int(token[1])]
    if text.startswith("[") and len(text) > 1:
        inside = text[1:-1].replace("\\", "\\\\")
        return (
            f"[^{inside[1:]}]"
            if inside.startswith("!")
            else f"[{inside.replace('[', chr(92) + '[')}]"
        )
    return _GLOB.get(text, "[^/]*" if text.startswith("*") else re.escape(text))


def _values(source: Source, texts: list[str]) -> Values | None:
    """Return the partition that a file's name says, or None if its fields do not agree."""
    told = [
        (name, form, text) for (name, form), text in zip(fields(source.url), texts, strict=True)
    ]
    values: Values = {}
    for name, key in source.partition.items():
        own = [(form, text) for field, form, text in told if field == name]
        value = _moment(own, key.every) if key.every else _listed(own[0][1], key)
        if value is None:
            return None
        values[name] = value
    fits = all(field_text(name, form, values) == text for name, form, text in told)
    return values if fits else None


def _listed(text: str, key: Key) -> str | None:
    return text if text in key.values else None


def _moment(told: list[tuple[str, str]], unit: Unit) -> Moment | None:
    """Return the period that one key's fields say: in its own form, or by `strptime` together."""
    try:
        for form, text in told:
            if not form:
                return Moment(start(text, unit), unit)
        return Moment(floor(_parsed(told), unit), unit)
    except (InvalidConfig, ValueError):
        return None


def _parsed(told: list[tuple[str, str]]) -> datetime:
    forms, texts, seen = [], [], set[str]()
    # The field that says most comes first; whether the others agree is seen afterwards.
    for form, text in sorted(told, key=lambda pair: -pair[0].count("%")):
        directives = set(re.findall("%.", form))
        # `strptime` takes a directive once.
        if not directives & seen:
            forms.append(form)
            texts.append(text)
            seen |= directives
    if "%V" in seen and not seen & {"%u", "%w", "%a", "%A"}:
        forms.append("%u")
        texts.append("1")
    return datetime.strptime("\n".join(texts), "\n".join(forms))


def _nothing(source: Source, paths: tuple[str, ...]) -> str:
    if not paths:
        return f"no file fits {source.url}: look at the path, or at the folder"
    return (
        f"no file fits {source.url}: {os.path.basename(paths[0])} and {len(paths) - 1} more lie"
        f" there, but say no {' and '.join(source.partition)}"
    )
