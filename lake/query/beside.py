"""The views beside a raw dataset's own: `raw.x__rows`, `raw.x__rejected` and `raw.x__current`.

`__rows` has every row with where it lies: `_file` (its key), `_row` (its number in there, from 1),
`_commit` and `_landed_at`. `__rejected` has the rows that could not be read or broke the contract,
of the current versions and of those held since. `__current` has the newest row per declared key.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from lake import layout, objects
from lake.catalog.log import Log
from lake.catalog.state import State
from lake.errors import NoSuchDataset, QueryFailed
from lake.query.sql import file_list, identifier, literal
from lake.query.views import ViewFile, plan_view
from lake.schema.admit import crowd
from lake.schema.join import spell

KINDS = ("rows", "rejected", "current")
_NUMBERED = "file_row_number"
_LINE_BYTES = 64 << 20
_LINES = {
    "line": "BIGINT",
    "row": "BIGINT",
    "reason": "VARCHAR",
    "raw": "VARCHAR",
    "cut": "BOOLEAN",
}
_OF_VERSION = {
    "partition": "VARCHAR",
    "version": "BIGINT",
    "commit": "BIGINT",
    "landed_at": "TIMESTAMPTZ",
    "held": "BOOLEAN",
}
_ORIGINS = """
SELECT key, commit AS added_in, landed_at FROM meta._history
WHERE removed_in IS NULL AND role = 'data' AND dataset = """
_WITH_REJECTS = """
SELECT any_value(receipt) AS receipt, partition, version, any_value(commit) AS commit,
  any_value(landed_at) AS landed_at, any_value(held) <> '' AS held
FROM meta._history WHERE rejected > 0 AND dataset = {dataset}
GROUP BY partition, version
HAVING bool_or(removed_in IS NULL) OR (held AND version > coalesce((SELECT max(version)
  FROM meta._history c WHERE c.dataset = {dataset} AND c.partition = _history.partition
  AND c.removed_in IS NULL), 0))
ORDER BY partition, version
"""


def is_one(name: str, state: State) -> bool:
    """Tell whether `name` is of such a view, as `raw.x__rows` is if there is a `raw.x`."""
    dataset, kind = split(name)
    return kind in KINDS and dataset.startswith("raw.") and dataset in state.datasets


def split(name: str) -> tuple[str, str]:
    """Return the dataset and the kind of `raw.x__rows`; a name without both gives no dataset."""
    dataset, _, kind = name.rpartition("__")
    return dataset, kind


def views_of(state: State, dataset: str) -> list[str]:
    """Return the kinds of view that a dataset has beside its own."""
    if not dataset.startswith("raw."):
        return []
    if not _can_number(state, dataset):
        return ["rejected"]
    has_key = bool(declared_key(state, dataset))
    return [kind for kind in KINDS if has_key or kind != "current"]


def _can_number(state: State, dataset: str) -> bool:
    """Tell whether rows can be numbered: DuckDB does it in a column that a file may have itself."""
    schemas = (state.schemas[one] for one in crowd(state, dataset).counts)
    return all(column.name.lower() != _NUMBERED for schema in schemas for column in schema)


def names(state: State) -> list[str]:
    """Return the names of all views that stand beside a dataset's own."""
    return [
        f"{dataset}__{kind}"
        for dataset, one in sorted(state.datasets.items())
        if one.last_schema
        for kind in views_of(state, dataset)
    ]


def qualified(name: str) -> str:
    """Return the quoted name of such a view."""
    return ".".join(map(identifier, name.split(".")))


def select(connection: Any, log: Log, state: State, dataset: str, kind: str) -> str:
    """Return the SELECT of one of the views beside a dataset's own.

    Args:
        connection: one with the metadata tables of the state.
        log: the lake's.
        state: which files there are.
        dataset: such as `raw.trips`.
        kind: one of `KINDS`.

    Raises:
        NoSuchDataset: `__current` needs a key, and none is declared.
        QueryFailed: the dataset has no column of the key's name, or its rows cannot be numbered.
    """
    if kind == "rejected":
        return _rejected(connection, log, dataset)
    if not _can_number(state, dataset):
        raise QueryFailed(
            f"there is no {dataset}__{kind}: a column of its files is called {_NUMBERED}, as what"
            f" DuckDB numbers rows in; query {dataset} itself"
        )
    rows = _rows(connection, log, state, dataset)
    return rows if kind == "rows" else _newest(state, dataset, rows)


def _rows(connection: Any, log: Log, state: State, dataset: str) -> str:
    found = crowd(state, dataset)
    files = state.data_files(dataset)
    url_of = log.store.data_url
    seen = [ViewFile(url_of(file.key), file.schema) for file in files]
    plan = plan_view(dataset, seen, state.schemas, found.reconciled(), found.keys)
    where = {one["key"]: one for one in _asked(connection, _ORIGINS + literal(dataset))}
    origins = [
        (url_of(file.key), file.key, where[file.key]["added_in"], where[file.key]["landed_at"])
        for file in files
    ]
    return (
        "SELECT r.* EXCLUDE (_url, _row), f.key AS _file, r._row, f.added AS _commit,"
        f" f.landed::TIMESTAMPTZ AS _landed_at FROM ({plan.select(url_of, with_origin=True)}) r"
        f" JOIN {_values(origins, ('url', 'key', 'added', 'landed'))} ON r._url = f.url"
    )


def _values(rows: Iterable[Sequence[Any]], names: Sequence[str]) -> str:
    texts = [f"({', '.join(literal(value) for value in row)})" for row in rows]
    if not texts:
        nothing = ", ".join(f"NULL AS {name}" for name in names)
        return f"(SELECT {nothing} WHERE false) f"
    return f"(VALUES {', '.join(texts)}) f({', '.join(names)})"


def declared_key(state: State, dataset: str) -> list[str]:
    """Return the columns that a dataset's source declares as its key."""
    text = state.declared("source").get(dataset.partition(".")[2], "")
    found = json.loads(text).get("key", []) if text else []
    return [str(name) for name in found]


def _given_key(state: State, dataset: str) -> list[str]:
    """Return the key that was given with the newest landing by hand, if one was."""
    landed = [one.current for one in state.current(dataset) if one.current]
    newest = max(landed, key=lambda version: version.commit, default=None)
    text = newest.landed.origin.get("key", "") if newest else ""
    return [str(name) for name in json.loads(text)] if text else []


def _newest(state: State, dataset: str, rows: str) -> str:
    """Return the newest row per key; one whose key is NULL in part is like no other."""
    names = declared_key(state, dataset) or _given_key(state, dataset)
    if not names:
        name = dataset.partition(".")[2]
        raise NoSuchDataset(
            f'{dataset}__current needs a key, and none is declared: write key = ["…"] into'
            f" [sources.{name}] of lake.toml and run `lake apply`"
        )
    columns = {spell(c.name): c.name for c in crowd(state, dataset).reconciled().columns}
    for name in names:
        if spell(name) not in columns:
            raise QueryFailed(
                f"{dataset}__current: the declared key {name!r} is no column of {dataset}: correct"
                " key in lake.toml and run `lake apply`"
            )
    key = [identifier(columns[spell(name)]) for name in names]
    is_null = " OR ".join(f"{name} IS NULL" for name in key)
    alone = f"CASE WHEN {is_null} THEN _file || ' ' || _row END"
    return (
        f"SELECT * EXCLUDE (_file, _row, _commit, _landed_at) FROM ({rows})"
        f" QUALIFY row_number() OVER (PARTITION BY {', '.join([*key, alone])}"
        " ORDER BY _commit DESC, _file DESC, _row DESC) = 1"
    )


def _rejected(connection: Any, log: Log, dataset: str) -> str:
    versions = []
    for one in _asked(connection, _WITH_REJECTS.format(dataset=literal(dataset))):
        key = one["receipt"].rpartition("/")[0] + f"/{layout.REJECTED}"
        if _is_there(log, key):  # a person may have deleted it
            versions.append((log.store.data_url(key), *(one[name] for name in _OF_VERSION)))
    if not versions:
        names = {name: kind for name, kind in (_OF_VERSION | _LINES).items() if name != "cut"}
        nothing = ", ".join(f"NULL::{kind} AS {identifier(name)}" for name, kind in names.items())
        return f"SELECT {nothing} WHERE false"
    shape = ", ".join(f"{identifier(name)}: {literal(kind)}" for name, kind in _LINES.items())
    of_version = ", ".join(
        f"f.{identifier(name)}::{kind} AS {identifier(name)}" for name, kind in _OF_VERSION.items()
    )
    found = _values(versions, ("url", *map(identifier, _OF_VERSION)))
    return (
        f'SELECT {of_version}, r.line, r."row", r.reason, r.raw FROM read_json('
        f"{file_list([version[0] for version in versions])}, format='newline_delimited',"
        f" compression='gzip', filename='_url', columns={{{shape}}},"
        f" maximum_object_size={_LINE_BYTES}, hive_partitioning=false) r"
        f" JOIN {found} ON r._url = f.url"
    )


def _asked(connection: Any, query: str) -> list[dict[str, Any]]:
    found = connection.execute(query)
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _is_there(log: Log, key: str) -> bool:
    try:
        objects.size(log.store, key)
    except FileNotFoundError:
        return False
    return True
