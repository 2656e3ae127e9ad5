"""What a query may say: one SELECT over the lake's views, without functions that look elsewhere.

Read by the process that answers a query, by its path: nothing of the lake is imported here.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest", "json_each", "json_tree"})
"""Those that give rows of their arguments alone."""
REFUSED = {
    "current_setting": "tells settings",
    "getvariable": "tells variables",
    "getenv": "reads the environment",
    "current_query": "tells how it is run",
    "json_serialize_plan": "plans statements in a text",
    "json_execute_serialized_sql": "runs statements in a text",
    "query": "runs statements in a text",
    "query_table": "reads tables named in a text",
    "pg_get_viewdef": "tells how views are made",
    "pg_get_expr": "tells how views are made",
    "pg_sleep": "only waits",
    "sleep_ms": "only waits",
    "write_log": "writes",
    "set_config": "changes settings",
    "nextval": "changes sequences",
    "currval": "reads sequences",
    "which_secret": "tells secrets",
}
_REFUSED_NAMES = re.compile(
    r"(read|scan|sniff|parquet|duckdb|pragma|pg_get|pg_ls|lo|dblink)_.*|glob"
)
_PLAIN = re.compile(r"[^\W\d]\w*( \w+)*")
_TABLES = frozenset(
    {"BASE_TABLE", "SUBQUERY", "JOIN", "TABLE_FUNCTION", "EXPRESSION_LIST", "EMPTY", "SHOW_REF"}
    | {"PIVOT", "CTE", "EMPTY_FROM"}
)


class Refused(Exception):
    """A query that is not run; the message says why, in one line."""


def names(connection: Any, query: str) -> list[tuple[str, str]]:
    """Return schema and name of every table that a query reads, which is one SELECT.

    Raises:
        Refused: it is something else, or calls what is not let in.
    """
    only = _only_select(connection, query)
    text = only.replace("'", "''")
    found = connection.execute(f"SELECT json_serialize_sql('{text}')").fetchone()
    tree = json.loads(found[0])
    if tree.get("error"):
        raise Refused(f"This cannot be looked through, so it is not run: {tree['error_message']}")
    tables: dict[tuple[str, str], None] = {}
    # Out of its WITH's reach such a name would be DuckDB's own view, which tells too much.
    views = connection.execute("SELECT view_name FROM duckdb_views() WHERE internal").fetchall()
    ctes = {name.lower() for name in _ctes(tree)} - {name.lower() for (name,) in views}
    for node in _nodes(tree):
        _look(node, ctes, tables)
    return list(tables)


def _only_select(connection: Any, query: str) -> str:
    statements = connection.extract_statements(query)
    kinds = [str(one.type).rpartition(".")[2] for one in statements]
    if kinds[:1] == ["CREATE"] and kinds[-1:] == ["SELECT"] and "pivot" in query.lower():
        raise Refused("Write PIVOT … ON column IN (value, …): without the values it is no SELECT.")
    if not kinds:
        raise Refused("Write a SELECT: there is nothing to run.")
    if len(kinds) > 1:
        raise Refused(f"One SELECT is run at a time; these are {len(kinds)} statements.")
    if kinds != ["SELECT"]:
        raise Refused(f"Only a SELECT is run, for nothing is written here; this is {kinds[0]}.")
    text: str = statements[0].query
    return text


def _nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Give every node; without recursion, for a query may be nested deeper than Python goes."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


def _ctes(tree: Any) -> Iterator[str]:
    for node in _nodes(tree):
        held = node.get("cte_map")
        for one in held.get("map", ()) if isinstance(held, dict) else ():
            yield one["key"]
        if node.get("type") in ("RECURSIVE_CTE_NODE", "CTE_NODE"):
            yield node["cte_name"]


def _look(node: dict[str, Any], ctes: set[str], tables: dict[tuple[str, str], None]) -> None:
    held = node.get("from_table")
    if isinstance(held, dict) and held.get("type") not in _TABLES:
        raise Refused(f"A FROM of this kind is not run: {held.get('type')}.")
    kind = node.get("type")
    if kind == "BASE_TABLE":
        _table(node, ctes, tables)
    elif kind == "SHOW_REF" and not node.get("query"):
        raise Refused("SHOW is not run: meta.datasets and meta.columns say what there is.")
    elif kind == "TABLE_FUNCTION":
        name = str(node["function"].get("function_name", "")).lower()
        if name not in TABLE_FUNCTIONS:
            raise Refused(f"{name}() is not run: only the lake's datasets are read here.")
    elif node.get("class") == "FUNCTION":
        _function(str(node.get("function_name", "")).lower())


def _table(node: dict[str, Any], ctes: set[str], tables: dict[tuple[str, str], None]) -> None:
    schema, name = node["schema_name"], node["table_name"]
    if node.get("catalog_name"):
        raise Refused(f"Write schema.table: {node['catalog_name']}.{schema}.{name} is none here.")
    if schema:
        tables[schema, name] = None
        return
    # A plain name can never be that of a file, also where it is out of its WITH's reach.
    if name.lower() not in ctes or not _PLAIN.fullmatch(name):
        raise Refused(
            f"There is no table {name[:80]!r}: write raw.NAME, curated.NAME or meta.NAME."
        )


def _function(name: str) -> None:
    if name in TABLE_FUNCTIONS:
        return
    if name in REFUSED:
        raise Refused(f"{name}() is not run: it {REFUSED[name]}.")
    if _REFUSED_NAMES.fullmatch(name):
        raise Refused(f"{name}() is not run: it looks at more than the lake's datasets.")
