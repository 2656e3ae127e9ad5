"""A version's receipt as lines of a table: what the log says, and what lies beside its files."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote

from lake import layout
from lake.browser.ask import Ask, dataset_path
from lake.browser.previews import cut
from lake.browser.receipts import Beside, Place, Said, row_of, said
from lake.browser.snapshot import Snapshot
from lake.browser.words import plural
from lake.catalog.state import data_files

_LONGEST = 400
_NAMES = {
    "name": "Name there",
    "sha256": "SHA-256 as sent",
    "etag": "ETag",
    "last_modified": "Last modified",
}
_KNOWN = {
    "lake", "dataset", "partition", "landed_at", "run", "clearlake", "sources", "rows", "rejected",
    "files", "columns", "built_from", "content", "build_key",
}  # fmt: skip
_INPUTS, PARTS = 20, 100


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of the receipt; `link` is where its text leads to, `""` for nowhere."""

    name: str
    text: str
    link: str = ""
    kind: Literal["text", "mono", "time"] = "text"


@dataclass(frozen=True, slots=True)
class Part:
    """Files of a version that were made or landed together; `link` leads to their receipt.

    Attributes:
        name: the partition that a model made them of, as far as that is known; else their folder.
        is_newest: theirs is the receipt that the version's page shows.
    """

    name: str
    rows: int
    link: str
    is_newest: bool


@dataclass(frozen=True, slots=True)
class Parts:
    """Some of the parts that a version is put together of; `total` counts all."""

    total: int
    shown: Sequence[Part]


def parts(shot: Snapshot, ask: Ask, at: Place, where: str, receipt: str) -> Parts:
    """Return the parts of a version, of which each has a receipt.

    Args:
        shot: the lake.
        ask: what was asked for.
        at: the version.
        where: the condition of its files.
        receipt: the key of the one that the page shows.
    """
    found = shot.rows(
        "SELECT regexp_replace(key, '[^/]*$', '') AS folder, sum(rows)::BIGINT AS rows,"
        f" any_value(key) AS key, count(*) OVER () AS n FROM every_file WHERE {where}"
        f" AND role = 'data' GROUP BY folder ORDER BY folder LIMIT {PARTS}"
    )
    current = shot.state().partition(at.dataset, at.partition).current
    files = data_files(current) if current and current.number == at.number else ()
    made_of = {file.key: file.each for file in files}
    shown = [_part(ask, one, made_of.get(one["key"], ""), receipt) for one in found]
    return Parts(found[0]["n"] if found else 0, sorted(shown, key=lambda one: one.name))


def _part(ask: Ask, row: Mapping[str, Any], made_of: str, receipt: str) -> Part:
    key = layout.beside(row["key"], layout.RECEIPT)
    name = made_of or row["folder"].rstrip("/").rpartition("/")[2]
    return Part(name, row["rows"] or 0, ask.link("/bucket/object", key=key), key == receipt)


def facts(
    shot: Snapshot, ask: Ask, row: Mapping[str, Any], told: Said, beside: Beside | None
) -> list[Fact]:
    """Return all that is known of where a version came from, but for its files."""
    document = beside.document if beside else {}
    return [one for one in _facts(shot, ask, row, told, document) if one.text]


def _facts(
    shot: Snapshot, ask: Ask, row: Mapping[str, Any], told: Said, document: Mapping[str, Any]
) -> Iterator[Fact]:
    yield Fact("Source", place_of(told.origin.get("url") or row["source"] or ""))
    for name, text in told.origin.items():
        if name != "url":
            yield _told(_NAMES.get(name, _spoken(name)), text)
    yield from _inputs(ask, document.get("built_from"))
    yield Fact("Landed" if told.origin else "Made", str(row["landed_at"] or ""), kind="time")
    yield Fact("How", row["action"] or "")
    yield Fact("Commit", str(row["commit"]), ask.link(f"/commits/{row['commit']}"), "mono")
    yield Fact("Run", row["run"] or "", ask.link("/runs", run=row["run"] or ""), "mono")
    (author,) = shot.rows(f"SELECT author FROM meta.commits WHERE commit = {row['commit']}") or [
        {"author": ""}
    ]
    yield Fact("Host", author["author"])
    yield _told("Content", row["sha256"] or "")
    yield _told("Build", told.build)
    yield _told("Goes on behind", told.start)
    yield _told("Cursor", told.end)
    yield _told("Batch", told.batch)
    sources = document.get("sources")
    if isinstance(sources, list) and len(sources) > 1:
        yield Fact("Sources", f"{len(sources)} files")
    for name, value in document.items():
        if name not in _KNOWN and value not in ({}, [], "", 0, None):
            yield _told(_spoken(name), value)
    key = row["receipt"] or ""
    yield Fact(
        "Receipt", layout.RECEIPT if key else "", ask.link("/bucket/object", key=key), "mono"
    )


def origin(shot: Snapshot, ask: Ask, at: Place) -> list[Fact]:
    """Return the few lines that tell one landing from another."""
    row = row_of(shot, at)
    sent = said(shot, at, row).origin
    hashed = sent.get("sha256", "")
    found = [
        Fact("Source", place_of(sent.get("url") or row["source"] or "")),
        _told("ETag", sent.get("etag", "")),
        _told("SHA-256", f"{hashed[:8]}…{hashed[-4:]}" if hashed else ""),
        Fact("Run", row["run"] or "", ask.link("/runs", run=row["run"] or ""), "mono"),
        Fact("Rejected", plural(row["rejected"] or 0, "row")),
    ]
    return [one for one in found if one.text]


def place_of(url: str) -> str:
    """Return where something came from; of a file of some machine only its name."""
    scheme, _, rest = url.partition("://")
    if rest and scheme != "file":
        return cut(url, _LONGEST) or ""
    name = url.rstrip("/").rpartition("/")[2]
    return cut(unquote(name) if rest else name, _LONGEST) or ""


def _inputs(ask: Ask, built_from: Any) -> Iterator[Fact]:
    if not isinstance(built_from, dict):
        return
    for name, partitions in list(built_from.items())[:_INPUTS]:
        count = len(partitions) if isinstance(partitions, list) else 0
        one = partitions[0] if count == 1 else ""
        what = one or (f"{count} partitions" if count else "all of it")
        is_known = name.partition(".")[0] in layout.ZONES
        yield Fact("Made from", f"{name} {what}", ask.link(dataset_path(name)) if is_known else "")


def _told(name: str, value: Any) -> Fact:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return Fact(name, cut(text, _LONGEST) or "", kind="mono")


def _spoken(name: str) -> str:
    text = name.replace("_", " ").strip()
    return f"{text[:1].upper()}{text[1:]}"[:60]
