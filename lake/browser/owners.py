"""Whose the bucket's objects are: by the log alone, and by what their keys say."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lake import layout
from lake.browser.ask import dataset_path
from lake.browser.snapshot import Snapshot
from lake.query.sql import literal

_FILES = """
CREATE TABLE IF NOT EXISTS every_file AS
SELECT key, dataset, partition, version, commit, role, bytes, rows, sha256, receipt, removed_in
FROM meta._history WHERE key IS NOT NULL ORDER BY key, commit
"""
_RECEIPTS = """
CREATE TABLE IF NOT EXISTS every_receipt AS
SELECT v.*, h.receipt, h.reason FROM every_version v LEFT JOIN (
  SELECT dataset, partition, version, commit, any_value(receipt) AS receipt,
    any_value(held) AS reason
  FROM meta._history GROUP BY ALL) h USING (dataset, partition, version, commit)
ORDER BY v.dataset, v.partition, v.version
"""
_BESIDE = {
    layout.RECEIPT: "receipt",
    layout.PROFILE: "profile",
    layout.REJECTED: "rejected rows",
    layout.FAILED_ROWS: "rows that failed checks",
}
_OF_LAKE = (
    (layout.LAKE, "the lake's identity"),
    (layout.HINT, "the newest checkpoint's number"),
    (layout.LOG, "the log"),
    ("_lake/checkpoints/", "a checkpoint of the log"),
    ("_lake/schemas/", "a view's columns"),
    ("_lake/", "the log, and what it needs"),
)


@dataclass(frozen=True, slots=True)
class Owner:
    """What an object is, and the version that it belongs to.

    Attributes:
        what: `data`, `original`, `receipt`, `the log` …, or `orphan`: no version names it.
        path: the version's page; `""` where it belongs to none.
        name: the version, such as `month=2024-01 v2`.
    """

    what: str
    dataset: str = ""
    name: str = ""
    path: str = ""


def tables(shot: Snapshot) -> None:
    """Make sure that `every_file` and `every_receipt` are there to be asked.

    The first is sorted by key; the second is `every_version`, with `receipt` and `reason`.
    """
    shot.memo("files", lambda: [shot.rows(_FILES), shot.rows(_RECEIPTS)])


def owners(shot: Snapshot, keys: Iterable[str]) -> Mapping[str, Owner]:
    """Return the owner of each object or folder; keys of folders end in `/`."""
    wanted = list(keys)
    files = _files(shot, [key for key in wanted if not key.endswith("/")])
    folders = _folders(shot, dict.fromkeys(filter(None, map(layout.version_folder, wanted))))
    return {key: _owner(key, files.get(key), folders) for key in wanted}


def _owner(key: str, file: Owner | None, folders: Mapping[str, Owner]) -> Owner:
    if file:
        return file
    version = folders.get(layout.version_folder(key))
    below = key.removeprefix(layout.version_folder(key))
    if version and (not below or below in _BESIDE):
        what = _BESIDE.get(below, "version")
        return Owner(what, version.dataset, version.name, version.path)
    if key == layout.CATALOG:
        return Owner("the catalog: views for any DuckDB")
    if layout.is_page(key):
        return Owner("a page")
    for start, what in _OF_LAKE:
        if key.startswith(start):
            return Owner(what)
    if key.endswith("/"):
        return Owner("orphan" if layout.version_folder(key) == key else "")
    return Owner("orphan")


def _files(shot: Snapshot, keys: list[str]) -> dict[str, Owner]:
    if not keys:
        return {}
    tables(shot)
    found = shot.rows(
        "SELECT key, max_by({'role': role, 'dataset': dataset, 'partition': partition,"
        f" 'version': version}}, commit) AS v FROM every_file WHERE {_any('key', keys)}"
        " GROUP BY key"
    )
    return {row["key"]: _made(row["v"]["role"], row["v"]) for row in found}


def _folders(shot: Snapshot, folders: Iterable[str]) -> dict[str, Owner]:
    receipts = [f"{folder}{layout.RECEIPT}" for folder in folders]
    if not receipts:
        return {}
    tables(shot)
    found = shot.rows(
        "SELECT receipt, max_by({'dataset': dataset, 'partition': partition, 'version': version},"
        f" commit) AS v FROM every_receipt WHERE {_any('receipt', receipts)} GROUP BY receipt"
    )
    return {
        row["receipt"].removesuffix(layout.RECEIPT): _made("version", row["v"]) for row in found
    }


def _made(what: str, row: Mapping[str, Any]) -> Owner:
    dataset, partition, version = row["dataset"], row["partition"], row["version"]
    name = f"{partition} v{version}" if partition else f"v{version}"
    return Owner(what, dataset, name, dataset_path(dataset, partition, version))


def _any(column: str, keys: list[str]) -> str:
    """Return a condition that leaves most of a sorted table unread."""
    known = [key for key in keys if _is_text(key)]
    if not known:
        return "false"
    listed = ", ".join(map(literal, known))
    return (
        f"{column} BETWEEN {literal(min(known))} AND {literal(max(known))}"
        f" AND {column} IN ({listed})"
    )


def _is_text(key: str) -> bool:
    try:
        return "\0" not in key and bool(key.encode())
    except UnicodeEncodeError:
        return False
