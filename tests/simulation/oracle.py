"""What must hold in every situation, told from the bytes of the log alone.

The fold here shares nothing with the product's: what a process took the lake to be is compared with
it, so a change that the product applies wrongly is seen as well.
"""

import hashlib
import json
from functools import lru_cache
from typing import Any

from lake import layout
from tests.simulation.ranges import broken_ranges
from tests.simulation.scheduler import Situation
from tests.simulation.tables import checkpoint_differs, needed_schema_files
from tests.simulation.view import Held, View

EMPTY = View(0, "", (), ())
SUCCESS = frozenset({"done", "nothing", "read"})
TOLERABLE = frozenset({"conflict", "refused", "unknown", "unavailable"})


class Broken(Exception):
    """An invariant that does not hold."""


def violation(at: Situation) -> str:
    """Return the first invariant that does not hold, or `""`."""
    try:
        entries = _entries(at)
        views = _fold(entries)
        _check_ends(at, entries, views)
        _check_files(at, entries, views[-1])
        if not at.world.no_order:
            _check_order(entries, at.history)
        if not at.world.fixed_hint:
            _check_checkpoints(at, views)
    except Broken as broken:
        return str(broken)
    return ""


def _refuse(broken: object, text: str) -> None:
    if broken:
        raise Broken(text)


def _entries(at: Situation) -> tuple[bytes, ...]:
    keys = sorted(key for key in at.objects if _number(key))
    numbers = [_number(key) for key in keys]
    if at.world.damaged:
        return ()
    _refuse(numbers != [*range(1, len(keys) + 1)], f"a gap in the log: {numbers}")
    return tuple(at.objects[key] for key in keys)


@lru_cache(maxsize=100_000)
def _number(key: str) -> int | None:
    return layout.commit_number(key) if key.startswith(layout.LOG) else None


@lru_cache(maxsize=100_000)
def _id(data: bytes) -> str:
    return str(json.loads(data)["id"])


# The log, folded once more.


@lru_cache(maxsize=100_000)
def _fold(entries: tuple[bytes, ...]) -> tuple[View, ...]:
    """Return the lake at every commit, the empty one first."""
    if not entries:
        return (EMPTY,)
    before = _fold(entries[:-1])
    entry = json.loads(entries[-1])
    ids = [_id(data) for data in entries]
    _refuse(len(set(ids)) < len(ids), f"the same commit twice: {ids}")
    _refuse(entry["parent"] != before[-1].head, f"commit {len(entries)} has another parent")
    partitions = {(one.dataset, one.partition): one for one in before[-1].partitions}
    doomed = set(before[-1].doomed)
    for change in entry["changes"]:
        _change(partitions, doomed, change)
    head = hashlib.sha256(entries[-1]).hexdigest()
    now = tuple(sorted(partitions.values()))
    views = (*before, View(len(entries), head, now, tuple(sorted(doomed))))
    _check_content(views)
    return views


def _change(
    partitions: dict[tuple[str, str], Held], doomed: set[str], change: dict[str, Any]
) -> None:
    if change["action"] == "doom":
        doomed.update(_folder(key) for key in change["keys"])
    if change["action"] not in ("replace", "append", "rewrite", "hold"):
        return
    key = change["dataset"], change["partition"]
    was = partitions.get(key, Held(*key, 0, (), "", "", "", ()))
    came = change["added"] if change["action"] == "rewrite" else change["files"]
    files = tuple((file["key"], file["sha256"]) for file in came)
    folders = {_folder(key) for key, _ in files}
    _refuse(doomed & folders, f"published a doomed file: {files}")
    partitions[key] = _applied(was, change, files)._replace(versions=was.versions + 1)


def _folder(key: str) -> str:
    """Return the folder of a version, which is doomed as a whole."""
    return f"{key.rsplit('/', 1)[0]}/"


def _applied(was: Held, change: dict[str, Any], files: tuple[tuple[str, str], ...]) -> Held:
    origin = tuple(sorted(change["landed"].get("origin", {}).items()))
    match change["action"]:
        case "replace":
            build = change.get("build", "")
            end = change.get("cursor", "")
            now = was._replace(files=files, content=change["content"], cursor=end, build=build)
        case "append":
            start = change.get("start", "")
            _refuse(start != was.cursor, f"appended from {start!r}, the cursor is {was.cursor!r}")
            files, end = (*was.files, *files), change["end"]
            now = was._replace(files=files, content=change["content"], cursor=end, build="")
        case "rewrite":
            gone = set(change["removed"])
            _refuse(gone - dict(was.files).keys(), f"rewrote what was gone: {sorted(gone)}")
            kept = tuple(file for file in was.files if file[0] not in gone)
            now = was._replace(files=(*kept, *files))
        case _:
            return was._replace(held=(*was.held, was.versions + 1))
    return now._replace(origin=origin)


# What follows from it.


def _check_ends(at: Situation, entries: tuple[bytes, ...], views: tuple[View, ...]) -> None:
    """What a process reports is so, and what it took the lake to be at the end is what it was."""
    ids = [_id(data) for data in entries]
    known = TOLERABLE | ({"damaged"} if at.world.damaged else SUCCESS)
    for node in at.nodes:
        if node.outcome is None:
            continue
        outcome, name, mine = node.outcome, node.process.name, node.process.commit_id
        if outcome.kind not in known:
            raise Broken(f"{name} ended: {outcome}")
        there = ids[outcome.commit - 1] if 0 < outcome.commit <= len(ids) else ""
        if outcome.kind == "done" and there != mine:
            raise Broken(f"{name} published {outcome.commit}, which is another's")
        if outcome.kind in ("conflict", "refused") and mine in ids:
            raise Broken(f"{name} ended: {outcome}, and its commit is in the log")
        if outcome.view and entries and outcome.view not in views:
            raise Broken(f"{name} saw {outcome.view}, the log says {views}")


def _check_files(at: Situation, entries: tuple[bytes, ...], head: View) -> None:
    """Every file that the lake needs now is there, with the bytes that the log names."""
    for one in head.partitions:
        for key, wanted in one.files:
            if key not in at.objects:
                raise Broken(f"DANGLING: {key} of {one.dataset}")
            if _sha256(at.objects[key]) != wanted:
                raise Broken(f"the bytes of {key} are others")
    if entries and (missing := needed_schema_files(entries) - at.objects.keys()):
        raise Broken(f"no schema file {min(missing)} after commit {len(entries)}")


@lru_cache(maxsize=10_000)
def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _check_content(views: tuple[View, ...]) -> None:
    """Appended rows are there once each; models are of what was published, never of older."""
    for one in views[-1].partitions:
        _refuse(broken := broken_ranges(one.files, one.cursor), f"{one.dataset}: {broken}")
        if one.dataset == "curated.m2":
            known = {p.content for v in views for p in v.partitions if p.dataset == "curated.m1"}
            came = dict(one.origin)["in"]
            _refuse(came not in known, f"m2 was built from an m1 that never was: {came}")
    of_m1 = [p for view in views for p in view.partitions if p.dataset == "curated.m1"]
    pinned = [int(dict(p.origin)["S"]) for p in of_m1]
    _refuse(pinned != sorted(pinned), f"older inputs were published over newer ones: {pinned}")


@lru_cache(maxsize=100_000)
def _check_order(entries: tuple[bytes, ...], history: tuple[tuple[str, str], ...]) -> None:
    """A partition never goes back to older bytes of its source."""
    views = _fold(entries)
    for source in {key for key, _ in history}:
        order = [value for key, value in history if key == source]
        seen = [landed for view in views if (landed := _landed(view, source))]
        places = [order.index(value) for value in seen]
        _refuse(places != sorted(places), f"older source bytes became current: {seen}")


def _landed(view: View, source: str) -> str:
    """Return the version of a source that is current; `""` if none is."""
    for one in view.partitions:
        origin = dict(one.origin)
        if origin.get("url") == f"sim:{source}":
            return origin["name"].split(".")[0]
    return ""


def _check_checkpoints(at: Situation, views: tuple[View, ...]) -> None:
    for key, data in at.objects.items():
        if key.startswith("_lake/checkpoints/"):
            number = int(key.removeprefix("_lake/checkpoints/")[:20])
            _refuse(number >= len(views), f"{key} is of a commit that is not there")
            wrong = checkpoint_differs(key, data, views[number])
            _refuse(wrong, f"{key} is not the fold: {wrong}")
