"""A comparison as SQL that anybody can run over downloaded files."""

from collections.abc import Sequence
from functools import partial

from lake.browser.comparing import Compared
from lake.browser.owners import tables
from lake.browser.receipts import Place
from lake.browser.snapshot import Snapshot
from lake.query.sql import identifier

_READABLE = ("parquet", "csv", "tsv", "json")


def snippet(shot: Snapshot, before: Place, after: Place, found: Compared) -> str:
    """Return DuckDB's SQL for a comparison; `""` where it cannot read such files by itself."""
    ends = [shot.memo(("end", one), partial(_end, shot, one)) for one in (before, after)]
    if found.problem or not all(ends):
        return ""
    old, new = (f"'v{one.number}/**/*.{end}'" for one, end in zip((before, after), ends,
                                                                  strict=True))  # fmt: skip
    fetch = [f"-- lake get {one.address} -o v{one.number}" for one in (before, after)]
    select = _by_key(old, new, found) if found.key else _as_multisets(old, new, found)
    return "\n".join([*fetch, *select])


def _end(shot: Snapshot, at: Place) -> str:
    tables(shot)
    found = shot.rows(
        f"SELECT key FROM every_file WHERE {at.where} AND version = {at.number}"
        " ORDER BY role <> 'original', key LIMIT 1"
    )
    end = found[0]["key"].rpartition(".")[2].lower() if found else ""
    return end if end in _READABLE else ""


def _as_multisets(old: str, new: str, found: Compared) -> Sequence[str]:
    # Where both have the same columns all of them are compared, else those that both have.
    is_same = all(one.kind == "type" for one in found.schema)
    names = "*" if is_same or found.hidden else ", ".join(map(identifier, found.names))
    sides = [f"SELECT {names} FROM {side}" for side in (old, new)]
    return (
        "SELECT 'removed' AS change, *",
        f"FROM ({sides[0]} EXCEPT ALL {sides[1]})",
        "UNION ALL BY NAME SELECT 'added' AS change, *",
        f"FROM ({sides[1]} EXCEPT ALL {sides[0]});",
    )


def _by_key(old: str, new: str, found: Compared) -> Sequence[str]:
    key = ", ".join(map(identifier, found.key))
    changed = list(found.columns or {})[:8] or list(found.names[:1])
    pairs = [
        f"b.{identifier(name)} AS {identifier(f'{name} was')}, a.{identifier(name)}"
        for name in changed
    ]
    differ = "\n   OR ".join(
        f"b.{identifier(name)} IS DISTINCT FROM a.{identifier(name)}" for name in changed
    )
    return (
        f"SELECT {key}, {', '.join(pairs)}",
        f"FROM {old} b FULL JOIN {new} a USING ({key})",
        f"WHERE {differ};",
    )
