"""What the first bytes of an object look like: rows, a tree, text or a picture."""

import codecs
import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from markupsafe import escape

from lake.browser import parquet
from lake.browser.parquet import ROWS, Read
from lake.browser.words import number, seen

Kind = Literal["rows", "tree", "text", "image", "none"]

TEXT_BYTES = 64 << 10
TREE_BYTES = 256 << 10
COLUMNS = 20
_NODES, _DEPTH, _IN_LINE = 800, 24, 200
_MOST_TEXT = 40_000
_IMAGES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
_ACTIVE = (".svg", ".svgz", ".html", ".htm", ".xhtml", ".xml", ".xsl", ".mht", ".pdf", ".js")
_DELIMITERS = ",;\t|"


@dataclass(frozen=True, slots=True)
class Node:
    """A part of a JSON text: a leaf has a `text`, another `parts`; `more` were left out."""

    name: str
    text: str
    kind: Literal["leaf", "list", "object"]
    parts: Sequence[Any] = ()
    more: int = 0


@dataclass(frozen=True, slots=True)
class Preview:
    """What can be shown of an object.

    Attributes:
        said: how much of it that is, in words.
        columns: of `rows`; `first_column` counts those before, `column_count` all.
        rows: cells are cut texts; None is NULL.
        tree: of JSON.
        lines: of text.
        media_type: of a picture.
    """

    kind: Kind
    said: str = ""
    columns: Sequence[str] = ()
    numeric: Sequence[bool] = ()
    first_column: int = 0
    column_count: int = 0
    rows: Sequence[Sequence[str | None]] = field(default_factory=tuple)
    tree: Any = None
    lines: Sequence[str] = ()
    media_type: str = ""


def image_type(head: bytes) -> str:
    """Return the type of a picture that browsers show without running anything; `""` for none."""
    for start, media_type in _IMAGES:
        if head.startswith(start):
            return media_type
    return "image/webp" if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else ""


def preview(name: str, byte_count: int, read: Read, *, first_column: int = 0) -> Preview:
    """Return what can be shown of an object; nothing of it is ever taken for markup.

    Args:
        name: its key; the end of it says what is not told by its bytes.
        byte_count: its size.
        read: gives its bytes.
        first_column: where to begin in a wide table.
    """
    head = read(0, TEXT_BYTES) if byte_count else b""
    end = name.rpartition("/")[2].lower()
    if media_type := image_type(head):
        return Preview("image", media_type=media_type)
    if head[:4] == b"PAR1":
        found = parquet.first_rows(byte_count, read, first_column=first_column, count=COLUMNS)
        if isinstance(found, str):
            return Preview("none", found)
        return _table(found.names, found.numeric, found.rows, first_column, found.said, is_cut=True)
    if end.endswith(_ACTIVE) or head.lstrip()[:1] == b"<":
        return Preview("none", "It could run in a browser, so it is only given as a download.")
    text = _text(head)
    if text is None:
        return Preview("none", "There is no preview of such bytes.")
    if end.endswith(".json") and byte_count <= TREE_BYTES:
        tree = _tree(head if byte_count <= len(head) else read(0, TREE_BYTES))
        if tree:
            return tree
    said = _said(byte_count)
    if end.endswith((".csv", ".tsv", ".tab", ".psv")):
        return _csv(text, byte_count > len(head), first_column) or _plain(text, said)
    return _plain(text, said)


def _said(byte_count: int) -> str:
    return "The first 64 KiB." if byte_count > TEXT_BYTES else ""


def _text(head: bytes) -> str | None:
    """Return bytes as text; None where they are none. A character cut at the end is left out."""
    if b"\0" in head:
        return None
    try:
        return codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return None


def _plain(text: str, said: str) -> Preview:
    lines: list[str] = []
    room = _MOST_TEXT * 2
    for line in text.split("\n"):
        shown = seen(line.removesuffix("\r").replace("\t", "    "))
        shown = shown if len(shown) <= room else f"{shown[:room]}…"
        room -= len(escape(shown)) + 1
        if room < 0:
            return Preview("text", "The first lines.", lines=lines or [shown[:1000]])
        lines.append(shown)
    return Preview("text", said, lines=lines)


def _csv(text: str, is_cut: bool, first_column: int) -> Preview | None:
    first = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    try:
        found = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        rows = [row for row, _ in zip(found, range(ROWS + 2), strict=False) if row]
    except csv.Error:
        return None
    if not rows or max(map(len, rows)) < 2:
        return None
    header, body = rows[0], rows[1 : ROWS + 1]
    # Of a file that goes on, the last line that was read may be half of one.
    body = body[:-1] if is_cut and len(rows) <= ROWS + 1 else body
    said = f"The first {len(body)} rows." if is_cut or len(rows) > ROWS + 1 else ""
    return _table(header, [], body, first_column, said)


def _table(
    names: Sequence[str],
    numeric: Sequence[bool],
    rows: Sequence[Sequence[Any]],
    first: int,
    said: str,
    *,
    is_cut: bool = False,
) -> Preview:
    """Return rows whose columns, and whose cells, have room on a page.

    Args:
        names: of all columns.
        numeric: of the columns that are shown; empty: unknown.
        rows: of all columns, or only of those that are shown: `is_cut`.
        first: the first column that is shown.
        said: how many rows these are.
        is_cut: see `rows`.
    """
    shown = names[first : first + COLUMNS]
    longest = max(16, min(200, _MOST_TEXT // max(1, len(rows) * len(shown))))
    some = rows if is_cut else [row[first : first + COLUMNS] for row in rows]
    cells = [[cut(value, longest) for value in row] for row in some]
    padded = [[*row, *[""] * (len(shown) - len(row))] for row in cells]
    heads = [cut(name, 80) or "" for name in shown]
    flags = list(numeric) or [False] * len(shown)
    return Preview("rows", said, heads, flags, first, len(names), padded)


def cut(value: Any, longest: int) -> str | None:
    """Return a value as the text that a small cell has room for; None is NULL."""
    if value is None:
        return None
    if not isinstance(value, str):
        value = number(value) if isinstance(value, (bool, int, float)) else _told(value, longest)
    text = seen(value[: longest + 1])
    if len(value) <= longest:
        return text
    # Markup's own signs take several bytes each on the page.
    room = longest if len(escape(text)) < 2 * longest else longest // 3
    return f"{text[:room]}…"


def _told(value: Any, longest: int) -> str:
    if isinstance(value, (bytes, bytearray)):
        return f"0x{bytes(value[:longest]).hex()}"
    return str(value)


def _tree(data: bytes) -> Preview | None:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    left = [_NODES]
    node = _node("", found, left, 0)
    said = "" if left[0] > 0 else "Its first parts."
    return Preview("tree", said, tree=node)


def _node(name: str, value: Any, left: list[int], depth: int) -> Node:
    left[0] -= 1
    if not isinstance(value, (dict, list)) or depth >= _DEPTH:
        short = json.dumps(value, ensure_ascii=False) if depth < _DEPTH else "…"
        return Node(cut(name, 80) or "", cut(short, _IN_LINE) or "", "leaf")
    pairs = _pairs(value)
    parts = []
    for key, one in pairs:
        if left[0] <= 0:
            break
        parts.append(_node(key, one, left, depth + 1))
    kind: Literal["list", "object"] = "object" if isinstance(value, dict) else "list"
    return Node(cut(name, 80) or "", "", kind, parts, len(value) - len(parts))


def _pairs(value: Mapping[str, Any] | Sequence[Any]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from value.items()
    else:
        yield from ((str(at), one) for at, one in enumerate(value))
