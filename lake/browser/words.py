"""Numbers, sizes, times and cells as people read them, with the exact value behind each."""

import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import unquote

from markupsafe import Markup, escape

THIN = "\u202f"
"""Between groups of three digits."""
MINUS = "\u2212"
LONGEST_CELL = 1024
_UNITS = ("", "K", "M", "G", "T", "P")
_BYTES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
# What steers a terminal or turns text around is shown as what it is.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
_PLAIN = {"\n": "⏎", "\t": "⇥", "\r": "␍", "\0": "␀"}
_HOURS_48, _DAYS_400 = 48, 400


def exact(number: float | Decimal) -> str:
    """Return `1 234 567`, with thin spaces and a true minus."""
    text = f"{number:,}".replace(",", THIN)
    return f"{MINUS}{text[1:]}" if text.startswith("-") else text


def humane(number: int) -> str:
    """Return `2.61 M`: three digits."""
    value, unit = float(abs(number)), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    sign = MINUS if number < 0 else ""
    return f"{sign}{_three(value, unit)}{f' {_UNITS[unit]}' if unit else ''}"


def size(byte_count: int) -> str:
    """Return `41.8 MiB`: three digits, binary units."""
    value, unit = float(byte_count), 0
    while value >= 999.5 and unit < len(_BYTES) - 1:
        value, unit = value / 1024, unit + 1
    return f"{_three(value, unit)} {_BYTES[unit]}"


def _three(value: float, unit: int) -> str:
    if unit == 0:
        return f"{value:.0f}"
    return f"{value:.{0 if value >= 99.95 else 1 if value >= 9.995 else 2}f}"


def count(number: int | None) -> Markup:
    """Return a number humanely, its exact value behind it."""
    if number is None:
        return Markup('<span class="faint">–</span>')
    return Markup('<data value="{}" title="{}">{}</data>').format(
        number, exact(number), humane(number)
    )


def weight(byte_count: int) -> Markup:
    """Return a size humanely, its bytes behind it."""
    title = f"{exact(byte_count)} bytes"
    return Markup('<data value="{}" title="{}">{}</data>').format(
        byte_count, title, size(byte_count)
    )


def share(part: int, whole: int) -> str:
    """Return `5.2 %`; `none` and `all` where it is that."""
    if not whole or not part:
        return "none"
    if part == whole:
        return "all"
    percent = 100 * part / whole
    if percent < 0.1:
        return f"<{THIN}0.1{THIN}%"
    return f"{min(percent, 99.9):.1f}{THIN}%"


def plural(number: int, noun: str, many: str = "") -> str:
    """Return `1 row`, `2 rows`, with thin spaces in numbers."""
    return f"{exact(number)} {noun if number == 1 else many or f'{noun}s'}"


def ago(at: datetime, now: datetime) -> str:
    """Return `3 h ago`; days from 48 hours on, the date from 400 days on."""
    seconds = (now - at).total_seconds()
    if seconds < 0:
        return "just now" if seconds > -60 else f"{at.astimezone(UTC):%Y-%m-%d}"
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{int(seconds // 60)} min ago"
    hours = int(seconds // 3600)
    if hours < _HOURS_48:
        return f"{hours} h ago"
    days = hours // 24
    return f"{days} d ago" if days < _DAYS_400 else f"{at.astimezone(UTC):%Y-%m-%d}"


def lasts(at: datetime, now: datetime) -> float:
    """Return for how many seconds `ago` goes on to say the same."""
    seconds = (now - at).total_seconds()
    if seconds < 3600:
        return 60 - seconds % 60
    return 3600 - seconds % 3600


def moment(value: datetime | str) -> datetime:
    """Return a time of the log, which is UTC."""
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def when(value: datetime | str | None, now: datetime, *, short: bool = False) -> Markup:
    """Return a time as `3 h ago`, the exact UTC behind it; `short`: the `ago` for phones only."""
    if not value:
        return Markup('<span class="faint">never</span>')
    at = moment(value).astimezone(UTC)
    text: str | Markup = ago(at, now)
    if short and text.endswith(" ago"):
        text = Markup('{}<span class="ago"> ago</span>').format(text.removesuffix(" ago"))
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        f"{at:%Y-%m-%dT%H:%M:%SZ}", f"{at:%Y-%m-%d %H:%M:%S} UTC", text
    )


def seen(text: str) -> str:
    """Return a text in which nothing steers: controls and turns of direction are shown."""
    return _UNSEEN.sub(lambda found: _PLAIN.get(found[0]) or f"\\u{ord(found[0]):04x}", text)


def lines(text: str) -> str:
    """Return a text of several lines in which nothing steers."""
    return "\n".join(
        seen(line.replace("\t", "    ")) for line in text.replace("\r\n", "\n").split("\n")
    )


def decoded(partition: str, *, longest: int = 120) -> str:
    """Return a partition's text without its percent encoding, cut; for people only."""
    text = unquote(partition, errors="replace")
    return seen(text if len(text) <= longest else f"{text[:longest]}…")


def cell(value: Any, *, longest: int = LONGEST_CELL) -> Markup:
    """Return a value of the data as the inside of a cell: never as markup.

    NULL is told from the text `null`, and what looks empty from what is.
    """
    if value is None:
        return Markup('<i class="null">null</i>')
    if not isinstance(value, str):
        return escape(number(value))
    if not value.strip():
        return Markup('<span class="tag">{}</span>').format(
            '""' if not value else f"{len(value)} blank{'s' if len(value) > 1 else ''}"
        )
    text = value if len(value) <= longest else value[:longest]
    rest = len(value) - len(text)
    more = Markup(' <span class="faint">+{} more characters</span>').format(exact(rest))
    return Markup("<bdi>{}</bdi>{}").format(seen(text), more if rest else "")


def decimal(text: str) -> str:
    """Return a number that the log has as a text, `-1234.50`, as `number` would show it."""
    try:
        return exact(Decimal(text))
    except InvalidOperation:
        return seen(text)


def number(value: Any) -> str:
    """Return a number, a truth or anything else that is no text, as a cell shows it."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return seen(str(value))
    if isinstance(value, int):
        return exact(value)
    text = f"{value:.6g}" if abs(value) >= 1e15 else repr(round(value, 6))
    whole, dot, rest = text.removesuffix(".0").partition(".")
    grouped = exact(int(whole)) if whole.lstrip("-").isdigit() else whole
    grouped = f"{MINUS}0" if whole == "-0" else grouped
    return f"{grouped}{dot}{rest}"
