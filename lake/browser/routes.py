"""Addresses: which page an encoded path means, and what is named in it."""

import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote

from lake import layout

Name = Literal[
    "lake",
    "dataset",
    "rows",
    "columns",
    "versions",
    "checks",
    "partition",
    "version",
    "diff",
    "bucket",
    "object",
    "commits",
    "commit",
    "runs",
    "search",
    "sql",
    "sql_names",
    "sql_csv",
    "sql_json",
    "sql_parquet",
    "sql_cancel",
    "sql_wait",
]
_ALONE: dict[str, Name] = {
    "/": "lake",
    "/index": "lake",
    "/bucket": "bucket",
    "/bucket/object": "object",
    "/commits": "commits",
    "/runs": "runs",
    "/search": "search",
    "/sql": "sql",
    "/sql/names": "sql_names",
    "/sql.csv": "sql_csv",
    "/sql/json": "sql_json",
    "/sql.parquet": "sql_parquet",
    "/sql/cancel": "sql_cancel",
    "/sql/wait": "sql_wait",
}
_TABS: dict[str, Name] = {
    "rows": "rows",
    "columns": "columns",
    "versions": "versions",
    "checks": "checks",
}
_VERSION = re.compile(r"v([1-9][0-9]{0,9})")
_COMMIT = re.compile(r"/commits/(0|[1-9][0-9]{0,17})")


@dataclass(frozen=True, slots=True)
class Route:
    """A page, what its address names, and whether its JSON is asked for.

    Attributes:
        places: `dataset`, `partition` (its text, percent-encoded as in the log), `version`,
            `other` (the version that it is compared with), `commit`.
    """

    name: Name
    places: dict[str, str] = field(default_factory=dict)
    is_json: bool = False


def resolve(path: str) -> Route | None:
    """Return what an encoded path means; None for nothing.

    `.json` behind a path asks for the same page's JSON.
    """
    is_json = path.endswith(".json")
    bare = path.removesuffix(".json") if is_json else path
    if bare in _ALONE and (bare != "/index" or is_json) and (bare != "/" or not is_json):
        return Route(_ALONE[bare], {}, is_json)
    found = _COMMIT.fullmatch(bare)
    if found:
        return Route("commit", {"commit": found[1]}, is_json)
    return _dataset(bare, is_json)


def _dataset(path: str, is_json: bool) -> Route | None:
    _, zone, name, *rest = [*path.split("/"), "", ""][:3] + path.split("/")[3:]
    if zone not in layout.ZONES or not name:
        return None
    places = {"dataset": unquote(f"{zone}.{name}")}
    if len(rest) == 1 and rest[0] in _TABS:
        return Route(_TABS[rest[0]], places, is_json)
    if not rest:
        return Route("dataset", places, is_json)
    if len(rest) >= 3 and rest[-2] == "diff":
        other, rest = rest[-1], rest[:-2]
        if not _VERSION.fullmatch(other) or not _VERSION.fullmatch(rest[-1]):
            return None
        partition = "/".join(rest[:-1])
        places |= {"partition": partition, "version": rest[-1][1:], "other": other[1:]}
        return Route("diff", places, is_json)
    if _VERSION.fullmatch(rest[-1]):
        places |= {"partition": "/".join(rest[:-1]), "version": rest[-1][1:]}
        return Route("version", places, is_json)
    partition = "/".join(rest)
    if partition.endswith("%2Ejson"):
        partition = f"{partition.removesuffix('%2Ejson')}.json"
    return Route("partition", {**places, "partition": partition}, is_json)
