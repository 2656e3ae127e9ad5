"""What a source is asked for: one request per partition."""

import glob
import itertools
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import quote
from zoneinfo import ZoneInfo

from lake import layout
from lake.config.period import after, interval, start, steps
from lake.config.secrets import expand
from lake.config.source import is_http, is_python
from lake.config.template import Moment, field_text, fill
from lake.config.types import Key, Source
from lake.errors import InvalidConfig, SourceMissing
from lake.sources import listing
from lake.sources.listing import Values
from lake.sources.path import local_path, supported
from lake.sources.places import objects_at


@dataclass(frozen=True, slots=True)
class Request:
    """One partition of a source and where its bytes are: a URL, a path, or several paths."""

    partition: str
    """As text, `month=2024-01`; `""` for a source without partitions."""
    urls: tuple[str, ...]
    """None where a folder has no file of it, though it has files of others."""
    within_lag: bool = False
    """What is not there yet may still come: a 404 is no error."""
    names: tuple[str, ...] = ()
    """Of objects in a folder, what each of `urls` is called there."""


@dataclass(frozen=True, slots=True)
class Window:
    """What is asked for, in wall-clock time of the lake's zone; `end` is exclusive."""

    start: datetime | None
    end: datetime
    now: datetime
    zone: ZoneInfo


def requests(
    source: Source,
    *,
    since: str | None,
    until: str | None,
    now: datetime,
    timezone: str,
    environ: Mapping[str, str],
    known: Callable[[], Collection[str]] = tuple,
) -> tuple[Request, ...]:
    """Return what `source` is asked for, in order of its partitions.

    Over HTTP every period is asked for. In a folder the files that are there say which partitions
    there are; those of `known` that it shows no more come as requests without a place.

    Args:
        source: the source.
        since: the first period, such as `2024-01`; it narrows what the source says.
        until: the last one, inclusive.
        now: aware; no period that begins later is asked for.
        timezone: the lake's: what a day is.
        environ: where the `${NAME}` of the URL are looked up.
        known: gives the partitions that the lake holds.

    Raises:
        InvalidConfig: a variable is not set, or `since` or `until` is no period.
        SourceMissing: a folder holds nothing that the source's pattern fits.
    """
    literal = partial(_looked_up, source, environ)
    window = _window(source, since, until, now.astimezone(ZoneInfo(timezone)))
    if _is_web(source, literal):
        _refuse_endless(source)
        return _distinct(source, _each_choice(source, window, literal, web=True))
    return _in_folder(source, window, literal, known)


def _in_folder(
    source: Source,
    window: Window,
    literal: Callable[[str], str],
    known: Callable[[], Collection[str]],
) -> tuple[Request, ...]:
    if any(key.every for key in source.partition.values()):
        found = _listed(source, window, literal)
        return (*found, *_vanished(source, window, {one.partition for one in found}, known()))
    asked = _each_choice(source, window, literal, web=False)
    if asked and not any(one.urls for one in asked):
        raise SourceMissing(f"no file fits {source.url}: look at the path, or at the folder")
    return _distinct(source, asked)


def _refuse_endless(source: Source) -> None:
    for name, key in source.partition.items():
        if key.every and not key.since:
            raise InvalidConfig(
                f"[sources.{source.name}] partition.{name} has no since: say which is the first"
            )


def _each_choice(
    source: Source, window: Window, literal: Callable[[str], str], *, web: bool
) -> list[Request]:
    choices = _choices(source, window)
    return [_asked(source, values, window, literal, web=web) for values in choices]


def _looked_up(source: Source, environ: Mapping[str, str], text: str) -> str:
    try:
        return expand(text, environ)
    except InvalidConfig as error:
        raise InvalidConfig(f"[sources.{source.name}] url: {error}") from None


def _is_web(source: Source, literal: Callable[[str], str]) -> bool:
    """Tell whether it is asked for each period, as by HTTP; a variable may say so."""
    start = re.match(r"\$\{[^}]*\}", source.url)
    url = literal(start[0]) + source.url[start.end() :] if start else source.url
    return is_http(url) or is_python(url)


def _window(source: Source, since: str | None, until: str | None, now: datetime) -> Window:
    key = next((key for key in source.partition.values() if key.every), Key())
    local = now.replace(tzinfo=None)
    starts = [interval(text)[0] for text in (key.since, since) if text]
    ends = [interval(text)[1] for text in (key.until, until) if text]
    # The period that begins right now is asked for, too.
    end = min([*ends, local + timedelta(microseconds=1)])
    zone = now.tzinfo
    assert isinstance(zone, ZoneInfo)
    return Window(max(starts, default=None), end, local, zone)


def _listed(source: Source, window: Window, literal: Callable[[str], str]) -> tuple[Request, ...]:
    found = listing.partitions(source, root=source.root.absolute(), literal=literal)
    inside = [(values, paths) for values, paths in found if _lies_in(values, window)]
    if source.reading.format == "objects":
        asked = [_asked(source, values, window, literal, web=False) for values, _ in inside]
        return tuple(one for one in asked if one.urls)
    return tuple(
        Request(_text(values), paths, _may_come(source, values, window)) for values, paths in inside
    )


def _vanished(
    source: Source, window: Window, found: Collection[str], known: Collection[str]
) -> Iterator[Request]:
    """Give those of `known` that the source could show, and that are not `found`."""
    for text in sorted(set(known).difference(found)):
        values = _known_values(source, layout.partition_values(text))
        if values and _lies_in(values, window):
            yield Request(text, ())


def _known_values(source: Source, texts: Mapping[str, str]) -> Values | None:
    """Return a partition's values as the source's keys have them; None if it is not of those."""
    if list(texts) != list(source.partition):
        return None
    values: Values = {}
    for name, key in source.partition.items():
        text = texts[name]
        if not key.every and text not in key.values:
            return None
        try:
            values[name] = Moment(start(text, key.every), key.every) if key.every else text
        except InvalidConfig:
            return None
    return values


def _choices(source: Source, window: Window) -> Iterator[Values]:
    """Give every combination of the keys' values, the last key fastest."""
    options = [_options(source, key, window) for key in source.partition.values()]
    for chosen in itertools.product(*options):
        yield dict(zip(source.partition, chosen, strict=True))


def _options(source: Source, key: Key, window: Window) -> list[str | Moment]:
    if not key.every:
        return list(key.values)
    if window.start is None:
        raise InvalidConfig(
            f"[sources.{source.name}] says no since: give --since, the first {key.every}"
        )
    found = steps(window.start, window.end, key.every)
    return [
        Moment(at, key.every) for at in found if key.every != "hour" or _exists(at, window.zone)
    ]


def _exists(at: datetime, zone: ZoneInfo) -> bool:
    """Tell whether the clocks showed `at`, and did not skip it for summer time."""
    there = at.replace(tzinfo=zone).astimezone(UTC).astimezone(zone)
    return there.replace(tzinfo=None) == at


def _asked(
    source: Source,
    values: Values,
    window: Window,
    literal: Callable[[str], str],
    *,
    web: bool,
) -> Request:
    magic = not web and glob.has_magic(source.url)

    def field(name: str, form: str) -> str:
        text = field_text(name, form, values)
        if web:
            return quote(text, safe="/:" if isinstance(values.get(name), Moment) else "")
        return glob.escape(text) if magic else text

    url = fill(source.url, field=field, literal=literal)
    urls, names = ((url,), ()) if web else _files(source, url)
    return Request(_text(values), urls, _may_come(source, values, window), names)


def _files(source: Source, url: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the files at a path or glob, and of objects what they are called."""
    if source.reading.format != "objects":
        return listing.files(local_path(supported(url)), root=source.root.absolute()), ()
    try:
        return objects_at(url, root=source.root)
    except SourceMissing:
        return (), ()


def _distinct(source: Source, asked: list[Request]) -> tuple[Request, ...]:
    """Refuse to land the same bytes as two partitions, as `{month:%m}` over two years would."""
    seen: dict[tuple[str, ...], str] = {}
    for request in asked:
        if request.urls and request.urls in seen:
            raise InvalidConfig(
                f"[sources.{source.name}] url: {seen[request.urls]} and {request.partition} are"
                " the same place: put all of the key in it"
            )
        seen[request.urls] = request.partition
    return tuple(asked)


def _text(values: Values) -> str:
    return layout.partition({name: str(value) for name, value in values.items()})


def _moments(values: Values) -> Iterator[Moment]:
    return (value for value in values.values() if isinstance(value, Moment))


def _lies_in(values: Values, window: Window) -> bool:
    return all(
        moment.start < window.end
        and (window.start is None or after(moment.start, moment.unit) > window.start)
        for moment in _moments(values)
    )


def _may_come(source: Source, values: Values, window: Window) -> bool:
    """Tell whether a period has not ended, or ended no longer ago than the lag."""
    lag = sum((key.lag for key in source.partition.values()), timedelta())
    return any(after(m.start, m.unit) + lag > window.now for m in _moments(values))
