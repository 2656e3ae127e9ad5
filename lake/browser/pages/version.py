"""A version: where it came from, its files, what was rejected, and the versions beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from lake.browser.ask import Ask, dataset_path
from lake.browser.checking import (
    MOST_BYTES,
    Checked,
    Reject,
    State,
    changes,
    checked,
    rejects,
    remembered,
)
from lake.browser.health import Badge
from lake.browser.pages.receipt import Fact, Parts, facts, parts
from lake.browser.receipts import Place, beside, place, row_of, said
from lake.browser.snapshot import Snapshot
from lake.query.sql import literal

FILES, VERSIONS, DOWNLOADS = 100, 25, 3
_RANK = "CASE role WHEN 'original' THEN 0 WHEN 'object' THEN 1 ELSE 2 END"


@dataclass(frozen=True, slots=True)
class FileLine:
    """A file of the version; `found` is the hash of its bytes where they are others."""

    key: str
    name: str
    link: str
    download: str
    role: str
    rows: int
    bytes: int
    sha256: str
    state: State
    found: str


@dataclass(frozen=True, slots=True)
class Files:
    """Some of its files; `older` and `newer` are the addresses of others."""

    total: int
    bytes: int
    shown: Sequence[FileLine]
    said: str
    newer: str
    older: str


@dataclass(frozen=True, slots=True)
class Download:
    """A file as its source sent it, or as it was made; `name` is what it was called there."""

    name: str
    bytes: int
    link: str
    is_original: bool


@dataclass(frozen=True, slots=True)
class CheckLine:
    """A check of the model at this commit: how many rows it found."""

    name: str
    failed: int
    severity: str


@dataclass(frozen=True, slots=True)
class VersionLine:
    """Another version of the same partition."""

    version: int
    link: str
    commit: int
    at: datetime | None
    rows: int
    state: Badge


@dataclass(frozen=True, slots=True)
class Others:
    """Some of the partition's versions, newest first; `more` is the address of older ones."""

    shown: Sequence[VersionLine]
    total: int
    more: str


@dataclass(frozen=True, slots=True)
class VersionPage:
    """A version of a partition.

    Attributes:
        address: how commands name it.
        state: `current`, `replaced`, `held`, `removed` or `collected`.
        reason: why it is held.
        collected: the commit in which the collector took its files away; 0: it did not.
        check: the address at which its bytes are hashed; `""` where they were, or are too many.
        damaged: how many of its files are not as the log says.
        rejects: the first of the rejected rows; `unknown` says why none can be shown.
        difference: the page of what changed since the version before.
    """

    dataset: str
    partition: str
    version: int
    address: str
    state: Badge
    reason: str
    collected: int
    at: datetime | None
    commit: int
    rows: int
    rejected: int
    facts: Sequence[Fact]
    receipt_problem: str
    parts: Parts
    files: Files
    downloads: Sequence[Download]
    check: str
    damaged: int
    checks: Sequence[CheckLine]
    rejects: Sequence[Reject]
    unknown: str
    others: Others
    difference: str


def make(shot: Snapshot, ask: Ask) -> VersionPage:
    """Return a version's page; of one that was collected, what the log still says.

    Raises:
        NoSuchDataset, NoSuchPartition, NoSuchVersion: there is none.
        StoreUnavailable: the log's entry, or what was to be hashed, could not be fetched.
    """
    at = place(ask.places)
    row = row_of(shot, at)
    receipt = row["receipt"] or ""
    collected = shot.lake.state.collected(receipt) if receipt else 0
    found = beside(shot, receipt) if not collected else None
    files, damaged, is_checked = _files(shot, ask, at, row)
    bad, unknown = rejects(shot, receipt) if row["rejected"] and not collected else ([], "")
    return VersionPage(
        at.dataset,
        at.partition,
        at.number,
        at.address,
        _state(shot, at, row, collected),
        row["reason"] or "",
        collected,
        row["landed_at"],
        row["commit"],
        row["rows"] or 0,
        row["rejected"] or 0,
        facts(shot, ask, row, said(shot, at, row), found),
        found.problem if found else "",
        parts(shot, ask, at, files_of(at, row), receipt) if found else Parts(0, ()),
        files,
        downloads(shot, ask, at, row) if not collected else [],
        "" if collected or is_checked else _check(ask, files),
        damaged,
        _checks(shot, at, row["commit"]),
        bad,
        unknown,
        _others(shot, ask, at),
        _difference(shot, ask, at) if files.total else "",
    )


def _check(ask: Ask, files: Files) -> str:
    return ask.same(verify=1) if 0 < files.bytes <= MOST_BYTES else ""


def _state(shot: Snapshot, at: Place, row: Mapping[str, Any], collected: int) -> Badge:
    if collected:
        return Badge("idle", "collected")
    if row["action"] in ("remove", "drop"):
        return Badge("idle", "removed")
    if row["current"]:
        return Badge("good", "current")
    if row["held"]:
        held = shot.state().partition(at.dataset, at.partition).held
        return Badge("bad" if at.number in {one.number for one in held} else "idle", "held")
    return Badge("idle", "replaced")


def files_of(at: Place, row: Mapping[str, Any]) -> str:
    """Return the condition of the files that a version has, also of those from versions before."""
    if row["held"]:
        return f"{at.where} AND version = {at.number}"
    commit = row["commit"]
    return f"{at.where} AND commit <= {commit} AND (removed_in IS NULL OR removed_in > {commit})"


def _files(shot: Snapshot, ask: Ask, at: Place, row: Mapping[str, Any]) -> tuple[Files, int, bool]:
    """Return a page of its files, how many are damaged, and whether they were looked at."""
    where, first = files_of(at, row), ask.number("files", 0)
    found = shot.rows(
        "SELECT key, role, rows, bytes, sha256, count(*) OVER () AS n,"
        f" (sum(bytes) OVER ())::BIGINT AS whole FROM every_file WHERE {where}"
        f" ORDER BY {_RANK}, key LIMIT {FILES} OFFSET {first}"
    )
    total, byte_count = (found[0]["n"], found[0]["whole"]) if found else (0, 0)
    is_checked = bool(ask.get("verify")) and byte_count <= MOST_BYTES
    known = _known(shot, where, is_checked=is_checked) if is_checked or changes() else {}
    # Parts of several attempts may be called alike: then their folders tell them apart.
    parts = 1 if len({_end(one["key"], 1) for one in found}) == len(found) else 2
    shown = [
        _file(ask, one, known.get(one["key"], Checked("not checked")), _end(one["key"], parts))
        for one in found
    ]
    files = Files(
        total,
        byte_count,
        shown,
        f"Files {first + 1} to {first + len(shown)} of {total}" if shown else "",
        ask.same(files=max(0, first - FILES) or None) if first else "",
        ask.same(files=first + FILES) if first + FILES < total else "",
    )
    return files, sum(one.state in ("damaged", "missing") for one in known.values()), is_checked


def downloads(shot: Snapshot, ask: Ask, at: Place, row: Mapping[str, Any]) -> list[Download]:
    """Return the source's own bytes, if they are few; else the objects in them, or the rows."""
    found = shot.rows(
        f"SELECT key, role, bytes, sha256 FROM every_file WHERE {files_of(at, row)}"
        f" ORDER BY {_RANK}, key LIMIT {DOWNLOADS + 1}"
    )
    best = [one for one in found if one["role"] == found[0]["role"]]
    origin = said(shot, at, row).origin
    if len({own_name(one, origin) for one in best}) < len(best) or len(best) > DOWNLOADS:
        return []
    path = dataset_path(at.dataset, at.partition, at.number)
    return [
        Download(
            own_name(one, origin),
            one["bytes"],
            ask.link(path, download=one["key"]),
            at.dataset.startswith("raw."),
        )
        for one in best
    ]


def own_name(file: Mapping[str, Any], origin: Mapping[str, str]) -> str:
    """Return how a file was called at its source, as far as that is known."""
    is_it = file["sha256"] == origin.get("sha256") and origin.get("name")
    name = origin["name"] if is_it else unquote(file["key"])
    return name.replace("\\", "/").rpartition("/")[2] or "data"


def _known(shot: Snapshot, where: str, *, is_checked: bool) -> Mapping[str, Checked]:
    every = shot.rows(f"SELECT key, sha256 FROM every_file WHERE {where}")
    look = checked if is_checked else remembered
    return look(shot.lake.log.store, [(one["key"], one["sha256"]) for one in every])


def _end(key: str, parts: int) -> str:
    return "/".join(key.split("/")[-parts:])


def _file(ask: Ask, row: Mapping[str, Any], found: Checked, name: str) -> FileLine:
    key = row["key"]
    return FileLine(
        key,
        name,
        ask.link("/bucket/object", key=key),
        ask.link(ask.path, download=key),
        row["role"],
        row["rows"],
        row["bytes"],
        row["sha256"],
        found.state,
        found.found,
    )


def _checks(shot: Snapshot, at: Place, commit: int) -> list[CheckLine]:
    if not at.dataset.startswith("curated."):
        return []
    found = shot.rows(
        'SELECT "check", failed, severity FROM meta.checks'
        f" WHERE commit = {commit} AND dataset = {literal(at.dataset)} ORDER BY failed = 0"
        " LIMIT 100"
    )
    return [CheckLine(one["check"], one["failed"], one["severity"]) for one in found]


def _others(shot: Snapshot, ask: Ask, at: Place) -> Others:
    below = ask.number("versions", 0)
    found = shot.rows(
        "SELECT * FROM (SELECT version, commit, landed_at, rows, current, held, action,"
        f" count(*) OVER () AS n FROM every_version WHERE {at.where})"
        f" WHERE {f'version < {below}' if below else 'true'}"
        f" ORDER BY version DESC LIMIT {VERSIONS}"
    )
    total = found[0]["n"] if found else 0
    is_more = len(found) == VERSIONS and found[-1]["version"] > 1
    more = ask.same(versions=found[-1]["version"]) if is_more else ""
    return Others([_other(ask, at, one) for one in found], total, more)


def _other(ask: Ask, at: Place, row: Mapping[str, Any]) -> VersionLine:
    is_gone = row["action"] in ("remove", "drop")
    state = Badge("good", "current") if row["current"] else Badge("idle", "replaced")
    state = Badge("bad", "held") if row["held"] else Badge("idle", "removed") if is_gone else state
    path = dataset_path(at.dataset, at.partition, row["version"])
    rows, moment = row["rows"] or 0, row["landed_at"]
    return VersionLine(row["version"], ask.link(path), row["commit"], moment, rows, state)


def _difference(shot: Snapshot, ask: Ask, at: Place) -> str:
    (found,) = shot.rows(
        f"SELECT max(version) AS n FROM every_version WHERE {at.where} AND version < {at.number}"
        " AND files > 0"
    )
    if found["n"] is None:
        return ""
    path = dataset_path(at.dataset, at.partition, at.number)
    return ask.link(f"{path}/diff/v{found['n']}")
